package matrix

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"moot/protocol"
)

func TestWhatFitsIsOneMessageAlsoWhereAllOfItIsEscaped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text protocol.Text
		fits bool
	}{
		"a line":                  {protocol.Plain("hello"), true},
		"4 KiB of letters":        {protocol.Plain(strings.Repeat("a", 4096)), true},
		"more":                    {protocol.Plain(strings.Repeat("a", 4097)), false},
		"names of angle brackets": {protocol.Join(protocol.Strong("x"), strings.Repeat(strings.Repeat("<", 50)+" ", 80)), false},
	} {
		if got := Fits(c.text); got != c.fits {
			data, _ := json.Marshal(editContent(c.text, "$placeholder"))
			t.Errorf("%s: fits %t, with %d bytes of content", name, got, len(data))
		}
	}
}

func TestAnEditIsCutBetweenTwoCharacters(t *testing.T) {
	t.Parallel()
	for _, letter := range []string{"é", "漢", "👍", "aé"} {
		long := protocol.Plain(strings.Repeat(letter, maxPart/len(letter)))
		if got := shortened(long, maxPart/2).Plain(); !utf8.ValidString(got) || strings.Contains(got, "\uFFFD") || len(got) > maxPart/2 || !strings.HasSuffix(got, "…") {
			t.Errorf("cut to %d bytes, valid %t: …%q", len(got), utf8.ValidString(got), got[len(got)-12:])
		}
	}
}
