package votes

import (
	"maps"
	"time"

	"moot/commands"
	"moot/events"
	"moot/internal/alike"
	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes/tally"
)

// deadline ends a vote whose time is over. While the bot is away it does nothing: the timer is set anew when it is
// back.
func (h *atHand) deadline() error {
	switch {
	case h.Status != Running || h.away():
		return nil
	case h.tx.Now().Before(h.Deadline):
		h.start()
		return nil
	}
	return h.end()
}

// early ends a vote whose outcome nobody can change any more, if it may end already.
func (h *atHand) early() error {
	if h.Status != Running || h.away() || h.tx.Now().Compare(h.Deadline) >= 0 {
		return nil
	}
	settled := func() bool {
		return tally.Decide(h.Tally, h.Size, h.Count, h.now()).Outcome != tally.Open
	}
	if !settled() {
		return nil
	}
	if changed, err := h.castWaiting(true); err != nil {
		return err
	} else if changed && !settled() {
		return nil
	}
	return h.end()
}

// end takes no more ballots. Where some may have been cast by reactions that the bot has missed, it asks for all of
// them and waits for the answer; else the vote closes at once.
func (h *atHand) end() error {
	if _, err := h.castWaiting(true); err != nil {
		return err
	}
	if err := h.publish(whatClosing, nil, nil); err != nil {
		return err
	}
	return h.read()
}

// countingShown is after how long the message of a vote says that its reactions are still being read.
const countingShown = time.Minute

// read asks for the reactions of a vote that is closing, and closes it where there are none to ask for.
func (h *atHand) read() error {
	b := h.posting()
	if b.Key == "" && !b.Deleted.IsZero() && h.reactable() {
		return h.close(true) // what stood on a message that was deleted, and was missed, nobody can read
	}
	if !h.reactable() || b.Key == "" || h.tx.Delivery(b.Key).State != store.StateSent {
		return h.close(false)
	}
	key, err := outbox.Ask(h.tx, protocol.Ask{
		Room: h.room, Expires: h.tx.Now().Add(h.Reading), Want: protocol.AskReactions{Original: b.Key},
	})
	if err != nil {
		return err
	}
	b.Ask = key
	h.putPosting(b)
	h.tx.SetTimer(timerClose+h.Number(), h.tx.Now().Add(h.Reading), nil)
	if edit := timerEdit + h.Number(); h.tx.Timer(edit).IsZero() {
		h.tx.SetTimer(edit, h.tx.Now().Add(countingShown), nil) // most have closed by then, which is shown at once
	}
	return nil
}

// missed asks for the reactions to the open votes of a room of which some may not have been told.
func (f *Feature) missed(tx *store.Tx, room protocol.RoomID) error {
	for v := range f.openIn(tx, room) {
		b := v.posting()
		if !v.reactable() || v.Status != Running || b.Key == "" || tx.Delivery(b.Key).State != store.StateSent {
			continue
		}
		key, err := outbox.Ask(tx, protocol.Ask{Room: room, Want: protocol.AskReactions{Original: b.Key}})
		if err != nil {
			return err
		}
		b.Missed = key
		v.putPosting(b)
	}
	return nil
}

// answered handles the answer about the reactions of a vote that is closing.
func (f *Feature) answered(tx *store.Tx, ev protocol.Event, a protocol.Answer) (store.Outcome, error) {
	if n, ok := enrolmentIn(tx, ev.Room); ok && n.Asked != "" && n.Asked == a.Ask {
		return store.WasHandled("who holds a role"), f.heldBy(tx, ev.Room, n, a)
	}
	for v := range f.openIn(tx, ev.Room) {
		set, ok := a.Result.(protocol.ReactionSet)
		b := v.posting()
		if b.Missed == a.Ask && b.Missed != "" && ok && v.takes() {
			return store.WasHandled("the reactions to vote " + v.Number()), v.merge(set)
		}
		if v.Status != Closing || b.Ask != a.Ask {
			continue
		}
		if ok && a.Fault == "" {
			if err := v.merge(set); err != nil {
				return store.Outcome{}, err
			}
			if tally.Decide(v.Tally, v.Size, v.Count, v.now()).Outcome == tally.Open {
				return store.WasHandled("vote " + v.Number() + " goes on"), v.goOn(set)
			}
		}
		return store.WasHandled("vote " + v.Number() + " closes"), v.close(!ok || a.Fault != "")
	}
	return store.Outcome{}, nil
}

