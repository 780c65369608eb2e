package screen

import (
	"slices"

	"moot/internal/say"
	"moot/protocol"
)

// Step is a part of what happened to a message.
type Step struct {
	Name   string   // such as "seen before?"
	Detail []string // what is known of it, a line each; none means that it has not happened
}

// UnknownSteps are those of a message that the bot knows nothing of yet.
func UnknownSteps(l say.Language, ref protocol.Ref) (steps []Step) {
	speak := catalogue.In(l)
	for _, id := range []string{"step-event", "step-seen", "step-facts", "step-outbox", "step-receipt", "step-disposition"} {
		steps = append(steps, Step{Name: speak.Plain(id)})
	}
	event, room := say.Code("Event", protocol.Plain(string(ref.Event))), say.Code("Room", protocol.Plain(string(ref.Room)))
	steps[0].Detail = []string{speak.Plain("step-event-of", event, room)}
	return steps
}

// toggleInside opens or closes the pane that shows what happened to a message.
func (m *model) toggleInside() {
	if m.cfg.Inside == nil {
		m.say(m.speak.Plain("inside-not"), true)
		return
	}
	m.inside = !m.inside
	m.look++
	if m.inside {
		m.chosen = ""
		m.choose(true)
	}
}

// choose goes to the message before or after the one that is looked into.
func (m *model) choose(back bool) {
	t := m.timeline(m.here.Room)
	at := slices.IndexFunc(t.entries, func(e entry) bool { return e.ID == m.chosen })
	if at < 0 || m.chosen == "" {
		at = len(t.entries)
	}
	for i := at; ; {
		if back {
			i--
		} else {
			i++
		}
		if i < 0 || i >= len(t.entries) {
			break
		}
		if t.entries[i].Number != 0 {
			m.chosen = t.entries[i].ID
			m.show(t, i)
			break
		}
	}
	m.look++
	m.trace = m.traced()
}

// show scrolls as far as it takes to have an entry in sight.
func (m *model) show(t *timeline, at int) {
	below, width := 0, m.paneWidth()
	for i := at + 1; i < len(t.entries); i++ {
		below += len(m.linesOf(t, i, width))
	}
	height := m.paneHeight()
	if !m.boxes() {
		height /= 2 // the steps stand above
	}
	t.back = max(min(t.back, below), below+len(m.linesOf(t, at, width))-height)
}

// traced asks anew what happened to the message.
func (m *model) traced() []Step {
	if m.chosen == "" {
		return nil
	}
	return m.cfg.Inside(protocol.Ref{Room: m.here.Room, Event: m.chosen})
}

// traceLines draws what happened to the message, from the network down to what was sent for it.
func (m *model) traceLines(width int) (out []string) {
	th := m.theme
	t := m.timeline(m.here.Room)
	if i, ok := t.where[m.chosen]; ok {
		e := t.entries[i]
		out = append(out, th.bold.Render(m.cells.Truncate(protocol.OneLine(m.speak.Plain("inside", whom("Who", e.Name), wrote("Text", e.Text.Plain()))), width, "…")))
	}
	for i, s := range m.trace {
		sign := "○ "
		if len(s.Detail) > 0 {
			sign = "● "
		}
		if i > 0 {
			out = append(out, th.dim.Render("│"))
		}
		out = append(out, th.bot.Render(sign)+th.bold.Render(s.Name))
		for _, d := range s.Detail {
			for _, l := range m.cells.wrap(protocol.OneLine(d), width-2) {
				out = append(out, th.dim.Render("│ ")+l)
			}
		}
	}
	if len(m.trace) == 0 {
		out = append(out, m.speak.Plain("none-chosen"))
	}
	return out
}
