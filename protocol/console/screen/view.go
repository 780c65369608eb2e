package screen

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"moot/internal/say"
	"moot/protocol"
	"moot/protocol/console"
)

// The widths of the columns. A narrow window has no cards beside the timeline, but lines above it.
const (
	wide      = 84 // from here on there is room for boxes
	narrow    = 36 // from here on there is room for a list of places
	cardWidth = 30
	maxMenu   = 8
	maxEdit   = 6 // lines of the editor
)

// sideWidth is the width of the list of places; in the narrowest windows there is none.
func (m *model) sideWidth() int {
	switch {
	case m.width < narrow:
		return 0
	case m.width < wide:
		return 12
	}
	return 18
}

func (m *model) boxes() bool { return m.width >= wide }

// paneWidth is the width of the timeline.
func (m *model) paneWidth() int {
	w := m.width - m.left()
	if m.boxes() && (len(m.cards) > 0 || m.inside) {
		w -= m.asideWidth() + 1
	}
	return w
}

// left is the width of what stands before the timeline: the list of places and a rule.
func (m *model) left() int {
	if side := m.sideWidth(); side > 0 {
		return side + 1
	}
	return 0
}

func (m *model) asideWidth() int {
	if m.inside {
		return min(46, m.width/2-10)
	}
	return cardWidth
}

// paneHeight is the height of what stands above the status line.
func (m *model) paneHeight() int {
	edit, _, _ := m.editLines()
	return max(1, m.height-2-len(edit))
}

// View implements tea.Model.
func (m *model) View() tea.View {
	if m.drawn != nil {
		m.drawn()
	}
	edit, x, y := m.editLines()
	body := m.body(m.paneHeight())
	menu := m.menuLines()
	if n := min(len(menu), len(body)); n > 0 {
		copy(body[len(body)-n:], menu[len(menu)-n:]) // the menu covers the end of the timeline
	}
	lines := append(append(body, m.statusLine()), edit...)
	below := 0
	if m.height > 1 { // in a window of a line there is but what is typed
		lines, below = append(lines, m.hintLine()), 1
	}
	lines = lines[max(0, len(lines)-m.height):]
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen = true
	v.WindowTitle = "moot: " + m.here.Title
	v.Cursor = tea.NewCursor(min(x, m.width-1), len(lines)-below-len(edit)+y)
	return v
}

// body is all above the status line: the places, the timeline, the cards.
func (m *model) body(height int) []string {
	pane, above := m.paneWidth(), []string(nil)
	if !m.boxes() {
		above = m.strip(pane, height)
		above = above[:min(len(above), height-1)] // a line of the timeline stays
	}
	var text []string
	if m.page != nil {
		text = m.pageView(pane, height-len(above))
	} else {
		text = m.visible(m.timeline(m.here.Room), pane, height-len(above))
	}
	text = append(above, text...)
	var side []string
	if m.sideWidth() > 0 {
		side = m.sidebar(m.sideWidth(), height)
	}
	var aside []string
	if m.boxes() && pane < m.width-m.left() {
		aside = m.aside(m.asideWidth(), height)
	}
	rule := m.theme.dim.Render("│")
	out := make([]string, height)
	for i := range out {
		if side != nil {
			out[i] = side[i] + rule
		}
		out[i] += text[i]
		if aside != nil {
			out[i] += " " + aside[i]
		}
	}
	return out
}

// strip is what stands above the timeline of a narrow window.
func (m *model) strip(width, height int) (out []string) {
	if m.inside {
		for _, s := range m.trace {
			detail := "—"
			if len(s.Detail) > 0 {
				detail = strings.Join(s.Detail, "; ")
			}
			out = append(out, m.theme.bold.Render(m.cells.fit(s.Name, 13))+" "+protocol.OneLine(detail))
		}
	} else {
		room := max(1, height/2/2)
		first := max(0, m.card-room)
		for i := first; i < min(len(m.cards), first+room); i++ {
			out = append(out, m.cardStrip(m.cards[i], m.card == i+1, width)...)
		}
	}
	if len(out) > 0 {
		out = append(out, m.theme.dim.Render(strings.Repeat("─", width)))
	}
	for i := range out {
		out[i] = m.cells.fit(out[i], width)
	}
	return out
}

// aside is the column of cards, or what happened to a message.
func (m *model) aside(width, height int) []string {
	var out []string
	if m.inside {
		out = m.traceLines(width)
	} else {
		var cards [][]string
		for i, c := range m.cards {
			cards = append(cards, m.cardLines(c, m.card == i+1, width))
		}
		first, used := 0, 0 // the card that was chosen is in sight
		for i := range max(1, m.card) {
			for used += len(cards[i]); used > height && first < i; first++ {
				used -= len(cards[first])
			}
		}
		for _, c := range cards[first:] {
			out = append(out, c...)
		}
	}
	return m.cells.pane(out, width, height)
}

// sidebar lists the places. Who is not in a place sees it in grey.
func (m *model) sidebar(width, height int) []string {
	th := m.theme
	var out []string
	at, head := 0, ""
	for _, p := range m.places {
		section := m.speak.Plain("rooms")
		if p.Person != "" {
			section = m.speak.Plain("direct")
		}
		if section != head {
			head = section
			out = append(out, th.bold.Render(" "+section))
		}
		title := p.Title
		if p.Person != "" {
			title += " & " + console.Bot.Local()
		}
		mark, unread := " ", ""
		if n := m.timeline(p.ID).unread; n > 0 {
			mark, unread = "•", fmt.Sprintf(" %d", n)
		}
		if p.ID == m.here.Room {
			mark = "▸"
		}
		line := mark + m.cells.fit(title, width-2-len(unread)) + unread + " "
		switch {
		case p.ID == m.here.Room:
			at = len(out)
			line = th.selected.Render(line)
		case unread != "":
			line = th.bold.Render(line)
		case !p.Member:
			line = th.dim.Render(line)
		}
		out = append(out, line)
	}
	out = out[min(max(0, at-height+2), max(0, len(out)-height)):]
	return m.cells.pane(out, width, height)
}

