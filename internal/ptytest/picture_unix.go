//go:build unix

package ptytest

import (
	"fmt"
	"html"
	"image/color"
	"strings"
	"time"

	uv "github.com/charmbracelet/ultraviolet"
)

// Frame is a screen as it was at some moment.
type Frame struct {
	cells [][]uv.Cell
	hold  time.Duration // for how long a picture shows it
}

// Frame returns what is to be seen now. A picture shows it for as long as is said.
func (tm *Terminal) Frame(hold time.Duration) Frame {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	f := Frame{hold: hold}
	for y := range tm.screen.Height() {
		var row []uv.Cell
		for x := 0; x < tm.screen.Width(); x++ {
			if c := tm.screen.CellAt(x, y); c != nil {
				row = append(row, *c)
			}
		}
		f.cells = append(f.cells, row)
	}
	if at := tm.screen.CursorPosition(); !tm.screen.CursorHidden() && at.Y < len(f.cells) && at.X < len(f.cells[at.Y]) {
		f.cells[at.Y][at.X].Style.Attrs ^= uv.AttrReverse
	}
	return f
}

// The measures of a character, and the colours of a dark terminal.
const (
	cellWidth, cellHeight = 8.4, 18.0
	paper, ink            = "#16181d", "#d7dae0"
)

func hex(c color.Color, otherwise string) string {
	if c == nil {
		return otherwise
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}

// Picture draws frames one after another, for ever, as an SVG. What does not move it shows the last one. Lines that are the same are
// drawn once.
func Picture(title string, frames []Frame) string {
	var rows, body strings.Builder
	known := map[string]int{}
	var all time.Duration
	for _, f := range frames {
		all += f.hold
	}
	var began time.Duration
	for i, f := range frames {
		body.WriteString(`<g>`)
		from, to := began.Seconds()/all.Seconds(), (began+f.hold).Seconds()/all.Seconds()
		switch {
		case i == 0:
			fmt.Fprintf(&body, `<animate attributeName="display" calcMode="discrete" values="inline;none" keyTimes="0;%.4f" dur="%.1fs" repeatCount="indefinite"/>`, to, all.Seconds())
		case i == len(frames)-1:
			fmt.Fprintf(&body, `<animate attributeName="display" calcMode="discrete" values="none;inline" keyTimes="0;%.4f" dur="%.1fs" repeatCount="indefinite"/>`, from, all.Seconds())
		default:
			fmt.Fprintf(&body, `<animate attributeName="display" calcMode="discrete" values="none;inline;none" keyTimes="0;%.4f;%.4f" dur="%.1fs" repeatCount="indefinite"/>`, from, to, all.Seconds())
		}
		began += f.hold
		for y, row := range f.cells {
			drawn := line(row)
			if drawn == "" {
				continue
			}
			id, ok := known[drawn]
			if !ok {
				id = len(known)
				known[drawn] = id
				fmt.Fprintf(&rows, "<g id=\"l%d\">%s</g>\n", id, drawn)
			}
			fmt.Fprintf(&body, `<use href="#l%d" y="%g"/>`, id, float64(y)*cellHeight)
		}
		body.WriteString("</g>\n")
		if i < len(frames)-1 { // only what moves shows it
			s := body.String()
			at := strings.LastIndex(s, "<g><animate")
			body.Reset()
			body.WriteString(s[:at] + `<g display="none"><animate` + s[at+len("<g><animate"):])
		}
	}
	width, height := float64(len(frames[0].cells[0]))*cellWidth, float64(len(frames[0].cells))*cellHeight
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -12 %g %g" width="%g" height="%g" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14" fill="%s">
<title>%s</title>
<rect x="-12" y="-12" width="100%%" height="100%%" rx="8" fill="%s"/>
<defs>
%s</defs>
%s</svg>
`, width+24, height+24, width+24, height+24, ink, html.EscapeString(title), paper, rows.String(), body.String())
}

// line draws a line of a screen: a piece for each look.
func line(row []uv.Cell) string {
	var b strings.Builder
	for x := 0; x < len(row); {
		style, from := row[x].Style, x
		var text strings.Builder
		for x < len(row) && row[x].Style.Equal(&style) {
			if row[x].Content == "" && row[x].Width != 0 {
				text.WriteByte(' ')
			}
			text.WriteString(row[x].Content)
			x += max(1, row[x].Width)
		}
		fg, bg := hex(style.Fg, ink), hex(style.Bg, "")
		if style.Attrs&uv.AttrReverse != 0 {
			fg, bg = hex(style.Bg, paper), hex(style.Fg, ink)
		}
		width := float64(x-from) * cellWidth
		if bg != "" {
			fmt.Fprintf(&b, `<rect x="%g" width="%g" height="%g" fill="%s"/>`, float64(from)*cellWidth, width, cellHeight, bg)
		}
		shown := strings.TrimRight(text.String(), " ")
		if lead := len(shown) - len(strings.TrimLeft(shown, " ")); lead > 0 {
			from, shown = from+lead, shown[lead:]
		}
		if shown == "" {
			continue
		}
		width = float64(x-from-(len(text.String())-len(strings.TrimRight(text.String(), " ")))) * cellWidth
		fmt.Fprintf(&b, `<text x="%g" y="13.5" textLength="%g" xml:space="preserve"`, float64(from)*cellWidth, width)
		if fg != ink {
			fmt.Fprintf(&b, ` fill="%s"`, fg)
		}
		if style.Attrs&uv.AttrBold != 0 {
			b.WriteString(` font-weight="bold"`)
		}
		fmt.Fprintf(&b, `>%s</text>`, html.EscapeString(shown))
	}
	return b.String()
}
