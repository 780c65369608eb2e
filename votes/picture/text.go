package picture

import (
	"strings"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/norm"
)

// style is a font in a size.
type style struct {
	font *sfnt.Font
	face font.Face
	line int // from one baseline to the next
}

// styles are those of one picture: a face keeps what it has drawn last, so that no two goroutines may share one.
type styles struct{ title, label, strong style }

var regular, bold = parsed(goregular.TTF), parsed(gobold.TTF)

func parsed(data []byte) *sfnt.Font {
	f, err := opentype.Parse(data)
	if err != nil {
		panic(err) // it is part of the program
	}
	return f
}

func newStyles() styles {
	return styles{
		title: newStyle(bold, 34, 44), label: newStyle(regular, 25, 34), strong: newStyle(bold, 25, 34),
	}
}

func newStyle(f *sfnt.Font, size float64, line int) style {
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		panic(err) // the options are ours
	}
	return style{f, face, line}
}

// drawable returns the words as they are drawn, and whether they can be: all of their letters are in the font. Signs that are not are
// left out.
func (s style) drawable(words string) (string, bool) {
	var buf sfnt.Buffer
	var b strings.Builder
	for _, r := range norm.NFC.String(words) {
		if unicode.IsSpace(r) {
			b.WriteRune(' ')
			continue
		}
		if !unicode.IsGraphic(r) {
			continue
		}
		if i, err := s.font.GlyphIndex(&buf, r); err == nil && i != 0 {
			b.WriteRune(r)
			continue
		}
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) && r != '\ufe0f' && r != '\u20e3' {
			return "", false
		}
	}
	out := strings.Join(strings.Fields(b.String()), " ")
	return out, out != ""
}

// words returns what is drawn of some words: themselves, or what stands instead of them.
func (s style) words(w Words) string {
	for _, try := range []string{w.Text, w.Instead} {
		if out, ok := s.drawable(try); ok {
			return out
		}
	}
	return ""
}

func (s style) width(text string) int { return font.MeasureString(s.face, text).Ceil() }

// lines breaks a text into lines of a width, as many as there may be. What does not fit is cut.
func (s style) lines(text string, width, most int) (out []string) {
	line := ""
	for rest := text; rest != ""; {
		word, behind, _ := strings.Cut(rest, " ")
		next := strings.TrimPrefix(line+" "+word, " ")
		switch {
		case s.width(next) <= width:
			line, rest = next, behind
			continue
		case line == "": // one word that is longer than a line
			head := s.fitting(word, width)
			line, rest = head, strings.TrimSpace(word[len(head):]+" "+behind)
		}
		if len(out) == most-1 {
			return append(out, s.cut(line+" "+rest, width))
		}
		out, line = append(out, line), ""
	}
	if line != "" {
		out = append(out, line)
	}
	return out
}

// fitting returns as much of a text, at least one character, as fits into a width.
func (s style) fitting(text string, width int) string {
	at, used, before := 0, fixed.Int26_6(0), rune(-1)
	for i, r := range text {
		if before >= 0 {
			used += s.face.Kern(before, r)
		}
		advance, _ := s.face.GlyphAdvance(r)
		if used += advance; used.Ceil() > width && i > 0 {
			break
		}
		at, before = i+len(string(r)), r
	}
	return text[:at]
}

// cut returns a text, shortened by an ellipsis if it is wider than that.
func (s style) cut(text string, width int) string {
	if s.width(text) <= width {
		return text
	}
	return strings.TrimRight(s.fitting(text, width-s.width("…")), " ") + "…"
}
