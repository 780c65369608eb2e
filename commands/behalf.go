package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"moot/protocol"
	"moot/store"
)

// ErrNotAllowed is the error of Behalf for a command that is none of those allowed.
var ErrNotAllowed = errors.New("no command that is allowed here")

// Behalf gives a command for the sender of the event, who has given it to somebody to give, in the room of the event. It takes only
// the commands of the room that are allowed, by their titles. Whether the sender may give it is decided in the scope of the room,
// and what it answers is said there.
func (c *Commands) Behalf(tx *store.Tx, ev protocol.Event, line string, allowed []string) error {
	node, stray, rest := c.find(line)
	if stray != "" || !slices.Contains(allowed, node.Title()) || node.Where != NeedsRoom || len(node.subs) > 0 {
		return fmt.Errorf("%w: %s", ErrNotAllowed, protocol.Quoted(line, 80))
	}
	ev.Body = protocol.Invocation{Path: node.Path} // there is no message to reply to
	given, m := c.mannerOf(tx, ev, node).parseLine(node, rest)
	if m != nil {
		return errors.New(m.Text.Plain())
	}
	data, err := json.Marshal(task{Event: ev, Path: node.Path, Room: ev.Room, Given: given})
	if err != nil {
		return fmt.Errorf("encode a command: %w", err)
	}
	tx.Tell(protocol.Scope(ev.Room), protocol.Internal{Kind: toldCommand, Data: data})
	return nil
}
