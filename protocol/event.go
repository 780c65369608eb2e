package protocol

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Event is one thing that a network, or the bot itself, says has happened.
type Event struct {
	Room   RoomID    // where; a private conversation is a room too
	Place  PlaceID   // the thread or channel in the room; zero means the room itself
	ID     EventID   // unique within Room, and the same at every delivery
	Sender UserID    // who caused it; zero where the network does not say
	Time   time.Time // when, by the network's clock; zero means unknown. It only serves to recognise what is old
	// Private is whether this is a conversation of one person with the bot.
	Private bool
	// Hidden is whether not every member of the room can see the place: it is zero where all can, or where the network does
	// not tell.
	Hidden bool
	// Mute is whether the bot may not write in the place: it is zero where it may, or where the network does not tell.
	Mute bool
	// History marks what lies before the bot's own join, or what the first reading of a room brings along. It is
	// recorded and never acted on.
	History bool
	// Backlog marks what was caught up after a pause. Only there does the age of a command matter.
	Backlog bool
	// Age is how old what was caught up was when it came, by the network's own clock; zero where the network does not tell,
	// and Time is compared with the bot's.
	Age time.Duration `json:",omitempty"`
	// Trust is how far the network vouches that the words are the sender's own. An adapter says it of each event.
	Trust Trust
	// Late marks what could be read only some time after it came, because its key was late. An adapter leaves it alone.
	Late bool
	// Handle is what the adapter needs to answer this event in the network's own manner (the token of a Discord
	// interaction). It is opaque to everyone else and copied into the answers.
	Handle string
	Body   Body
}

// Trust is how far the sender of an event is vouched for. Where a room is not encrypted the servers vouch for everybody, and
// there is nothing more to say: that is the zero value.
type Trust string

// What an event of an encrypted room is worth, the weakest first.
const (
	TrustClear    Trust = "clear"    // the event is not encrypted: the servers vouch for its sender, nobody else does
	TrustUnsigned Trust = "unsigned" // sealed by a device of the sender that the sender's identity has not signed
	TrustSigned   Trust = "signed"   // sealed by a device that the sender's identity has signed
)

// Ref is the address of an event, or of a message that is several of them in its network.
type Ref struct {
	Room  RoomID
	Event EventID
	More  string `json:",omitempty"` // the further parts of a message of several; see Parts
}

// PartsRef returns the address of a message of several parts, in their order.
func PartsRef(room RoomID, parts ...EventID) Ref {
	r := Ref{Room: room}
	for i, p := range parts {
		switch {
		case i == 0:
			r.Event = p
		case i == 1:
			r.More = string(p)
		default:
			r.More += Separator + string(p)
		}
	}
	return r
}

// Parts returns the parts of a message, in their order: most have one.
func (r Ref) Parts() []EventID {
	if r.Event == "" {
		return nil
	}
	parts := []EventID{r.Event}
	if r.More != "" {
		for p := range strings.SplitSeq(r.More, Separator) {
			parts = append(parts, EventID(p))
		}
	}
	return parts
}

// Has reports whether an event of the room is a part of the message.
func (r Ref) Has(event EventID) bool { return event != "" && slices.Contains(r.Parts(), event) }

// Ref returns the address of the event.
func (e Event) Ref() Ref { return Ref{Room: e.Room, Event: e.ID} }

// Scope is the room or the person under which everything is written that an event changes.
type Scope string

// Scope returns the person for what somebody says in a private conversation, and the room for all else.
func (e Event) Scope() Scope {
	if e.Private && e.Sender != "" {
		switch e.Body.(type) {
		case MemberChange, MemberList, RoomChange, Receipt, Answer, Gap:
		default:
			return Scope(e.Sender)
		}
	}
	return Scope(e.Room)
}

// Body is what happened: one of the types of this package that have the unexported method, and no other.
type Body interface{ body() }

// Message is a text that somebody wrote. Mentions stand in Text in the form of [MentionToken].
type Message struct {
	Text string
	// Addressed is whether the text begins by naming the bot; Text is then without that name.
	Addressed bool
	// Bot is whether a bot wrote it, or whether it is marked as a notice. Such a message is never obeyed.
	Bot bool
	// Emote is whether it says what its sender does, as by /me. Such a message is never obeyed.
	Emote   bool
	ReplyTo EventID // zero means no reply
}

// Edit replaces the text of a message. It never runs a command.
type Edit struct {
	Target EventID
	Text   string
	Bot    bool
}