// goOn takes ballots again in a vote that was to end early: what was read says that its outcome can still change.
// What was pressed meanwhile counts.
func (h *atHand) goOn(set protocol.ReactionSet) error {
	if err := h.publish(whatReopened, nil, nil); err != nil {
		return err
	}
	h.tx.StopTimer(timerClose + h.Number())
	for k := range h.tx.Prefix(lateMarks, h.voterKey("")) {
		h.tx.Delete(lateMarks, k)
	}
	h.start()
	h.touch()
	return h.merge(set)
}

// unanswered closes a vote on what is recorded.
func (h *atHand) unanswered() error {
	if h.Status != Closing || h.away() {
		return nil // the bot will ask again when it is back
	}
	return h.close(true)
}

// close closes a vote, and does what follows from its outcome.
func (h *atHand) close(unread bool) error {
	if err := h.unbox(); err != nil {
		return err
	}
	count := h.Count
	if h.Type == Election {
		count.Ballots = h.ballotsCast()
	}
	res := tally.Final(h.Tally, h.Size, count)
	p := closed{Count: h.Count, Size: h.Size, Winners: res.Winners, Unread: unread, Election: res.Election}
	if !h.listed() {
		p.Explain = res.Explain()
	}
	follows, err := h.follows(res.Outcome)
	if err != nil {
		return err
	}
	return h.finish(res.Outcome, "", p, follows)
}

// finish publishes that a vote has closed, in whatever way, and says so.
func (h *atHand) finish(outcome tally.Outcome, by protocol.UserID, p closed, follows protocol.Text) error {
	who := map[string]protocol.UserID{}
	if by != "" {
		who[roleBy] = by
	}
	voted := h.Turnout > 0 // which a secret vote does not know any more when it has ended
	// So that they are found by whom they are about.
	if user := h.userOf(h.Opener); user != "" {
		who[roleOpener] = user
	}
	if user := h.userOf(h.Target); user != "" {
		who[roleTarget] = user
	}
	if !h.Secret {
		p.Voters = h.voted()
	}
	keys := map[string]string{keyWhat: whatClosed, keyOutcome: string(outcome)}
	if err := h.publishWith(keys, who, p); err != nil {
		return err
	}
	h.stop()
	h.burn()
	h.unmarkAll()
	h.holdLimits(h.tx, h.room, h.Opener, h.Target)
	h.letGoVote()
	if !hasOpen(h.tx, h.room) {
		endOutage(h.tx, h.room)
	}
	h.tx.StopTimer(timerEdit + h.Number()) // of what it was before
	h.touch()
	if err := h.endPrivatePolls((*atHand).closing); err != nil {
		return err
	}
	if !h.info().Joined() {
		h.tx.Put(unsaid, h.key(), nil)
		return nil
	}
	text := h.closing()
	if follows != nil {
		text = protocol.Lines(text, follows)
	}
	if err := h.sayOutcome(text); err != nil {
		return err
	}
	if err := h.endPoll(text); err != nil {
		return err
	}
	if err := h.minute(text); err != nil {
		return err
	}
	if err := h.tellOutcome(voted); err != nil {
		return err
	}
	return h.tellOpener(voted)
}

// unsaid holds the votes that ended while the bot was out of their room, which can only be those that became void.
var unsaid = store.ScopedBucket("votes-unsaid")

