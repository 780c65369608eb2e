package votes

import (
	"time"

	"moot/events"
	"moot/protocol"
	"moot/votes/tally"
)

// KindVote is the kind of the facts about votes.
const KindVote = "vote"

// The keys and roles by which facts about votes are found.
const (
	keyVote    = "vote"    // the number
	keyWhat    = "what"    // one of the words below
	keyType    = "type"    // of the vote
	keyOutcome = "outcome" // of a fact that it closed
	roleOpener = "opener"
	roleTarget = "target"
	roleVoter  = "voter"
	roleBy     = "by"
)

// What a fact about a vote says.
const (
	whatOpened    = "opened"
	whatBallot    = "ballot"
	whatBallots   = "ballots"   // all of a secret vote, when it closes
	whatWithdrawn = "withdrawn" // a ballot
	whatReplied   = "replied"
	whatCorrected = "corrected" // its text, by its opener, before the first ballot
	whatExtended  = "extended"
	whatClosing   = "closing"
	whatClosed    = "closed"
	whatMoved     = "moved"
	whatCarried   = "carried"
	whatCarrying  = "carrying" // ballots and voters of a vote that is carried over
	whatElecting  = "electing" // who may vote in a vote that is about to open in a large room
	whatReopened  = "reopened" // it was to end early, which did not hold
	whatLimits    = "limits"   // that are carried over
)

// opened is the payload of the fact that a vote was opened. All that follows from it later rests on it.
type opened struct {
	Secret   bool             `json:"secret,omitempty"`
	Hidden   bool             `json:"hidden,omitempty"`
	Appeal   bool             `json:"appeal,omitempty"`
	Text     events.TextID    `json:"text,omitempty"`
	Options  []string         `json:"options,omitempty"`
	Setting  string           `json:"setting,omitempty"`
	Value    string           `json:"value,omitempty"`
	Role     Role             `json:"role,omitzero"`
	Rules    Rules            `json:"rules"`
	Tally    tally.Rules      `json:"tally"`
	Waived   bool             `json:"waived,omitempty"`
	Deadline time.Time        `json:"deadline"`
	Place    protocol.PlaceID `json:"place,omitempty"`
	// Size is how many may vote. Electorate is all of them, or nobody where facts that say electing have named them
	// before. Zero means as many as are named here.
	Size       int    `json:"size,omitempty"`
	Peers      int    `json:"peers,omitempty"`
	Electorate people `json:"electorate,omitempty"`
}

// cast is the payload of the fact that a ballot was cast or withdrawn.
type cast struct {
	Choices tally.Ballot `json:"choices,omitempty"` // where options are ranked, the rank of each
	// Via is how: "command", "private", "reaction", "read" (a reaction that was found when the vote closed) or "poll".
	Via string `json:"via,omitempty"`
	// Why is the reason that its voter gives with it.
	Why events.TextID `json:"why,omitempty"`
}

// unboxed is the payload of the fact that a secret vote has closed with these ballots, sorted by what they say.
type unboxed struct {
	Ballots []tally.Ballot `json:"ballots"`
}

type replied struct {
	Text events.TextID `json:"text"`
}

type corrected struct {
	Text events.TextID `json:"text"`
}

// extended is the payload of the fact that a deadline was moved.
type extended struct {
	By  time.Duration `json:"by"`
	Why string        `json:"why"`
}

type closed struct {
	Count   tally.Tally `json:"count"`
	Size    int         `json:"size"`
	Winners []int       `json:"winners,omitempty"`
	Explain string      `json:"explain,omitempty"`
	// Election is how the seats of an election were filled.
	Election *tally.Election `json:"election,omitempty"`
	Unread   bool            `json:"unread,omitempty"`
	Voted    bool            `json:"voted,omitempty"` // somebody had, where it was not decided
	// Voters are those whose ballots stood, unless it was secret.
	Voters people        `json:"voters,omitempty"`
	Why    events.TextID `json:"why,omitempty"`
}

type moved struct {
	To protocol.RoomID `json:"to"`
}

// carried is the payload of the fact that a vote goes on here which was opened in a predecessor of the room.
type carried struct {
	From  protocol.RoomID `json:"from"`
	Vote  Vote            `json:"vote"`
	Count tally.Tally     `json:"count"`
}

type carrying struct {
	Electorate people                         `json:"electorate,omitempty"`
	Ballots    map[events.Number]tally.Ballot `json:"ballots,omitempty"`
	Reasons    map[events.Number]reason       `json:"reasons,omitempty"`
}

// electingPart is the payload of the fact that some may vote in a vote that is about to open. The parts come in order.
type electingPart struct {
	First      bool   `json:"first,omitempty"`
	Electorate people `json:"electorate"`
}

// limitRow is one limit that is carried over.
type limitRow struct {
	What   string        `json:"what"`
	Person events.Number `json:"person"`
	Until  time.Time     `json:"until"`
}

type carriedLimits struct {
	From   protocol.RoomID `json:"from"`
	Last   uint64          `json:"last"`
	Limits []limitRow      `json:"limits,omitempty"`
}

// people is a list of people in the order of their numbers, written as the distance of each to the one before.
type people []events.Number

// deltas returns what is written of the list.
func (p people) deltas() []uint64 {
	out := make([]uint64, len(p))
	last := events.Number(0)
	for i, n := range p {
		out[i], last = uint64(n-last), n
	}
	return out
}
