package votes

import (
	"moot/commands"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes/tally"
)

// deadline ends a vote whose time is over. While the bot is away it does nothing: the timer is set anew when it is back.
func (f *Feature) deadline(tx *store.Tx, room protocol.RoomID, v Vote) error {
	switch {
	case v.Status != Running || held(tx, room).is():
		return nil
	case tx.Now().Before(v.Deadline):
		f.start(tx, v)
		return nil
	}
	return f.end(tx, room, v)
}

// early ends a vote whose outcome nobody can change any more, if it may end already.
func (f *Feature) early(tx *store.Tx, room protocol.RoomID, v Vote) error {
	if v.Status != Running || held(tx, room).is() || tx.Now().Compare(v.Deadline) >= 0 {
		return nil
	}
	if tally.Decide(v.Tally, v.Size, v.Count, v.clock(tx.Now())).Outcome == tally.Open {
		return nil
	}
	return f.end(tx, room, v)
}

// end takes no more ballots. Where some may have been cast by reactions that the bot has missed, it asks for all of them
// and waits for the answer; else the vote closes at once.
func (f *Feature) end(tx *store.Tx, room protocol.RoomID, v Vote) error {
	if err := f.flush(tx, room, v); err != nil {
		return err
	}
	v, _ = Get(tx, room, v.ID)
	if v.Status != Running {
		return nil // the last secret ballots have ended it
	}
	if err := f.publish(tx, v, whatClosing, nil, nil); err != nil {
		return err
	}
	v, _ = Get(tx, room, v.ID)
	return f.read(tx, room, v)
}

// read asks for the reactions of a vote that is closing, and closes it where there are none to ask for.
func (f *Feature) read(tx *store.Tx, room protocol.RoomID, v Vote) error {
	b := boardOf(tx, room, v.ID)
	if v.Secret || b.Key == "" || tx.Sent(b.Key).State != store.StateSent {
		return f.close(tx, room, v, false)
	}
	key, err := outbox.Ask(tx, protocol.Ask{
		Room: room, Expires: tx.Now().Add(f.Reading), Want: protocol.AskReactions{Original: b.Key},
	})
	if err != nil {
		return err
	}
	b.Ask = key
	putBoard(tx, room, v.ID, b)
	tx.SetTimer(timerClose+v.Number(), tx.Now().Add(f.Reading), nil)
	f.touch(tx, room, v)
	return nil
}

// missed asks for the reactions to the open votes of a room of which some may not have been told.
func (f *Feature) missed(tx *store.Tx, room protocol.RoomID) error {
	for v := range OpenIn(tx, room) {
		b := boardOf(tx, room, v.ID)
		if v.Secret || v.Status != Running || b.Key == "" || tx.Sent(b.Key).State != store.StateSent {
			continue
		}
		key, err := outbox.Ask(tx, protocol.Ask{Room: room, Want: protocol.AskReactions{Original: b.Key}})
		if err != nil {
			return err
		}
		b.Missed = key
		putBoard(tx, room, v.ID, b)
	}
	return nil
}

// answered handles the answer about the reactions of a vote that is closing.
func (f *Feature) answered(tx *store.Tx, ev protocol.Event, a protocol.Answer) (Outcome, error) {
	for v := range OpenIn(tx, ev.Room) {
		set, ok := a.Result.(protocol.ReactionSet)
		b := boardOf(tx, ev.Room, v.ID)
		if b.Missed == a.Ask && b.Missed != "" && ok && f.takes(tx, ev.Room, v) {
			return handled("the reactions to vote " + v.Number()), f.merge(tx, ev, v, set)
		}
		if v.Status != Closing || b.Ask != a.Ask {
			continue
		}
		if ok && a.Fault == "" {
			if err := f.merge(tx, ev, v, set); err != nil {
				return Outcome{}, err
			}
			v, _ = Get(tx, ev.Room, v.ID)
			if tally.Decide(v.Tally, v.Size, v.Count, v.clock(tx.Now())).Outcome == tally.Open {
				return handled("vote " + v.Number() + " goes on"), f.goOn(tx, ev, v, set)
			}
		}
		return handled("vote " + v.Number() + " closes"), f.close(tx, ev.Room, v, !ok || a.Fault != "")
	}
	return Outcome{}, nil
}

// goOn takes ballots again in a vote that was to end early: what was read says that its outcome can still change. What was
// pressed meanwhile counts.
func (f *Feature) goOn(tx *store.Tx, ev protocol.Event, v Vote, set protocol.ReactionSet) error {
	if err := f.publish(tx, v, whatReopened, nil, nil); err != nil {
		return err
	}
	v, _ = Get(tx, ev.Room, v.ID)
	tx.StopTimer(timerClose + v.Number())
	for k := range tx.Prefix(lateMarks, store.Key(ev.Room, store.Number(v.ID), "")) {
		tx.Delete(lateMarks, k)
	}
	f.start(tx, v)
	f.touch(tx, ev.Room, v)
	return f.merge(tx, ev, v, set)
}

