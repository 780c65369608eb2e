package discordtest

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Message flags.
const (
	FlagEphemeral = 1 << 6
	FlagLoading   = 1 << 7
)

// Message is what somebody sees of a message at one moment.
type Message struct {
	ID, Channel      string
	Author, AuthorID string
	Content          string
	Ephemeral        bool
	Edited           bool
	Loading          bool     // "the bot is thinking…"
	ReplyTo          string   // id
	Pings            []string // names of whom it mentions so that they are told
	Buttons          []Button
	Menus            []Menu
	Files            []File
	Reactions        map[string][]string // emoji → names
	When             time.Time
	Raw              string // as JSON

	m *message
}

// Button is a button under a message.
type Button struct {
	Label, CustomID string
	Style           int
	Disabled        bool
}

// Menu is a select menu under a message.
type Menu struct {
	CustomID, Placeholder string
	Kind                  int // component type: 3 for texts, 5 for users
	Options               []MenuOption
	Least, Most           int
	Disabled              bool
}

// MenuOption is one option of a Menu.
type MenuOption struct{ Label, Value, Description string }

// Button returns the custom id of the button with the label; it fails the test where there is none.
func (m Message) Button(label string) string {
	for _, b := range m.Buttons {
		if b.Label == label {
			return b.CustomID
		}
	}
	m.m.channel.srv.tb.Fatalf("discordtest: no button %q under %q, but %v", label, m.Content, m.Buttons)
	return ""
}

// Says has the person write a message.
func (u *User) Says(c *Channel, text string) Message { return u.says(c, text, nil) }

// Replies has the person answer a message.
func (u *User) Replies(to Message, text string) Message { return u.says(to.m.channel, text, to.m) }

func (u *User) says(c *Channel, text string, to *message) Message {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	if c.Guild != nil && c.Guild.permissionsLocked(u, c)&SendMessages == 0 {
		c.srv.fail("%s may not write in %s", u.Name, c.Name)
	}
	m := &message{id: c.srv.snowflakeLocked(), channel: c, author: u, content: text, when: c.srv.nowLocked(),
		replyTo: to, isReply: to != nil}
	c.postLocked(m)
	return m.seen()
}

func (c *Channel) postLocked(m *message) {
	c.messages = append(c.messages, m)
	c.emitMessageLocked("MESSAGE_CREATE", m)
}

// emitMessageLocked tells of a message, without its content where the bot may not read it.
func (c *Channel) emitMessageLocked(kind string, m *message) {
	if m.only != nil {
		c.srv.touchLocked()
		return // ephemeral messages are not for the gateway
	}
	if c.Guild != nil && c.Guild.permissionsLocked(c.srv.Bot, c)&ViewChannel == 0 {
		return
	}
	c.srv.emitLocked(c.Guild, kind, func(intents int) any {
		o := m.json()
		o["channel_type"] = c.Kind
		if c.Guild != nil {
			o["guild_id"] = c.Guild.ID
			if member := c.Guild.memberIn(m.author); member != nil && m.interaction == nil {
				o["member"] = member
			}
			own := m.author == c.srv.Bot || slices.Contains(m.mentioned(), c.srv.Bot)
			if intents&intentMessageContent == 0 && !own {
				o["content"], o["embeds"], o["attachments"], o["components"] = "", []obj{}, []obj{}, []obj{}
			}
		}
		return o
	})
}

// Edits has the person change their message.
func (u *User) Edits(m Message, text string) {
	m.m.channel.do(func() {
		m.m.content, m.m.edited = text, u.srv.nowLocked()
		m.m.channel.emitMessageLocked("MESSAGE_UPDATE", m.m)
	})
}

// Deletes has the person delete a message.
func (u *User) Deletes(m Message) { m.m.channel.do(m.m.deleteLocked) }

