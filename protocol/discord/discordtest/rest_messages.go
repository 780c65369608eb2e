package discordtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// nonceWindow is for how long a nonce is enforced: "the past few minutes".
const nonceWindow = 5 * time.Minute

// place returns the channel of the path where the bot has the permissions there; otherwise the
// refusal.
func (c *call) place(perms int64) (*Channel, int, any) {
	ch := c.s.channels[c.v("channel")]
	if ch == nil {
		status, answer := refuse(404, 10003, "Unknown Channel")
		return nil, status, answer
	}
	if ch.Guild == nil {
		return ch, 0, nil
	}
	switch have := ch.Guild.permissionsLocked(c.s.Bot, ch); {
	case !ch.Guild.botIn || have&ViewChannel == 0:
		status, answer := refuse(403, 50001, "Missing Access")
		return nil, status, answer
	case have&perms != perms:
		status, answer := noPermission()
		return nil, status, answer
	}
	return ch, 0, nil
}

// message returns the message of the path.
func (c *call) message(perms int64) (*message, int, any) {
	ch, status, answer := c.place(perms)
	if ch == nil {
		return nil, status, answer
	}
	m := ch.messageLocked(c.v("message"))
	if m == nil || m.only != nil {
		status, answer := refuse(404, 10008, "Unknown Message")
		return nil, status, answer
	}
	return m, 0, nil
}

func (c *call) getChannel() (int, any) {
	ch, status, answer := c.place(0)
	if ch == nil {
		return status, answer
	}
	return 200, ch.json()
}

func (c *call) typing() (int, any) {
	ch, status, answer := c.place(SendMessages)
	if ch == nil {
		return status, answer
	}
	return http.StatusNoContent, nil
}

func (c *call) listMessages() (int, any) {
	ch, status, answer := c.place(0)
	if ch == nil {
		return status, answer
	}
	list := []obj{}
	if ch.Guild != nil && ch.Guild.permissionsLocked(c.s.Bot, ch)&ReadHistory == 0 {
		return 200, list
	}
	limit, before, after := c.number("limit", 100, 50), c.query("before"), c.query("after")
	add := func(m *message) {
		if m.only == nil && len(list) < limit {
			o := m.json()
			if c.s.Flags&(3<<18) == 0 && ch.Guild != nil && m.author != c.s.Bot &&
				!slices.Contains(m.mentioned(), c.s.Bot) {
				o["content"] = "" // the intent that is not switched on in the portal rules here too
			}
			list = append(list, o)
		}
	}
	if after != "" {
		for _, m := range ch.messages {
			if less(after, m.id) {
				add(m)
			}
		}
		slices.Reverse(list) // newest first, whichever way one asks
		return 200, list
	}
	for _, m := range slices.Backward(ch.messages) {
		if before == "" || less(m.id, before) {
			add(m)
		}
	}
	return 200, list
}

func (c *call) getMessage() (int, any) {
	m, status, answer := c.message(ReadHistory)
	if m == nil {
		return status, answer
	}
	return 200, m.json()
}

func (c *call) createMessage() (int, any) {
	perms := SendMessages
	if ch := c.s.channels[c.v("channel")]; ch != nil && ch.Kind == PublicThread {
		perms = SendInThreads
	}
	if len(filesIn(c.body)) > 0 {
		perms |= AttachFiles
	}
	ch, status, answer := c.place(perms)
	if ch == nil {
		return status, answer
	}
	if ch.Kind == DirectMessage && ch.person.closed {
		return refuse(403, 50007, "Cannot send messages to this user")
	}
	if ch.locked {
		return refuse(400, 50083, "Thread is archived") // or the bot would need Manage Threads
	}
	nonce := ""
	if n, ok := c.body["nonce"]; ok && n != nil {
		nonce = fmt.Sprint(n)
		if len(nonce) > 25 {
			return invalid("nonce: must be 25 or fewer in length")
		}
		if old := c.s.nonces[ch.ID+" "+nonce]; c.body["enforce_nonce"] == true && old != nil &&
			c.s.nowLocked().Sub(old.when) < nonceWindow {
			return 200, old.json()
		}
	}
	m, status, answer := c.s.newMessage(c.body, ch)
	if m == nil {
		return status, answer
	}
	m.nonce = nonce
	if ref, ok := c.body["message_reference"].(map[string]any); ok {
		m.isReply = true
		id, _ := ref["message_id"].(string)
		if m.replyTo = ch.messageLocked(id); m.replyTo == nil && ref["fail_if_not_exists"] != false {
			return invalid("message_reference: Unknown message")
		} else if m.replyTo == nil {
			m.isReply = false
		}
	}
	if nonce != "" {
		c.s.nonces[ch.ID+" "+nonce] = m
	}
	ch.archiveLocked(false, false) // what is written in an archived thread opens it
	ch.postLocked(m)
	return 200, m.json()
}

// newMessage makes a message of the bot out of a body, or says what is wrong with it.
func (s *Server) newMessage(body obj, ch *Channel) (*message, int, any) {
	if status, answer := checkMessage(body, true); status != 0 {
		return nil, status, answer
	}
	m := &message{id: s.snowflakeLocked(), channel: ch, author: s.Bot, when: s.nowLocked()}
	m.fill(body)
	return m, 0, nil
}

// fill takes over what a body says, and leaves what it does not name.
func (m *message) fill(body obj) {
	if content, ok := body["content"]; ok {
		m.content, _ = content.(string)
	}
	if v, ok := body["components"]; ok {
		m.components = kept(v, new(int))
	}
	if v, ok := body["embeds"]; ok {
		m.embeds = v
	}
	if _, ok := body["attachments"]; ok {
		m.files = filesIn(body)
	}
	if v, ok := body["allowed_mentions"]; ok {
		m.allowed = v
	} else {
		m.allowed = nil
	}
	if flags, ok := body["flags"].(float64); ok {
		m.flags = m.flags&(FlagEphemeral|FlagLoading) | int(flags)&^(FlagEphemeral|FlagLoading)
	}
}

