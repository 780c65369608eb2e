package votes

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/store"
	"moot/votes/tally"
)

var errNoVote = errors.New("there is no such vote, or it takes no such fact")

// voteKind is the kind of the facts about votes.
func voteKind() events.Kind {
	return events.Kind{
		Name: KindVote, Version: 1, Describe: describeVote, Apply: applyVote,
		Buckets: []store.Bucket{votes, openVotes, counters, counts, electorate, ballots, limits},
	}
}

// applyVote folds a fact into the projection. It looks nobody up and takes the time from the fact.
func applyVote(tx *store.Tx, f events.Fact) error {
	room := protocol.RoomID(f.Scope)
	what := f.Keys[keyWhat]
	if what == whatLimits {
		return applyLimits(tx, room, f)
	}
	id, err := strconv.ParseUint(f.Keys[keyVote], 10, 64)
	if err != nil {
		return fmt.Errorf("number of the vote: %w", err)
	}
	switch what {
	case whatOpened:
		return applyOpened(tx, room, id, f)
	case whatElecting:
		return applyElecting(tx, room, id, f)
	case whatCarried:
		return applyCarried(tx, room, f)
	case whatBallot, whatWithdrawn:
		return applyBallot(tx, room, id, f)
	}
	v, ok := Get(tx, room, id)
	if !ok || !v.Open() {
		return fmt.Errorf("vote %d: %s: %w", id, what, errNoVote)
	}
	switch what {
	case whatCarrying:
		return applyCarrying(tx, room, v, f)
	case whatReplied:
		var p replied
		if err := f.Decode(&p); err != nil {
			return err
		}
		v.Reply = p.Text
	case whatExtended:
		var p extended
		if err := f.Decode(&p); err != nil {
			return err
		}
		v.Deadline, v.Paused = v.Deadline.Add(p.By), v.Paused+p.By
	case whatClosing:
		v.Status = Closing
	case whatReopened:
		v.Status = Running
	case whatClosed:
		return applyClosed(tx, room, v, f)
	case whatMoved:
		var p moved
		if err := f.Decode(&p); err != nil {
			return err
		}
		v.Status, v.Successor, v.Ended = Moved, p.To, f.Time
		forgetBallots(tx, room, v.ID)
	default:
		return fmt.Errorf("vote %d: %q: %w", id, what, errNoVote)
	}
	return putVote(tx, room, v)
}

func applyOpened(tx *store.Tx, room protocol.RoomID, id uint64, f events.Fact) error {
	var p opened
	if err := f.Decode(&p); err != nil {
		return err
	}
	v := Vote{
		ID: id, Type: Type(f.Keys[keyType]), Status: Running, Secret: p.Secret, Appeal: p.Appeal,
		Opener: f.People[roleOpener], Target: f.People[roleTarget], Text: p.Text, Options: p.Options,
		Rules: p.Rules, Tally: p.Tally, Size: max(p.Size, len(p.Electorate)), Waived: p.Waived,
		Opened: f.Time, Deadline: p.Deadline, Place: p.Place,
	}
	tx.Put(counts, voteKey(room, id), encodeCount(p.Tally.NewTally()))
	if v.Size == len(p.Electorate) {
		tx.Put(electorate, voteKey(room, id), encodeElectorate(p.Electorate))
	}
	putLast(tx, room, id)
	if v.Appeal {
		putLimit(tx, room, limitAppeal, v.Target, f.Time.Add(p.Rules.Appeal))
	}
	return putVote(tx, room, v)
}

// applyElecting takes in who may vote in a vote that is about to open. One that does not open leaves them behind, until the
// next one takes its number.
func applyElecting(tx *store.Tx, room protocol.RoomID, id uint64, f events.Fact) error {
	var p electingPart
	if err := f.Decode(&p); err != nil {
		return err
	}
	key := voteKey(room, id)
	var before []byte
	if !p.First {
		before = tx.Get(electorate, key)
	}
	tx.Put(electorate, key, slices.Concat(before, encodeElectorate(p.Electorate)))
	return nil
}

// applyBallot touches nothing but the ballot and the count: most facts about votes are ballots.
func applyBallot(tx *store.Tx, room protocol.RoomID, id uint64, f events.Fact) error {
	var p cast
	if err := f.Decode(&p); err != nil {
		return err
	}
	who := p.Voter
	if n := f.People[roleVoter]; n != 0 {
		who = voter(n)
	}
	of := voteKey(room, id)
	count := decodeCount(tx.Get(counts, of))
	if !tx.Has(openVotes, of) || who == "" {
		return fmt.Errorf("vote %d: ballot: %w", id, errNoVote)
	}
	if r := (tally.Rules{Options: len(count.For), Multiple: true}); len(p.Choices) > 0 && !r.Valid(p.Choices) {
		return fmt.Errorf("vote %d: ballot: %w", id, errNoVote)
	}
	key := voterKey(room, id, who)
	if before := decodeBallot(tx.Get(ballots, key)); before != nil {
		count = count.Remove(before)
		tx.Delete(ballots, key)
	}
	if len(p.Choices) > 0 {
		count = count.Add(p.Choices)
		tx.Put(ballots, key, encodeBallot(p.Choices))
	}
	tx.Put(counts, of, encodeCount(count))
	return nil
}

