package saytest

import "testing"

// TestOutside: what is plain outside of marks is found, however they are nested, and cut off.
func TestOutside(t *testing.T) {
	for text, want := range map[string]string{
		"Ṽööţéé ⟦3⟧ ƀý ⟦Ann⟧: šååý ⟦yes⟧": "",
		"Ṽööţéé 3 by ⟦Ann⟧":               "by",
		"⟦a ⟦b⟧ c⟧ and more, d":           "and more",
		"⟦a ⟦b⟧ c\nšåå\nand this":         "and this",
		"12:30 👍 – ÄÖ":                    "",
	} {
		if got := Outside(text); got != want {
			t.Errorf("%q has %q outside", text, got)
		}
	}
}