// sayUnsaid says which votes have ended while the bot was out of the room. Where it is out again, that waits for the
// next time that it joins.
func (f *Feature) sayUnsaid(tx *store.Tx, room protocol.RoomID) error {
	if info, _ := rooms.Get(tx, room); !info.Joined() {
		return nil
	}
	for k := range tx.Prefix(unsaid, store.Key(room, "")) {
		tx.Delete(unsaid, k)
		v := f.find(tx, room, store.ParseNumber(k))
		if v == nil {
			continue
		}
		if err := v.sayOutcome(v.closing()); err != nil {
			return err
		}
		if err := v.endPoll(v.closing()); err != nil {
			return err
		}
		if err := v.minute(v.closing()); err != nil {
			return err
		}
		v.touch()
	}
	return nil
}

// follows does what follows from an outcome, and says it.
func (h *atHand) follows(o tally.Outcome) (protocol.Text, error) {
	if o == tally.Passed && h.Type == Rule {
		return h.changeRule()
	}
	if o != tally.Passed || h.Target == 0 {
		return h.unchanged(o), nil
	}
	name, is := say.Person("Target", h.name(h.Target)), h.Sanctions.Standing(h.tx, h.room, h.Target)
	switch {
	case h.Type == Challenge && is:
		return h.say("suspended-before", name), nil
	case h.Type == Restore && !is:
		return h.say("restored-before", name), nil
	case h.Type == Restore:
		if err := h.Sanctions.Restore(h.tx, h.Target, h.ID); err != nil {
			return nil, err
		}
		return h.say("restored", name), nil
	}
	if err := h.Sanctions.Challenge(h.tx, h.Target, h.ID, h.Rules.ChallengeMax); err != nil {
		return nil, err
	}
	text := h.say("suspended", name)
	if h.Rules.ChallengeMax > 0 {
		text = say.Sentences(text, h.say("suspended-until", say.Moment("Until", h.tx.Now().Add(h.Rules.ChallengeMax))))
	}
	if user := h.userOf(h.Target); user != "" {
		text = say.Sentences(text, h.say("ask-restore",
			say.Code("Command", h.code("vote restore "+commands.PersonWord(h.tx, h.info(), user)+" REASON"))))
	}
	return text, nil
}

// unchanged says that nothing follows for the one whom a vote was about that failed.
func (h *atHand) unchanged(o tally.Outcome) protocol.Text {
	if o != tally.Rejected && o != tally.NoQuorum || h.Target == 0 {
		return nil
	}
	name := say.Person("Target", h.name(h.Target))
	switch is := h.Sanctions.Standing(h.tx, h.room, h.Target); {
	case h.Type == Challenge && !is:
		return h.say("not-suspended", name)
	case h.Type == Restore && is:
		return h.say("not-restored", name)
	}
	return nil // by another decision it is as the vote asked for
}

// tellOpener tells the opener of a vote alone for how long they cannot open the next one, if they cannot.
func (h *atHand) tellOpener(voted bool) error {
	user, l := h.userOf(h.Opener), h.costs(h.Outcome, voted)
	var until time.Duration
	id := "after-rest"
	switch {
	case user == "":
		return nil
	case l.rests:
		until = h.Rules.Rest
	case l.restRestore:
		id, until = "after-restore", h.Rules.RestoreRest
	default:
		return nil
	}
	_, err := outbox.Send(h.tx, protocol.Outgoing{Act: protocol.Whisper{User: user, Text: h.to(user).Say(id,
		say.Place("Room", titled(h.tx, h.info(), user)), say.Moment("Until", h.tx.Now().Add(until)))}})
	return err
}

