package alike

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"

	"moot/protocol"
)

// CutPrefix returns what follows a word at the beginning of s, in whichever form the word is written there. Folded is what
// [Fold] makes of the word. It ends where a character ends as readers see it: "é" does not begin with "e".
func CutPrefix(s, folded string) (rest string, ok bool) {
	// Nearly always it is written as it is, in ASCII; nothing in ASCII belongs to the character before it but a line feed.
	if rest, ok := strings.CutPrefix(s, folded); ok && isASCII(folded) && (rest == "" || rest[0] < utf8.RuneSelf && rest[0] != '\n') {
		return rest, true
	}
	rest, space := s, true // whether white space here is none of the word
	for folded != "" {
		var cluster string
		cluster, rest, _, _ = uniseg.FirstGraphemeClusterInString(rest, -1)
		f := Fold(cluster)
		switch {
		case cluster == "":
			return s, false
		case f != "":
			space = false
		case !strings.ContainsFunc(cluster, unicode.IsSpace) || space:
			continue // it shows nothing
		default:
			f, space = " ", true
		}
		if folded, ok = strings.CutPrefix(folded, f); !ok {
			return s, false
		}
	}
	return rest, true
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// Called reports whether a text begins by calling somebody by one of the names, as in "Moot: ping" or "@Moot, ping", and
// returns what it then says. With loosely, the name alone is enough, as in "Moot ping". Who is called may be at another
// server: "moot:example.org" calls nobody whose name is "moot".
func Called(text string, loosely bool, names ...string) (rest string, ok bool) {
	text = strings.TrimLeftFunc(text, unicode.IsSpace)
	text, _ = CutPrefix(text, "@")
	for _, name := range names {
		name = strings.TrimPrefix(Fold(name), "@")
		if name == "" {
			continue
		}
		after, ok := CutPrefix(text, name)
		if !ok {
			continue
		}
		if rest, ok := CutColon(after); ok {
			return rest, true
		}
		if r, _ := utf8.DecodeRuneInString(after); loosely && (after == "" || unicode.IsSpace(r)) {
			return strings.TrimLeftFunc(after, unicode.IsSpace), true
		}
	}
	return text, false
}

// CutColon returns what follows the colon or comma at the beginning of a text, where it stands for a pause. The colon before
// the name of a server stands for none.
func CutColon(text string) (rest string, ok bool) {
	r, size := utf8.DecodeRuneInString(text)
	rest = text[size:]
	switch {
	case r == ':':
		word := strings.TrimRight(firstWord(rest), ".!?…,;")
		if strings.ContainsAny(word, ".:[/") || word != "" && strings.Trim(word, "0123456789") == "" {
			return text, false
		}
	case r == '、' || r == '،' || r == '︓':
	case norm.NFKC.String(string(r)) == ":" || norm.NFKC.String(string(r)) == ",":
	default:
		return text, false
	}
	return strings.TrimLeftFunc(rest, unicode.IsSpace), true
}

// firstWord returns what stands before the first white space.
func firstWord(s string) string {
	if i := strings.IndexFunc(s, unicode.IsSpace); i >= 0 {
		s = s[:i]
	}
	return protocol.Clean(s)
}