// unanswered closes a vote on what is recorded.
func (f *Feature) unanswered(tx *store.Tx, room protocol.RoomID, v Vote) error {
	if v.Status != Closing || held(tx, room).is() {
		return nil // the bot will ask again when it is back
	}
	return f.close(tx, room, v, true)
}

// close closes a vote, and does what follows from its outcome.
func (f *Feature) close(tx *store.Tx, room protocol.RoomID, v Vote, unread bool) error {
	res := tally.Final(v.Tally, v.Size, v.Count)
	p := closed{Count: v.Count, Size: v.Size, Winners: res.Winners, Unread: unread}
	if v.Type != Poll {
		p.Explain = res.Explain()
	}
	follows, err := f.follows(tx, room, v, res.Outcome)
	if err != nil {
		return err
	}
	return f.finish(tx, room, v, res.Outcome, "", p, follows)
}

// finish publishes that a vote has closed, in whatever way, and says so.
func (f *Feature) finish(tx *store.Tx, room protocol.RoomID, v Vote, outcome tally.Outcome, by protocol.UserID, p closed, follows protocol.Text) error {
	who := map[string]protocol.UserID{}
	if by != "" {
		who[roleBy] = by
	}
	// So that they are found by whom they are about.
	if user := f.userOf(tx, v.Opener); user != "" {
		who[roleOpener] = user
	}
	if user := f.userOf(tx, v.Target); user != "" {
		who[roleTarget] = user
	}
	err := f.bus.Publish(tx, closedDraft(v, outcome, who, p))
	if err != nil {
		return err
	}
	f.stop(tx, v)
	burn(tx, room, v.ID)
	unmarkAll(tx, room, v.ID)
	v, _ = Get(tx, room, v.ID)
	if !hasOpen(tx, room) {
		letGo(tx, room)
	}
	f.touch(tx, room, v)
	if info, _ := rooms.Get(tx, room); !info.Joined() {
		tx.Put(unsaid, voteKey(room, v.ID), nil)
		return nil
	}
	text := f.closing(tx, room, v)
	if follows != nil {
		text = protocol.Lines(text, follows)
	}
	return f.announce(tx, room, v.Place, text)
}

// unsaid holds the votes that ended while the bot was out of their room, which can only be those that became void.
var unsaid = store.ScopedBucket("votes-unsaid")

// sayUnsaid says which votes have ended while the bot was out of the room. Where it is out again, that waits for the next
// time that it joins.
func (f *Feature) sayUnsaid(tx *store.Tx, room protocol.RoomID) error {
	if info, _ := rooms.Get(tx, room); !info.Joined() {
		return nil
	}
	for k := range tx.Prefix(unsaid, store.Key(room, "")) {
		tx.Delete(unsaid, k)
		v, ok := Get(tx, room, store.ParseNumber(k))
		if !ok {
			continue
		}
		if err := f.announce(tx, room, v.Place, f.closing(tx, room, v)); err != nil {
			return err
		}
		f.touch(tx, room, v)
	}
	return nil
}

// follows does what follows from an outcome, and says it.
func (f *Feature) follows(tx *store.Tx, room protocol.RoomID, v Vote, o tally.Outcome) (protocol.Text, error) {
	target := f.userOf(tx, v.Target)
	if o != tally.Passed || v.Target == 0 {
		return f.aftermath(tx, room, v, o), nil
	}
	if target == "" {
		return protocol.Plain("Nothing follows from it: the person was forgotten."), nil
	}
	name := f.name(tx, room, v.Target)
	_, is := f.Sanctions.Challenged(tx, room, target)
	switch {
	case v.Type == Challenge && is:
		return protocol.Join(name, " was challenged already."), nil
	case v.Type == Restore && !is:
		return protocol.Join(name, " was restored already."), nil
	case v.Type == Challenge:
		if err := f.Sanctions.Challenge(tx, target, v.ID, v.Rules.ChallengeMax); err != nil {
			return nil, err
		}
		text := protocol.Join(name, " is now challenged and cannot use my features here, but for reading votes and one appeal a week.")
		if v.Rules.ChallengeMax > 0 {
			text = protocol.Join(text, " That ends on ", protocol.Moment(tx.Now().Add(v.Rules.ChallengeMax)), " at the latest.")
		}
		return protocol.Join(text, " Anybody who is not challenged can ask for a restore: ",
			f.code(room, "vote restore "+personWord(rooms.Member{User: target, Name: f.called(tx, room, target)})+" REASON"), "."), nil
	}
	if err := f.Sanctions.Restore(tx, target, v.ID); err != nil {
		return nil, err
	}
	return protocol.Join(name, " is restored and can use all my features here again."), nil
}

