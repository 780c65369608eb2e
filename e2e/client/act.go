//go:build goolm

package client

import (
	"fmt"
	"strings"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Room says how a room is made.
type Room struct {
	Name      string
	Encrypted bool
	Direct    bool // a private conversation
	Invite    []id.UserID
}

// Create makes a room and waits until the client knows of its encryption.
func (c *Client) Create(r Room) id.RoomID {
	c.t.Helper()
	req := &mautrix.ReqCreateRoom{Preset: "private_chat", Name: r.Name, Invite: r.Invite, IsDirect: r.Direct}
	if r.Direct {
		req.Preset = "trusted_private_chat"
	}
	if r.Encrypted {
		req.InitialState = append(req.InitialState, &event.Event{
			Type: event.StateEncryption, StateKey: new(string),
			Content: event.Content{Parsed: &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}},
		})
	}
	resp, err := c.CreateRoom(c.t.Context(), req)
	c.must("create a room", err)
	c.AwaitMembership(resp.RoomID, c.UserID, event.MembershipJoin)
	if r.Encrypted {
		c.Await("the encryption of its room", func() bool { return c.room(resp.RoomID).encrypted })
	}
	return resp.RoomID
}

// Membership returns what somebody is to a room, as far as the client knows.
func (c *Client) Membership(where id.RoomID, who id.UserID) event.Membership {
	m, _ := c.state.GetMembership(c.t.Context(), where, who)
	return m
}

// AwaitMembership waits until somebody is that to a room.
func (c *Client) AwaitMembership(where id.RoomID, who id.UserID, want event.Membership) {
	c.t.Helper()
	c.Await(fmt.Sprintf("%s to be %s in %s", who, want, where), func() bool { return c.Membership(where, who) == want })
}

// Accept waits for an invitation and joins.
func (c *Client) Accept(where id.RoomID) {
	c.t.Helper()
	c.Await("an invitation to "+string(where), func() bool { return c.room(where).invited })
	_, err := c.JoinRoomByID(c.t.Context(), where)
	c.must("join", err)
	c.AwaitMembership(where, c.UserID, event.MembershipJoin)
	c.Await("the room "+string(where), func() bool { return len(c.room(where).timeline) > 0 })
}

// Invitation waits for an invitation by somebody and returns the room. One that is over does not count.
func (c *Client) Invitation(by id.UserID) (where id.RoomID) {
	c.t.Helper()
	c.Await("an invitation by "+string(by), func() bool {
		for r, known := range c.rooms {
			if m, _ := c.state.GetMembership(c.t.Context(), r, by); known.invited && m != "" {
				where = r
				return true
			}
		}
		return false
	})
	return where
}

// Invite invites somebody.
func (c *Client) Invite(where id.RoomID, who id.UserID) {
	c.t.Helper()
	_, err := c.InviteUser(c.t.Context(), where, &mautrix.ReqInviteUser{UserID: who})
	c.must("invite "+string(who), err)
}

// Kick puts somebody out, and waits until the client has seen it.
func (c *Client) Kick(where id.RoomID, who id.UserID, reason string) {
	c.t.Helper()
	_, err := c.KickUser(c.t.Context(), where, &mautrix.ReqKickUser{UserID: who, Reason: reason})
	c.must("kick "+string(who), err)
	c.AwaitMembership(where, who, event.MembershipLeave)
}

// Ban bans somebody, and Unban lifts that.
func (c *Client) Ban(where id.RoomID, who id.UserID, reason string) {
	c.t.Helper()
	_, err := c.BanUser(c.t.Context(), where, &mautrix.ReqBanUser{UserID: who, Reason: reason})
	c.must("ban "+string(who), err)
	c.AwaitMembership(where, who, event.MembershipBan)
}

// Unban lifts a ban.
func (c *Client) Unban(where id.RoomID, who id.UserID) {
	c.t.Helper()
	_, err := c.UnbanUser(c.t.Context(), where, &mautrix.ReqUnbanUser{UserID: who})
	c.must("unban "+string(who), err)
	c.AwaitMembership(where, who, event.MembershipLeave)
}

// Leave leaves a room.
func (c *Client) Leave(where id.RoomID) {
	c.t.Helper()
	_, err := c.LeaveRoom(c.t.Context(), where)
	c.must("leave", err)
}