// Deletion removes a message, or a reaction that has an event of its own.
type Deletion struct {
	Target EventID
	Reason string
}

// ReactionAdded is a reaction to a message by the sender of the event.
type ReactionAdded struct {
	Target   EventID
	Reaction string // the emoji or short text itself
	Bot      bool
}

// ReactionRemoved takes a reaction back. Networks whose reactions have events of their own say it by a Deletion.
type ReactionRemoved struct {
	Target   EventID
	Reaction string
	Bot      bool
}

// ReactionSet is all the reactions to a message as read from the network at one moment.
type ReactionSet struct {
	Target    EventID
	Reactions []Reaction
}

// Reaction is one person's reaction within a ReactionSet.
type Reaction struct {
	User     UserID
	Reaction string
	Event    EventID // the event of the reaction, where the network has one
	Bot      bool
}

// Membership is what somebody is to a room.
type Membership string

// The memberships. Joined and Knocking lead in, the others lead out or leave one outside.
const (
	Joined   Membership = "joined"
	Left     Membership = "left"
	Kicked   Membership = "kicked"
	Banned   Membership = "banned"
	Invited  Membership = "invited"
	Knocking Membership = "knocking"
)

// Power is what a network lets a member do to others. The zero value says that it is not known.
type Power string

// The powers. A moderator may kick (Matrix), or has Manage Server or Moderate Members (Discord).
const (
	PowerUnknown   Power = ""
	PowerMember    Power = "member"
	PowerModerator Power = "moderator"
)

// MemberChange says what a person, or the bot, now is to the room. The sender of the event is who did it.
type MemberChange struct {
	User       UserID
	Self       bool // whether User is this bot
	Membership Membership
	// Profile is whether somebody who was joined and still is has only another name or power. An own join without it
	// is a place in the timeline: what comes before it in the same delivery is history.
	Profile bool
	// Direct is whether it is an invitation to a private conversation.
	Direct bool   `json:",omitempty"`
	Name   string // display name; zero leaves the known one
	Bot    bool
	Power  Power // PowerUnknown leaves the known one
	Reason string
}

// Member is one entry of a MemberList.
type Member struct {
	User UserID
	Name string
	Bot  bool
	Self bool
	// Power leaves the known one where it is PowerUnknown.
	Power Power
	// Since is when the person joined, where the network tells; zero means before the bot looked.
	Since time.Time
}

// MemberList is a fresh and whole list of a room's members. Long ones are cut into parts when they are admitted;
// the parts of one list carry its name, and the room's members are "unknown" until the last one is in.
type MemberList struct {
	List    string // name of this reading of the list; zero means the id of the event
	Part    int    // counts from 0
	Last    bool   // whether this is the last part; a list in one piece has Part 0 and Last true
	Members []Member
	// Fault is why the list could not be read. The members are then unknown, never none.
	Fault string
}

// RoomChange is what has changed about a room, in order.
type RoomChange struct{ Changes []Change }

// Change is one change of a room: one of the types of this package with the unexported method.
type Change interface{ change() }

// Renamed gives the room another name. An empty one takes the name away.
type Renamed struct{ Name string }

// Realiased gives the room another alias that people can type. An empty one takes it away.
type Realiased struct{ Alias string }

// TopicChanged gives the room another topic.
type TopicChanged struct{ Topic string }

// EncryptionEnabled says that the room is encrypted from here on. There is no way back.
type EncryptionEnabled struct{}

// Upgraded says that the room goes on elsewhere.
type Upgraded struct{ Successor RoomID }

// PowersChanged is the whole list of those who may moderate the room.
type PowersChanged struct {
	Moderators []UserID
	Mute       bool `json:",omitempty"` // whether the bot may not write in the room, where the network tells it so
}

// OwnPowersChanged says that the bot itself may be allowed other things in the room than before, or stand otherwise to its
// members.
type OwnPowersChanged struct{}

// Available says whether the network can reach the room. An outage is not a leave.
type Available struct{ Reachable bool }

// Outdated says that the members of the room, or what they may do, may be others than the network has told: they are to be
// read again.
type Outdated struct{}

// VoicePresence says that the sender is in a voice call, or has left it.
type VoicePresence struct {
	Call     PlaceID // zero means that the person left
	Deafened bool
	AFK      bool // in a channel for those who are away
	Bot      bool
	// Device is the device that has come or gone, where the network tells of each device of a person by itself: who leaves with
	// one may be there with another. Zero on networks that tell of people.
	Device string `json:",omitzero"`
	// Until is when they count as gone unless the network says so anew: their program may die without a word. Zero on networks
	// that notice that themselves.
	Until time.Time `json:",omitzero"`
}