// aftermath says for how long what cannot be asked again.
func (f *Feature) aftermath(tx *store.Tx, room protocol.RoomID, v Vote, o tally.Outcome) protocol.Text {
	switch {
	case v.Type == Challenge && o == tally.Rejected:
		return protocol.Join("Nobody can challenge ", f.name(tx, room, v.Target), " again before ", protocol.Moment(tx.Now().Add(v.Rules.Protected)), ".")
	case v.Type == Challenge && o == tally.NoQuorum:
		return protocol.Join(f.name(tx, room, v.Opener), " can open the next challenge after ", protocol.Moment(tx.Now().Add(v.Rules.Rest)), ".")
	case v.Type == Restore && o != tally.Passed:
		return protocol.Join("The next vote to restore ", f.name(tx, room, v.Target), " can be opened after ",
			protocol.Moment(tx.Now().Add(v.Rules.RestoreRest)), "; an appeal of their own is not bound to that.")
	}
	return nil
}

// cancel is the command that ends a vote without an outcome.
func (f *Feature) cancel(c *commands.Call) error {
	v, reason, err := f.voteAndWords(c, "cancel", "reason")
	if err != nil {
		return err
	}
	if !v.Open() {
		return commands.Sorry(protocol.Join("Vote ", v.ID, " has closed already."))
	}
	me := f.bus.Lookup(c.Tx, c.Person)
	if err := f.noneAboutMe(c, "cancel a vote"); err != nil {
		return err
	}
	untouched := v.Count.Cast == 0 && !f.waits(c.Tx, c.Room.ID, v)
	switch {
	case me != 0 && v.Opener == me && untouched:
		return f.cancelled(c, v, Withdrawn, reason)
	case !f.mayModerate(c.Tx, c.Room.ID, c.Person) && v.Opener == me && me != 0:
		return commands.Sorry(protocol.Join("Somebody has already voted in vote ", v.ID, ", so it is not yours alone any more. A moderator can cancel it, with a reason."))
	case !f.mayModerate(c.Tx, c.Room.ID, c.Person):
		return commands.Sorry(protocol.Join("Vote ", v.ID, " can be cancelled by who opened it, before the first ballot, or by a moderator."))
	case reason == "":
		return commands.Sorry(protocol.Join("Say why, for all to read: ", c.Code("vote cancel "+v.Number()+" REASON"), "."))
	case v.Opener == me:
		return f.cancelled(c, v, Withdrawn, reason) // with what follows from that for everybody who opens one
	}
	return f.cancelled(c, v, Cancelled, reason)
}

func (f *Feature) cancelled(c *commands.Call, v Vote, o tally.Outcome, reason string) error {
	p := closed{Count: v.Count, Size: v.Size}
	if reason != "" {
		p.Why = f.bus.KeepText(c.Tx, c.Person, reason)
	}
	if err := f.finish(c.Tx, c.Room.ID, v, o, c.Person, p, nil); err != nil {
		return err
	}
	if c.Event.Private || c.Event.Place != v.Place {
		return c.Answer(protocol.Join("Vote ", v.ID, " is ", string(o), "."))
	}
	return nil
}

// waits tells whether a secret ballot waits for the log.
func (f *Feature) waits(tx *store.Tx, room protocol.RoomID, v Vote) bool {
	for range tx.Prefix(secretWaiting, voterKey(room, v.ID, "")) {
		return true
	}
	return false
}

// noneAboutMe refuses somebody about whom a vote is open what might have to do with it.
func (f *Feature) noneAboutMe(c *commands.Call, what string) error {
	me := f.bus.Lookup(c.Tx, c.Person)
	for v := range OpenIn(c.Tx, c.Room.ID) {
		if me != 0 && v.Target == me {
			return commands.Sorry(protocol.Join("You cannot ", what, " while vote ", v.ID, " about you is open."))
		}
	}
	return nil
}

// voidAll ends the votes of a room in which nobody could vote for too long.
func (f *Feature) voidAll(tx *store.Tx, room protocol.RoomID) error {
	h := held(tx, room)
	if !h.is() || tx.Now().Before(h.Since.Add(f.Void)) {
		return nil
	}
	for v := range OpenIn(tx, room) {
		if err := f.finish(tx, room, v, Void, "", closed{Count: v.Count, Size: v.Size}, nil); err != nil {
			return err
		}
	}
	return nil
}
