package screen

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"moot/internal/say"
	"moot/protocol"
	"moot/protocol/console"
)

// timeline is what happened in one place.
type timeline struct {
	entries []entry
	where   map[protocol.EventID]int // at which index a message stands
	unread  int
	back    int // by how many lines the view is scrolled back from the end
}

// entry is one thing in it, and its lines as they were last laid out.
type entry struct {
	console.Entry
	lines  []string
	layout layout // for which the lines were made; zero means that there are none
}

// layout is what the lines of an entry depend on beside the entry.
type layout struct {
	look  int // see model.look
	width int
}

// maxShown is how much of one message is shown, in characters.
const maxShown = 4000

// put adds an entry, or puts it in the place of the one that it changes, and reports whether it is new.
func (t *timeline) put(e console.Entry) (added bool) {
	if i, ok := t.where[e.ID]; ok && e.ID != "" && e.Number != 0 {
		t.entries[i] = entry{Entry: e}
		return false
	}
	if t.where == nil {
		t.where = map[protocol.EventID]int{}
	}
	if e.ID != "" {
		t.where[e.ID] = len(t.entries)
	}
	t.entries = append(t.entries, entry{Entry: e})
	return true
}

// linesOf returns the lines of an entry, and lays it out where that was not done for this width.
func (m *model) linesOf(t *timeline, i, width int) []string {
	e := &t.entries[i]
	now := layout{m.look, width}
	if e.layout == now {
		return e.lines
	}
	e.layout, e.lines = now, nil
	if i == 0 || !sameDay(t.entries[i-1].At, e.At) {
		e.lines = append(e.lines, m.cells.fit(m.theme.dim.Render("── "+m.term.Day(e.At)+" ──"), width))
	}
	for _, l := range m.layEntry(e.Entry, width) {
		e.lines = append(e.lines, m.cells.fit(l, width))
	}
	return e.lines
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// layEntry lays out one entry: the number, the time and the name at the left, the text beside or below them.
func (m *model) layEntry(e console.Entry, width int) []string {
	th := m.theme
	clock := e.At.Format("15:04")
	if e.Number == 0 {
		text := protocol.Clean(e.Text.Plain())
		var out []string
		head := clock + " "
		if e.ID == "" { // for the person alone
			head = strings.Repeat(" ", min(4, width/8))
		}
		for i, l := range m.cells.columns(text, width-len(head)) {
			if i > 0 {
				head = strings.Repeat(" ", len(head))
			}
			out = append(out, th.dim.Render(head+l))
		}
		return out
	}
	who := th.name
	if e.By == console.Bot {
		who = th.bot
	}
	number := fmt.Sprintf("%3d", e.Number)
	if m.inside && m.chosen == e.ID {
		number = th.selected.Render(number)
	} else {
		number = th.dim.Render(number)
	}
	head := number + th.dim.Render(" "+clock+" ") + who.Render(m.cells.Truncate(e.Name, 12, "…")) + " "
	indent := min(10, width/4)
	var b strings.Builder
	// What stands in the first line beside the name is wrapped as if the name were a word of it.
	filler := strings.Repeat("\u00a0", max(0, m.cells.StringWidth(head)-indent))
	b.WriteString(filler)
	if e.ReplyTo != 0 {
		b.WriteString(th.dim.Render(m.speak.Plain("reply-to", say.Number("N", e.ReplyTo)) + " "))
	}
	left := maxShown
	for _, span := range e.Text {
		text := protocol.Shorten(protocol.Clean(span.Text), left)
		left -= len([]rune(text))
		m.writeSpan(&b, e, span.Style, text)
		if left <= 0 {
			break
		}
	}
	if e.Edited && !e.Deleted {
		b.WriteString(th.dim.Render(" " + m.speak.Plain("edited")))
	}
	out := m.cells.wrap(b.String(), width-indent)
	for i := range out {
		if i == 0 {
			out[0] = head + strings.TrimPrefix(out[0], filler)
			continue
		}
		out[i] = strings.Repeat(" ", indent) + out[i]
	}
	if len(e.Reactions) > 0 {
		var parts []string
		for _, r := range e.Reactions {
			parts = append(parts, fmt.Sprintf("%s %d", protocol.OneLine(r.Reaction), r.Count))
		}
		out = append(out, strings.Repeat(" ", indent)+th.dim.Render("["+strings.Join(parts, "] [")+"]"))
	}
	return out
}

// writeSpan writes a piece of a message in its style, each line by itself.
func (m *model) writeSpan(b *strings.Builder, e console.Entry, style protocol.Style, text string) {
	look := lipgloss.NewStyle()
	switch {
	case e.Deleted:
		look = m.theme.dim
	case style == protocol.StrongStyle:
		look = m.theme.bold
	case style == protocol.CodeStyle:
		look = m.theme.code
	case style == protocol.MentionStyle:
		look, text = m.theme.mention, "@"+strings.TrimPrefix(text, "@")
	case style == protocol.PersonStyle:
		look = m.theme.name
	}
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		if line != "" {
			b.WriteString(look.Render(line))
		}
	}
}

// visible returns the lines of a timeline that fill a pane, the last at its foot.
func (m *model) visible(t *timeline, width, height int) []string {
	var blocks [][]string // from the end
	have, i := 0, len(t.entries)
	for i > 0 && have < height+t.back {
		i--
		blocks = append(blocks, m.linesOf(t, i, width))
		have += len(blocks[len(blocks)-1])
	}
	t.back = max(0, min(t.back, have-height)) // there is no more above
	lines := make([]string, 0, have)
	for range height - have {
		lines = append(lines, strings.Repeat(" ", width))
	}
	for _, b := range slices.Backward(blocks) {
		lines = append(lines, b...)
	}
	lines = lines[:len(lines)-t.back]
	lines = lines[len(lines)-height:]
	if t.back > 0 && height > 1 {
		lines[height-1] = m.cells.fit(m.theme.dim.Render(m.speak.Plain("below", say.Count("N", t.back))), width)
	}
	return lines
}