// Say says something in a room, and returns its event.
func (c *Client) Say(where id.RoomID, text string) id.EventID {
	c.t.Helper()
	return c.Send(where, &event.MessageEventContent{MsgType: event.MsgText, Body: text})
}

// Send sends a message.
func (c *Client) Send(where id.RoomID, content *event.MessageEventContent) id.EventID {
	c.t.Helper()
	return c.post(where, event.EventMessage, content)
}

// Respond chooses in a poll, by the ids of its answers; none takes back what was chosen.
func (c *Client) Respond(where id.RoomID, poll id.EventID, answers ...string) id.EventID {
	c.t.Helper()
	return c.post(where, event.EventUnstablePollResponse, map[string]any{
		"m.relates_to":                       map[string]any{"rel_type": "m.reference", "event_id": poll},
		event.EventUnstablePollResponse.Type: map[string]any{"answers": append([]string{}, answers...)},
	})
}

// post sends an event, encrypted where the room is.
func (c *Client) post(where id.RoomID, typ event.Type, content any) id.EventID {
	c.t.Helper()
	body := content
	if encrypted, err := c.state.IsEncrypted(c.t.Context(), where); err != nil || encrypted {
		c.must("look whether a room is encrypted", err)
		sealed, err := c.seal(c.t.Context(), where, typ, content)
		c.must("encrypt", err)
		body, typ = sealed, event.EventEncrypted
	}
	resp, err := c.SendMessageEvent(c.t.Context(), where, typ, body)
	c.must("send", err)
	return resp.EventID
}

// Edit changes the text of a message.
func (c *Client) Edit(where id.RoomID, target id.EventID, text string) id.EventID {
	c.t.Helper()
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: text}
	content.SetEdit(target)
	return c.Send(where, content)
}

// React reacts to a message.
func (c *Client) React(where id.RoomID, target id.EventID, with string) id.EventID {
	c.t.Helper()
	resp, err := c.SendReaction(c.t.Context(), where, target, with)
	c.must("react", err)
	return resp.EventID
}

// Redact removes an event.
func (c *Client) Redact(where id.RoomID, target id.EventID) {
	c.t.Helper()
	_, err := c.RedactEvent(c.t.Context(), where, target)
	c.must("redact", err)
}

// Body returns the text of a message; zero where it is none.
func (e Event) Body() string {
	if m, ok := e.Content.Parsed.(*event.MessageEventContent); ok && e.Type == event.EventMessage {
		return m.Body
	}
	return ""
}

// RepliesTo returns the message that a message answers.
func (e Event) RepliesTo() id.EventID {
	if m, ok := e.Content.Parsed.(*event.MessageEventContent); ok && m.RelatesTo != nil {
		return m.RelatesTo.GetReplyTo()
	}
	return ""
}

// Replaces returns the message that an edit changes.
func (e Event) Replaces() id.EventID {
	if m, ok := e.Content.Parsed.(*event.MessageEventContent); ok && m.RelatesTo != nil {
		return m.RelatesTo.GetReplaceID()
	}
	return ""
}

// Answers returns what answers a message, as far as it has been seen; edits are no answers.
func (c *Client) Answers(where id.RoomID, to id.EventID) (all []Event) {
	for _, ev := range c.Timeline(where) {
		if ev.RepliesTo() == to && ev.Replaces() == "" {
			all = append(all, ev)
		}
	}
	return all
}

// Answer waits for the answer to a message. In an encrypted room it has to be encrypted.
func (c *Client) Answer(where id.RoomID, to id.EventID) (answer Event) {
	c.t.Helper()
	c.Await("an answer to "+string(to), func() bool {
		for _, ev := range c.room(where).timeline {
			if ev.RepliesTo() == to && ev.Replaces() == "" {
				answer = ev
				return true
			}
		}
		return false
	})
	c.sealedWhereItMust(where, answer)
	return answer
}

// Ticked waits until somebody has reacted to a message with ✅.
func (c *Client) Ticked(where id.RoomID, to id.EventID, by id.UserID) {
	c.t.Helper()
	c.Await("✅ on "+string(to), func() bool {
		for _, ev := range c.room(where).timeline {
			if r, ok := ev.Content.Parsed.(*event.ReactionEventContent); ok && ev.Sender == by && r.RelatesTo.EventID == to && r.RelatesTo.Key == "✅\ufe0f" {
				return true
			}
		}
		return false
	})
}