func applyClosed(tx *store.Tx, room protocol.RoomID, v Vote, f events.Fact) error {
	var p closed
	if err := f.Decode(&p); err != nil {
		return err
	}
	v.Status, v.Ended, v.Outcome, v.Unread = Closed, f.Time, tally.Outcome(f.Keys[keyOutcome]), p.Unread
	v.By, v.Why = f.People[roleBy], p.Why
	forgetBallots(tx, room, v.ID)
	switch {
	case v.Type == Challenge && v.Outcome == tally.Rejected:
		putLimit(tx, room, limitProtected, v.Target, f.Time.Add(v.Rules.Protected))
	case v.Type == Challenge && (v.Outcome == tally.NoQuorum || v.Outcome == Withdrawn):
		putLimit(tx, room, limitRest, v.Opener, f.Time.Add(v.Rules.Rest))
	case v.Type == Restore && (v.Outcome == tally.Rejected || v.Outcome == tally.NoQuorum):
		putLimit(tx, room, limitRestore, v.Target, f.Time.Add(v.Rules.RestoreRest))
	}
	return putVote(tx, room, v)
}

// forgetBallots removes who could vote and how they did: what remains of a vote that has ended is its count.
func forgetBallots(tx *store.Tx, room protocol.RoomID, id uint64) {
	tx.Delete(electorate, voteKey(room, id))
	for k := range tx.Prefix(ballots, voterKey(room, id, "")) {
		tx.Delete(ballots, k)
	}
}

func applyCarried(tx *store.Tx, room protocol.RoomID, f events.Fact) error {
	var p carried
	if err := f.Decode(&p); err != nil {
		return err
	}
	putLast(tx, room, p.Vote.ID)
	tx.Put(counts, voteKey(room, p.Vote.ID), encodeCount(p.Count))
	return putVote(tx, room, p.Vote)
}

func applyCarrying(tx *store.Tx, room protocol.RoomID, v Vote, f events.Fact) error {
	var p carrying
	if err := f.Decode(&p); err != nil {
		return err
	}
	if len(p.Electorate) > 0 { // the parts come in order
		key := voteKey(room, v.ID)
		tx.Put(electorate, key, slices.Concat(tx.Get(electorate, key), encodeElectorate(p.Electorate)))
	}
	for who, b := range p.Ballots {
		if n, err := strconv.ParseUint(who, 10, 64); err == nil && !v.Secret {
			who = voter(events.Number(n))
		}
		tx.Put(ballots, voterKey(room, v.ID, who), encodeBallot(b))
	}
	return nil
}

func applyLimits(tx *store.Tx, room protocol.RoomID, f events.Fact) error {
	var p carriedLimits
	if err := f.Decode(&p); err != nil {
		return err
	}
	putLast(tx, room, p.Last)
	for _, l := range p.Limits {
		putLimit(tx, room, l.What, l.Person, l.Until)
	}
	return nil
}

// last returns the highest number that a vote of the room has.
func last(tx *store.Tx, room protocol.RoomID) uint64 {
	return store.ParseNumber(string(tx.Get(counters, string(room))))
}

func putLast(tx *store.Tx, room protocol.RoomID, id uint64) {
	if id > last(tx, room) {
		tx.Put(counters, string(room), []byte(store.Number(id)))
	}
}

// What is limited, and of whom.
const (
	limitProtected = "protected" // the target of a challenge that failed
	limitRest      = "rest"      // the opener of a challenge that nobody wanted
	limitRestore   = "restore"   // the target of a restore that failed
	limitAppeal    = "appeal"    // who has appealed
)

func limitKey(room protocol.RoomID, what string, n events.Number) string {
	return store.Key(room, what, voter(n))
}

// putLimit sets until when something is limited, unless it is for longer already.
func putLimit(tx *store.Tx, room protocol.RoomID, what string, n events.Number, until time.Time) {
	if limited(tx, room, what, n).Before(until) {
		tx.Put(limits, limitKey(room, what, n), []byte(store.Time(until)))
	}
}

// limited returns until when something is limited; zero if it never was.
func limited(tx *store.Tx, room protocol.RoomID, what string, n events.Number) time.Time {
	return store.ParseTime(string(tx.Get(limits, limitKey(room, what, n))))
}

// MarshalJSON writes the list short.
func (p people) MarshalJSON() ([]byte, error) { return json.Marshal(p.deltas()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (p *people) UnmarshalJSON(data []byte) error {
	var deltas []uint64
	if err := json.Unmarshal(data, &deltas); err != nil {
		return err
	}
	*p = make(people, len(deltas))
	last := events.Number(0)
	for i, d := range deltas {
		last += events.Number(d)
		(*p)[i] = last
	}
	return nil
}

// hashed writes the hash that stands for a secret voter.
func hashed(sum []byte) string { return hex.EncodeToString(sum) }
