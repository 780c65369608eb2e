package discordtest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// Types of the first answer to an interaction.
const (
	AnswerMessage       = 4
	AnswerDefer         = 5
	AnswerDeferUpdate   = 6
	AnswerUpdate        = 7
	AnswerAutocomplete  = 8
	AnswerForm          = 9
	defaultAnswerWithin = 3 * time.Second
)

// callback is the first answer.
func (c *call) callback() (int, any) {
	i := c.s.interactions[c.v("token")]
	within := c.s.AnswerWithin
	if within == 0 {
		within = defaultAnswerWithin
	}
	switch {
	case i == nil || i.ID != c.v("interaction"):
		return refuse(404, 10062, "Unknown interaction")
	case i.answer != 0:
		return refuse(400, 40060, "Interaction has already been acknowledged.")
	case c.at.Sub(i.made) > within:
		return refuse(404, 10062, "Unknown interaction")
	}
	kind := number(c.body["type"])
	data, _ := c.body["data"].(map[string]any)
	flags := number(data["flags"])
	fits := map[int][]int{
		AnswerMessage:      {interactionCommand, interactionComponent, interactionModal},
		AnswerDefer:        {interactionCommand, interactionComponent, interactionModal},
		AnswerDeferUpdate:  {interactionComponent, interactionModal},
		AnswerUpdate:       {interactionComponent, interactionModal},
		AnswerAutocomplete: {interactionAutocomplete}, AnswerForm: {interactionCommand, interactionComponent},
	}
	if !slices.Contains(fits[kind], i.kind) {
		return invalid("type %d does not answer an interaction of type %d", kind, i.kind)
	}
	if (kind == AnswerUpdate || kind == AnswerDeferUpdate) && i.source == nil {
		return invalid("type %d needs a message", kind)
	}
	switch kind {
	case AnswerMessage:
		m, status, answer := c.s.newMessage(data, i.channel)
		if m == nil {
			return status, answer
		}
		i.ephemeral = flags&FlagEphemeral != 0
		i.original = i.postLocked(m, i.ephemeral)
	case AnswerDefer:
		i.ephemeral = flags&FlagEphemeral != 0
		i.original = i.postLocked(&message{id: c.s.snowflakeLocked(), channel: i.channel, author: c.s.Bot,
			when: c.s.nowLocked(), flags: FlagLoading}, i.ephemeral)
	case AnswerDeferUpdate:
		i.original = i.source
	case AnswerUpdate:
		if status, answer := checkMessage(data, false); status != 0 {
			return status, answer
		}
		i.original = i.source
		i.updateLocked(i.source, data)
	case AnswerAutocomplete:
		choices, _ := data["choices"].([]any)
		if len(choices) > 25 {
			return invalid("choices: must be 25 or fewer in length")
		}
		for _, each := range choices {
			o, _ := each.(map[string]any)
			name, _ := o["name"].(string)
			value, text := o["value"].(string)
			if n := utf8.RuneCountInString(name); n < 1 || n > 100 || text && utf8.RuneCountInString(value) > 100 {
				return invalid("choices: name and value have 1 to 100 characters")
			}
		}
		i.choices = choices
		if i.choices == nil {
			i.choices = []any{}
		}
	case AnswerForm:
		title, _ := data["title"].(string)
		id, _ := data["custom_id"].(string)
		rows, _ := data["components"].([]any)
		if n := utf8.RuneCountInString(title); n < 1 || n > 45 || id == "" || len(id) > 100 ||
			len(rows) < 1 || len(rows) > 5 {
			return invalid("a form has a title of 1 to 45 characters, a custom_id and 1 to 5 components")
		}
		i.modal = data
	}
	i.answer, i.after = kind, c.s.nowLocked().Sub(i.made)
	if c.query("with_response") != "true" {
		return http.StatusNoContent, nil
	}
	o := obj{"interaction": obj{"id": i.ID, "type": i.kind, "channel_id": i.channel.ID, "guild_id": nil,
		"response_message_ephemeral": i.ephemeral, "response_message_loading": kind == AnswerDefer}}
	if i.channel.Guild != nil {
		o["interaction"].(obj)["guild_id"] = i.channel.Guild.ID
	}
	resource := obj{"type": kind}
	if i.original != nil {
		o["interaction"].(obj)["response_message_id"] = i.original.id
		resource["message"] = i.answerJSON(i.original)
	}
	o["resource"] = resource
	return 200, o
}