// Ask says something and waits for the answer, of which it returns the text.
func (c *Client) Ask(where id.RoomID, text string) string {
	c.t.Helper()
	return c.Answer(where, c.Say(where, text)).Body()
}

// Message waits for a message of somebody that holds the text, and returns the first.
func (c *Client) Message(where id.RoomID, by id.UserID, holds string) (found Event) {
	c.t.Helper()
	c.Await(fmt.Sprintf("a message by %s with %q", by, holds), func() bool {
		for _, ev := range c.room(where).timeline {
			if ev.Sender == by && strings.Contains(ev.Body(), holds) {
				found = ev
				return true
			}
		}
		return false
	})
	c.sealedWhereItMust(where, found)
	return found
}

func (c *Client) sealedWhereItMust(where id.RoomID, ev Event) {
	c.t.Helper()
	c.mu.Lock()
	encrypted := c.room(where).encrypted
	c.mu.Unlock()
	if encrypted != ev.Encrypted {
		c.t.Errorf("the room %s is encrypted: %v; the message %q: %v", where, encrypted, ev.Body(), ev.Encrypted)
	}
}

// Count returns how many messages of somebody hold the text, as far as they have been seen.
func (c *Client) Count(where id.RoomID, by id.UserID, holds string) (n int) {
	for _, ev := range c.Timeline(where) {
		if ev.Sender == by && strings.Contains(ev.Body(), holds) {
			n++
		}
	}
	return n
}

// Clear returns what was said in clear in a room, by anybody: in an encrypted one there must be nothing.
func (c *Client) Clear(where id.RoomID) (all []Event) {
	for _, ev := range c.Timeline(where) {
		if ev.Type == event.EventMessage && !ev.Encrypted {
			all = append(all, ev)
		}
	}
	return all
}

// AnswersIn is Answers for use within Await.
func (c *Client) AnswersIn(where id.RoomID, to id.EventID) (all []Event) {
	for _, ev := range c.room(where).timeline {
		if ev.RepliesTo() == to && ev.Replaces() == "" {
			all = append(all, ev)
		}
	}
	return all
}

// Upgrade makes a room go on in another one, in which some are invited.
func (c *Client) Upgrade(where id.RoomID, encrypted bool, invite ...id.UserID) id.RoomID {
	c.t.Helper()
	next := c.Create(Room{Encrypted: encrypted})
	_, err := c.SendStateEvent(c.t.Context(), where, event.StateTombstone, "", &event.TombstoneEventContent{Body: "it goes on elsewhere", ReplacementRoom: next})
	c.must("give up a room", err)
	for _, who := range invite {
		c.Invite(next, who)
	}
	return next
}

// Devices returns the devices of somebody, as far as the client knows them.
func (c *Client) Devices(of id.UserID) map[id.DeviceID]bool {
	c.t.Helper()
	c.crypto.Lock()
	defer c.crypto.Unlock()
	return c.devicesOf(of)
}

// AwaitNewDevice waits until the client knows a device of somebody that is not among those before.
func (c *Client) AwaitNewDevice(of id.UserID, before map[id.DeviceID]bool) {
	c.t.Helper()
	c.Await("a new device of "+string(of), func() bool {
		for d := range c.devices[of] {
			if !before[d] {
				return true
			}
		}
		return false
	})
}

// Encrypt makes a room an encrypted one.
func (c *Client) Encrypt(where id.RoomID) {
	c.t.Helper()
	_, err := c.SendStateEvent(c.t.Context(), where, event.StateEncryption, "", &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1})
	c.must("encrypt a room", err)
	c.Await("the encryption of "+string(where), func() bool { return c.room(where).encrypted })
}

// Identity returns the public master key of somebody's cross-signing identity, as the server has it; zero where there is none.
func (c *Client) Identity(of id.UserID) (master string) {
	c.t.Helper()
	resp, err := c.QueryKeys(c.t.Context(), &mautrix.ReqQueryKeys{DeviceKeys: mautrix.DeviceKeysRequest{of: mautrix.DeviceIDList{}}})
	c.must("ask for keys", err)
	for _, key := range resp.MasterKeys[of].Keys {
		master = string(key)
	}
	return master
}
