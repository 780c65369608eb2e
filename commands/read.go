package commands

import (
	"slices"

	"moot/internal/say"
	"moot/protocol"
)

// Read understands a line as one of the commands that are allowed, by their titles, and runs nothing. It knows no room and no person,
// so that none of these has a parameter that is one. The [Call] is there for the values of the parameters alone; a mistake is said
// in the language.
func (c *Commands) Read(l say.Language, line string, allowed []string) (*Call, *Mistake) {
	m := &manner{private: true, language: l}
	if len(line) > c.maxBytes() {
		return nil, m.mistake("too long for a command", "too-long-line", say.Number("Most", c.config.MaxLength))
	}
	node, _, rest := c.find(protocol.Clean(readable(line)))
	if len(node.Path) == 0 || len(node.subs) > 0 || !slices.Contains(allowed, node.Title()) {
		var all []protocol.Text
		for _, title := range allowed {
			all = append(all, protocol.Code(title))
		}
		return nil, m.mistake("no command that is allowed here", "not-allowed", typed("Word", line), say.Code("Choices", say.Commas(all)))
	}
	given, mistake := m.parseLine(node, rest)
	if mistake == nil && given.has(helpFlag) {
		mistake = (&Mistake{Text: protocol.Join(protocol.Code(node.Title()), ": "+sentence(node.SummaryIn(m.language))), why: "help"}).line(m.usageOf(node))
	}
	if mistake != nil {
		return nil, mistake
	}
	r := &run{Commands: c, manner: m, node: node, given: given}
	if mistake = r.understand(); mistake != nil {
		return nil, mistake
	}
	return &Call{Command: node, run: r}, nil
}
