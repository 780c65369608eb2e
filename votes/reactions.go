package votes

import (
	"slices"

	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes/tally"
)

// Reactions as ballots. For each person and vote the marks are the reactions that are known to stand on its message, in
// the order in which they came in: with them it can be told which reaction made a ballot, and, when the whole set is read,
// which of them are new or gone. They are no projection: ballots are what is in the log.
var (
	marks      = store.ScopedBucket("votes-marks")       // room ␟ vote ␟ person ␟ reaction → order, event
	markEvents = store.ScopedBucket("votes-mark-events") // room ␟ event → the key of the mark
	madeBy     = store.ScopedBucket("votes-made-by")     // room ␟ vote ␟ person → the reaction that made the ballot
)

func markKey(room protocol.RoomID, id uint64, who, reaction string) string {
	return store.Key(room, store.Number(id), who, reaction)
}

// reacted handles a reaction that was added.
func (f *Feature) reacted(tx *store.Tx, ev protocol.Event, r protocol.ReactionAdded) (Outcome, error) {
	if r.Bot || ev.Private || ev.Sender == "" {
		return Outcome{}, nil
	}
	v, ok := voteOn(tx, ev.Room, r.Target)
	if !ok {
		return Outcome{}, nil
	}
	if v.Status == Closing {
		f.late(tx, ev.Room, v, ev.Sender, r.Reaction)
	}
	return f.react(tx, ev, v, ev.Sender, r.Reaction, ev.ID, viaReaction)
}

// react takes a reaction as a ballot.
func (f *Feature) react(tx *store.Tx, ev protocol.Event, v Vote, user protocol.UserID, reaction string, event protocol.EventID, via string) (Outcome, error) {
	choice := choiceOf(v, reaction)
	if choice < 0 {
		return ignored("a reaction that is no ballot"), nil
	}
	info, _ := rooms.Get(tx, ev.Room)
	if m, ok := rooms.Lookup(tx, ev.Room, user); ok && (m.Bot || m.Self) {
		return ignored("a reaction by a bot"), nil
	}
	if v.Secret {
		return ignored("a reaction to a secret vote"), f.once(tx, ev, v, user, protocol.Join("Vote ", v.ID,
			" is secret, and all can see a reaction; yours was not counted. ", f.secretly(info, v, "cast")))
	}
	closing := v.Status == Closing && via == viaRead // the vote only waits for these
	if !closing {
		if why := f.mayCast(tx, info, v, user, inPrivate(info)); why != nil {
			return ignored("a reaction by somebody who cannot vote"), f.once(tx, ev, v, user, why)
		}
	} else if !MayVote(tx, ev.Room, v.ID, f.bus.Lookup(tx, user)) {
		return ignored("a reaction by somebody who cannot vote"), nil
	}
	who := voter(f.bus.Number(tx, user))
	f.mark(tx, ev.Room, v, who, reaction, event)
	b := tally.Ballot{choice}
	if v.Tally.Multiple {
		b = f.marked(tx, ev.Room, v, who)
	}
	tx.Put(madeBy, voterKey(ev.Room, v.ID, who), []byte(reaction))
	_, err := f.castBy(tx, ev.Room, v, user, b, via)
	return handled("a ballot in vote " + v.Number()), err
}

// mark notes that a reaction stands.
func (f *Feature) mark(tx *store.Tx, room protocol.RoomID, v Vote, who, reaction string, event protocol.EventID) {
	order := uint64(0)
	for _, data := range tx.Prefix(marks, markKey(room, v.ID, who, "")) {
		order = max(order, store.ParseNumber(string(data[:8])))
	}
	key := markKey(room, v.ID, who, reaction)
	if was := tx.Get(marks, key); len(was) > 8 {
		tx.Delete(markEvents, store.Key(room, string(was[8:]))) // the same again: from here on the newer one is what stands
	}
	tx.Put(marks, key, []byte(store.Number(order+1)+string(event)))
	if event != "" {
		tx.Put(markEvents, store.Key(room, string(event)), []byte(key))
	}
}

