package votes

import (
	"encoding/binary"
	"encoding/json"
	"iter"
	"sort"
	"strconv"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/store"
	"moot/votes/tally"
)

// Type is what a vote is about.
type Type string

// The types. All but Poll bind.
const (
	Challenge Type = "challenge"
	Restore   Type = "restore"
	Motion    Type = "motion"
	Poll      Type = "poll"
	Rule      Type = "rule"     // a motion to change a rule of the room
	Election  Type = "election" // its options are ranked
)

// Status is how far a vote is.
type Status string

// The statuses.
const (
	Running Status = "open"
	Closing Status = "closing" // no more ballots; the reactions are being read
	Closed  Status = "closed"
	Moved   Status = "moved" // it goes on in the successor of the room
)

// Outcomes beside those of a tally.
const (
	Cancelled tally.Outcome = "cancelled" // by a moderator
	Withdrawn tally.Outcome = "withdrawn" // by its opener, before the first ballot
	Void      tally.Outcome = "void"      // nobody could vote for too long
	Replaced  tally.Outcome = "replaced"  // a restore, by the appeal of the one whom it is about
)

// Outcomes returns all outcomes that a vote can have, as facts name them.
func Outcomes() []string {
	all := []tally.Outcome{
		tally.Passed, tally.Rejected, tally.NoQuorum, tally.Chosen, tally.Tied, tally.Unvoted, Cancelled, Withdrawn,
		Void, Replaced,
	}
	words := make([]string, len(all))
	for i, o := range all {
		words[i] = string(o)
	}
	return words
}

// Vote is what is known of a vote.
type Vote struct {
	ID      uint64        `json:"id"`
	Type    Type          `json:"type"`
	Status  Status        `json:"status"`
	Secret  bool          `json:"secret,omitempty"`
	Hidden  bool          `json:"hidden,omitempty"` // nothing is counted for all to see until it closes
	Appeal  bool          `json:"appeal,omitempty"` // a restore that the target opened
	Opener  events.Number `json:"opener"`
	Target  events.Number `json:"target,omitempty"`
	Text    events.TextID `json:"text,omitempty"` // the reason, the motion, the question
	Options []string      `json:"options,omitempty"`
	Reply   events.TextID `json:"reply,omitempty"`   // of the target
	Setting string        `json:"setting,omitempty"` // that a rule changes
	// Corrected is whether its opener has written the text anew, before the first ballot.
	Corrected bool   `json:"corrected,omitempty"`
	Value     string `json:"value,omitempty"` // to what; empty takes it back
	Role      Role   `json:"role,omitzero"`   // only who had it may vote

	Rules  Rules       `json:"rules"`
	Tally  tally.Rules `json:"tally"`
	Size   int         `json:"size"`             // how many may vote
	Peers  int         `json:"peers"`            // with those who may not because they are challenged, and the target
	Waived bool        `json:"waived,omitempty"` // nobody had to be active

	Opened   time.Time        `json:"opened"`
	Deadline time.Time        `json:"deadline"`
	Paused   time.Duration    `json:"paused,omitempty"` // by which the deadline was moved
	Place    protocol.PlaceID `json:"place,omitempty"`

	// Count is kept beside it, as it changes with each ballot. That of a secret vote is empty until it closes;
	// Turnout is how many ballots were cast in either case.
	Count   tally.Tally `json:"-"`
	Turnout int         `json:"-"`

	Ended     time.Time       `json:"ended,omitzero"`
	Outcome   tally.Outcome   `json:"outcome,omitempty"`
	Election  *tally.Election `json:"election,omitempty"` // how its seats were filled
	Unread    bool            `json:"unread,omitempty"`   // it closed without an answer about the reactions
	By        events.Number   `json:"by,omitempty"`       // who cancelled it
	Why       events.TextID   `json:"why,omitempty"`      // in their words
	Successor protocol.RoomID `json:"successor,omitempty"`
}

// Role is a role of the network for which a vote is; zero means that it is for all who may vote.
type Role struct {
	ID   string `json:"id"`
	Name string `json:"name"` // as it was called when the vote opened
}

// Number returns the id as people write it.
func (v Vote) Number() string { return strconv.FormatUint(v.ID, 10) }

// Open reports whether the vote has no outcome yet.
func (v Vote) Open() bool { return v.Status == Running || v.Status == Closing }

// Decided reports whether the vote has closed with an outcome of its ballots.
func (v Vote) Decided() bool {
	switch v.Outcome {
	case Withdrawn, Cancelled, Void, Replaced:
		return false
	}
	return v.Status == Closed
}

// covered reports whether ballots are cast where others do not see them.
func (v Vote) covered() bool { return v.Secret || v.Hidden }

// counts reports whether how the vote stands, or stood, is for all to see.
func (v Vote) counts() bool { return !v.covered() && v.Type != Election || v.Decided() }

// Told reports whether how the vote stands, or stood, is for all to see: it is neither secret nor hidden nor an election, or has
// closed.
func (v Vote) Told() bool { return v.counts() }

// endsEarly reports whether the vote may end before its deadline, once nobody can change the outcome.
func (v Vote) endsEarly(now time.Time) bool { return !v.Tally.Soonest(v.clock(now)).IsZero() }

