package standard

import (
	"iter"
	"strings"

	"moot/commands"
	"moot/internal/span"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

func (conf Config) why() *commands.Command {
	return &commands.Command{
		Name:       "why",
		Visibility: commands.Private,
		Params: []commands.Param{{
			Name: "event", Kind: commands.Word, Optional: true,
		}},
		Run: func(c *commands.Call) error {
			id := protocol.EventID(c.Word("event"))
			if m, ok := c.Event.Body.(protocol.Message); ok && id == "" {
				id = m.ReplyTo
			}
			if id == "" && c.Native() {
				return commands.Sorry(protocol.Join("Which message do you mean? Name its id in the field ", protocol.Code("event"), "."))
			}
			if id == "" {
				return commands.Sorry(protocol.Join("Which message do you mean? Answer to it with ", c.Code("why"), ", or name its id."))
			}
			for room := range searched(c) {
				ref := protocol.Ref{Room: room.ID, Event: id}
				if mayAsk(c, room, ref) {
					return c.Answer(conf.account(c, room, ref))
				}
			}
			return c.Answer(protocol.Join("I know of no such event of yours. ", "I keep in mind what is said to me, in private or behind ",
				protocol.Code(c.Tree().Prefix()), " or my name, for "+span.Words(conf.Retention)+
					", unless it comes faster than I take it. All else I read and let go."))
		},
	}
}

// searched goes through the rooms in which the event may be: this one, or in private all that the person shares with the
// bot.
func searched(c *commands.Call) iter.Seq[rooms.Info] {
	if !c.Event.Private {
		return func(yield func(rooms.Info) bool) { yield(c.Room) }
	}
	return func(yield func(rooms.Info) bool) {
		if !yield(rooms.Info{ID: c.Event.Room, Private: true}) {
			return
		}
		for info := range rooms.Of(c.Tx, c.Person) {
			if info.ID != c.Event.Room && !yield(info) {
				return
			}
		}
	}
}

// mayAsk tells whether the event is there and the person may know what became of it.
func mayAsk(c *commands.Call, room rooms.Info, ref protocol.Ref) bool {
	switch {
	case c.Tx.Seen(ref.Room, ref.Event).Disposition == store.Unseen:
		return false
	case room.Private: // everything there is the person's
		return true
	case commands.Asked(c.Tx, ref, c.Person):
		return true
	case c.Role == commands.Operator || rooms.IsModerator(c.Tx, room.ID, c.Person):
		return true
	}
	// What failed has left no trace of who asked but this one.
	for l := range c.Tx.Letters(0) {
		if l.Event.Ref() == ref {
			return l.Event.Sender == c.Person
		}
	}
	return false
}

// account says what became of an event.
func (conf Config) account(c *commands.Call, room rooms.Info, ref protocol.Ref) protocol.Text {
	seen := c.Tx.Seen(ref.Room, ref.Event)
	reason := seen.Reason
	if seen.Disposition == store.Failed && c.Role < commands.Operator {
		reason, _, _ = strings.Cut(reason, ":") // its cause is for those who operate the bot
		reason += "; that is a fault of mine, which those who operate me see and can have tried again"
	}
	where := "our private conversation"
	if !room.Private {
		where = title(room.Title())
	}
	first := protocol.Join("I saw ", protocol.Code(string(ref.Event)), " in "+where+" on ", protocol.Moment(seen.Time), ": ", seen.Disposition.String())
	if reason != "" {
		first = protocol.Join(first, " (", reason, ")")
	}
	lines := []protocol.Text{protocol.Join(first, ".")}
	for n := 1; ; n++ {
		sent := c.Tx.Delivery(store.CauseKey(ref, n))
		if sent.State == "" {
			break
		}
		lines = append(lines, bullet(sentLine(sent)...))
	}
	if len(lines) == 1 {
		lines = append(lines, protocol.Plain("I sent nothing because of it."))
	}
	return protocol.Lines(lines...)
}

// sentLine says what became of something that was sent because of the event.
func sentLine(s store.Delivery) []any {
	at := protocol.Moment(s.Time)
	switch s.State {
	case store.StateQueued:
		return []any{"Something that I want to send because of it still waits."}
	case store.StateSent:
		return []any{"What I sent because of it arrived on ", at, "."}
	case store.StateAmbiguous:
		return []any{"I sent something because of it on ", at, ", and cannot know whether it arrived."}
	case store.StateSuperseded:
		return []any{"What I wanted to send because of it gave way to something newer."}
	case store.StateReplaced:
		return []any{"What I wanted to send because of it could not be sent, and something else took its place."}
	case store.StateExpired:
		return []any{"What I wanted to send because of it could not be sent in time."}
	case store.StateEnded:
		return []any{"What I wanted to send because of it was given up when I left the room."}
	}
	return []any{"What I wanted to send because of it could not be sent."}
}