// cancel is the command that ends a vote without an outcome.
func (f *Feature) cancel(c *commands.Call) error {
	v, reason, err := f.voteAndWords(c, "cancel", "reason")
	if err != nil {
		return err
	}
	s := f.here(c)
	if !v.Open() {
		return sorry(s, "closed-already", v.number())
	}
	me := f.bus.Lookup(c.Tx, c.Person)
	if err := f.noneAboutMe(c, "about-you-cancel"); err != nil {
		return err
	}
	untouched := v.Turnout == 0
	switch {
	case v.Type == Restore && !f.isOperator(c.Person) && !(me != 0 && v.Opener == me && untouched):
		return sorry(s, "cancel-restore", v.number())
	case v.Type == Challenge && f.mayModerate(c.Tx, c.Room.ID, c.Person) && v.hasVoted(me):
		return f.privately(c, f.alone(c).Say("cancel-voted", v.number())) // of a secret vote it is nobody else's to know
	case me != 0 && v.Opener == me && untouched:
		return v.cancelled(c, Withdrawn, reason)
	case !f.mayModerate(c.Tx, c.Room.ID, c.Person) && v.Opener == me && me != 0:
		return sorry(s, "cancel-late", v.number())
	case !f.mayModerate(c.Tx, c.Room.ID, c.Person):
		return sorry(s, "cancel-not", v.number())
	case alike.Blank(reason):
		return sorry(s, "cancel-why", say.Code("Command", c.Code("vote cancel "+v.Number()+" REASON")))
	case v.Opener == me:
		return v.cancelled(c, Withdrawn, reason) // with what follows from that for everybody who opens one
	}
	return v.cancelled(c, Cancelled, reason)
}

// undecided is what is published of a vote that ends without being decided. That is no count where it was not shown.
func (h *atHand) undecided() closed {
	p := closed{Count: h.Count, Size: h.Size, Voted: h.Turnout > 0}
	if !h.counts() {
		p.Count = h.Tally.NewTally()
	}
	return p
}

// hasVoted reports whether somebody has ever cast a ballot in an open vote, withdrawn or not.
func (h *atHand) hasVoted(n events.Number) bool {
	if _, ever := h.boxed(n); ever || h.ballotOf(n) != nil {
		return true
	}
	return n != 0 && h.has(map[string]string{roleVoter: n.String()})
}

// has reports whether the log has such a fact about the vote, here or in a room in which it was held before.
func (h *atHand) has(such map[string]string) bool {
	for _, room := range lineage(h.tx, h.room) {
		filters := map[string]string{keyVote: h.Number(), events.KeyScope: string(room)}
		maps.Copy(filters, such)
		for range h.bus.Matching(h.tx, events.Query{Kind: KindVote, Limit: 1, Filters: filters}) {
			return true
		}
	}
	return false
}

func (h *atHand) cancelled(c *commands.Call, o tally.Outcome, reason string) error {
	p := h.undecided()
	if reason != "" {
		p.Why = h.bus.KeepText(c.Tx, c.Person, reason)
	}
	if err := h.finish(o, c.Person, p, nil); err != nil {
		return err
	}
	if c.Event.Private || c.Event.Place != h.Place {
		return c.Answer(h.here(c).Say("is-"+string(o), h.number()))
	}
	return nil
}

// noneAboutMe refuses somebody about whom a vote is open what might have to do with it.
func (f *Feature) noneAboutMe(c *commands.Call, id string) error {
	me := f.bus.Lookup(c.Tx, c.Person)
	for v := range OpenIn(c.Tx, c.Room.ID) {
		if me != 0 && v.Target == me {
			return sorry(f.here(c), id, say.Number("Vote", v.ID))
		}
	}
	return nil
}

// voidAll ends the votes of a room in which nobody could vote for too long.
func (f *Feature) voidAll(tx *store.Tx, room protocol.RoomID) error {
	h := outageOf(tx, room)
	if !h.is() || tx.Now().Before(h.Since.Add(f.Void)) {
		return nil
	}
	for v := range f.openIn(tx, room) {
		if err := v.finish(Void, "", v.undecided(), nil); err != nil {
			return err
		}
	}
	return nil
}
