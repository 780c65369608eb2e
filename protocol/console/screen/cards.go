package screen

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"moot/internal/say"
	"moot/protocol"
)

// Card is an open vote, as the bot knows it.
type Card struct {
	Room  protocol.RoomID
	Where string // what the room is called
	Name  string // such as "Vote 3"
	Title string // what it is about, in a few words
	// Bars are what was chosen so far, in the order of the choices; none while that is secret.
	Bars    []Bar
	Turnout int // how many have voted,
	Size    int // of how many who can
	Quorum  int // how many it takes; zero means that there is no quorum
	Closes  time.Time
	// Choices are what can be pressed. Private is whether a ballot is cast in the private conversation only.
	Choices []Choice
	Private bool
	// Ranks is whether what is pressed is ranked next, behind what was pressed before.
	Ranks bool
}

// Bar is how many chose something.
type Bar struct {
	Label string
	Count int
}

// Choice is a ballot: the key that casts it, what it is called, and the line to the bot by which it is cast.
type Choice struct{ Key, Label, Line string }

// left writes how long something runs in two words.
func left(speak say.Speaker, d time.Duration) string {
	switch {
	case d <= 0:
		return speak.Plain("left-none")
	case d < time.Hour:
		return speak.Plain("left-minutes", say.Number("N", int((d+time.Minute-1)/time.Minute)))
	case d < 48*time.Hour:
		return speak.Plain("left-hours", say.Number("N", int(d/time.Hour)))
	}
	return speak.Plain("left-days", say.Count("N", int(d/(24*time.Hour))))
}

// bar draws a part of a whole in cells of which the last may be filled by eighths.
func bar(part, whole, width int) string {
	if whole <= 0 || width <= 0 {
		return ""
	}
	eighths := min(part*width*8/whole, width*8)
	out := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		out += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return out
}

func (c Card) counts(speak say.Speaker) string {
	switch {
	case len(c.Bars) > 0:
	case c.Ranks && !c.Private:
		return speak.Plain("counted-later")
	default:
		return speak.Plain("secret")
	}
	parts := make([]string, len(c.Bars))
	for i, b := range c.Bars {
		parts[i] = fmt.Sprintf("%d %s", b.Count, protocol.Shorten(protocol.OneLine(b.Label), 12))
	}
	return strings.Join(parts, ", ")
}

func (c Card) turnout(speak say.Speaker) string {
	voted, size := say.Number("Voted", c.Turnout), say.Number("Size", c.Size)
	switch {
	case c.Quorum > 0 && c.Turnout >= c.Quorum:
		return speak.Plain("turnout-met", voted, size)
	case c.Quorum > 0:
		return speak.Plain("turnout-quorum", voted, size, say.Number("Quorum", c.Quorum))
	}
	return speak.Plain("turnout", voted, size)
}

func (c Card) press(speak say.Speaker, chosen bool) string {
	if !chosen {
		return speak.Plain("tab-votes")
	}
	parts := make([]string, len(c.Choices))
	for i, ch := range c.Choices {
		parts[i] = ch.Key + " " + protocol.Shorten(protocol.OneLine(ch.Label), 12)
	}
	choices := strings.Join(parts, " · ")
	if c.Ranks {
		return speak.Plain("rank", say.Part("Choices", protocol.Plain(choices)))
	}
	return choices
}

// cardLines draws a card of a width, as a box.
func (m *model) cardLines(c Card, chosen bool, width int) []string {
	th, in := m.theme, width-4
	edge := th.dim
	if chosen {
		edge = th.name
	}
	title := " " + c.Name + " · " + c.Where + " "
	title = m.cells.Truncate(title, width-4, "… ")
	out := []string{edge.Render("╭─") + th.bold.Render(title) + edge.Render(strings.Repeat("─", max(0, width-3-m.cells.StringWidth(title)))+"╮")}
	add := func(s string) { out = append(out, edge.Render("│")+" "+m.cells.fit(s, in)+" "+edge.Render("│")) }
	words := m.cells.wrap(protocol.OneLine(c.Title), in)
	for i, l := range words {
		if i == 2 && len(words) > 3 {
			add(l + "…")
			break
		}
		add(l)
	}
	label := 0
	for _, b := range c.Bars {
		label = max(label, min(10, m.cells.StringWidth(b.Label)))
	}
	for i, b := range c.Bars {
		look := []lipgloss.Style{th.yes, th.no}
		st := th.bar
		if len(c.Bars) == 3 && c.Quorum > 0 && i < len(look) {
			st = look[i]
		}
		room := in - label - 5
		add(m.cells.fit(protocol.OneLine(b.Label), label) + fmt.Sprintf(" %3d ", b.Count) + st.Render(bar(b.Count, c.Size, room)))
	}
	if len(c.Bars) == 0 {
		add(c.counts(m.speak))
	}
	add(th.dim.Render(c.turnout(m.speak)))
	add(th.dim.Render(left(m.speak, c.Closes.Sub(m.here.Now))))
	for _, l := range m.cells.wrap(c.press(m.speak, chosen), in) {
		if chosen {
			l = th.bold.Render(l)
		}
		add(l)
	}
	return append(out, edge.Render("╰"+strings.Repeat("─", width-2)+"╯"))
}

// cardStrip shows a card in two lines, and below them what to press where it was chosen: for a window without room for a box.
func (m *model) cardStrip(c Card, chosen bool, width int) []string {
	th := m.theme
	name := th.bold.Render(c.Name)
	if chosen {
		name = th.selected.Render(c.Name)
	}
	first := name + " " + th.dim.Render(c.Where) + " " + protocol.OneLine(c.Title)
	turnout := m.speak.Plain("turnout-short", say.Number("Voted", c.Turnout), say.Number("Size", c.Size))
	second := "  " + c.counts(m.speak) + th.dim.Render(" · "+turnout+" · "+left(m.speak, c.Closes.Sub(m.here.Now)))
	if !chosen {
		return []string{m.cells.fit(first, width), m.cells.fit(second+th.dim.Render(" · ")+c.press(m.speak, false), width)}
	}
	out := []string{m.cells.fit(first, width), m.cells.fit(second, width)}
	for _, l := range m.cells.wrap(c.press(m.speak, true), width-2) {
		out = append(out, m.cells.fit("  "+th.bold.Render(l), width))
	}
	return out
}