// postLocked puts an answer into the channel.
func (i *Interaction) postLocked(m *message, ephemeral bool) *message {
	m.interaction = i
	if ephemeral {
		m.only = i.user
		m.flags |= FlagEphemeral
	}
	i.channel.postLocked(m)
	return m
}

func (i *Interaction) updateLocked(m *message, data obj) {
	m.fill(data)
	m.edited = i.srv.nowLocked()
	m.channel.emitMessageLocked("MESSAGE_UPDATE", m)
}

// answerJSON is a message as the webhook routes show it.
func (i *Interaction) answerJSON(m *message) obj { return m.json() }

// open returns the interaction of the path's token while it can be answered.
func (c *call) open() (*Interaction, int, any) {
	i := c.s.interactions[c.v("token")]
	switch {
	case i == nil || c.v("app") != c.s.AppID:
		status, answer := refuse(404, 10015, "Unknown Webhook")
		return nil, status, answer
	case c.s.nowLocked().Sub(i.made) > tokenLife:
		status, answer := refuse(401, 50027, "Invalid Webhook Token")
		return nil, status, answer
	case i.answer == 0:
		status, answer := refuse(404, 10015, "Unknown Webhook")
		return nil, status, answer
	}
	return i, 0, nil
}

func (c *call) followUp() (int, any) {
	i, status, answer := c.open()
	if i == nil {
		return status, answer
	}
	m, status, answer := c.s.newMessage(c.body, i.channel)
	if m == nil {
		return status, answer
	}
	if i.answer == AnswerDefer && i.original.flags&FlagLoading != 0 && !i.original.deleted {
		// The first one after a defer takes the place of "thinking…", and the visibility that the
		// defer chose.
		i.fillOriginalLocked(c.body)
		return 200, i.answerJSON(i.original)
	}
	ephemeral := number(c.body["flags"])&FlagEphemeral != 0
	i.followups = append(i.followups, i.postLocked(m, ephemeral))
	return 200, i.answerJSON(m)
}

func (i *Interaction) fillOriginalLocked(body obj) {
	i.original.flags &^= FlagLoading
	i.updateLocked(i.original, body)
}

// reply returns the message of the path, which may be "@original".
func (c *call) reply() (*Interaction, *message, int, any) {
	i, status, answer := c.open()
	if i == nil {
		return nil, nil, status, answer
	}
	m := i.original
	if id := c.v("message"); id != "@original" {
		m = nil
		for _, f := range append(slices.Clone(i.followups), i.original) {
			if f != nil && f.id == id {
				m = f
			}
		}
	}
	if m == nil || m.deleted {
		status, answer := refuse(404, 10008, "Unknown Message")
		return nil, nil, status, answer
	}
	return i, m, 0, nil
}

func (c *call) getReply() (int, any) {
	i, m, status, answer := c.reply()
	if m == nil {
		return status, answer
	}
	return 200, i.answerJSON(m)
}

func (c *call) editReply() (int, any) {
	i, m, status, answer := c.reply()
	if m == nil {
		return status, answer
	}
	if status, answer := checkMessage(c.body, m.flags&FlagLoading != 0); status != 0 {
		return status, answer
	}
	if m == i.original && m.flags&FlagLoading != 0 {
		i.fillOriginalLocked(c.body)
	} else {
		i.updateLocked(m, c.body)
	}
	return 200, i.answerJSON(m)
}

func (c *call) deleteReply() (int, any) {
	_, m, status, answer := c.reply()
	if m == nil {
		return status, answer
	}
	m.deleteLocked()
	return http.StatusNoContent, nil
}

// Answered returns the type of the first answer, zero while there is none.
func (i *Interaction) Answered() int {
	return lockedRead(i.srv, func() int { return i.answer })
}

// AnsweredAfter returns how long the first answer took; zero while there is none.
func (i *Interaction) AnsweredAfter() time.Duration {
	return lockedRead(i.srv, func() time.Duration { return i.after })
}