// marked returns the options that the marks of a person name, for a poll in which several can be chosen.
func (f *Feature) marked(tx *store.Tx, room protocol.RoomID, v Vote, who string) tally.Ballot {
	var b tally.Ballot
	prefix := markKey(room, v.ID, who, "")
	for k := range tx.Prefix(marks, prefix) {
		if o := synonym(v, k[len(prefix):]); o >= 0 && !slices.Contains(b, o) {
			b = append(b, o)
		}
	}
	slices.Sort(b)
	return b
}

// takeBack notes that a reaction no longer stands, and withdraws the ballot that it made.
func (f *Feature) takeBack(tx *store.Tx, room protocol.RoomID, v Vote, user protocol.UserID, who, reaction, via string) error {
	key := markKey(room, v.ID, who, reaction)
	data := tx.Get(marks, key)
	if len(data) < 8 {
		return nil
	}
	if event := string(data[8:]); event != "" {
		tx.Delete(markEvents, store.Key(room, event))
	}
	tx.Delete(marks, key)
	made := string(tx.Get(madeBy, voterKey(room, v.ID, who)))
	switch {
	case made == "":
		return nil // their ballot came in another way since
	case v.Tally.Multiple:
		_, err := f.castBy(tx, room, v, user, f.marked(tx, room, v, who), via)
		return err
	case made != reaction:
		return nil
	}
	tx.Delete(madeBy, voterKey(room, v.ID, who))
	_, err := f.castBy(tx, room, v, user, nil, via)
	return err
}

// unreacted handles a reaction that was taken back, by a network whose reactions have no events of their own.
func (f *Feature) unreacted(tx *store.Tx, ev protocol.Event, r protocol.ReactionRemoved) (Outcome, error) {
	v, ok := voteOn(tx, ev.Room, r.Target)
	n := f.bus.Lookup(tx, ev.Sender)
	if !ok || n == 0 || ev.Sender == "" {
		return Outcome{}, nil
	}
	if !f.takes(tx, ev.Room, v) {
		f.late(tx, ev.Room, v, ev.Sender, r.Reaction)
		return ignored("the vote takes no more ballots"), nil
	}
	return handled("a reaction was taken back"), f.takeBack(tx, ev.Room, v, ev.Sender, voter(n), r.Reaction, viaReaction)
}

// deleted handles the end of a message or of a reaction that has an event of its own.
func (f *Feature) deleted(tx *store.Tx, ev protocol.Event, d protocol.Deletion) (Outcome, error) {
	if v, ok := voteOn(tx, ev.Room, d.Target); ok {
		return handled("the message of a vote was deleted"), f.repost(tx, ev.Room, v)
	}
	key := string(tx.Get(markEvents, store.Key(ev.Room, string(d.Target))))
	if key == "" {
		return Outcome{}, nil
	}
	rest := key[len(ev.Room)+len(store.Sep):]
	id, who, reaction := store.ParseNumber(rest[:8]), rest[9:17], rest[18:]
	v, ok := Get(tx, ev.Room, id)
	user, known := f.bus.Who(tx, parseVoter(who))
	if !ok || !known {
		return Outcome{}, nil
	}
	if !f.takes(tx, ev.Room, v) {
		f.late(tx, ev.Room, v, user, reaction)
		return ignored("the vote takes no more ballots"), nil
	}
	return handled("a reaction was taken back"), f.takeBack(tx, ev.Room, v, user, who, reaction, viaReaction)
}

// takes tells whether ballots can be cast and withdrawn.
func (f *Feature) takes(tx *store.Tx, room protocol.RoomID, v Vote) bool {
	return v.Status == Running && (held(tx, room).is() || tx.Now().Before(v.Deadline))
}

// reactionSet takes in all the reactions to the message of a vote, as an adapter brings them when it has missed some.
func (f *Feature) reactionSet(tx *store.Tx, ev protocol.Event, set protocol.ReactionSet) (Outcome, error) {
	v, ok := voteOn(tx, ev.Room, set.Target)
	if !ok || !f.takes(tx, ev.Room, v) {
		return Outcome{}, nil
	}
	return handled("the reactions to vote " + v.Number()), f.merge(tx, ev, v, set)
}

