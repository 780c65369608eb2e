// Package witness drives a Matrix client that shares no code with the bot: matrix-js-sdk with its Rust crypto, in a process
// of Node.js. It sees messages as the users of the common clients do.
package witness

import (
	"fmt"
	"testing"

	"moot/e2e/homeserver"
	"moot/e2e/node"
)

// Witness is such a client, logged in.
type Witness struct {
	Account homeserver.Account

	script *node.Script
}

// New starts a client for an account. It ends with the test.
func New(t testing.TB, s *homeserver.Server, account homeserver.Account) *Witness {
	t.Helper()
	w := &Witness{Account: account, script: node.Start(t, "js/witness.mjs")}
	w.script.Do("login", map[string]any{"homeserver": s.URL, "user": account.UserID, "token": account.Token, "device": account.DeviceID}, nil)
	return w
}

// Room says how a room is made.
type Room struct {
	Name      string `json:"name,omitempty"`
	Invite    string `json:"invite,omitempty"`
	Encrypted bool   `json:"encrypted,omitempty"`
	Direct    bool   `json:"direct,omitempty"`
}

// Create makes a room.
func (w *Witness) Create(r Room) (room string) {
	w.script.Do("create", r, &room)
	return room
}

// Invite invites somebody.
func (w *Witness) Invite(room, user string) {
	w.script.Do("invite", map[string]string{"room": room, "user": user}, nil)
}

// Await waits until somebody has a membership.
func (w *Witness) Await(room, user, membership string) {
	w.script.Do("member", map[string]string{"room": room, "user": user, "membership": membership}, nil)
}

// Say says something and returns the event.
func (w *Witness) Say(room, text string) (event string) {
	w.script.Do("say", map[string]string{"room": room, "text": text}, &event)
	return event
}

// Clear says something in clear, also where the room is encrypted, and returns the event.
func (w *Witness) Clear(room, text string) (event string) {
	w.script.Do("clear", map[string]string{"room": room, "text": text}, &event)
	return event
}

// Withhold gives keys, from here on, only to devices that the witness has verified, of which there are none.
func (w *Witness) Withhold() { w.script.Do("withhold", nil, nil) }

// Reset makes another identity for an account, by another login of it that has its recovery key: as the common clients do where
// somebody resets theirs.
func (w *Witness) Reset(s *homeserver.Server, a homeserver.Account, recoveryKey string) {
	w.script.Do("reset", map[string]string{
		"homeserver": s.URL, "user": a.UserID, "token": a.Token, "device": a.DeviceID, "password": a.Password, "recovery": recoveryKey,
	}, nil)
}

// React reacts to a message.
func (w *Witness) React(room, event, key string) (reaction string) {
	w.script.Do("react", map[string]string{"room": room, "event": event, "key": key}, &reaction)
	return reaction
}

// Seen is a message as the witness sees it.
type Seen struct {
	ID          string
	Sender      string
	WireType    string
	WireContent map[string]any
	Content     map[string]any // as it was sent, decrypted
	Shown       map[string]any // as it is shown: after edits
	Encrypted   bool
	Failure     bool
	// Shield is what stands beside an encrypted message: nothing, or a warning with its reason.
	Shield *struct {
		Colour int
		None   bool
		Reason *int
	}
}

// Body returns the text that is shown.
func (s Seen) Body() string { return fmt.Sprint(s.Shown["body"]) }

// Answer waits for the answer to a message.
func (w *Witness) Answer(room, to string) (s Seen) {
	w.script.Do("answer", map[string]string{"room": room, "to": to}, &s)
	return s
}

// Answers returns how often a message was answered, as far as the witness has seen.
func (w *Witness) Answers(room, to string) (n int) {
	w.script.Do("answers", map[string]string{"room": room, "to": to}, &n)
	return n
}

// Message waits for a message of somebody that holds a text.
func (w *Witness) Message(room, by, holds string) (s Seen) {
	w.script.Do("message", map[string]string{"room": room, "by": by, "holds": holds}, &s)
	return s
}

// Edited waits until a message is shown with a text that it did not have at first.
func (w *Witness) Edited(room, event, holds string) (s Seen) {
	w.script.Do("edited", map[string]string{"room": room, "event": event, "holds": holds}, &s)
	return s
}

// Poll is a poll as the witness sees it.
type Poll struct {
	ID        string
	Event     Seen
	Question  string
	Disclosed bool
	Most      int
	Answers   []string
	Responses map[string][]string // what each has chosen last, by their ids
	Ended     bool
	End       string // the text with which it was ended
}

// Poll waits for a poll of somebody whose question holds a text.
func (w *Witness) Poll(room, by, asks string) (p Poll) {
	w.script.Do("poll", map[string]any{"room": room, "by": by, "asks": asks}, &p)
	return p
}

// Ended waits for such a poll to have ended.
func (w *Witness) Ended(room, by, asks string) (p Poll) {
	w.script.Do("poll", map[string]any{"room": room, "by": by, "asks": asks, "ended": true}, &p)
	return p
}

// Polls returns how many polls the witness has seen in a room.
func (w *Witness) Polls(room string) (n int) {
	w.script.Do("polls", map[string]any{"room": room}, &n)
	return n
}

// Start starts a poll.
func (w *Witness) Start(room, asks string, answers ...string) (poll string) {
	w.script.Do("start", map[string]any{"room": room, "asks": asks, "answers": answers}, &poll)
	return poll
}

// Respond chooses in a poll, by the texts of its answers; nothing takes back what was chosen.
func (w *Witness) Respond(room, poll string, chooses ...string) (event string) {
	w.script.Do("respond", map[string]any{"room": room, "poll": poll, "chooses": append([]string{}, chooses...)}, &event)
	return event
}

// Send sends an event as it is.
func (w *Witness) Send(room, kind string, content map[string]any) (event string) {
	w.script.Do("send", map[string]any{"room": room, "type": kind, "content": content}, &event)
	return event
}

// Redact removes an event.
func (w *Witness) Redact(room, event string) {
	w.script.Do("redact", map[string]any{"room": room, "event": event}, nil)
}

// Signed reports whether all devices of somebody are cross-signed by their owner, and how many there are.
func (w *Witness) Signed(user string) (signed bool, devices int) {
	var s struct {
		Devices int
		Signed  bool
	}
	w.script.Do("crosssigned", map[string]string{"user": user}, &s)
	return s.Signed, s.Devices
}
