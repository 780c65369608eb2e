package votes

import (
	"slices"
	"strconv"
	"strings"

	"moot/commands"
	"moot/internal/alike"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes/tally"
)

// How a ballot came.
const (
	viaCommand  = "command"
	viaPrivate  = "private"
	viaReaction = "reaction"
	viaRead     = "read"
	viaPoll     = "poll"
)

// mayCast tells somebody why they cannot cast, change or withdraw a ballot in the vote; nil if they can. Show shows
// them a command.
func (h *atHand) mayCast(s say.Speaker, info rooms.Info, user protocol.UserID, show func(line string) protocol.Text) protocol.Text {
	switch {
	case !h.Open():
		return s.Say("closed-see", h.number(), say.Code("Command", show("vote show "+h.Number())))
	case h.Status == Closing, !h.away() && !h.tx.Now().Before(h.Deadline):
		return s.Say("time-over", h.number())
	}
	if !h.mayVote(h.bus.Lookup(h.tx, user)) {
		return h.whyNot(s, info, user, show)
	}
	return nil
}

// isOut tells somebody that they are not in the room, where they act as if they were; nil if they are. In private
// they can vote all the same.
func isOut(s say.Speaker, tx *store.Tx, info rooms.Info, user protocol.UserID) protocol.Text {
	if _, in := rooms.Lookup(tx, info.ID, user); in || info.Members != rooms.Known {
		return nil
	}
	return s.Say("you-left")
}

// reactable reports whether a reaction can be a ballot: others may see it, there is nothing else to press, and it says all.
func (h *atHand) reactable() bool { return !h.covered() && !h.buttons() && h.Type != Election }

// castBy casts the ballot of somebody who may, with the reason that they give, or withdraws it where the ballot is empty,
// and ends the vote if that settles it. It reports whether that changed anything.
func (h *atHand) castBy(user protocol.UserID, b tally.Ballot, via, because string) (bool, error) {
	changed, err := h.record(user, b, via, because)
	if err != nil || !changed || h.Secret {
		return changed, err
	}
	return true, h.counted()
}

// record is castBy, but that the vote does not end.
func (h *atHand) record(user protocol.UserID, b tally.Ballot, via, because string) (bool, error) {
	n := h.bus.Number(h.tx, user)
	h.holdPartial(user, n)
	if h.Secret {
		return h.castSecret(n, b), nil
	}
	if via == viaCommand || via == viaPrivate {
		h.tx.Delete(madeBy, h.voterKey(voter(n))) // no reaction stands for it from here on
		h.cameOtherwise(n)
	}
	if before := h.ballotOf(n); slices.Equal(before, b) && because == "" {
		return false, nil
	}
	what, p := whatBallot, cast{Choices: b, Via: via}
	if len(b) == 0 {
		what = whatWithdrawn
	}
	if because != "" {
		p.Why = h.bus.KeepText(h.tx, user, because)
	}
	return true, h.publish(what, map[string]protocol.UserID{roleVoter: user}, p)
}

// counted is called after the count of a vote has changed.
func (h *atHand) counted() error {
	h.touch()
	return h.early()
}

// cast is the command that casts a ballot.
func (f *Feature) cast(c *commands.Call) error {
	said, because, err := f.said(c)
	if err != nil {
		return err
	}
	v, b := said.vote, said.ballot
	if err := v.outOfDate(c); err != nil {
		return err
	}
	if err := v.refuseTyped(c, "cast"); err != nil {
		return err
	}
	why := v.mayCast(f.alone(c), c.Room, c.Person, alone(c))
	if why == nil && !c.Event.Private {
		why = isOut(f.alone(c), c.Tx, c.Room, c.Person)
	}
	if why != nil {
		return f.privately(c, why)
	}
	if said.wrong != nil {
		return said.wrong
	}
	if err := v.mayBecause(c, b, because); err != nil {
		return err
	}
	changed, err := v.castBy(c.Person, b, via(c), because)
	if err != nil {
		return err
	}
	s := f.here(c)
	ballot := say.Part("Ballot", v.as(s).view().Ballot(b))
	id := "your-ballot"
	if because != "" {
		id = "your-ballot-why"
	}
	text := say.Sentences(s.Say(id, v.number(), ballot), v.notRanked(s, b), s.Say("until-closes"))
	if !changed {
		text = say.Sentences(s.Say("your-ballot-already", v.number(), ballot), v.notRanked(s, b))
	}
	if v.Type == Election && c.Has(placeParam) {
		return c.Answer(text) // it says how the ballot reads that grows press by press
	}
	return c.Tick(text)
}

