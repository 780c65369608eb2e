package protocol

import (
	"errors"
	"fmt"
	"time"
)

// Outgoing is something that the bot says to a network. It never changes once it is made.
type Outgoing struct {
	Key     Key
	Room    RoomID    // where; zero for a Whisper, for which the adapter finds or opens the private conversation
	Place   PlaceID   // the thread or channel; zero means the room itself
	Expires time.Time // after this it is not sent any more; zero means never
	Cause   Ref       // the event that it answers; zero means none
	Handle  string    // of the event that it answers
	Act     Act
	// Else is what is sent, all of it, where this cannot be: the channel is gone, or the bot may not write there. What has
	// expired, or may stand, has no such end.
	Else []Outgoing `json:",omitempty"`
}

// Network returns the network that the outgoing belongs to.
func (o Outgoing) Network() Network {
	if w, ok := o.Act.(Whisper); ok && o.Room == "" {
		return w.User.Network()
	}
	return o.Room.Network()
}

// Act is what an Outgoing does: one of the types of this package with the unexported method.
type Act interface{ act() }

// Say posts a message.
type Say struct {
	Text    Text
	ReplyTo EventID // zero means no reply
	// Notify is whether people are to notice it though it answers nobody and mentions nobody, as far as it is up to the network
	// which messages of a bot they notice.
	Notify   bool      `json:",omitempty"`
	Controls []Control `json:",omitempty"`
	// File goes with the message; nil means none. A network that does not take it takes nothing of the message.
	File *File `json:",omitempty"`
}

// Whisper is a message to one person that nobody else sees.
type Whisper struct {
	User UserID
	Text Text
	// Asked is whether the person waits for it: it answers a command, or a message, of theirs. Then it reaches also who has left
	// their conversation with the bot.
	Asked    bool      `json:",omitempty"`
	Controls []Control `json:",omitempty"`
	File     *File     `json:",omitempty"` // as of Say
}

// Revise edits a message that the bot has sent. Of several waiting edits of one message only the newest is sent.
// Controls are those that the message then has: none takes them away.
type Revise struct {
	Original Key
	Text     Text
	Controls []Control `json:",omitempty"`
}

// React adds a reaction to a message: to one of the bot's own by Original, to any other by Target.
type React struct {
	Original Key
	Target   EventID
	Reaction string
}

func (Say) act()     {}
func (Whisper) act() {}
func (Revise) act()  {}
func (React) act()   {}

// Ask is something that the bot wants to know from a network or have done by it. Its answer comes back as an Event
// with an [Answer].
type Ask struct {
	Key     Key
	Room    RoomID
	Expires time.Time // after this it is given up, which is a fault; zero means never
	Want    Want
}

// Network returns the network that is asked.
func (a Ask) Network() Network { return a.Room.Network() }

// Want is what an Ask wants: one of the types of this package with the unexported method.
type Want interface{ want() }

// AskMembers wants the whole MemberList of the room.
type AskMembers struct{}

// AskReactions wants the ReactionSet of a message, which is one of the bot's own by Original, any other by Target.
type AskReactions struct {
	Original Key
	Target   EventID
}

// AskRole wants to know who holds a role of the room, which is named by its id, by a mention of it as the network writes one, or by
// what it is called. Its answer is a [RoleHolders].
type AskRole struct{ Role string }

// AskJoin wants the bot to join the room.
type AskJoin struct{}

// AskLeave wants the bot to leave the room.
type AskLeave struct{ Reason string }

// AskRestrain wants a member of the room held back by the network's own means (on Discord a timeout or a role, on Matrix a
// power level), or let go again. It is a state that is wanted and no act: asking again for what is so already changes
// nothing. Its answer is a [Restrained].
type AskRestrain struct {
	User UserID
	On   bool
	// Reason stands where the network keeps such things, for the moderators.
	Reason string
	// Before is that of the Restrained with which they were held back; zero where there was none.
	Before string
}

func (AskMembers) want()   {}
func (AskReactions) want() {}
func (AskRole) want()      {}
func (AskJoin) want()      {}
func (AskLeave) want()     {}
func (AskRestrain) want()  {}

// Attempt is what a sender knows beside the Outgoing itself.
type Attempt struct {
	// N counts the attempts, from 1. One above 1 may have been sent before.
	N int
	// Original is where the message stands that the outgoing names by its key; zero where it names none.
	Original Ref
	// First is when the first attempt began: time.Since says how long ago that is, also where the clock of the machine is
	// wrong.
	First time.Time
	// Until is when it expires: time.Until says how soon that is, also where the clock of the machine is wrong. Zero means
	// never.
	Until time.Time
	// Earlier is whether an earlier run of the bot began the first attempt. Then First is too late where the clock was set
	// back since, by as much.
	Earlier bool
}

// SendError says what became of a failed attempt. Any other error of an adapter counts as one that may pass.
type SendError struct {
	// Final is whether trying again is of no use.
	Final bool
	// Ambiguous is whether it cannot be known if the message was sent. It is then recorded so and not sent again.
	Ambiguous bool
	// RetryAfter is how long the network wants to be left alone; zero leaves it to the backoff of the sender.
	RetryAfter time.Duration
	// Limits is what RetryAfter holds up.
	Limits Limit
	Err    error
}

// Limit is what a network's wish to be left alone is about. It is a closed set.
type Limit string

const (
	LimitPlace   Limit = ""        // where this was to go; everything else goes on
	LimitAccount Limit = "account" // all that the bot sends and asks, but for answers by a Handle
)

func (e *SendError) Error() string {
	switch {
	case e.Err == nil:
		return "the network does not say why"
	case e.Ambiguous:
		return fmt.Sprintf("it cannot be known whether it was sent: %v", e.Err)
	case e.RetryAfter > 0:
		return fmt.Sprintf("the network asks to wait %s: %v", e.RetryAfter, e.Err)
	}
	return e.Err.Error()
}

func (e *SendError) Unwrap() error { return e.Err }

// ErrGone is the cause of a SendError when the room or message that is written to is no longer there.
var ErrGone = errors.New("no longer there")