// Invocation is a command given through the network's own interface, already taken apart by it.
type Invocation struct {
	Path []string          // names from the root of the command tree
	Args map[string]string // parameters by name, as text
	Bot  bool
	// Locale is the language in which the person uses the network, such as "de" or "en-US"; zero where it does not say.
	Locale string `json:",omitempty"`
}

// Receipt says under which id something that we sent stands in the network. The room may be one that the adapter
// opened for it.
type Receipt struct {
	Key Key
	// Message is where all of it stands, where it is several events; zero means the event itself.
	Message Ref `json:",omitzero"`
}

// Answer is what came of an Ask.
type Answer struct {
	Ask   Key
	Fault string // why it failed; zero means that it worked
	// Result is what was asked for: a MemberList, a ReactionSet, a RoleHolders, a Restrained, a TaskDone, or nil where there is nothing
	// to tell.
	Result Body
}

// MaxHolders is how many people are named at most who hold a role.
const MaxHolders = 10_000

// RoleHolders says who holds a role of the room, as the result of an AskRole.
type RoleHolders struct {
	Role string // its id; zero where no role, or more than one, is meant
	Name string // what it is called
	// Alike is how many roles are meant, as they have that name or one that looks the same.
	Alike int
	// Everyone is whether it is the role that every member has. Its holders are not named.
	Everyone bool
	// Count is how many members hold it, and Holders who they are: nobody where there are more than MaxHolders.
	Count   int
	Holders []UserID
}

// Restrained says what somebody now is to the network's own means of holding people back, as the result of an AskRestrain.
type Restrained struct {
	User UserID
	On   bool
	// Until is when it ends by itself, so that it has to be asked for again before; zero means never.
	Until time.Time
	// Refused is why it is not as it was asked for; zero means that it is.
	Refused Refusal
	// Before is what the adapter wants to be told when they are let go: what they were before. It is opaque, and zero where it
	// was not the bot that holds them back.
	Before string
}

// Refusal is why a network does not hold somebody back, or let them go.
type Refusal string

// The refusals. Trying again is of use after somebody has changed what they name.
const (
	RefusedOff       Refusal = "off"       // the operator has not switched it on for this network
	RefusedPower     Refusal = "power"     // the bot lacks the permission or the power level
	RefusedOutranked Refusal = "outranked" // the person stands above the bot, or as high
	RefusedMeans     Refusal = "means"     // what it is done with, as a role, stands above the bot, or as high
	RefusedAbsent    Refusal = "absent"    // the person is not in the room
	RefusedSetting   Refusal = "setting"   // what the configuration names, as a role, does not exist in the room
)

// Gap says that the network has not told of everything that happened in the room in a span of time, because the bot was
// not connected, and what of it could not be fetched afterwards. Its sender is zero.
type Gap struct {
	From  time.Time // zero means that it is not known since when
	Until time.Time
	// Lost names what is lost for good, each in a few words that complete "lost: …".
	Lost []string
}

// Timer is something that the bot wanted to happen now. Only the bot makes it.
type Timer struct {
	Name string
	Data []byte
}

// Internal is what one scope tells another. Only the bot makes it.
type Internal struct {
	Kind string
	Data []byte
}

// Sealed is an event that cannot be read, because its key has not come. It is recorded as waiting for its key, and handled
// once the adapter hands it over again, opened, under the same room and id.
type Sealed struct {
	Session string // the key that is missing, as the network names it
	Content []byte // the event as it came; opaque to all but the adapter
	Reason  string // why the key is missing, where the network says so
	// Withheld is whether the program of the sender has refused the key to the bot: it does not come by itself.
	Withheld bool
}

// Malformed is an event of the network that breaks the rules of the network. Check refuses it, so that its
// disposition tells why nothing came of it.
type Malformed struct {
	Kind   string // as the network calls it
	Reason string
}

// Other is an event of the network that has no meaning here.
type Other struct {
	Kind string // as the network calls it
}