// withdraw is the command that withdraws a ballot.
func (f *Feature) withdraw(c *commands.Call) error {
	v, err := f.theVote(c, "withdraw")
	if err != nil {
		return err
	}
	if err := v.outOfDate(c); err != nil {
		return err
	}
	if err := v.refuseTyped(c, "withdraw"); err != nil {
		return err
	}
	why := v.mayCast(f.alone(c), c.Room, c.Person, alone(c))
	if why == nil && !c.Event.Private {
		why = isOut(f.alone(c), c.Tx, c.Room, c.Person)
	}
	if why != nil {
		return f.privately(c, why)
	}
	changed, err := v.castBy(c.Person, nil, via(c), "")
	switch {
	case err != nil:
		return err
	case !changed:
		return f.privately(c, f.alone(c).Say("no-ballot", v.number()))
	case v.Secret:
		return f.privately(c, f.alone(c).Say("no-ballot-now", v.number()))
	}
	return c.Tick(f.here(c).Say("ballot-withdrawn", v.number()))
}

// via tells how a command came.
func via(c *commands.Call) string {
	if c.Event.Private {
		return viaPrivate
	}
	return viaCommand
}

// alone shows a command as it is given where [Feature.privately] answers.
func alone(c *commands.Call) func(line string) protocol.Text {
	if c.Native() && !c.Event.Private {
		return c.Code
	}
	return inPrivate(c.Room)
}

// privately answers somebody alone.
func (f *Feature) privately(c *commands.Call, text protocol.Text) error { return c.Whisper(text) }

// refuseTyped refuses what would show a secret ballot to the room. What comes through the network's own interface is
// seen by nobody else.
func (h *atHand) refuseTyped(c *commands.Call, verb string) error {
	_, native := c.Event.Body.(protocol.Invocation)
	if !h.covered() || c.Event.Private || native {
		return nil
	}
	s, id := h.Feature.here(c), "typed-hidden"
	if h.Secret {
		id = "typed-secret"
	}
	return commands.Sorry(say.Sentences(s.Say(id, h.number()), h.secretly(s, c.Room, verb)))
}

// secretly says how a ballot is cast that nobody else sees.
func (h *atHand) secretly(s say.Speaker, info rooms.Info, verb string) protocol.Text {
	line := commandOn(verb, h.Number(), map[string]string{"cast": "CHOICE", "reason": "TEXT"}[verb])
	return s.Say("write-privately", say.Code("Command", protocol.Code(line+" --in "+info.Word())))
}

// voteID reads the number of a vote, with or without a mark before it.
func voteID(w string) (uint64, bool) {
	id, err := strconv.ParseUint(strings.TrimPrefix(alike.Fold(w), "#"), 10, 64)
	return id, err == nil && id > 0
}

// oneOpen returns the vote of the room that is open, nil if it is not one, and whether there are several.
func (f *Feature) oneOpen(c *commands.Call) (v *atHand, several bool) {
	for o := range f.openIn(c.Tx, c.Room.ID) {
		if v != nil {
			return nil, true
		}
		v = o
	}
	return v, false
}

// theVote returns the vote that the parameter "vote" names, or the open one where it was left out.
func (f *Feature) theVote(c *commands.Call, verb string) (*atHand, error) {
	if !c.Has("vote") {
		if v, _ := f.oneOpen(c); v != nil {
			return v, nil
		}
		return nil, f.whichVote(c, verb)
	}
	id, ok := voteID(c.Word("vote"))
	if v := f.find(c.Tx, c.Room.ID, id); ok && v != nil {
		return v, nil
	}
	return nil, f.noVote(c, c.Word("vote"))
}

func (f *Feature) noVote(c *commands.Call, word string) error {
	return sorry(f.here(c), "no-vote", say.Quoted("Word", word, 20), say.Code("Command", c.Code("vote list")))
}

// whichVote is the answer where several votes are open, or none.
func (f *Feature) whichVote(c *commands.Call, verb string) error {
	s := f.here(c)
	var open []string
	var named []protocol.Text
	for v := range f.openIn(c.Tx, c.Room.ID) {
		open, named = append(open, v.Number()), append(named, v.as(s).view().Short())
	}
	if len(open) == 0 {
		return sorry(s, "none-open", say.Code("Command", c.Code("vote list")))
	}
	example := map[string]string{"cast": "CHOICE", "reply": "TEXT", "edit": "TEXT", "cancel": "REASON"}[verb]
	return sorry(s, "several-open", say.Part("Votes", say.Commas(named)),
		say.Code("Command", c.Code(commandOn(verb, open[0], example))))
}

// commandOn writes a command on a vote. To cast a ballot needs no verb.
func commandOn(verb, vote, rest string) string {
	line := "vote " + verb + " " + vote
	if verb == "cast" {
		line = "vote " + vote
	}
	return strings.TrimSpace(line + " " + rest)
}
