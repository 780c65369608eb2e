package words

import (
	"embed"
	"time"

	"moot/internal/say"
	"moot/protocol"
	"moot/votes/tally"
)

//go:embed *.toml
var files embed.FS

var catalogue = say.New(files)

// In returns who says the sentences of votes in a language.
func In(l say.Language) say.Speaker { return catalogue.In(l) }

// Catalogue returns all that is said of votes.
func Catalogue() *say.Catalogue { return catalogue }

const (
	// ShownWords is how many characters of what somebody wrote the message of a vote shows at most. All of it is shown by the
	// command.
	ShownWords = 450
	// shownOption is how many characters of an option are always shown.
	shownOption = 10
	// optionWords is how many characters of an option are shown in a sentence.
	optionWords = 80
	// titleWords is how many characters of its text name a vote.
	titleWords = 80
	// shortWords is how many name it beside others.
	shortWords = 30
)

// Type is what a vote is about; that of a vote about a restore which its target has opened is Appeal.
type Type string

// The types.
const (
	Challenge Type = "challenge"
	Restore   Type = "restore"
	Appeal    Type = "appeal"
	Motion    Type = "motion"
	Poll      Type = "poll"
	Rule      Type = "rule"
	Election  Type = "election"
)

// about reports whether a vote is about a person.
func (t Type) about() bool { return t == Challenge || t == Restore || t == Appeal }

// Status is how far a vote is.
type Status string

// The statuses.
const (
	Open    Status = "open"
	Closing Status = "closing"
	Closed  Status = "closed"
	Moved   Status = "moved"
)

// Ends of a vote that is not decided, beside the outcomes of a tally.
const (
	Cancelled tally.Outcome = "cancelled"
	Withdrawn tally.Outcome = "withdrawn"
	Void      tally.Outcome = "void"
	Replaced  tally.Outcome = "replaced"
)

// Vote is what is to be seen of a vote.
type Vote struct {
	say.Speaker
	ID     uint64
	Type   Type
	Status Status
	Secret bool
	Hidden bool // no count is shown before the end, though nobody's ballot is secret
	Shared bool // other machines have its ballots too, and go on with it
	Told   bool // the count is for all to see

	Opener, Target, By protocol.Text // the names of people
	Text, Reply, Why   string        // what people wrote
	RuleSummary        protocol.Text // of a vote on a rule: what that is
	Options            []string
	Role               string // only who had it when the vote opened may vote
	Corrected          bool   // the text is not the first one

	Tally    tally.Rules
	Size     int // how many can vote
	Turnout  int
	Count    tally.Tally
	Waived   bool // nobody had to be active,
	Days     int  // on so many days
	Member   time.Duration
	Closes   time.Time
	Runs     time.Duration // from its opening to then
	Left     time.Duration // until then, where that is said at once and does not stay; else zero
	Earlier  bool          // it may end before
	Outcome  tally.Outcome
	Election *tally.Election
	Unread   bool          // it closed without an answer about the reactions
	Void     time.Duration // after how long away a vote is void

	Removed int      // reactions that were removed by others than who gave them
	Untold  bool     // its target was not reached in private
	Reasons []Reason // that people gave with their ballots,
	More    int      // and how many of them are not shown
	// Elsewhere is whether it is told in another room, of which nobody gives a command on it.
	Elsewhere bool
	Poll      bool                            // it has, or had, a poll of the network's own
	Presses   bool                            // its message has controls
	Polled    bool                            // its poll can be pressed
	Asked     bool                            // it can be put as a poll in private
	Room      string                          // how the room is named behind --in
	Example   string                          // a ballot of an election as it can be typed
	Command   func(line string) protocol.Text // shows a command as it is given in the room
}

// Reason is why somebody voted so.
type Reason struct {
	Voter   protocol.Text
	Choices tally.Ballot
	Text    string
	Most    int // characters that are shown of it
}

// covered reports whether ballots are cast where others do not see them.
func (v Vote) covered() bool { return v.Secret || v.Hidden }

// open reports whether the vote has no outcome yet.
func (v Vote) open() bool { return v.Status == Open || v.Status == Closing }

// objects reports whether a no is an objection, which needs a reason.
func (v Vote) objects() bool { return v.Tally.Method == tally.Consent }

func (v Vote) role() say.Slot { return say.Quoted("Role", v.Role, titleWords) }

func (v Vote) vote() say.Slot { return say.Number("Vote", v.ID) }

// Title names a vote in a few words: "Vote 3: challenge of Bob".
func (v Vote) Title() protocol.Text {
	id := "title-" + string(v.Type)
	if v.Type.about() {
		return v.Say(id, v.vote(), say.Person("Target", v.Target))
	}
	return v.Say(id, v.vote(), say.Quoted("Text", v.Text, titleWords))
}

// Ends says when the vote closes, in the place of a time.
func (v Vote) Ends() protocol.Text {
	id, at, left := "when", say.Moment("At", v.Closes), say.Span("Left", v.Left)
	switch {
	case v.Earlier && v.Left > 0:
		id = "when-left-early"
	case v.Earlier:
		id = "when-early"
	case v.Left > 0:
		id = "when-left"
	}
	return v.Say(id, at, left)
}

// Short names a vote in the fewest words, beside others: "3 «tea»".
func (v Vote) Short() protocol.Text {
	if v.Type.about() {
		return v.Say("short-about", v.vote(), say.Part("Type", v.Say("type-"+string(v.Type))), say.Person("Target", v.Target))
	}
	return v.Say("short", v.vote(), say.Quoted("Text", v.Text, shortWords))
}

// Choices returns what can be chosen, in words.
func (v Vote) Choices() []string {
	if len(v.Options) > 0 {
		return v.Options
	}
	return YesNo(v.Speaker)
}

// YesNo returns the choices of a vote that has no options.
func YesNo(s say.Speaker) []string {
	return []string{s.Plain("choice-yes"), s.Plain("choice-no"), s.Plain("choice-abstain")}
}

// Ballot writes a ballot in words.
func (v Vote) Ballot(b tally.Ballot) protocol.Text {
	if v.Tally.Method.Ranked() {
		return v.ranked(b)
	}
	choices := v.Choices()
	each := make([]protocol.Text, len(b))
	for i, o := range b {
		each[i] = protocol.Plain(choices[o])
		if v.Type == Poll {
			each[i] = v.quoted(o)
		}
	}
	return v.And(each)
}
