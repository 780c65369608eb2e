package invites

import (
	"encoding/json"
	"iter"
	"time"

	"moot/commands"
	"moot/protocol"
	"moot/store"
)

// Invitation is an open invitation.
type Invitation struct {
	Room  protocol.RoomID
	Title string          // what the room is called, as far as it is known
	By    protocol.UserID // zero where the network does not say, or the person was forgotten
	State State
	At    time.Time // since when it stands so
	Fault string    // why the last attempt to join failed; zero where none did
}

// Open goes through the open invitations, by their rooms.
func (f *Feature) Open(tx *store.Tx) iter.Seq[Invitation] {
	return func(yield func(Invitation) bool) {
		for k, v := range tx.Range(open, "", "") {
			var i invitation
			if json.Unmarshal(v, &i) != nil {
				continue
			}
			room := protocol.RoomID(k)
			by, _ := f.Bus.Who(tx, i.By)
			if !yield(Invitation{room, title(tx, room), by, i.State, i.At, getAsks(tx, room).Fault}) {
				return
			}
		}
	}
}

// Commands returns the commands with which an operator looks at invitations and decides them.
func (f *Feature) Commands() []*commands.Command {
	room := []commands.Param{{Name: "room", Kind: commands.Word, Summary: "the id of the room, as the list shows it", Complete: completeRoom}}
	return []*commands.Command{{
		Name: "invites", Summary: "lists the invitations that I have not accepted, and decides them", Alone: "list",
		Where: commands.Personal, Who: commands.Operator,
		Sub: []*commands.Command{
			{
				Name: "list", Summary: "lists the invitations that I have not accepted",
				Where: commands.Personal, Who: commands.Operator, Visibility: commands.Private, Run: f.list,
			},
			{
				Name: "accept", Summary: "lets me join a room that I was invited to", Params: room,
				Where: commands.Personal, Who: commands.Operator, Visibility: commands.Private,
				Run: func(c *commands.Call) error {
					return f.decide(c, tellAccept, "I am on my way to ")
				},
			},
			{
				Name: "decline", Summary: "declines an invitation", Params: room,
				Where: commands.Personal, Who: commands.Operator, Visibility: commands.Private,
				Run: func(c *commands.Call) error {
					return f.decide(c, tellDecline, "I have turned down the invitation to ")
				},
			},
		},
	}}
}

func completeRoom(tx *store.Tx, _ commands.CompletionContext, _ string) (ids []string) {
	for k := range tx.Range(open, "", "") {
		ids = append(ids, k)
	}
	return ids
}

// listed is how many invitations a list shows.
const listed = 20

func (f *Feature) list(c *commands.Call) error {
	var lines []protocol.Text
	more := 0
	for i := range f.Open(c.Tx) {
		if len(lines) == listed {
			more++
			continue
		}
		lines = append(lines, protocol.Join("• ", protocol.Quoted(i.Title, 0), " (", protocol.Code(string(i.Room)), "), ", f.story(i)))
	}
	if len(lines) == 0 {
		return c.Answerf("No invitation waits.")
	}
	if more > 0 {
		lines = append(lines, protocol.Plainf("There are %d more, which `moot check` counts.", more))
	}
	head := protocol.Join("These invitations are open. ", c.Code("invites accept ROOM"), " and ", c.Code("invites decline ROOM"), " decide one:")
	return c.Answer(protocol.Lines(append([]protocol.Text{head}, lines...)...))
}

// story says how an invitation stands.
func (f *Feature) story(i Invitation) protocol.Text {
	who := protocol.Plain("by somebody whom I no longer know")
	if i.By != "" {
		who = protocol.Join("by ", protocol.Code(string(i.By)))
	}
	switch i.State {
	case Held:
		return protocol.Join(who, ", who has invited me often within an hour: I accept it later")
	case Accepted:
		if i.Fault != "" {
			return protocol.Join(who, ": accepted, and not joined yet, because ", protocol.Quoted(i.Fault, 100))
		}
		return protocol.Join(who, ": accepted, and not joined yet")
	case Failed:
		return protocol.Join(who, ": accepted, and given up, because ", protocol.Quoted(i.Fault, 100))
	}
	if i.By == "" {
		return protocol.Join(who, ": it waits")
	}
	return protocol.Join(who, ": it waits, and would not with ", protocol.Code(f.Line(i.By)), " in [invites]")
}

// decide tells a room what an operator decided about its invitation.
func (f *Feature) decide(c *commands.Call, kind, answer string) error {
	room := protocol.RoomID(c.Word("room"))
	i, ok := find(c.Tx, room)
	switch {
	case !ok:
		return commands.Sorry(protocol.Join("I have no open invitation to a room with that id. ", c.Code("invites"), " lists those that there are."))
	case kind == tellAccept && i.State == Accepted:
		return commands.Sorry(protocol.Join("I am already on my way there. ", c.Code("invites"), " shows how it goes."))
	}
	tell(c.Tx, room, kind, note{})
	return c.Answer(protocol.Join(answer, protocol.Quoted(title(c.Tx, room), 0), "."))
}