func (m *message) deleteLocked() {
	if m.deleted {
		return
	}
	m.deleted = true
	c := m.channel
	c.messages = slices.DeleteFunc(c.messages, func(o *message) bool { return o == m })
	if m.only != nil {
		return
	}
	o := obj{"id": m.id, "channel_id": c.ID}
	if c.Guild != nil {
		o["guild_id"] = c.Guild.ID
	}
	c.srv.emitLocked(c.Guild, "MESSAGE_DELETE", o)
}

// Reacts has the person react to a message; Unreacts takes it back.
func (u *User) Reacts(m Message, emoji string) { m.m.channel.do(func() { m.m.reactLocked(u, emoji) }) }

// Unreacts takes a reaction back.
func (u *User) Unreacts(m Message, emoji string) {
	m.m.channel.do(func() { m.m.unreactLocked(u, emoji) })
}

// Bursts has the person put a super reaction to a message, and Unbursts takes it back. Discord
// lists those apart.
// https://discord.com/developers/docs/resources/message#get-reactions-reaction-types
func (u *User) Bursts(m Message, emoji string) {
	m.m.channel.do(func() {
		if r := m.m.reactionLocked(emoji); !slices.Contains(r.burst, u) {
			r.burst = append(r.burst, u)
			m.m.emitReactionLocked("MESSAGE_REACTION_ADD", u, emoji, true)
		}
	})
}

// Unbursts takes a super reaction back.
func (u *User) Unbursts(m Message, emoji string) {
	m.m.channel.do(func() {
		r := m.m.reactionLocked(emoji)
		if i := slices.Index(r.burst, u); i >= 0 {
			r.burst = slices.Delete(r.burst, i, i+1)
			m.m.emitReactionLocked("MESSAGE_REACTION_REMOVE", u, emoji, true)
		}
	})
}

func (m *message) reactionLocked(emoji string) *reaction {
	i := slices.IndexFunc(m.reactions, func(r *reaction) bool { return r.emoji == emoji })
	if i < 0 {
		i = len(m.reactions)
		m.reactions = append(m.reactions, &reaction{emoji: emoji})
	}
	return m.reactions[i]
}

func (m *message) reactLocked(u *User, emoji string) {
	if r := m.reactionLocked(emoji); !slices.Contains(r.users, u) {
		r.users = append(r.users, u)
		m.emitReactionLocked("MESSAGE_REACTION_ADD", u, emoji, false)
	}
}

func (m *message) unreactLocked(u *User, emoji string) bool {
	for _, r := range m.reactions {
		if i := slices.Index(r.users, u); r.emoji == emoji && i >= 0 {
			r.users = slices.Delete(r.users, i, i+1)
			m.emitReactionLocked("MESSAGE_REACTION_REMOVE", u, emoji, false)
			return true
		}
	}
	return false
}

func (m *message) emitReactionLocked(kind string, u *User, emoji string, burst bool) {
	c, number := m.channel, 0
	if burst {
		number = 1
	}
	o := obj{"user_id": u.ID, "channel_id": c.ID, "message_id": m.id, "emoji": obj{"id": nil, "name": emoji},
		"burst": burst, "type": number}
	if kind == "MESSAGE_REACTION_ADD" {
		o["message_author_id"] = m.author.ID
	}
	if c.Guild != nil {
		o["guild_id"] = c.Guild.ID
		if member := c.Guild.members[u.ID]; member != nil && kind == "MESSAGE_REACTION_ADD" {
			o["member"] = member.json()
		}
		if c.Guild.permissionsLocked(c.srv.Bot, c)&ViewChannel == 0 {
			return
		}
	}
	c.srv.emitLocked(c.Guild, kind, o)
}

// Sees returns what the person sees in the channel, oldest first.
func (u *User) Sees(c *Channel) []Message {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	var out []Message
	for _, m := range c.messages {
		if m.only == nil || m.only == u {
			out = append(out, m.seen())
		}
	}
	return out
}

