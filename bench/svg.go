package main

import (
	"fmt"
	"html"
	"strings"
)

// picture draws the race: a panel for each size of a batch, a bar for each engine.
func picture(racers []*racer, s sizes) string {
	const (
		width, label, bar, gap = 860, 150, 18, 6
		panel                  = 430
	)
	rows := len(racers)
	height := rows*(bar+gap) + 46
	lines := (len(s.batches) + 1) / 2
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" `+
		`font-family="sans-serif" font-size="12" role="img" `+
		`aria-label="Events a second, by engine and size of a batch">`,
		width, lines*height+44, width, lines*height+44)
	b.WriteString("\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n")
	fmt.Fprintf(&b, `<text x="12" y="22" font-size="15" font-weight="bold" fill="#111">`+
		"Events checked and durably recorded in a second, %s stored</text>\n", thousands(s.preload))
	for i, size := range s.batches {
		x, y := (i%2)*panel, 40+(i/2)*height
		title := fmt.Sprintf("batches of %s", thousands(size))
		if size == 1 {
			title = "one at a time"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-weight="bold" fill="#333">%s</text>`+"\n", x+12, y+14, title)
		most := 1.0
		for _, r := range racers {
			if r.fault == nil && !r.bare {
				most = max(most, r.paces[size].rate())
			}
		}
		for j, r := range racers {
			top := y + 24 + j*(bar+gap)
			rate, text, color := r.paces[size].rate(), "", "#9aa5b1"
			if text = thousands(int(rate)); r.fault != nil {
				rate, text = 0, "does not count"
			}
			switch {
			case r.name == nameMoot:
				color = "#2563eb"
			case r.bare || r.name == nameMap:
				color = "#d6dbe0"
			}
			// The bare append may be out of all proportion.
			w := min(max(1, rate/most*float64(panel-label-90)), float64(panel-label-90))
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#111">%s</text>`+
				`<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" fill="%s"/>`+
				`<text x="%.1f" y="%d" fill="#333">%s</text>`+"\n",
				x+label-8, top+13, html.EscapeString(r.name), x+label, top, w, bar, color,
				float64(x+label)+w+6, top+13, text)
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}
