package screen

import "testing"

// TestWords: every language has every sentence, with the same slots.
func TestWords(t *testing.T) {
	if err := catalogue.Check(); err != nil {
		t.Error(err)
	}
}
