package discord

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"
)

// What is read from the gateway and from REST where discordgo's own types are in the way: they
// refuse a whole message for a component that they do not know, and know no nonce. Every field may
// be missing, and every number of another size.

// message is a message, or what a change of one tells.
type message struct {
	ID        string          `json:"id"`
	Channel   string          `json:"channel_id"`
	Guild     string          `json:"guild_id"`
	Content   string          `json:"content"`
	Type      int             `json:"type"`
	Author    *account        `json:"author"`
	Webhook   string          `json:"webhook_id"`
	Time      string          `json:"timestamp"`
	Edited    *string         `json:"edited_timestamp"`
	Nonce     json.RawMessage `json:"nonce"`
	Reference *reference      `json:"message_reference"`
	Flags     int             `json:"flags"`
	Files     []attached      `json:"attachments"`

	role string // that of the bot where it was written; zero where it has none
}

// answers is the message that this one answers, zero if none.
func (m message) answers() string {
	if m.Reference == nil {
		return ""
	}
	return m.Reference.Message
}

// reference is what a message answers or forwards.
type reference struct {
	Type    int    `json:"type"`
	Message string `json:"message_id"`
	Channel string `json:"channel_id"`
}

type emoji struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// String is the emoji itself, or name:id for one that a guild has made.
func (e emoji) String() string {
	if e.ID == "" {
		return e.Name
	}
	return e.Name + ":" + e.ID
}

// account is a user.
type account struct {
	ID     string `json:"id"`
	Name   string `json:"username"`
	Global string `json:"global_name"`
	Bot    bool   `json:"bot"`
	System bool   `json:"system"`
}

// called is the name that people see where there is no nickname.
func (a account) called() string {
	if a.Global != "" {
		return a.Global
	}
	return a.Name
}

// reaction is one that was added or taken away.
type reaction struct {
	User    string `json:"user_id"`
	Channel string `json:"channel_id"`
	Message string `json:"message_id"`
	Guild   string `json:"guild_id"`
	Emoji   emoji  `json:"emoji"`
	Member  *struct {
		User *account `json:"user"`
	} `json:"member"`
}

// deletion is of one message, or of many.
type deletion struct {
	ID      string   `json:"id"`
	IDs     []string `json:"ids"`
	Channel string   `json:"channel_id"`
	Guild   string   `json:"guild_id"`
}

// The types of interactions (developer documentation, "Receiving and Responding").
const (
	interactionCommand   = 2
	interactionComponent = 3
	interactionComplete  = 4
	interactionForm      = 5
)

// interaction is somebody's doing in Discord's own interface.
type interaction struct {
	ID      string `json:"id"`
	App     string `json:"application_id"`
	Type    int    `json:"type"`
	Token   string `json:"token"`
	Guild   string `json:"guild_id"`
	Channel string `json:"channel_id"`
	Locale  string `json:"locale"` // in which the person uses Discord
	// Allowed is what the bot itself may do in the channel.
	Allowed string `json:"app_permissions"`
	Place   struct {
		Type discordgo.ChannelType `json:"type"`
	} `json:"channel"`
	Member *struct {
		User        *account `json:"user"`
		Permissions string   `json:"permissions"`
	} `json:"member"`
	User *account `json:"user"`
	Data struct {
		// of a command
		Name    string  `json:"name"`
		Type    int     `json:"type"`
		Options []given `json:"options"`
		Target  string  `json:"target_id"`
		// of a component or a form
		CustomID   string   `json:"custom_id"`
		Values     []string `json:"values"`
		Components []filled `json:"components"`
	} `json:"data"`
}

// person is who did it.
func (i *interaction) person() (account, bool) {
	switch {
	case i.Member != nil && i.Member.User != nil:
		return *i.Member.User, isSnowflake(i.Member.User.ID)
	case i.User != nil:
		return *i.User, isSnowflake(i.User.ID)
	}
	return account{}, false
}

// mute reports whether Discord says that the bot may not write where it was done.
func (i *interaction) mute() bool {
	needed := int64(mayView | maySend)
	if (&discordgo.Channel{Type: i.Place.Type}).IsThread() {
		needed = mayView | maySendInThread
	}
	allowed, err := strconv.ParseInt(i.Allowed, 10, 64)
	return err == nil && i.Guild != "" && allowed&administrator == 0 && allowed&needed != needed
}

// given is an option as it was given, or a subcommand with its own.
type given struct {
	Name    string          `json:"name"`
	Type    int             `json:"type"`
	Value   json.RawMessage `json:"value"`
	Options []given         `json:"options"`
	Focused bool            `json:"focused"`
}

// text writes the value as a command takes it. Numbers keep the digits that Discord sent.
func (g given) text() string {
	switch g.Type {
	case optionBoolean:
		if string(g.Value) == "true" {
			return "yes"
		}
		return "no"
	case optionUser:
		if id := unquoted(g.Value); isSnowflake(id) {
			return mentionOf(id)
		}
	}
	return unquoted(g.Value)
}

// unquoted is the text of a JSON string, and any other value as it stands.
func unquoted(raw json.RawMessage) string {
	var s string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return s
	}
	if s := string(bytes.TrimSpace(raw)); s != "null" {
		return s
	}
	return ""
}

// filled is a component of a form that was sent: a row of inputs, a label around one, or an input.
type filled struct {
	Type       int      `json:"type"`
	CustomID   string   `json:"custom_id"`
	Value      string   `json:"value"`
	Values     []string `json:"values"`
	Components []filled `json:"components"`
	Component  *filled  `json:"component"`
}

// inputs adds what was typed, by the custom ids of the inputs.
func (f filled) inputs(into map[string]string, depth int) {
	if depth == 0 {
		return
	}
	if f.Type == componentTextInput && f.CustomID != "" {
		into[f.CustomID] = f.Value
	}
	for _, c := range f.Components {
		c.inputs(into, depth-1)
	}
	if f.Component != nil {
		f.Component.inputs(into, depth-1)
	}
}

// isoTime reads a time as Discord writes it; zero where it is none.
func isoTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// stamp writes a time so that it can stand in an identifier: microseconds, which is what Discord
// tells.
func stamp(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

// nonceOf is the nonce of a message, which Discord writes as a number if it was one.
func nonceOf(raw json.RawMessage) string { return strings.TrimSpace(unquoted(raw)) }
