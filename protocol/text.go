package protocol

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Text is what the bot says, with light markup. Its plain form is always complete: an adapter that can render
// nothing else sends [Text.Plain]. The zero value is the empty text.
//
// What a Text holds is clean: no control characters but the newline, no characters that turn the direction of
// writing around. Only a mention mentions; whatever else a span says, an adapter escapes.
type Text []Span

// Style is how a span of a Text looks.
type Style string

// The styles. An adapter shows one that it does not know as plain.
const (
	PlainStyle   Style = ""
	StrongStyle  Style = "strong"
	CodeStyle    Style = "code"    // short, within a line
	MentionStyle Style = "mention" // Ref is the person; their attention is wanted
	PersonStyle  Style = "person"  // Ref is the person; named without wanting their attention
	PlaceStyle   Style = "place"   // Ref is the place: a channel or thread of the room that is written to
	TimeStyle    Style = "time"    // Ref is the time as RFC 3339, for networks that show local times
)

// Span is a piece of a Text in one style.
type Span struct {
	Style Style  `json:"s,omitempty"`
	Text  string `json:"t"` // the plain form
	Ref   string `json:"r,omitempty"`
}

// Plain makes a text without markup.
func Plain(s string) Text { return Text{{Text: Clean(s)}} }

// Plainf is Plain with formatting. Words of people go through [Quoted] or [OneLine] first.
func Plainf(format string, args ...any) Text { return Plain(fmt.Sprintf(format, args...)) }

// Strong makes an emphasised text.
func Strong(s string) Text { return Text{{Style: StrongStyle, Text: Clean(s)}} }

// Code makes a text that can be typed as it stands.
func Code(s string) Text { return Text{{Style: CodeStyle, Text: OneLine(s)}} }

// Mention names a person and wants their attention.
func Mention(id UserID, name string) Text {
	return Text{{Style: MentionStyle, Text: OneLine(name), Ref: string(id)}}
}

// Person names a person without wanting their attention.
func Person(id UserID, name string) Text {
	return Text{{Style: PersonStyle, Text: OneLine(name), Ref: string(id)}}
}

// Place names a channel or thread of the room that is written to.
func Place(id PlaceID) Text {
	return Text{{Style: PlaceStyle, Text: OneLine(string(id)), Ref: string(id)}}
}

// Moment names a time, in UTC where the network cannot do better.
func Moment(t time.Time) Text {
	t = t.UTC()
	return Text{{Style: TimeStyle, Text: t.Format("2006-01-02 15:04 UTC"), Ref: t.Format(time.RFC3339)}}
}

// Join puts texts one after another. A string is taken as Plain does, a Text as it is; anything else is formatted
// with %v and taken as Plain does.
func Join(parts ...any) Text {
	var out Text
	for _, p := range parts {
		switch p := p.(type) {
		case Text:
			out = append(out, p...)
		case string:
			out = append(out, Span{Text: Clean(p)})
		default:
			out = append(out, Span{Text: Clean(fmt.Sprint(p))})
		}
	}
	return out
}

// Lines puts texts under one another.
func Lines(lines ...Text) Text {
	var out Text
	for i, l := range lines {
		if i > 0 {
			out = append(out, Span{Text: "\n"})
		}
		out = append(out, l...)
	}
	return out
}

// Plain returns the text without markup. Nothing is left out.
func (t Text) Plain() string {
	var b strings.Builder
	for _, s := range t {
		b.WriteString(s.Text)
	}
	return b.String()
}

// Mentions returns the people whose attention the text wants, each once, in order.
func (t Text) Mentions() []UserID {
	var ids []UserID
	seen := map[string]bool{}
	for _, s := range t {
		if s.Style == MentionStyle && !seen[s.Ref] {
			seen[s.Ref] = true
			ids = append(ids, UserID(s.Ref))
		}
	}
	return ids
}

