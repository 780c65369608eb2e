package votes

import (
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
		Name: KindVote, Version: 1, Describe: describeVote, Apply: applyVote, Own: ownVote,
		Numbers: []string{
			"electorate", "voters", "ballots", "reasons", "opener", "target", "by", "person", "text", "reply", "why",
		},
		Buckets: []store.Bucket{votes, openVotes, counters, counts, electorate, ballots, reasons, limits},
	}
}

// fold is one fact about a vote on its way into the projection.
type fold struct {
	events.Fact
	tx   *store.Tx
	room protocol.RoomID
	id   uint64 // of the vote
}

// applyVote folds a fact into the projection. It looks nobody up and takes the time from the fact.
func applyVote(tx *store.Tx, f events.Fact) (err error) {
	a := &fold{Fact: f, tx: tx, room: protocol.RoomID(f.Scope)}
	what := f.Keys[keyWhat]
	if what == whatLimits {
		return a.limits()
	}
	if a.id, err = strconv.ParseUint(f.Keys[keyVote], 10, 64); err != nil {
		return fmt.Errorf("number of the vote: %w", err)
	}
	switch what {
	case whatOpened:
		return a.opened()
	case whatElecting:
		return a.electing()
	case whatCarried:
		return a.carried()
	case whatBallot, whatWithdrawn:
		return a.ballot()
	case whatBallots:
		return a.unboxed()
	}
	v, ok := Get(tx, a.room, a.id)
	if !ok || !v.Open() {
		return fmt.Errorf("vote %d: %s: %w", a.id, what, errNoVote)
	}
	switch what {
	case whatCarrying:
		return a.carrying()
	case whatReplied:
		var p replied
		err = f.Decode(&p)
		v.Reply = p.Text
	case whatCorrected:
		var p corrected
		err = f.Decode(&p)
		v.Text, v.Corrected = p.Text, true
	case whatExtended:
		var p extended
		err = f.Decode(&p)
		v.Deadline, v.Paused = v.Deadline.Add(p.By), v.Paused+p.By
	case whatClosing:
		v.Status = Closing
	case whatReopened:
		v.Status = Running
	case whatClosed:
		return a.closed(v)
	case whatMoved:
		var p moved
		err = f.Decode(&p)
		v.Status, v.Successor, v.Ended = Moved, p.To, f.Time
		a.forgetBallots()
	default:
		err = fmt.Errorf("vote %d: %q: %w", a.id, what, errNoVote)
	}
	if err != nil {
		return err
	}
	return a.put(v)
}

func (a *fold) put(v Vote) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	key := voteKey(a.room, v.ID)
	a.tx.Put(votes, key, data)
	switch has := a.tx.Has(openVotes, key); {
	case v.Open() && !has:
		a.tx.Put(openVotes, key, nil)
	case !v.Open() && has:
		a.tx.Delete(openVotes, key)
	}
	return nil
}

func (a *fold) key() string { return voteKey(a.room, a.id) }

func (a *fold) limit(what string, n events.Number, until time.Time) {
	putLimit(a.tx, a.room, what, n, until)
}

func (a *fold) opened() error {
	var p opened
	if err := a.Decode(&p); err != nil {
		return err
	}
	v := Vote{
		ID: a.id, Type: Type(a.Keys[keyType]), Status: Running, Secret: p.Secret, Hidden: p.Hidden, Appeal: p.Appeal,
		Opener: a.People[roleOpener], Target: a.People[roleTarget], Text: p.Text, Options: p.Options,
		Setting: p.Setting, Value: p.Value, Role: p.Role,
		Rules: p.Rules, Tally: p.Tally, Size: max(p.Size, len(p.Electorate)), Peers: p.Peers, Waived: p.Waived,
		Opened: a.Time, Deadline: p.Deadline, Place: p.Place,
	}
	a.tx.Put(counts, a.key(), encodeCount(p.Tally.NewTally()))
	if v.Size == len(p.Electorate) {
		a.tx.Put(electorate, a.key(), encodeElectorate(p.Electorate))
	}
	putLast(a.tx, a.room, a.id)
	if v.Appeal {
		a.limit(limitAppeal, v.Target, a.Time.Add(p.Rules.Appeal))
	}
	return a.put(v)
}

// electing takes in who may vote in a vote that is about to open. One that does not open leaves them behind,
// until the next one takes its number.
func (a *fold) electing() error {
	var p electingPart
	if err := a.Decode(&p); err != nil {
		return err
	}
	key := a.key()
	var before []byte
	if !p.First {
		before = a.tx.Get(electorate, key)
	}
	a.tx.Put(electorate, key, slices.Concat(before, encodeElectorate(p.Electorate)))
	return nil
}

// ballot touches nothing but the ballot and the count: most facts about votes are ballots.
func (a *fold) ballot() error {
	var p cast
	if err := a.Decode(&p); err != nil {
		return err
	}
	who := a.People[roleVoter]
	of := a.key()
	count := decodeCount(a.tx.Get(counts, of))
	if !a.tx.Has(openVotes, of) || who == 0 {
		return fmt.Errorf("vote %d: ballot: %w", a.id, errNoVote)
	}
	r := a.anyBallot(count)
	if len(p.Choices) > 0 && !r.Valid(p.Choices) {
		return fmt.Errorf("vote %d: ballot: %w", a.id, errNoVote)
	}
	key := voterKey(a.room, a.id, voter(who))
	if before := decodeBallot(a.tx.Get(ballots, key)); before != nil {
		count = count.Remove(r.Chosen(before))
		a.tx.Delete(ballots, key)
	}
	if len(p.Choices) > 0 {
		count = count.Add(r.Chosen(p.Choices))
		a.tx.Put(ballots, key, encodeBallot(p.Choices))
	}
	a.tx.Put(counts, of, encodeCount(count))
	if a.tx.Has(reasons, key) { // it belongs to the ballot with which it was given
		a.tx.Delete(reasons, key)
	}
	if p.Why != "" && len(p.Choices) > 0 {
		a.tx.Put(reasons, key, reason{p.Choices, p.Why}.encode())
	}
	return nil
}

