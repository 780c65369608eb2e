package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"strconv"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
)

// The size of a picture in pixels. It is as high as what it shows.
const (
	Width     = 900
	MaxHeight = 1500
)

// Most is how many bars, and how many sentences, a picture has at most.
const (
	MostBars      = 10
	MostSentences = 4
)

// How many lines of each thing there are at most.
const (
	titleLines    = 3
	sentenceLines = 3
)

const (
	padding = 48
	inner   = Width - 2*padding
	gap     = 22 // between parts
	bar     = 16 // the height of one
	mark    = "►"
)

// Words are words that may have letters which no font here has; Instead is what is drawn in their place then.
type Words struct{ Text, Instead string }

// Result is what a picture shows.
type Result struct {
	Title     Words
	Bars      []Bar
	Sentences []string // what came of it
}

// Bar is one thing that could be chosen.
type Bar struct {
	Label  Words
	Value  int
	Chosen bool
}

var (
	card   = color.RGBA{0xfa, 0xfa, 0xf8, 0xff}
	edge   = color.RGBA{0xd0, 0xd4, 0xd9, 0xff}
	ink    = color.RGBA{0x1f, 0x23, 0x28, 0xff}
	track  = color.RGBA{0xe3, 0xe6, 0xea, 0xff}
	accent = color.RGBA{0x1f, 0x5f, 0xbf, 0xff}
	plain  = color.RGBA{0x8a, 0x97, 0xa6, 0xff}
)

// Draw returns the picture of a result as a PNG, and its height. More bars and sentences than there may be are left out.
func Draw(r Result) (data []byte, height int, err error) {
	p := page{styles: newStyles()}
	p.result(r) // which only measures
	p.image = image.NewRGBA(image.Rect(0, 0, Width, min(p.at+padding-gap, MaxHeight)))
	p.fill(p.image.Bounds(), edge)
	p.fill(p.image.Bounds().Inset(2), card)
	p.result(r)
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, p.image); err != nil {
		return nil, 0, err
	}
	return b.Bytes(), p.image.Bounds().Dy(), nil
}

// page is a picture that is being drawn, from the top down; without an image it is only measured.
type page struct {
	styles
	image *image.RGBA
	at    int // where the next part begins
}

func (p *page) result(r Result) {
	p.at = padding
	p.paragraph(p.title, p.title.words(r.Title), titleLines)
	most := 1
	bars := r.Bars[:min(len(r.Bars), MostBars)]
	for _, b := range bars {
		most = max(most, b.Value)
	}
	for _, b := range bars {
		p.bar(b, most)
	}
	for _, s := range r.Sentences[:min(len(r.Sentences), MostSentences)] {
		p.paragraph(p.label, p.label.words(Words{Text: s}), sentenceLines)
	}
}

// paragraph writes a text in lines of its own.
func (p *page) paragraph(s style, text string, most int) {
	lines := s.lines(text, inner, most)
	for _, line := range lines {
		p.write(s, line, padding)
		p.at += s.line
	}
	if len(lines) > 0 {
		p.at += gap
	}
}

// bar writes what could be chosen and its number, and the bar below them.
func (p *page) bar(b Bar, most int) {
	s, lead, fill := p.label, "", plain
	if b.Chosen {
		s, lead, fill = p.strong, mark, accent
	}
	if out, ok := s.drawable(lead); ok {
		lead = out + " "
	}
	number := strconv.Itoa(b.Value)
	room := s.width(number)
	p.write(s, s.cut(lead+s.words(b.Label), inner-room-gap), padding)
	p.write(s, number, padding+inner-room)
	p.at += s.line + 2
	p.fill(image.Rect(padding, p.at, padding+inner, p.at+bar), track)
	p.fill(image.Rect(padding, p.at, padding+inner*max(b.Value, 0)/most, p.at+bar), fill)
	p.at += bar + gap
}

// write writes a line whose top is where the next part begins.
func (p *page) write(s style, text string, x int) {
	if p.image == nil {
		return
	}
	m := s.face.Metrics()
	base := p.at + (s.line-(m.Ascent+m.Descent).Ceil())/2 + m.Ascent.Ceil()
	d := font.Drawer{Dst: p.image, Src: image.NewUniform(ink), Face: s.face, Dot: fixed.P(x, base)}
	d.DrawString(text)
}

func (p *page) fill(r image.Rectangle, c color.RGBA) {
	if p.image != nil {
		draw.Draw(p.image, r, image.NewUniform(c), image.Point{}, draw.Src)
	}
}
