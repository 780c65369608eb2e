package invites

import (
	"encoding/json"
	"iter"
	"time"

	"moot/commands"
	"moot/internal/say"
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
	room := []commands.Param{{Name: "room", Kind: commands.Word, Complete: completeRoom}}
	return []*commands.Command{{
		Name: "invites", Words: catalogue, Alone: "list",
		Where: commands.Personal, Who: commands.Operator,
		Sub: []*commands.Command{
			{
				Name:  "list",
				Where: commands.Personal, Who: commands.Operator, Visibility: commands.Private, Run: f.list,
			},
			{
				Name: "accept", Params: room,
				Where: commands.Personal, Who: commands.Operator, Visibility: commands.Private,
				Run: func(c *commands.Call) error {
					return f.decide(c, tellAccept, "coming")
				},
			},
			{
				Name: "decline", Params: room,
				Where: commands.Personal, Who: commands.Operator, Visibility: commands.Private,
				Run: func(c *commands.Call) error {
					return f.decide(c, tellDecline, "declined")
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
	s := catalogue.In(c.Language())
	var lines []protocol.Text
	more := 0
	for i := range f.Open(c.Tx) {
		if len(lines) == listed {
			more++
			continue
		}
		lines = append(lines, s.Say("room", placeSlot(i.Title), idSlot(i.Room), say.Part("Story", f.story(s, i))))
	}
	if len(lines) == 0 {
		return c.Answer(s.Say("none"))
	}
	if more > 0 {
		lines = append(lines, s.Say("more", say.Count("N", more)))
	}
	head := s.Say("open", say.Code("Accept", c.Code("invites accept ROOM")), say.Code("Decline", c.Code("invites decline ROOM")))
	return c.Answer(protocol.Lines(append([]protocol.Text{head}, lines...)...))
}

// story says how an invitation stands.
func (f *Feature) story(s say.Speaker, i Invitation) protocol.Text {
	who := say.Part("By", s.Say("by-unknown"))
	if i.By != "" {
		who = say.Part("By", s.Say("by", say.Code("Person", protocol.Code(string(i.By)))))
	}
	fault := say.Quoted("Fault", i.Fault, 100)
	switch {
	case i.State == Held:
		return s.Say("held", who)
	case i.State == Accepted && i.Fault != "":
		return s.Say("accepted-fault", who, fault)
	case i.State == Accepted:
		return s.Say("accepted", who)
	case i.State == Failed:
		return s.Say("failed", who, fault)
	case i.By == "":
		return s.Say("waits", who)
	}
	return s.Say("waits-line", who, say.Code("Line", protocol.Code(f.Line(i.By))))
}

func placeSlot(title string) say.Slot {
	return say.Place("Room", protocol.Plain(protocol.Quoted(title, 0)))
}

func idSlot(room protocol.RoomID) say.Slot { return say.Code("ID", protocol.Code(string(room))) }

// decide tells a room what an operator decided about its invitation.
func (f *Feature) decide(c *commands.Call, kind, answer string) error {
	s, all := catalogue.In(c.Language()), say.Code("Command", c.Code("invites"))
	room := protocol.RoomID(c.Word("room"))
	i, ok := find(c.Tx, room)
	switch {
	case !ok:
		return commands.Sorry(s.Say("not-open", all))
	case kind == tellAccept && i.State == Accepted:
		return commands.Sorry(s.Say("on-my-way", all))
	}
	tell(c.Tx, room, kind, note{})
	return c.Answer(s.Say(answer, placeSlot(title(c.Tx, room))))
}
