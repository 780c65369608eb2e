package screen

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"moot/internal/say"
	"moot/protocol"
)

// key does what a key is for: first what covers the others, then the card that was chosen, then the editor.
func (m *model) key(msg tea.KeyPressMsg) tea.Cmd {
	name := msg.String()
	if m.stopTour() {
		return nil
	}
	leaving := m.leaving
	m.notice, m.fault, m.leaving = "", false, false
	switch name {
	case "ctrl+c":
		if m.editor.value() != "" {
			m.editor.set("")
			m.suggest()
			return nil
		}
		if leaving {
			return tea.Quit
		}
		m.leaving = true
		m.say(m.speak.Plain("leave"), false)
		return nil
	case "ctrl+z":
		return tea.Suspend
	case "ctrl+l":
		return tea.ClearScreen
	case "alt+up", "ctrl+p":
		m.move(-1)
		return nil
	case "alt+down", "ctrl+n":
		m.move(1)
		return nil
	case "pgup":
		m.scroll(m.paneHeight() - 1)
		return nil
	case "pgdown":
		m.scroll(1 - m.paneHeight())
		return nil
	case "esc":
		m.page, m.card, m.menu, m.picked, m.inside = nil, 0, nil, 0, m.inside && (m.page != nil || m.card > 0 || m.menu != nil)
		m.look++
		return nil
	}
	if m.cardKey(name, msg.Text) {
		return nil
	}
	if name == "ctrl+d" {
		if m.editor.value() == "" {
			return tea.Quit
		}
		name = "delete"
	}
	return m.edit(name, msg.Text)
}

func (m *model) scroll(by int) {
	if m.page != nil {
		m.pageTop = max(0, min(m.pageTop-by, len(m.pageLines(m.paneWidth()))-m.paneHeight()))
		return
	}
	t := m.timeline(m.here.Room)
	t.back = max(0, t.back+by)
}

// cardKey does what a key is for while the editor is empty: Tab goes from card to card, and on a card its keys vote.
func (m *model) cardKey(name, text string) bool {
	if len(m.editor.text) > 0 || len(m.cards) == 0 {
		return false
	}
	switch {
	case name == "tab":
		m.card = (m.card + 1) % (len(m.cards) + 1)
		return true
	case name == "shift+tab":
		m.card = (m.card + len(m.cards)) % (len(m.cards) + 1)
		return true
	case m.card == 0:
		return false
	}
	c := m.cards[m.card-1]
	for _, ch := range c.Choices {
		if ch.Key == text && text != "" {
			if err := m.term.Say(c.Room, c.Private, ch.Line); err != nil {
				m.say(protocol.OneLine(err.Error()), true)
			} else {
				m.say(m.speak.Plain("votes", whom("Who", m.here.Name), say.Part("Choice", protocol.Plain(ch.Label))), false)
			}
			m.read()
			m.refresh()
			return true
		}
	}
	m.card = 0 // what is typed else is a message
	return false
}

// edit does what a key does to the line that is being written.
func (m *model) edit(name, text string) tea.Cmd {
	typed := m.editor.value()
	switch name {
	case "enter":
		if m.picked > 0 {
			m.take()
			return nil
		}
		m.editor.set("")
		m.history.add(typed)
		cmd := m.do(typed)
		m.suggest()
		return cmd
	case "tab":
		if len(m.menu) > 0 {
			m.take()
		}
		return nil
	case "up", "down":
		back := name == "up"
		switch {
		case len(m.menu) > 0:
			n := len(m.menu) + 1
			m.picked = (m.picked + map[bool]int{true: n - 1, false: 1}[back]) % n
		case m.editor.vertical(!back):
		case m.inside && typed == "":
			m.choose(back)
		default:
			if line, ok := m.history.look(back, typed); ok {
				m.editor.set(line)
				m.menu, m.picked = nil, 0 // another key up goes on in the history
			}
		}
		return nil
	case "right", "end", "ctrl+e", "ctrl+f":
		if rest := m.ghost(); rest != "" {
			m.editor.set(typed + rest)
			m.suggest()
			return nil
		}
	}
	if !m.editor.key(name) {
		if text == "" {
			return nil
		}
		m.editor.insert(text)
	}
	m.suggest()
	return nil
}

// suggest finds what the word at the end may become.
func (m *model) suggest() {
	m.menu, m.picked = nil, 0
	typed := m.editor.value()
	if typed == "" || m.editor.at < len(m.editor.text) || strings.Contains(typed, "\n") {
		return
	}
	m.menu, m.word = m.term.Suggest(typed)
}

// take puts the suggestion that was picked, or the first, in the place of the word at the end.
func (m *model) take() {
	s := m.menu[max(0, m.picked-1)]
	m.editor.set(strings.TrimSuffix(m.editor.value(), m.word) + s.Text + " ")
	m.suggest()
}

// ghost is the rest of what was typed before, shown behind the cursor; nothing where a menu is open.
func (m *model) ghost() string {
	if len(m.menu) > 0 || m.editor.at < len(m.editor.text) {
		return ""
	}
	return m.history.suggest(m.editor.value())
}