// Ack waits for the first answer and returns its type.
func (i *Interaction) Ack() int {
	i.srv.tb.Helper()
	i.srv.Until("the first answer to "+i.user.Name, func() bool { return i.Answered() != 0 })
	return i.Answered()
}

// Reply waits until the answer is there and not only announced, and returns what the person sees.
func (i *Interaction) Reply() Message {
	i.srv.tb.Helper()
	var m *Message
	i.srv.Until("the answer to "+i.user.Name, func() bool {
		m = i.Replied()
		return m != nil
	})
	return *m
}

// Replied returns the answer that the person sees; nil while there is none, or it is only announced.
func (i *Interaction) Replied() *Message {
	return lockedRead(i.srv, func() *Message {
		if i.original == nil || i.original.flags&FlagLoading != 0 || i.answer == AnswerDeferUpdate &&
			i.original.edited.IsZero() {
			return nil
		}
		m := i.original.seen()
		return &m
	})
}

// Followups waits until there are n followups, and returns what the person sees of them.
func (i *Interaction) Followups(n int) (out []Message) {
	i.srv.tb.Helper()
	i.srv.Until("followups to "+i.user.Name, func() bool {
		return lockedRead(i.srv, func() bool {
			out = nil
			for _, m := range i.followups {
				if !m.deleted {
					out = append(out, m.seen())
				}
			}
			return len(out) >= n
		})
	})
	return out
}

// Choice is a suggestion for an option.
type Choice struct {
	Name  string
	Value any
}

// Choices waits for the suggestions.
func (i *Interaction) Choices() (out []Choice) {
	i.srv.tb.Helper()
	i.srv.Until("suggestions for "+i.user.Name, func() bool { return i.Answered() == AnswerAutocomplete })
	raw, _ := json.Marshal(lockedRead(i.srv, func() any { return i.choices }))
	_ = json.Unmarshal(raw, &out)
	return out
}

// Form is a form that was shown.
type Form struct {
	Title, CustomID string
	Fields          []Field
}

// Field is a line or box to fill in.
type Field struct {
	Label, Detail, CustomID, Placeholder, Value string
	Required, Long                              bool
	// whether it stands in a label, not in a row, which Discord has deprecated
	Labelled bool
}

// Form waits until a form is shown.
func (i *Interaction) Form() (f Form) {
	i.srv.tb.Helper()
	i.srv.Until("a form for "+i.user.Name, func() bool { return i.Answered() == AnswerForm })
	i.srv.mu.Lock()
	defer i.srv.mu.Unlock()
	f.Title, _ = i.modal["title"].(string)
	f.CustomID, _ = i.modal["custom_id"].(string)
	label, detail := "", ""
	eachComponent(i.modal["components"], func(o obj) {
		switch number(o["type"]) {
		case 18:
			label, _ = o["label"].(string)
			detail, _ = o["description"].(string)
		case 4:
			var one struct {
				Label, Placeholder, Value string
				CustomID                  string `json:"custom_id"`
				Required                  *bool
				Style                     int
			}
			raw, _ := json.Marshal(o)
			_ = json.Unmarshal(raw, &one)
			field := Field{Label: one.Label, CustomID: one.CustomID, Placeholder: one.Placeholder, Value: one.Value,
				Required: one.Required == nil || *one.Required, Long: one.Style == 2}
			if label != "" {
				field.Label, field.Detail, field.Labelled = label, detail, true
				label, detail = "", ""
			}
			f.Fields = append(f.Fields, field)
		}
	})
	return f
}

// Again delivers the interaction once more, as a replay after RESUME may.
func (i *Interaction) Again() {
	i.srv.mu.Lock()
	defer i.srv.mu.Unlock()
	i.sendLocked()
}

func lockedRead[T any](s *Server, f func() T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}

// AgainFrom delivers the interaction once more, as if it came from another guild, of which the bot
// may know nothing.
func (i *Interaction) AgainFrom(guild string) {
	i.srv.mu.Lock()
	defer i.srv.mu.Unlock()
	p := maps.Clone(i.payload)
	p["guild_id"] = guild
	i.srv.emitLocked(i.channel.Guild, "INTERACTION_CREATE", p)
}
