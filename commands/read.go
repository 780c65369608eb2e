package commands

import (
	"slices"

	"moot/protocol"
)

// Read understands a line as one of the commands that are allowed, by their titles, and runs nothing. It knows no room and no person,
// so that none of these has a parameter that is one. The [Call] is there for the values of the parameters alone.
func (c *Commands) Read(line string, allowed []string) (*Call, *Mistake) {
	m := &manner{private: true}
	if len(line) > c.maxBytes() {
		return nil, m.mistake("too long", protocol.Plainf("That is too long; at most %d characters fit.", c.config.MaxLength))
	}
	node, _, rest := c.find(readable(line))
	if len(node.Path) == 0 || len(node.subs) > 0 || !slices.Contains(allowed, node.Title()) {
		var all []protocol.Text
		for _, title := range allowed {
			all = append(all, protocol.Code(title))
		}
		return nil, m.mistake("no command that is allowed here", words(line), " is no command here. There is ", list(all, "and"), ".")
	}
	given, mistake := m.parseLine(node, rest)
	if mistake == nil && given.has(helpFlag) {
		mistake = m.mistake("help", protocol.Code(node.Title()), ": ", node.Summary, ".").and(m.usageOf(node))
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
