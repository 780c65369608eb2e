package matrix

import (
	"context"
	"errors"
	"fmt"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// Session is a connection that is logged in.
type Session struct {
	// Client has its UserID, DeviceID and AccessToken. The adapter makes its requests by it and gives it no Syncer.
	Client *mautrix.Client
	// Encryption is nil where there is none: encrypted rooms are then refused.
	Encryption Encryption
	// Fault says of an error of the Client, which refuses the login, what is the matter and what to do, in one sentence; nil leaves
	// that to the adapter.
	Fault func(error) error
	// Close is called when the adapter has ended; nil does nothing.
	Close func() error
}

// ErrNoKey is within the error of Decrypt when the key is missing, which may still come.
var ErrNoKey = errors.New("the key to this message has not come")

// ErrWithheld is within the error of Decrypt when the program of the sender has refused the key. ErrNoKey is, too.
var ErrWithheld = fmt.Errorf("%w: the sender's program withholds it", ErrNoKey)

// ErrBroken is within the errors of an Encryption whose keys can no longer be written. The adapter then ends.
var ErrBroken = errors.New("the keys of the bot could not be written")

// ErrFull is within the error of an Encryption that has no room to write its keys to, and has begun nothing: it may pass.
var ErrFull = errors.New("there is no room for the keys of the bot")

// NoVerification is what people are told who ask to verify the bot.
const NoVerification = "I am a bot, and cannot compare emoji or scan a code. Compare my master key in the details of my session, or " +
	"trust my account as you find it."

// ErrAsking is the error of Decrypt while the devices of the sender are being asked for; News tells when they are known.
var ErrAsking = fmt.Errorf("%w: the devices of its sender are being asked for", ErrNoKey)

// Encryption is end-to-end encryption for one device.
type Encryption interface {
	// Receive takes the to-device events, device lists and counts of keys of a sync response, before anything else of it
	// is looked at. What it took is durable with the next commit of the bot, and before anything else is asked of the
	// server; an error ends the adapter, but for ErrFull,
	// after which the response comes again. It waits for no other server. It returns how many keys to messages were new.
	// Since is the token with which the response was asked for.
	Receive(ctx context.Context, resp *mautrix.RespSync, since string) (keys int, err error)
	// Decrypt opens an event whose content was parsed, and says how far its sender is vouched for: TrustSigned or
	// TrustUnsigned. The error is, or wraps, ErrNoKey where the key may still come, and
	// ErrBroken where nothing can be opened any more; any other is final for this event.
	Decrypt(ctx context.Context, ev *event.Event) (*event.Event, protocol.Trust, error)
	// News receives when events that could not be opened are worth another try, beside the keys that Receive counts; nil
	// never does. It belongs to the caller of Receive.
	News() <-chan struct{}
	// Encrypt seals content for the members of a room, and shares the keys with their devices first. Members are all
	// who have joined or are invited. It may be called concurrently.
	Encrypt(ctx context.Context, room id.RoomID, members []id.UserID, kind event.Type, content any) (*event.EncryptedEventContent, error)
	// Member is told of each change of membership in an encrypted room, before events that follow it are admitted.
	Member(ctx context.Context, ev *event.Event) error
}

// Rooms is what the bot has recorded of rooms. Each call sees the state after the last commit.
type Rooms interface {
	// Room returns what is recorded of a room; the zero RoomState where nothing is.
	Room(room protocol.RoomID) (RoomState, error)
	// Members returns who has joined, the bot included, and whether the list is whole.
	Members(room protocol.RoomID) (users []protocol.UserID, whole bool, err error)
	// IsMember reports whether somebody is recorded as a member.
	IsMember(room protocol.RoomID, user protocol.UserID) (bool, error)
	// Shared returns the rooms that the bot shares with a person.
	Shared(user protocol.UserID) ([]protocol.RoomID, error)
	// Conversations returns the private conversations to which the bot has invited somebody, the newest last, and those that they
	// have left for a week.
	Conversations(user protocol.UserID) ([]Conversation, error)
	// Seen reports whether an event has a disposition.
	Seen(room protocol.RoomID, event protocol.EventID) (bool, error)
}

// Conversation is a private conversation to which the bot has invited somebody.
type Conversation struct {
	Room  protocol.RoomID
	Over  bool // whether they are out of it
	Never bool // whether they have never been in it
	// Until is until when they are to be left alone; zero where it is not over.
	Until time.Time
}

// RoomState is what is recorded of one room.
type RoomState struct {
	Own       protocol.Membership // of the bot; zero where it was never there
	Floor     protocol.EventID    // its last own join
	Encrypted bool
	Private   bool
	Named     bool   // whether it has a name or an alias
	Known     bool   // whether the members are known
	Count     int    // of members, the bot included, as far as they are known
	Language  string // in which the bot speaks there
}

// Waiting is what is kept of events whose key had not come.
type Waiting interface {
	// Sealed returns the events that wait, each with the body Sealed that this package has given it.
	Sealed() ([]protocol.Event, error)
}