// statusLine says who speaks where, who reads it, and what time it is there.
func (m *model) statusLine() string {
	th, h := m.theme, m.here
	now := m.term.Moment(h.Now)
	var left string
	switch {
	case h.Private && h.Member:
		left = th.private.Render(" "+h.Name+" ⇄ "+console.Bot.Local()) + " " + m.speak.Plain("private")
	case h.Private:
		left = th.private.Render(" "+h.Title) + " " + m.speak.Plain("private-of", whom("Who", h.Name))
	case !h.Member:
		left = th.name.Render(" "+h.Name) + " " + m.speak.Plain("door", inRoom("Room", h.Title))
	default:
		left = th.name.Render(" "+h.Name) + " " + m.styled(m.speak.Say("public", inRoom("Room", h.Title)))
	}
	if m.cfg.Dead != nil && m.cfg.Dead() {
		left = th.fault.Render(" "+m.speak.Plain("dead", whom("Bot", console.Bot.Local()))) + left
	}
	room := m.width - m.cells.StringWidth(now) - 2
	return th.status.Render(m.cells.fit(m.cells.fit(left, room)+" "+now+" ", m.width))
}

// hintLine says what can be pressed, or what has just come of a key.
func (m *model) hintLine() string {
	if m.notice != "" {
		st := m.theme.bold
		text := m.notice
		if m.fault {
			st, text = m.theme.fault, "! "+text
		}
		return st.Render(m.cells.fit(text, m.width))
	}
	hint := m.speak.Say("hint")
	switch {
	case m.term.Steps() > 0:
		hint = m.speak.Say("hint-tour")
	case m.page != nil:
		hint = m.speak.Say("hint-page")
	case m.card > 0:
		hint = m.speak.Say("hint-card", say.Part("Choices", protocol.Plain(m.cards[m.card-1].press(m.speak, true))))
	case m.inside:
		hint = m.speak.Say("hint-inside")
	case len(m.menu) > 0:
		hint = m.speak.Say("hint-menu")
	case len(m.cards) > 0:
		hint = m.speak.Say("hint-votes", say.Part("Hint", hint))
	default:
		hint = m.speak.Say("hint-rooms", say.Part("Hint", hint))
	}
	return m.theme.dim.Render(m.cells.fit(hint.Plain(), m.width))
}

// styled writes a text with its strong parts in bold.
func (m *model) styled(text protocol.Text) string {
	var b strings.Builder
	for _, span := range text {
		if span.Style == protocol.StrongStyle {
			b.WriteString(m.theme.bold.Render(span.Text))
			continue
		}
		b.WriteString(span.Text)
	}
	return b.String()
}

const promptSign = "› "

// editLines draws the editor: as many lines as the text has, up to a few around the cursor.
func (m *model) editLines() (out []string, x, y int) {
	width := max(2, m.width-3)
	lines, x, y := m.editor.layout(m.cells.Method, width)
	most := min(maxEdit, max(1, m.height/3))
	top := 0
	if len(lines) > most {
		top = max(0, min(y-most/2, len(lines)-most))
		lines = lines[top : top+most]
	}
	for i, l := range lines {
		sign := "  "
		if top+i == 0 {
			sign = promptSign
		}
		if i == len(lines)-1 {
			l += m.theme.dim.Render(m.cells.Truncate(protocol.OneLine(m.ghost()), max(0, width-m.cells.StringWidth(l)), "…"))
		}
		out = append(out, m.cells.fit(sign+l, m.width))
	}
	return out, x + 2, y - top
}

// menuLines draws the suggestions.
func (m *model) menuLines() (out []string) {
	if len(m.menu) == 0 || m.card > 0 {
		return nil
	}
	first := max(0, m.picked-maxMenu)
	shown := m.menu[first:min(len(m.menu), first+maxMenu)]
	label := 0
	for _, s := range shown {
		label = max(label, min(m.width/2, m.cells.StringWidth(s.Text)))
	}
	width := min(m.width, 76)
	for i, s := range shown {
		line := m.cells.fit(" "+m.cells.fit(protocol.OneLine(s.Text), label)+"  "+protocol.OneLine(s.Summary), width)
		if first+i+1 == m.picked {
			line = m.theme.selected.Render(line)
		} else {
			line = m.theme.status.Render(line)
		}
		out = append(out, m.cells.fit(line, m.width))
	}
	if more := len(m.menu) - len(shown) - first; more > 0 {
		out = append(out, m.cells.fit(m.theme.status.Render(m.cells.fit(" "+m.speak.Plain("more", say.Number("N", more)), width)), m.width))
	}
	return out
}

// pageLines lays out a long answer.
func (m *model) pageLines(width int) (out []string) {
	for _, l := range m.page {
		out = append(out, m.cells.columns(protocol.Clean(l), width)...)
	}
	return out
}

func (m *model) pageView(width, height int) []string {
	lines := m.pageLines(width)
	lines = lines[min(m.pageTop, max(0, len(lines)-1)):]
	for len(lines) < height {
		lines = append(lines, "")
	}
	lines = lines[:height]
	for i := range lines {
		lines[i] = m.cells.fit(lines[i], width)
	}
	return lines
}
