package votes

import (
	"moot/commands"
	"moot/events"
	"moot/internal/alike"
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
	switch n := len([]rune(text)); {
	case !v.Open():
		return commands.Sorry(protocol.Join("Vote ", v.ID, " has closed."))
	case me == 0 || v.Opener != me:
		return commands.Sorry(protocol.Join("Vote ", v.ID, " was opened by somebody else, who alone can change its text."))
	case v.Type == Rule:
		return commands.Sorry(protocol.Join("What vote ", v.ID, " changes is not changed any more. Withdraw it, and open another: ",
			c.Code("vote cancel "+v.Number()), "."))
	case v.Tally.Method == tally.Consent: // else a text would pass to which nobody has consented
		return commands.Sorry(protocol.Join("Vote ", v.ID, " goes by consent: who has said nothing has consented to what it says. "+
			"Withdraw it, and open another: ", c.Code("vote cancel "+v.Number()), "."))
	case v.everCast() || v.Status != Running:
		return commands.Sorry(protocol.Join("Somebody has voted in vote ", v.ID, " already, so its text stays as it is."))
	case alike.Blank(text):
		return commands.Sorry(protocol.Join("What is it to say? ", c.Code("vote edit "+v.Number()+" TEXT"), "."))
	case n > most:
		return commands.Sorryf("That text has %d characters; here it can have %d.", n, most)
	}
	before := v.text(v.Text)
	if before == text {
		return commands.Sorry(protocol.Join("That is what vote ", v.ID, " says already."))
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
	said := protocol.Join(v.name(v.Opener), " has corrected vote ", v.ID, ", on which nobody has voted yet. It said ",
		protocol.Quoted(before, MaxReason), ", and says now: ", protocol.Quoted(text, MaxReason))
	if c.Event.Private || c.Native() || c.Event.Place != v.Place {
		if err := v.announce(said); err != nil {
			return err
		}
		return c.Answer(protocol.Join("Vote ", v.ID, " is corrected, and the room is told."))
	}
	return c.Answer(said)
}

// everCast reports whether there was ever a ballot in an open vote, withdrawn or not.
func (h *atHand) everCast() bool {
	for range h.tx.Prefix(secretBox, h.voterKey("")) {
		return true
	}
	q := events.Query{Kind: KindVote, Limit: 1, Filters: map[string]string{
		keyVote: h.Number(), keyWhat: whatBallot, events.KeyScope: string(h.room),
	}}
	for range h.bus.Matching(h.tx, q) {
		return true
	}
	return h.Turnout > 0 // it may have been cast in the room that this one goes on from
}

// tellCorrected tells the one whom a vote is about what its reason is now.
func (h *atHand) tellCorrected(text string) error {
	user := h.userOf(h.Target)
	if user == "" || h.Appeal {
		return nil
	}
	_, err := outbox.Send(h.tx, protocol.Outgoing{Act: protocol.Whisper{User: user, Text: protocol.Join("In ",
		titled(h.tx, h.info(), user), " the reason for vote ", h.ID, " about you was corrected. It is now: ", protocol.Quoted(text, MaxReason))}})
	return err
}
