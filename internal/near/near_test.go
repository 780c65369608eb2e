package near

import "testing"

func TestDistance(t *testing.T) {
	for _, d := range []struct {
		a, b string
		n    int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"abc", "abd", 1}, {"kitten", "sitting", 3}, {"äö", "öä", 1}} {
		if got := Distance(d.a, d.b, 9); got != d.n {
			t.Errorf("from %q to %q it is %d", d.a, d.b, got)
		}
		if got := Distance(d.a, d.b, 0); (got > 0) != (d.n > 0) {
			t.Errorf("from %q to %q, at most 0, it is %d", d.a, d.b, got)
		}
	}
}