// checkMessage holds a message to Discord's limits.
func checkMessage(body obj, fresh bool) (int, any) {
	content, _ := body["content"].(string)
	embeds, _ := body["embeds"].([]any)
	components, _ := body["components"].([]any)
	if n := utf8.RuneCountInString(content); n > 2000 {
		return invalid("content: must be 2000 or fewer in length, has %d", n)
	}
	if fresh && strings.TrimSpace(content) == "" && len(embeds) == 0 && len(components) == 0 {
		return refuse(400, 50006, "Cannot send an empty message")
	}
	if len(embeds) > 10 || len(components) > 5 {
		return invalid("too many embeds or rows")
	}
	ids, fault := map[string]bool{}, ""
	for _, row := range components {
		r, _ := row.(map[string]any)
		inner, _ := r["components"].([]any)
		if r["type"] != 1.0 || len(inner) == 0 || len(inner) > 5 {
			fault = "a row has 1 to 5 components"
		}
		for _, each := range inner {
			o, _ := each.(map[string]any)
			id, _ := o["custom_id"].(string)
			label, _ := o["label"].(string)
			options, _ := o["options"].([]any)
			link := o["url"] != nil
			switch {
			case !link && (id == "" || len(id) > 100 || ids[id]):
				fault = fmt.Sprintf("custom_id %q: 1 to 100 characters, and unique", id)
			case utf8.RuneCountInString(label) > 80:
				fault = "label: must be 80 or fewer in length"
			case o["type"] == 2.0 && label == "" && o["emoji"] == nil:
				fault = "a button needs a label or an emoji"
			case o["type"] == 3.0 && (len(options) == 0 || len(options) > 25 || len(inner) > 1):
				fault = "a menu has 1 to 25 options and a row for itself"
			}
			values := map[any]bool{}
			for _, opt := range options {
				v, _ := opt.(map[string]any)
				text, _ := v["label"].(string)
				value, _ := v["value"].(string)
				detail, _ := v["description"].(string)
				if text == "" || value == "" || utf8.RuneCountInString(text) > 100 ||
					utf8.RuneCountInString(value) > 100 || utf8.RuneCountInString(detail) > 100 || values[value] {
					fault = fmt.Sprintf("option %q: label and value have 1 to 100 characters, values are unique", text)
				}
				values[value] = true
			}
			ids[id] = true
		}
	}
	if fault != "" {
		return invalid("components: %s", fault)
	}
	return 0, nil
}

func (c *call) editMessage() (int, any) {
	m, status, answer := c.message(0)
	if m == nil {
		return status, answer
	}
	if m.author != c.s.Bot {
		return refuse(403, 50005, "Cannot edit a message authored by another user")
	}
	if m.channel.archived {
		return refuse(400, 50083, "Thread is archived")
	}
	if status, answer := checkMessage(c.body, false); status != 0 {
		return status, answer
	}
	m.fill(c.body)
	m.edited = c.s.nowLocked()
	m.channel.emitMessageLocked("MESSAGE_UPDATE", m)
	return 200, m.json()
}

func (c *call) deleteMessage() (int, any) {
	m, status, answer := c.message(0)
	if m == nil {
		return status, answer
	}
	if m.author != c.s.Bot && (m.channel.Guild == nil ||
		m.channel.Guild.permissionsLocked(c.s.Bot, m.channel)&ManageMessages == 0) {
		return noPermission()
	}
	if m.author != c.s.Bot {
		m.channel.Guild.auditLocked(72, c.s.Bot, m.author.ID, c.reason)
	}
	m.deleteLocked()
	return http.StatusNoContent, nil
}

func (c *call) createThread() (int, any) {
	ch, status, answer := c.place(0)
	if ch == nil {
		return status, answer
	}
	name, _ := c.body["name"].(string)
	if name == "" || len(name) > 100 {
		return invalid("name: 1 to 100 characters")
	}
	return 201, ch.Guild.newChannelLocked(name, PublicThread, ch).json()
}

func (c *call) listReactions() (int, any) {
	m, status, answer := c.message(ReadHistory)
	if m == nil {
		return status, answer
	}
	list := []obj{}
	limit, after := c.number("limit", 100, 25), c.query("after")
	for _, r := range m.reactions {
		if r.emoji != c.v("emoji") {
			continue
		}
		of := r.users
		if c.query("type") == "1" {
			of = r.burst
		}
		users := slices.SortedFunc(slices.Values(of), func(a, b *User) int { return compare(a.ID, b.ID) })
		for _, u := range users {
			if less(after, u.ID) && len(list) < limit {
				list = append(list, u.json())
			}
		}
	}
	return 200, list
}

func (c *call) react() (int, any) {
	m, status, answer := c.message(ReadHistory | AddReactions)
	if m == nil {
		return status, answer
	}
	if strings.ContainsAny(c.v("emoji"), "abcdefghijklmnopqrstuvwxyz ") {
		return refuse(400, 10014, "Unknown Emoji")
	}
	m.reactLocked(c.s.Bot, c.v("emoji"))
	return http.StatusNoContent, nil
}

func (c *call) unreact() (int, any) {
	m, status, answer := c.message(0)
	if m == nil {
		return status, answer
	}
	if !m.unreactLocked(c.s.Bot, c.v("emoji")) {
		return refuse(404, 10014, "Unknown Emoji")
	}
	return http.StatusNoContent, nil
}
