package rooms

import "testing"

// TestWords: every language has every sentence.
func TestWords(t *testing.T) {
	if err := catalogue.Check(); err != nil {
		t.Error(err)
	}
}
