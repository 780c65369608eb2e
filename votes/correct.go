package votes

import (
	"moot/commands"
	"moot/internal/alike"
	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/votes/tally"
)

// correct is the command with which who opened a vote writes its text anew, as long as nobody has voted on the old one.
func (f *Feature) correct(c *commands.Call) error {
	v, text, err := f.voteAndWords(c, "edit", "text")
	if err != nil {
		return err
	}
	me := f.bus.Lookup(c.Tx, c.Person)
	most := MaxReason
	if v.Type.shared() {
		most = MaxQuery
	}
	s := f.here(c)
	switch n := len([]rune(text)); {
	case !v.Open():
		return sorry(s, "has-closed-number", v.number())
	case me == 0 || v.Opener != me:
		return sorry(s, "edit-other", v.number())
	case v.Type == Rule:
		return sorry(s, "edit-rule", v.number(), say.Code("Command", c.Code("vote cancel "+v.Number())))
	case v.Tally.Method == tally.Consent: // else a text would pass to which nobody has consented
		return sorry(s, "edit-consent", v.number(), say.Code("Command", c.Code("vote cancel "+v.Number())))
	case v.everCast() || v.Status != Running:
		return sorry(s, "edit-voted", v.number())
	case alike.Blank(text):
		return sorry(s, "edit-what", say.Code("Command", c.Code("vote edit "+v.Number()+" TEXT")))
	case n > most:
		return sorry(s, "edit-long", say.Number("Has", n), say.Number("Most", most))
	}
	before := v.text(v.Text)
	if before == text {
		return sorry(s, "edit-same", v.number())
	}
	id := f.bus.KeepText(c.Tx, v.Type.author(c.Person), text)
	if err := v.publish(whatCorrected, map[string]protocol.UserID{roleOpener: c.Person}, corrected{id}); err != nil {
		return err
	}
	v.touch()
	if err := v.askAnew(); err != nil {
		return err
	}
	if err := v.tellCorrected(text); err != nil {
		return err
	}
	said := v.say("edited", say.Person("Opener", v.name(v.Opener)), v.number(), say.Quoted("Before", before, MaxReason),
		say.Quoted("After", text, MaxReason))
	if c.Event.Private || c.Native() || c.Event.Place != v.Place {
		if err := v.announce(said); err != nil {
			return err
		}
		return c.Answer(s.Say("edit-done", v.number()))
	}
	return c.Answer(said)
}

// everCast reports whether there was ever a ballot in an open vote, withdrawn or not.
func (h *atHand) everCast() bool {
	for range h.tx.Prefix(secretBox, h.voterKey("")) {
		return true
	}
	return h.Turnout > 0 || h.has(map[string]string{keyWhat: whatBallot})
}

// tellCorrected tells the one whom a vote is about what its reason is now.
func (h *atHand) tellCorrected(text string) error {
	user := h.userOf(h.Target)
	if user == "" || h.Appeal {
		return nil
	}
	_, err := outbox.Send(h.tx, protocol.Outgoing{Act: protocol.Whisper{User: user, Text: h.to(user).Say("edit-told",
		say.Place("Room", titled(h.tx, h.info(), user)), h.number(), say.Quoted("Text", text, MaxReason))}})
	return err
}