// Clean returns s as valid UTF-8 without control characters (the newline stays, a tab becomes a space) and without
// characters that override the direction of writing or are invisible (Unicode category Cf, but for the joiners that
// scripts and emoji need, and the letters of a flag such as that of Wales).
func Clean(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	var flags strings.Builder // of what comes before the last flag
	for {
		at := strings.Index(s, blackFlag)
		if at < 0 {
			break
		}
		end := at + len(blackFlag) + flagLetters(s[at+len(blackFlag):])
		flags.WriteString(strings.Map(clean, s[:at]))
		flags.WriteString(s[at:end])
		s = s[end:]
	}
	return flags.String() + strings.Map(clean, s)
}

func clean(r rune) rune {
	switch {
	case r == '\n':
		return r
	case r == '\t':
		return ' '
	case r == '\u200c' || r == '\u200d':
		return r
	case unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029':
		return -1
	}
	return r
}

// A flag of a part of a country is a black flag with its code in tag letters behind it, and an end (UTS #51, "Emoji Tag
// Sequences"). Tag letters elsewhere are invisible words.
const (
	blackFlag = "\U0001F3F4"
	flagEnd   = '\U000E007F'
)

// flagLetters returns how many bytes of tag letters, with their end, stand behind a black flag.
func flagLetters(s string) int {
	for i, r := range s {
		switch {
		case r == flagEnd && i > 0:
			return i + utf8.RuneLen(r)
		case r < '\U000E0030' || r > '\U000E007A' || i >= 6*utf8.UTFMax:
			return 0
		}
	}
	return 0
}

// OneLine is Clean on a single line: runs of white space become one space, none is left at the ends.
func OneLine(s string) string { return strings.Join(strings.Fields(Clean(s)), " ") }

// Quoted returns the words of a person for use in a sentence: on one line, at most max characters (zero means 60),
// between «». Such marks within the words become ‹›, so that nobody's words end the quotation.
func Quoted(s string, max int) string {
	if max <= 0 {
		max = 60
	}
	return "«" + inner.Replace(Shorten(OneLine(s), max)) + "»"
}

var inner = strings.NewReplacer("«", "‹", "»", "›")

// Shorten cuts s after at most max characters, the last of which is then an ellipsis. Of none nothing is left. What is one
// character to a reader, as a letter with its accents or a family, is not cut apart.
func Shorten(s string, max int) string {
	if len(s) <= max {
		return s
	}
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	if max <= 0 {
		return ""
	}
	n, whole, last, regional := 0, 0, rune(0), 0
	for i, r := range s {
		if !goesOn(last, r, regional) {
			whole = i
		}
		if n == max-1 {
			if whole == 0 {
				whole = i // one character of more parts than anybody writes
			}
			return s[:whole] + "…"
		}
		if regional++; !isRegional(r) {
			regional = 0
		}
		last = r
		n++
	}
	return s
}

// goesOn reports whether r belongs to the character that ends with last, before which so many regional indicators stand in
// a row, with it (UAX #29, "Grapheme Cluster Boundary Rules", as far as people write).
func goesOn(last, r rune, regional int) bool {
	switch {
	case r == '\u200d', r == '\u200c', unicode.In(r, unicode.M, unicode.Variation_Selector), 0x1F3FB <= r && r <= 0x1F3FF,
		0xE0020 <= r && r <= 0xE007F:
		return true
	case last == '\u200d':
		return unicode.Is(unicode.So, r)
	case isRegional(r):
		return regional%2 == 1
	case 0x1160 <= r && r <= 0x11FF: // the vowel, or the end, of a Hangul syllable
		return 0x1100 <= last && last <= 0x11FF || 0xAC00 <= last && last <= 0xD7A3
	}
	return last == '\r' && r == '\n'
}

func isRegional(r rune) bool { return 0x1F1E6 <= r && r <= 0x1F1FF }

// MentionToken is the form in which the mention of a person stands in the text of a message.
func MentionToken(id UserID) string { return "<@" + string(id) + ">" }

// ParseMention returns the person of a mention token.
func ParseMention(s string) (UserID, bool) {
	id, ok := strings.CutPrefix(s, "<@")
	if !ok {
		return "", false
	}
	id, ok = strings.CutSuffix(id, ">")
	if !ok || checkScoped(id, "") != nil {
		return "", false
	}
	return UserID(id), true
}
