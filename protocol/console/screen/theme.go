package screen

import (
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// theme is how things look: for a dark terminal or a light one. The library leaves out what a terminal cannot show.
type theme struct {
	dim, bold, code, mention, bot, name, private, fault, bar, selected, yes, no, status lipgloss.Style
}

func newTheme(dark bool) theme {
	pick := lipgloss.LightDark(dark)
	ink := func(light, dark string) lipgloss.Style {
		return lipgloss.NewStyle().Foreground(pick(lipgloss.Color(light), lipgloss.Color(dark)))
	}
	return theme{
		dim:      ink("244", "245"),
		bold:     lipgloss.NewStyle().Bold(true),
		code:     ink("30", "80"),
		mention:  ink("130", "221").Bold(true),
		bot:      ink("28", "114").Bold(true),
		name:     ink("25", "111").Bold(true),
		private:  ink("127", "176").Bold(true),
		fault:    ink("160", "203"),
		bar:      ink("25", "111"),
		selected: lipgloss.NewStyle().Reverse(true),
		yes:      ink("28", "114"),
		no:       ink("160", "203"),
		status:   lipgloss.NewStyle().Background(pick(lipgloss.Color("254"), lipgloss.Color("236"))),
	}
}

// cells knows how wide text is on the terminal.
type cells struct{ ansi.Method }

// Truncate cuts a styled line to a width. The library cuts between characters as readers see them, and where the terminal does not
// join these it counts a joined one as narrower than it is: what is still too wide is cut again.
func (c cells) Truncate(s string, width int, tail string) string {
	out := c.Method.Truncate(s, width, tail)
	for n := width - 1; n >= 0 && c.StringWidth(out) > width; n-- {
		out = c.Method.Truncate(s, n, tail)
	}
	return out
}

// fit cuts or fills a styled line to a width.
func (c cells) fit(s string, width int) string {
	if width <= 0 {
		return ""
	}
	w := c.StringWidth(s)
	if w > width {
		s = c.Truncate(s, width, "…")
		w = c.StringWidth(s)
	}
	return s + strings.Repeat(" ", max(0, width-w))
}

// pane cuts or fills styled lines to a width and a height.
func (c cells) pane(lines []string, width, height int) []string {
	out := make([]string, height)
	copy(out, lines)
	for i := range out {
		out[i] = c.fit(out[i], width)
	}
	return out
}

// wrap breaks a styled text into lines no wider than a width, between words where it can.
func (c cells) wrap(s string, width int) []string {
	var b strings.Builder
	w := lipgloss.NewWrapWriter(&b) // which ends a style with its line
	_, _ = w.Write([]byte(c.Wrap(s, max(1, width), "")))
	_ = w.Close()
	return strings.Split(b.String(), "\n")
}

// hang breaks a text behind what stands before it in its first line; further lines are indented.
func (c cells) hang(before, text string, indent, width int) (out []string) {
	filler := strings.Repeat("\u00a0", max(0, c.StringWidth(before)-indent))
	for i, l := range c.wrap(filler+text, width-indent) {
		if i > 0 {
			before = strings.Repeat(" ", indent)
		}
		out = append(out, before+strings.TrimPrefix(l, filler))
	}
	return out
}

// columns is wrap for a line of two columns, as lists of commands have: what a command does is broken beside it, or
// follows it where there is no room for that.
func (c cells) columns(s string, width int) []string {
	at := strings.LastIndex(strings.TrimRight(s, " "), "  ")
	body := strings.TrimLeft(s, " ")
	if at < len(s)-len(body)+1 || c.StringWidth(s) <= width {
		return c.wrap(s, width)
	}
	first, second := s[:at+2], s[at+2:]
	if indent := c.StringWidth(first); width-indent >= 20 {
		return c.hang(first, second, indent, width)
	}
	lead := len(s) - len(body)
	return c.hang(s[:lead], strings.TrimRight(first[lead:], " ")+"  "+second, lead+4, width)
}