// merge takes what stands in the set and is not known for reactions that were added, and what is known and does not stand
// there for reactions that were taken back.
func (f *Feature) merge(tx *store.Tx, ev protocol.Event, v Vote, set protocol.ReactionSet) error {
	if v.Secret {
		return nil
	}
	stands := map[string]bool{}
	for _, r := range set.Reactions {
		if n := f.bus.Lookup(tx, r.User); n != 0 {
			stands[markKey(ev.Room, v.ID, voter(n), r.Reaction)] = true
		}
	}
	prefix := store.Key(ev.Room, store.Number(v.ID), "")
	for k := range tx.Prefix(marks, prefix) {
		if stands[k] || tx.Has(lateMarks, k) {
			continue
		}
		who, reaction := k[len(prefix):len(prefix)+8], k[len(prefix)+9:]
		if user, ok := f.bus.Who(tx, parseVoter(who)); ok {
			if err := f.takeBack(tx, ev.Room, v, user, who, reaction, viaRead); err != nil {
				return err
			}
		}
	}
	for _, r := range set.Reactions {
		n := f.bus.Lookup(tx, r.User)
		key := markKey(ev.Room, v.ID, voter(n), r.Reaction)
		if r.Bot || n == 0 || tx.Has(marks, key) || tx.Has(lateMarks, key) {
			continue
		}
		if _, err := f.react(tx, ev, v, r.User, r.Reaction, r.Event, viaRead); err != nil {
			return err
		}
	}
	return nil
}

// lateMarks are the reactions that were added or taken back when the vote took no more ballots.
var lateMarks = store.ScopedBucket("votes-late")

func (f *Feature) late(tx *store.Tx, room protocol.RoomID, v Vote, user protocol.UserID, reaction string) {
	if n := f.bus.Lookup(tx, user); n != 0 && v.Open() && choiceOf(v, reaction) >= 0 {
		tx.Put(lateMarks, markKey(room, v.ID, voter(n), reaction), nil)
	}
}

// choiceOf returns the choice that a reaction stands for; -1 if none.
func choiceOf(v Vote, reaction string) int {
	if len(reaction) > maxReaction || protocol.CheckID(reaction) != nil {
		return -1
	}
	return synonym(v, reaction)
}

// maxReaction is how many bytes a reaction may have that is a ballot.
const maxReaction = 64

// unmarkMessage forgets the reactions to the message of a vote.
func (f *Feature) unmarkMessage(tx *store.Tx, room protocol.RoomID, id uint64) {
	unmark(tx, room, id, madeBy, lateMarks)
}

// unmarkAll forgets the reactions to a vote that has ended, and who was told about them.
func unmarkAll(tx *store.Tx, room protocol.RoomID, id uint64) {
	unmark(tx, room, id, madeBy, lateMarks, told)
}

func unmark(tx *store.Tx, room protocol.RoomID, id uint64, more ...store.Bucket) {
	prefix := store.Key(room, store.Number(id), "")
	for k, data := range tx.Prefix(marks, prefix) {
		if len(data) > 8 {
			tx.Delete(markEvents, store.Key(room, string(data[8:])))
		}
		tx.Delete(marks, k)
	}
	for _, b := range more {
		for k := range tx.Prefix(b, prefix) {
			tx.Delete(b, k)
		}
	}
}

// told holds who was told why they cannot vote by a reaction: room ␟ vote ␟ user.
var told = store.ScopedBucket("votes-told")

// once tells somebody something privately, but only once about each vote.
func (f *Feature) once(tx *store.Tx, ev protocol.Event, v Vote, user protocol.UserID, why protocol.Text) error {
	key := store.Key(ev.Room, store.Number(v.ID), string(user))
	if tx.Has(told, key) {
		return nil
	}
	tx.Put(told, key, nil)
	info, _ := rooms.Get(tx, ev.Room)
	_, err := outbox.Send(tx, protocol.Outgoing{Act: protocol.Whisper{
		User: user, Text: protocol.Join("In ", protocol.Quoted(info.Title(), 0), ": ", why),
	}})
	return err
}
