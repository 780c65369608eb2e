package votes

import (
	"strconv"

	"moot/commands"
	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/store"
	"moot/votes/words"
)

// Reminders in private. At half of the time of what binds the people of a room, those who may vote and have not are told so,
// once. In a secret vote nothing shows who has, and so all are told.

const (
	// reminderSlice is how many of those who may vote one step looks at.
	reminderSlice = 50
	// mostReminded is how many people are reminded of one vote at most: in a large room the message in the room has to do.
	mostReminded = 200
)

// unreminded holds who wants no reminders: person ␟ → ∅.
var unreminded = store.ScopedBucket("votes-unreminded")

func unremindedKey(user protocol.UserID) string { return store.Key(user, "") }

// reminds reports whether people are reminded of a vote in private.
func (h *atHand) reminds() bool {
	return h.Reminders && (h.Type == Challenge || h.Type == Restore || h.Type == Rule) && h.Size <= mostReminded
}

// remindVoters reminds the next of those who may vote, from that place in the electorate on.
func (h *atHand) remindVoters(data []byte) error {
	from, _ := strconv.Atoi(string(data))
	switch {
	case h.Status != Running:
		return nil
	case h.away():
		b := h.posting()
		b.Half = strconv.Itoa(from)
		h.putPosting(b)
		return nil
	}
	all := h.tx.Get(electorate, h.key())
	end := min(from+reminderSlice, len(all)/8)
	for i := from; i < end; i++ {
		n := electorAt(all, i)
		user := h.userOf(n)
		if user == "" || !h.Secret && h.ballotOf(n) != nil || h.tx.Has(unreminded, unremindedKey(user)) {
			continue
		}
		_, err := outbox.Send(h.tx, protocol.Outgoing{Expires: h.Deadline, Act: protocol.Whisper{User: user, Text: h.reminder(user)}})
		if err != nil {
			return err
		}
	}
	if end < len(all)/8 {
		h.tx.SetTimer(timerHalf+h.Number(), h.tx.Now().Add(pulse), []byte(strconv.Itoa(end)))
	}
	return nil
}

// reminder is what somebody is told who has not voted.
func (h *atHand) reminder(user protocol.UserID) protocol.Text {
	info := seenBy(h.tx, h.info(), user)
	s, id := h.to(user), "reminder"
	if h.Secret {
		id = "reminder-secret"
	}
	return s.Say(id, say.Place("Room", titled(h.tx, h.info(), user)), say.Part("Title", h.as(s).titleOf()), h.as(s).when(),
		say.Code("Vote", protocol.Code("vote "+h.Number()+" "+words.YesNo(s)[0]+" --in "+info.Word())), say.Code("Off", protocol.Code("reminders off")))
}

// reminders is the command that switches reminders off and on for somebody, wherever they may vote.
func (f *Feature) reminders(c *commands.Call) error {
	key := unremindedKey(c.Person)
	off, s := c.Tx.Has(unreminded, key), f.here(c)
	switch c.Word("what") {
	case "off":
		c.Tx.Put(unreminded, key, nil)
		return c.Answer(s.Say("reminders-off"))
	case "on":
		c.Tx.Delete(unreminded, key)
		return c.Answer(s.Say("reminders-on"))
	}
	if off {
		return c.Answer(s.Say("reminders-are-off", say.Code("Command", c.Code("reminders on"))))
	}
	return c.Answer(s.Say("reminders-are-on", say.Code("Command", c.Code("reminders off"))))
}

// exportReminders tells somebody whether they want no reminders.
func exportReminders(s say.Speaker, tx *store.Tx, user protocol.UserID, yield func(protocol.Text) bool) {
	if tx.Has(unreminded, unremindedKey(user)) {
		yield(s.Say("reminders-mine"))
	}
}

func forgetReminders(tx *store.Tx, user protocol.UserID) {
	if in := tx.In(protocol.Scope(user)); in.Has(unreminded, unremindedKey(user)) {
		in.Delete(unreminded, unremindedKey(user))
	}
}

// remindsAt sets the timers of the reminders. What was due while nobody could vote comes when they can again.
func (h *atHand) remindsAt() {
	b, runs := h.posting(), h.Deadline.Sub(h.Opened)
	back := h.tx.Now().Add(returnPause)
	switch at := h.Opened.Add(runs - runs/4); {
	case !h.Rules.Remind:
	case b.Remind:
		h.tx.SetTimer(timerRemind+h.Number(), back, nil)
	case at.After(h.tx.Now()):
		h.tx.SetTimer(timerRemind+h.Number(), at, nil)
	}
	switch at := h.Opened.Add(runs / 2); {
	case !h.reminds():
	case b.Half != "":
		h.tx.SetTimer(timerHalf+h.Number(), back, []byte(b.Half))
	case at.After(h.tx.Now()):
		h.tx.SetTimer(timerHalf+h.Number(), at, nil)
	}
	if b.Half != "" || b.Remind {
		b.Half, b.Remind = "", false
		h.putPosting(b)
	}
}
