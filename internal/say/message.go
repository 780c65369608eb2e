package say

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"moot/protocol"
)

// piece is one piece of a message: words, or a slot.
type piece struct {
	style      protocol.Style
	text       string
	name, kind string // of a slot
}

var slotForm = regexp.MustCompile(`\{\{(\w+) \.(\w+)\}\}`)

var kinds = []string{person, place, moment, span, count, number, words, code, part}

// parse takes a message apart.
func parse(message string) (pieces []piece, err error) {
	style := protocol.PlainStyle
	plain := func(s string) {
		for s != "" {
			i := strings.IndexAny(s, "*`")
			mark := ""
			switch {
			case i < 0:
				i = len(s)
			case s[i] == '`':
				mark = "`"
			case strings.HasPrefix(s[i:], "**"):
				mark = "**"
			default:
				mark, i = "*", i+1 // by itself it is one
			}
			if i > 0 {
				pieces = append(pieces, piece{style: style, text: s[:i]})
			}
			if mark == "*" {
				s = s[i:]
				continue
			}
			s = s[i+len(mark):]
			want := protocol.StrongStyle
			if mark == "`" {
				want = protocol.CodeStyle
			}
			switch {
			case mark == "":
			case style == want:
				style = protocol.PlainStyle
			case style == protocol.PlainStyle:
				style = want
			default:
				err = fmt.Errorf("one style within another: %s", message)
			}
		}
	}
	for {
		at := slotForm.FindStringSubmatchIndex(message)
		if at == nil {
			break
		}
		plain(message[:at[0]])
		kind, name := message[at[2]:at[3]], message[at[4]:at[5]]
		if !slices.Contains(kinds, kind) {
			return nil, fmt.Errorf("%q is no kind of slot", kind)
		}
		pieces = append(pieces, piece{style: style, kind: kind, name: name})
		message = message[at[1]:]
	}
	plain(message)
	switch {
	case strings.ContainsAny(message, "{}"):
		return nil, fmt.Errorf("a brace that is no slot: %s", message)
	case style != protocol.PlainStyle:
		return nil, fmt.Errorf("a style has no end: %s", message)
	}
	return pieces, err
}