func (Message) body()         {}
func (Edit) body()            {}
func (Deletion) body()        {}
func (ReactionAdded) body()   {}
func (ReactionRemoved) body() {}
func (ReactionSet) body()     {}
func (MemberChange) body()    {}
func (MemberList) body()      {}
func (RoomChange) body()      {}
func (VoicePresence) body()   {}
func (Invocation) body()      {}
func (Receipt) body()         {}
func (Answer) body()          {}
func (Restrained) body()      {}
func (RoleHolders) body()     {}
func (Gap) body()             {}
func (Timer) body()           {}
func (Internal) body()        {}
func (Sealed) body()          {}
func (Malformed) body()       {}
func (Other) body()           {}

func (Renamed) change()           {}
func (Realiased) change()         {}
func (TopicChanged) change()      {}
func (EncryptionEnabled) change() {}
func (Upgraded) change()          {}
func (PowersChanged) change()     {}
func (OwnPowersChanged) change()  {}
func (Available) change()         {}
func (Outdated) change()          {}

// Check reports whether the event may enter: its identifiers are identifiers, those of rooms and people are of the
// given network (any, where that is zero), and the body is one that an adapter may bring.
func (e Event) Check(network Network) error {
	if err := checkScoped(string(e.Room), network); err != nil {
		return fmt.Errorf("room: %w", err)
	}
	if err := CheckID(string(e.ID)); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	if e.Place != "" {
		if err := CheckID(string(e.Place)); err != nil {
			return fmt.Errorf("place: %w", err)
		}
	}
	if e.Sender != "" {
		if err := checkScoped(string(e.Sender), network); err != nil {
			return fmt.Errorf("sender: %w", err)
		}
	}
	switch e.Body.(type) {
	case Order, TaskDone, Collected:
		if _, is := e.Room.Network().Service(); !is {
			return ErrNotService
		}
	}
	return checkBody(e.Body, network)
}

func checkBody(b Body, network Network) error {
	user := func(id UserID) error {
		if err := checkScoped(string(id), network); err != nil {
			return fmt.Errorf("user: %w", err)
		}
		return nil
	}
	target := func(id EventID) error {
		if err := CheckID(string(id)); err != nil {
			return fmt.Errorf("target: %w", err)
		}
		return nil
	}
	switch b := b.(type) {
	case nil:
		return ErrNoBody
	case Message, VoicePresence, Invocation, Receipt, TaskDone, Order, Collected, Gap, Other:
		return nil
	case Sealed:
		if len(b.Content) == 0 || len(b.Content) > MaxSealed {
			return fmt.Errorf("%w: it has %d bytes", ErrSealed, len(b.Content))
		}
		return nil
	case Malformed:
		return fmt.Errorf("%w: %s: %s", ErrMalformed, Shorten(OneLine(b.Kind), 60), Shorten(OneLine(b.Reason), 200))
	case Restrained:
		return user(b.User)
	case RoleHolders:
		if len(b.Holders) > MaxHolders {
			return fmt.Errorf("%w: %d hold a role", ErrHolders, len(b.Holders))
		}
		for _, id := range b.Holders {
			if err := user(id); err != nil {
				return err
			}
		}
		return nil
	case Edit:
		return target(b.Target)
	case Deletion:
		return target(b.Target)
	case ReactionAdded:
		return target(b.Target)
	case ReactionRemoved:
		return target(b.Target)
	case ReactionSet:
		for _, r := range b.Reactions {
			if err := user(r.User); err != nil {
				return err
			}
		}
		return target(b.Target)
	case PollResponse:
		return target(b.Target)
	case MemberChange:
		switch b.Membership {
		case Joined, Left, Kicked, Banned, Invited, Knocking:
			return user(b.User)
		}
		return fmt.Errorf("%w: %q", ErrMembership, Shorten(string(b.Membership), 20))
	case MemberList:
		for _, m := range b.Members {
			if err := user(m.User); err != nil {
				return err
			}
		}
		return nil
	case RoomChange:
		return checkChanges(b.Changes, network)
	case Answer:
		if b.Result == nil {
			return nil
		}
		return checkBody(b.Result, network)
	case Timer, Internal:
		return ErrInternal
	}
	return fmt.Errorf("%w: %T", ErrUnknownBody, b)
}

func checkChanges(changes []Change, network Network) error {
	for _, c := range changes {
		switch c := c.(type) {
		case Upgraded:
			if err := checkScoped(string(c.Successor), network); err != nil {
				return fmt.Errorf("successor: %w", err)
			}
		case PowersChanged:
			for _, id := range c.Moderators {
				if err := checkScoped(string(id), network); err != nil {
					return fmt.Errorf("moderator: %w", err)
				}
			}
		case nil:
			return ErrNoBody
		}
	}
	return nil
}
