package rooms

import (
	"encoding/json"
	"slices"
	"time"

	"moot/protocol"
	"moot/store"
)

// conversations are the rooms to which the bot has invited people, to talk to them in private.
var conversations = store.ScopedBucket("conversations")

// Conversation is a private conversation to which the bot has invited a person.
type Conversation struct {
	Room  protocol.RoomID `json:"-"`
	State ConversationState
	Since time.Time // of the state
}

// ConversationState is what has become of the invitation to a private conversation.
type ConversationState string

// The states. The last two stand for [Pause].
const (
	ConversationInvited  ConversationState = "invited"
	ConversationOpen     ConversationState = "open"
	ConversationDeclined ConversationState = "declined" // they have turned the invitation down
	ConversationLeft     ConversationState = "left"     // they were there, and have left
)

// Pause is how long it is kept that somebody has turned down a conversation with the bot, or has left it.
const Pause = 7 * 24 * time.Hour

// Over reports whether nobody is there to talk to.
func (s ConversationState) Over() bool { return s == ConversationDeclined || s == ConversationLeft }

// Conversations returns the conversations to which the bot has invited a person, the newest last. One that they have left is
// among them for [Pause], also when the bot has left it too.
func Conversations(tx *store.Tx, user protocol.UserID) (all []Conversation) {
	for k, v := range tx.Prefix(conversations, store.Key(user, "")) {
		var c Conversation
		if json.Unmarshal(v, &c) == nil {
			c.Room = protocol.RoomID(k[len(store.Key(user, "")):])
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b Conversation) int { return a.Since.Compare(b.Since) })
	return all
}

// conversation notes what becomes of a conversation to which the bot has invited somebody. It is called before the change is
// applied to the members.
func (a *applier) conversation(c protocol.MemberChange) {
	switch {
	case c.Direct && c.Membership == protocol.Invited && !c.Self:
		if by, _ := getRow(a.tx, a.ev.Room, a.ev.Sender); by.Self && a.info.With == "" {
			a.info.With, a.dirty = c.User, true
			a.tellConversation(ConversationInvited)
		}
	case a.info.With == "":
	case c.Self:
		switch c.Membership {
		case protocol.Left, protocol.Kicked, protocol.Banned:
			a.tellConversation("")
			a.info.With = ""
		}
	case c.User != a.info.With:
	case c.Membership == protocol.Joined && !c.Profile:
		a.tellConversation(ConversationOpen)
	case c.Membership == protocol.Invited:
		a.tellConversation(ConversationInvited)
	case c.Membership != protocol.Joined:
		state := ConversationDeclined
		if r, ok := getRow(a.tx, a.ev.Room, c.User); ok && a.info.counts(r) {
			state = ConversationLeft
		}
		a.tellConversation(state)
		a.info.With, a.dirty = "", true
	}
}

// stillTalks notes that the list of members is in, which may lack a person who was there.
func (a *applier) stillTalks() {
	if a.info.With == "" {
		return
	}
	if r, ok := getRow(a.tx, a.ev.Room, a.info.With); !ok || !a.info.counts(r) {
		a.tellConversation(ConversationLeft) // which says nothing of who is still only invited
	}
}

// talk is the data of tellTalk. The zero state says that the bot has left the room.
type talk struct {
	Room  protocol.RoomID
	State ConversationState `json:",omitempty"`
}

func (a *applier) tellConversation(s ConversationState) {
	data, err := json.Marshal(talk{a.ev.Room, s})
	a.fail(err)
	a.tx.Tell(protocol.Scope(a.info.With), protocol.Internal{Kind: tellTalk, Data: data})
}

// talks takes in what a room tells a person about their conversation with the bot.
func talks(tx *store.Tx, t talk) error {
	key := store.Key(tx.Scope(), string(t.Room))
	var was Conversation
	if v := tx.Get(conversations, key); v != nil {
		_ = json.Unmarshal(v, &was) // what this package wrote it can read
	}
	switch {
	case t.State == "" && was.State.Over(), t.State == ConversationDeclined && was.State != ConversationInvited,
		t.State == ConversationLeft && was.State != ConversationOpen:
		return nil
	case t.State == "":
		tx.Delete(conversations, key)
		return nil
	case t.State.Over():
		tx.SetTimer(timerTalk, tx.Now().Add(Pause), nil)
	}
	data, err := json.Marshal(Conversation{State: t.State, Since: tx.Now()})
	tx.Put(conversations, key, data)
	return err
}

// forgetTalks forgets the conversations that are over for so long that it does not matter any more.
func forgetTalks(tx *store.Tx) {
	for _, c := range Conversations(tx, protocol.UserID(tx.Scope())) {
		if c.State.Over() && tx.Now().Sub(c.Since) >= Pause {
			tx.Delete(conversations, store.Key(tx.Scope(), string(c.Room)))
		}
	}
}
