package standard

import (
	"iter"
	"strings"

	"moot/commands"
	"moot/internal/say"
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
				return commands.Sorry(answers(c).Say("which-native", code("Field", "event")))
			}
			if id == "" {
				return commands.Sorry(answers(c).Say("which", say.Code("Command", c.Code("why"))))
			}
			for room := range searched(c) {
				ref := protocol.Ref{Room: room.ID, Event: id}
				if mayAsk(c, room, ref) {
					return c.Answer(conf.account(c, room, ref))
				}
			}
			return c.Answer(answers(c).Say("no-event", code("Prefix", c.Tree().Prefix()), say.Span("Retention", conf.Retention)))
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
	s, reason, why := answers(c), seen.Reason, "why-recorded"
	if seen.Disposition == store.Failed && c.Role < commands.Operator {
		reason, _, _ = strings.Cut(reason, ":") // its cause is for those who operate the bot
		why = "why-fault"
	}
	id, slots := "saw", []say.Slot{code("Event", string(ref.Event)), say.Moment("At", seen.Time), endOf(s, seen.Disposition)}
	if room.Private {
		id = "saw-private"
	} else {
		slots = append(slots, titled(room))
	}
	if reason != "" { // as it was recorded
		id, slots = id+"-why", append(slots, say.Part("Why", s.Say(why, say.Words("Reason", protocol.Plain(reason)))))
	}
	lines := []protocol.Text{s.Say(id, slots...)}
	for n := 1; ; n++ {
		sent := c.Tx.Delivery(store.CauseKey(ref, n))
		if sent.State == "" {
			break
		}
		lines = append(lines, bullet(sentLine(s, sent)))
	}
	if len(lines) == 1 {
		lines = append(lines, s.Say("sent-nothing"))
	}
	return protocol.Lines(lines...)
}

// endOf is what became of an event.
func endOf(s say.Speaker, d store.Disposition) say.Slot {
	ends := map[store.Disposition]string{store.Unseen: "end-unseen", store.Handled: "end-handled", store.Ignored: "end-ignored",
		store.Refused: "end-refused", store.Failed: "end-failed", store.Waiting: "end-waiting"}
	if id := ends[d]; id != "" {
		return say.Part("End", s.Say(id))
	}
	return say.Part("End", protocol.Plain(d.String())) // no other is recorded
}

// sentLine says what became of something that was sent because of the event.
func sentLine(s say.Speaker, d store.Delivery) protocol.Text {
	at := say.Moment("At", d.Time)
	switch d.State {
	case store.StateQueued:
		return s.Say("sent-queued")
	case store.StateSent:
		return s.Say("sent-sent", at)
	case store.StateAmbiguous:
		return s.Say("sent-ambiguous", at)
	case store.StateSuperseded:
		return s.Say("sent-superseded")
	case store.StateReplaced:
		return s.Say("sent-replaced")
	case store.StateExpired:
		return s.Say("sent-expired")
	case store.StateEnded:
		return s.Say("sent-ended")
	}
	return s.Say("sent-failed")
}