// anyBallot returns rules by which every ballot is valid that the vote can have.
func (a *fold) anyBallot(count tally.Tally) tally.Rules {
	r := tally.Rules{Options: len(count.For), Multiple: true}
	if Type(a.Keys[keyType]) == Election {
		r.Method = tally.Schulze // which takes all that another takes
	}
	return r
}

// unboxed counts the ballots of a secret vote. It keeps none of them: the vote closes with them.
func (a *fold) unboxed() error {
	var p unboxed
	if err := a.Decode(&p); err != nil {
		return err
	}
	of := a.key()
	count := decodeCount(a.tx.Get(counts, of))
	r := a.anyBallot(count)
	for _, b := range p.Ballots {
		if !r.Valid(b) {
			return fmt.Errorf("vote %d: ballots: %w", a.id, errNoVote)
		}
		count = count.Add(r.Chosen(b))
	}
	a.tx.Put(counts, of, encodeCount(count))
	return nil
}

func (a *fold) closed(v Vote) error {
	var p closed
	if err := a.Decode(&p); err != nil {
		return err
	}
	v.Status, v.Ended, v.Outcome, v.Unread = Closed, a.Time, tally.Outcome(a.Keys[keyOutcome]), p.Unread
	v.By, v.Why, v.Election = a.People[roleBy], p.Why, p.Election
	a.forgetBallots()
	l := v.costs(v.Outcome, p.Voted)
	if l.protects {
		a.limit(limitProtected, v.Target, a.Time.Add(v.Rules.Protected))
	}
	if l.rests {
		a.limit(limitRest, v.Opener, a.Time.Add(v.Rules.Rest))
	}
	if l.restRestore {
		a.limit(limitRestore, v.Opener, a.Time.Add(v.Rules.RestoreRest))
	}
	if v.Appeal && (v.Outcome == Cancelled || v.Outcome == Void) {
		a.tx.Delete(limits, limitKey(a.room, limitAppeal, v.Target)) // the week is given back
	}
	if err := a.put(v); err != nil || v.Type != Challenge || v.Outcome != tally.Passed {
		return err
	}
	return a.second()
}

// costs is what cannot be asked again for a while, and of whom, after a vote has ended.
type costs struct {
	protects    bool // nobody challenges the target
	rests       bool // the opener challenges nobody
	restRestore bool // the opener opens no restore
}

// costs returns what it costs that the vote ends so; voted is whether anybody had a ballot in it.
func (v Vote) costs(o tally.Outcome, voted bool) costs {
	failed := o == tally.Rejected || o == tally.NoQuorum
	ended := o == Withdrawn || o == Cancelled
	switch v.Type {
	case Challenge:
		return costs{
			protects: o == tally.Rejected || ended && voted,
			rests:    o == tally.NoQuorum || o == Withdrawn || ended && voted,
		}
	case Restore:
		return costs{restRestore: failed && !v.Appeal}
	}
	return costs{}
}

// secondWithin is for how long after a challenge has passed all others in the room take yes from half of all.
const secondWithin = 30 * day

// second makes the challenges that are open, and those of the next 30 days, harder to pass: so a few cannot put
// one after the other out of a vote.
func (a *fold) second() error {
	a.limit(limitSecond, 0, a.Time.Add(secondWithin))
	for v := range OpenIn(a.tx, a.room) {
		if v.Type == Challenge {
			v.Tally.LeastYes = max(v.Tally.LeastYes, half(v.Peers))
			if err := a.put(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgetBallots removes who could vote and how they did: what remains of a vote that has ended is its count.
func (a *fold) forgetBallots() {
	a.tx.Delete(electorate, a.key())
	for k := range a.tx.Prefix(ballots, voterKey(a.room, a.id, "")) {
		a.tx.Delete(ballots, k)
	}
}

func (a *fold) carried() error {
	var p carried
	if err := a.Decode(&p); err != nil {
		return err
	}
	putLast(a.tx, a.room, p.Vote.ID)
	a.tx.Put(counts, voteKey(a.room, p.Vote.ID), encodeCount(p.Count))
	return a.put(p.Vote)
}

func (a *fold) carrying() error {
	var p carrying
	if err := a.Decode(&p); err != nil {
		return err
	}
	if len(p.Electorate) > 0 { // the parts come in order
		key := a.key()
		a.tx.Put(electorate, key, slices.Concat(a.tx.Get(electorate, key), encodeElectorate(p.Electorate)))
	}
	for who, b := range p.Ballots {
		a.tx.Put(ballots, voterKey(a.room, a.id, voter(who)), encodeBallot(b))
	}
	for who, r := range p.Reasons {
		a.tx.Put(reasons, voterKey(a.room, a.id, voter(who)), r.encode())
	}
	return nil
}

func (a *fold) limits() error {
	var p carriedLimits
	if err := a.Decode(&p); err != nil {
		return err
	}
	putLast(a.tx, a.room, p.Last)
	for _, l := range p.Limits {
		a.limit(l.What, l.Person, l.Until)
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
	limitRestore   = "restore"   // the opener of a restore that failed
	limitAppeal    = "appeal"    // who has appealed
	limitSecond    = "second"    // nobody: a challenge has passed in the room
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