// clock is where the vote stands at a time.
func (v Vote) clock(now time.Time) tally.Clock {
	return tally.Clock{Opened: v.Opened, Deadline: v.Deadline, Paused: v.Paused, Now: now}
}

// listed reports whether the vote has options of its own.
func (v Vote) listed() bool { return len(v.Options) > 0 }

// choices returns what can be chosen, as it is typed.
func (v Vote) choices() []string {
	if v.listed() {
		return v.Options
	}
	return []string{"yes", "no", "abstain"}
}

// The buckets of the projection; doc.go shows them.
var (
	votes      = store.ScopedBucket("votes")
	openVotes  = store.ScopedBucket("votes-open")
	counters   = store.ScopedBucket("votes-last")
	counts     = store.ScopedBucket("votes-counts")
	electorate = store.ScopedBucket("votes-electorate")
	ballots    = store.ScopedBucket("votes-ballots")
	limits     = store.ScopedBucket("votes-limits")
)

func voteKey(room protocol.RoomID, id uint64) string { return store.Key(room, store.Number(id)) }

// voterKey is the key under which a voter or their ballot stands. The voter is eight bytes of a number, or a hash in
// the box of a secret vote.
func voterKey(room protocol.RoomID, id uint64, voter string) string {
	return store.Key(room, store.Number(id), voter)
}

func voter(n events.Number) string { return store.Number(uint64(n)) }

func parseVoter(who string) events.Number { return events.Number(store.ParseNumber(who)) }

// Get returns a vote of a room, and whether there is one of that number.
func Get(tx *store.Tx, room protocol.RoomID, id uint64) (Vote, bool) {
	key := voteKey(room, id)
	return decodeVote(tx, key, tx.Get(votes, key))
}

func decodeVote(tx *store.Tx, key string, data []byte) (v Vote, ok bool) {
	if data == nil || json.Unmarshal(data, &v) != nil {
		return Vote{}, false
	}
	v.Count = decodeCount(tx.Get(counts, key))
	v.Turnout = v.Count.Cast
	if v.Secret && v.Open() {
		v.Turnout = int(store.ParseNumber(string(tx.Get(turnouts, key))))
	}
	return v, true
}

// OpenIn goes through the open votes of a room by their numbers.
func OpenIn(tx *store.Tx, room protocol.RoomID) iter.Seq[Vote] {
	return func(yield func(Vote) bool) {
		for k := range tx.Prefix(openVotes, store.Key(room, "")) {
			if v, ok := Get(tx, room, store.ParseNumber(k)); ok && !yield(v) {
				return
			}
		}
	}
}

// All goes through the votes of a room, the last one first.
func All(tx *store.Tx, room protocol.RoomID) iter.Seq[Vote] {
	return func(yield func(Vote) bool) {
		prefix := store.Key(room, "")
		for k, data := range tx.Backward(votes, prefix, store.After(prefix)) {
			if v, ok := decodeVote(tx, k, data); ok && !yield(v) {
				return
			}
		}
	}
}

// CountOpen returns how many votes are open in all rooms, at most limit.
func CountOpen(tx *store.Tx, limit int) (n int) {
	for range tx.Prefix(openVotes, "") {
		if n++; n == limit {
			break
		}
	}
	return n
}

// hasOpen reports whether a vote is open in the room.
func hasOpen(tx *store.Tx, room protocol.RoomID) bool {
	for range tx.Prefix(openVotes, store.Key(room, "")) {
		return true
	}
	return false
}

// MayVote reports whether a person may vote in an open vote.
func MayVote(tx *store.Tx, room protocol.RoomID, id uint64, n events.Number) bool {
	all := tx.Get(electorate, voteKey(room, id))
	i := sort.Search(len(all)/8, func(i int) bool { return electorAt(all, i) >= n })
	return n != 0 && i < len(all)/8 && electorAt(all, i) == n
}

// The electorate is one value: the numbers of the people in order, eight bytes each. To find somebody in it reads a
// few of them, however many they are.
func encodeElectorate(p people) []byte {
	out := make([]byte, 0, 8*len(p))
	for _, n := range p {
		out = binary.BigEndian.AppendUint64(out, uint64(n))
	}
	return out
}

func electorAt(all []byte, i int) events.Number {
	return events.Number(binary.BigEndian.Uint64(all[8*i:]))
}

// A count is written as numbers of eight bytes: how many have cast a ballot, and how many chose each option.
func encodeCount(t tally.Tally) []byte {
	out := binary.BigEndian.AppendUint64(make([]byte, 0, 8+8*len(t.For)), uint64(t.Cast))
	for _, n := range t.For {
		out = binary.BigEndian.AppendUint64(out, uint64(n))
	}
	return out
}

func decodeCount(data []byte) (t tally.Tally) {
	for i := 0; i+8 <= len(data); i += 8 {
		n := int(binary.BigEndian.Uint64(data[i:]))
		if i == 0 {
			t.Cast = n
			continue
		}
		t.For = append(t.For, n)
	}
	return t
}

// A ballot is written as one byte for each option.
func encodeBallot(b tally.Ballot) []byte {
	out := make([]byte, len(b))
	for i, o := range b {
		out[i] = byte(o)
	}
	return out
}

func decodeBallot(data []byte) tally.Ballot {
	if data == nil {
		return nil
	}
	b := make(tally.Ballot, len(data))
	for i, o := range data {
		b[i] = int(o)
	}
	return b
}