// SeesOne waits until the person sees a message for which ok holds, and returns the newest.
func (u *User) SeesOne(c *Channel, what string, ok func(Message) bool) (found Message) {
	u.srv.tb.Helper()
	u.srv.Until(u.Name+" sees "+what, func() bool {
		for _, m := range slices.Backward(u.Sees(c)) {
			if ok(m) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// Now returns the message as it is now; it is zero where it was deleted.
func (m Message) Now() Message {
	s := m.m.channel.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.m.deleted {
		return Message{}
	}
	return m.m.seen()
}

// seen makes what people see of the message.
func (m *message) seen() Message {
	raw, _ := json.Marshal(m.json())
	out := Message{ID: m.id, Channel: m.channel.ID, Author: m.author.Name, AuthorID: m.author.ID, Content: m.content,
		Ephemeral: m.only != nil,
		Edited:    !m.edited.IsZero(), Loading: m.flags&FlagLoading != 0, When: m.when, Raw: string(raw),
		Files: m.files, Reactions: map[string][]string{}, m: m}
	if m.replyTo != nil {
		out.ReplyTo = m.replyTo.id
	}
	for _, u := range m.mentioned() {
		out.Pings = append(out.Pings, u.Name)
	}
	for _, r := range m.reactions {
		for _, u := range r.users {
			out.Reactions[r.emoji] = append(out.Reactions[r.emoji], u.Name)
		}
	}
	eachComponent(m.components, func(o obj) {
		var c struct {
			Type     int
			Label    string
			CustomID string `json:"custom_id"`
			Style    int
			Disabled bool
			Place    string `json:"placeholder"`
			Min      *int   `json:"min_values"`
			Max      *int   `json:"max_values"`
			Options  []MenuOption
		}
		raw, _ := json.Marshal(o)
		_ = json.Unmarshal(raw, &c)
		switch {
		case c.Type == 2:
			out.Buttons = append(out.Buttons, Button{c.Label, c.CustomID, c.Style, c.Disabled})
		case c.Type == 3 || c.Type >= 5 && c.Type <= 8:
			menu := Menu{CustomID: c.CustomID, Placeholder: c.Place, Kind: c.Type, Options: c.Options, Least: 1,
				Most: 1, Disabled: c.Disabled}
			if c.Min != nil {
				menu.Least = *c.Min
			}
			if c.Max != nil {
				menu.Most = *c.Max
			}
			out.Menus = append(out.Menus, menu)
		}
	})
	return out
}

// eachComponent calls f for each component in the tree, rows included.
func eachComponent(components any, f func(obj)) {
	list, _ := components.([]any)
	for _, c := range list {
		o, ok := c.(map[string]any)
		if !ok {
			continue
		}
		f(o)
		eachComponent(o["components"], f)
		if inner, ok := o["component"].(map[string]any); ok {
			eachComponent([]any{inner}, f)
		}
		if inner, ok := o["accessory"].(map[string]any); ok {
			eachComponent([]any{inner}, f)
		}
	}
}

func (c *Channel) do(f func()) {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	f()
	c.srv.touchLocked()
}

func (c *Channel) messageLocked(id string) *message {
	i := slices.IndexFunc(c.messages, func(m *message) bool { return m.id == id })
	if i < 0 {
		return nil
	}
	return c.messages[i]
}

// kept makes of components what Discord keeps of them: each gets an id, and the values that it has
// where none is given.
func kept(components any, id *int) any {
	list, ok := components.([]any)
	if !ok {
		return components
	}
	var out []any
	for _, c := range list {
		o, ok := c.(map[string]any)
		if !ok {
			continue
		}
		o = maps.Clone(o)
		if *id++; o["id"] == nil {
			o["id"] = *id
		}
		if number(o["type"]) == 3 || number(o["type"]) >= 5 && number(o["type"]) <= 8 {
			for key, value := range (obj{"min_values": 1, "max_values": 1, "disabled": false}) {
				if o[key] == nil {
					o[key] = value
				}
			}
		}
		if o["components"] != nil {
			o["components"] = kept(o["components"], id)
		}
		out = append(out, o)
	}
	return out
}
