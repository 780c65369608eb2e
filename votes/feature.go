package votes

import (
	"crypto/rand"
	"errors"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Activity knows who took part.
type Activity interface {
	// Days returns on how many different days of the window, today included, the person was active in the room.
	Days(tx *store.Tx, room protocol.RoomID, user protocol.UserID, window time.Duration) int
	// Ever reports whether the person was ever active in the room, however long ago.
	Ever(tx *store.Tx, room protocol.RoomID, user protocol.UserID) bool
}

// Sanctions knows who is challenged. Both changes are made in the transaction, whose scope is the room, and are no-ops
// where they would change nothing.
type Sanctions interface {
	// Challenged reports whether the person is challenged in the room, and why and what can be done about it.
	Challenged(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (why protocol.Text, is bool)
	// Standing is Challenged for the number of a person, also of one who was forgotten.
	Standing(tx *store.Tx, room protocol.RoomID, target events.Number) bool
	// Challenge makes the person challenged because of a vote that passed, also one who was forgotten.
	Challenge(tx *store.Tx, target events.Number, vote uint64, max time.Duration) error
	// Restore lifts the challenge because of a vote that passed, also that of one who was forgotten.
	Restore(tx *store.Tx, target events.Number, vote uint64) error
}

// The defaults of Config.
const (
	DefaultEdits        = 30 * time.Second
	DefaultDiscordEdits = 5 * time.Second
	DefaultReading      = 5 * time.Minute
	DefaultOutage       = time.Minute
	DefaultVoid         = 30 * day
	DefaultShortest     = 10 * time.Minute
	DefaultLongest      = 14 * day
	DefaultRuns         = 2 * day
)

// Limits of what people write.
const (
	MaxOption  = 80
	MaxQuery   = 300 // the question of a poll
	MaxReason  = 1000
	MaxOptions = 10
	// maxBallotWords is how many words a ballot has that is typed: a ranking has names of several words, and marks between them.
	maxBallotWords = 80
)

// Config says how votes are held.
type Config struct {
	Bus       *events.Bus
	Settings  *Settings
	Activity  Activity
	Sanctions Sanctions
	// Operators cannot be challenged, and count as moderators.
	Operators []protocol.UserID
	// Line shows a command as it is given in a room of a network, for the messages that say how to vote; nil means that
	// "!moot " stands before it on all.
	Line func(network protocol.Network, line string) string
	// Fits reports whether a text is one message of a network; nil means that every text is.
	Fits func(network protocol.Network, text protocol.Text) bool
	// Edits is how far apart two edits of the message of a vote are at least on a network; one that is not named has
	// DefaultEdits. Nil means DefaultDiscordEdits on Discord.
	Edits map[protocol.Network]time.Duration
	// Buttons are the networks that show controls below a message. Nil means Discord.
	Buttons []protocol.Network
	// Reacts are the networks on which the bot puts the reactions that are ballots under the message of a vote, so that they need
	// only be pressed. Its own never count. Nil means Matrix.
	Reacts []protocol.Network
	// Polls are the networks on which a vote is put to the room as a poll of their own, too. Nil means Matrix.
	Polls []protocol.Network
	// Roles are the networks whose members have roles, so that a vote can be for one of them. Nil means Discord.
	Roles []protocol.Network
	// Shared is whether other machines have a copy of all that is kept, the ballots of secret votes too, and go on with it. The
	// message of a secret vote says so.
	Shared bool
	// Reminders is whether those who may vote and have not are told so in private at half of the time.
	Reminders bool
	// Places are the networks whose rooms are made of channels, so that a vote that is opened in private needs to be
	// told where. Nil means Discord.
	Places []protocol.Network
	// Shortest and Longest bound the length of polls and motions, and Runs is what it is if nobody says; zero means 10
	// minutes, 14 days, 2 days.
	Shortest, Longest, Runs time.Duration
	// Reading is how long a vote that is closing waits for its reactions; zero means 5 minutes.
	Reading time.Duration
	// Outage is how long the bot has to be away for the time to be given back; zero means 1 minute. Void is after how
	// long away a vote is void; zero means 30 days.
	Outage, Void time.Duration
	// AtOnce is the largest room in which a vote is opened in one go, and how many members one step looks at in a
	// larger one; zero means 500.
	AtOnce int
	// Random fills the keys of secret votes; nil means crypto/rand. It is the one thing here that is left to chance.
	Random func([]byte)
}

// Feature holds votes. It keeps nothing but what is in the store, and is used as the loop uses a feature: its methods
// are called within transactions, one after another.
type Feature struct {
	Config
	bus       *events.Bus
	settings  *Settings
	operators map[protocol.UserID]bool
}

// New returns the feature, or what is wrong with the configuration.
func New(c Config) (*Feature, error) {
	if c.Bus == nil || c.Settings == nil || c.Activity == nil || c.Sanctions == nil {
		return nil, errors.New("votes: they need a bus, settings, activity and sanctions")
	}
	if c.Edits == nil {
		c.Edits = map[protocol.Network]time.Duration{"discord": DefaultDiscordEdits}
	}
	if c.Places == nil {
		c.Places = []protocol.Network{"discord"}
	}
	if c.Roles == nil {
		c.Roles = []protocol.Network{"discord"}
	}
	if c.Reacts == nil {
		c.Reacts = []protocol.Network{"matrix"}
	}
	if c.Polls == nil {
		c.Polls = []protocol.Network{"matrix"}
	}
	if c.Buttons == nil {
		c.Buttons = []protocol.Network{"discord"}
	}
	if c.Line == nil {
		c.Line = func(_ protocol.Network, line string) string { return "!moot " + line }
	}
	if c.Random == nil {
		c.Random = func(b []byte) { _, _ = rand.Read(b) } // it never fails: crypto/rand says so
	}
	for at, def := range map[*time.Duration]time.Duration{
		&c.Shortest: DefaultShortest, &c.Longest: DefaultLongest, &c.Runs: DefaultRuns, &c.Reading: DefaultReading,
		&c.Outage: DefaultOutage, &c.Void: DefaultVoid,
	} {
		switch {
		case *at < 0:
			return nil, errors.New("votes: a length of time is negative")
		case *at == 0:
			*at = def
		}
	}
	if c.AtOnce <= 0 {
		c.AtOnce = DefaultAtOnce
	}
	if c.Shortest > c.Longest || c.Runs < c.Shortest || c.Runs > c.Longest {
		return nil, errors.New("votes: the length of polls and motions lies between the shortest and the longest")
	}
	f := &Feature{Config: c, bus: c.Bus, settings: c.Settings, operators: map[protocol.UserID]bool{}}
	for _, id := range c.Operators {
		f.operators[id] = true
	}
	return f, nil
}

// Kinds returns the kinds of facts about votes and settings. They do not depend on any configuration: the bus that a
// Feature needs is opened with them.
func Kinds() []events.Kind {
	return append([]events.Kind{voteKind()}, settingKinds()...)
}

// Handle handles an event in its scope.
func (f *Feature) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	seePlace(tx, ev)
	switch b := ev.Body.(type) {
	case protocol.ReactionAdded:
		return f.reacted(tx, ev, b)
	case protocol.ReactionRemoved:
		return f.unreacted(tx, ev, b)
	case protocol.PollResponse:
		return f.responded(tx, ev, b)
	case protocol.Deletion:
		return f.deleted(tx, ev, b)
	case protocol.ReactionSet:
		return f.reactionSet(tx, ev, b)
	case protocol.Answer:
		return f.answered(tx, ev, b)
	case protocol.Gap:
		return store.Outcome{}, f.missed(tx, ev.Room)
	case protocol.MemberChange:
		return f.memberChange(tx, ev, b)
	case protocol.RoomChange:
		return f.roomChange(tx, ev, b)
	}
	return store.Outcome{}, nil
}

func (f *Feature) memberChange(tx *store.Tx, ev protocol.Event, c protocol.MemberChange) (store.Outcome, error) {
	switch {
	case ev.Private:
		return store.Outcome{}, nil
	case c.Self && c.Profile:
		return store.Outcome{}, nil
	case c.Self && c.Membership == protocol.Joined:
		for range tx.Prefix(unsaid, store.Key(ev.Room, "")) {
			tx.SetTimer(timerUnsaid, tx.Now().Add(returnPause), nil)
			break
		}
		return store.Outcome{}, f.resume(tx, ev.Room, becauseRemoved)
	case c.Self && c.Membership != protocol.Invited && c.Membership != protocol.Knocking:
		return store.Outcome{}, f.suspend(tx, ev.Room, becauseRemoved)
	case c.Self || c.Bot:
		return store.Outcome{}, nil
	}
	switch c.Membership {
	case protocol.Joined:
		cameBack(tx, ev.Room, c.User)
	case protocol.Left, protocol.Kicked, protocol.Banned:
		f.hasLeft(tx, ev.Room, c.User)
	}
	return store.Outcome{}, nil
}

func (f *Feature) roomChange(tx *store.Tx, ev protocol.Event, c protocol.RoomChange) (store.Outcome, error) {
	for _, one := range c.Changes {
		var err error
		switch one := one.(type) {
		case protocol.Available:
			if one.Reachable {
				err = f.resume(tx, ev.Room, becauseUnreachable)
			} else {
				err = f.suspend(tx, ev.Room, becauseUnreachable)
			}
		case protocol.Upgraded:
			err = f.move(tx, ev.Room, one.Successor)
		}
		if err != nil {
			return store.Outcome{}, err
		}
	}
	return store.Outcome{}, nil
}

// Told handles what another scope tells this one.
func (f *Feature) Told(tx *store.Tx, what protocol.Internal) (bool, error) {
	switch what.Kind {
	case toldCarry:
		return true, f.takeOver(tx, what.Data)
	case toldReach:
		return true, f.reached(tx, what.Data)
	}
	return false, nil
}

// isOperator and mayModerate tell what somebody is in a room.
func (f *Feature) isOperator(user protocol.UserID) bool { return f.operators[user] }

func (f *Feature) mayModerate(tx *store.Tx, room protocol.RoomID, user protocol.UserID) bool {
	return f.isOperator(user) || rooms.IsModerator(tx, room, user)
}

func (f *Feature) edits(room protocol.RoomID) time.Duration {
	if d, ok := f.Edits[room.Network()]; ok {
		return d
	}
	return DefaultEdits
}
