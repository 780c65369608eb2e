// Package discord lets the whole bot, as it is shipped, answer interactions at a Discord that
// others have written: discord-digital-twin, an experimental double that knows the life cycle of
// interactions and refuses what Discord refuses (10062, 40060). It is a witness of what moot's own
// double, protocol/discord/discordtest, might have wrong.
//
// The twin has no RESUME, no private conversations and no moderation; those are tested against
// moot's own.
package discord

import (
	"testing"

	"moot/e2e/node"
)

// Twin is the double, running in a process of Node.js.
type Twin struct {
	API, Token, Guild, Channel string
	Port                       int
	Users                      map[string]string // name → id

	script *node.Script
}

// Interaction is one that somebody has begun.
type Interaction struct{ ID, Token string }

// Answer is the first answer to an interaction.
type Answer struct {
	Type    int
	Message string // id, where there is one
	Data    struct {
		Content    string
		Flags      int
		Title      string
		CustomID   string `json:"custom_id"`
		Choices    []struct{ Name, Value string }
		Components []Component
	}
}

// Message is a message as the twin has it.
type Message struct {
	ID, Content string
	Flags       int
	Components  []Component
}

// Component is a row, or what is in one.
type Component struct {
	Type       int
	Label      string
	CustomID   string `json:"custom_id"`
	Options    []struct{ Label, Value string }
	Components []Component
	Component  *Component
}

// All returns the component and all within it.
func All(list []Component) (out []Component) {
	for _, c := range list {
		out = append(out, c)
		out = append(out, All(c.Components)...)
		if c.Component != nil {
			out = append(out, All([]Component{*c.Component})...)
		}
	}
	return out
}

// New starts a twin with a guild, a channel, and the people Ann, Ben, Cem, Dan and Eve. It ends
// with the test.
func New(t testing.TB) *Twin {
	t.Helper()
	w := &Twin{script: node.Start(t, "discord/js/twin.mjs")}
	w.script.Do("start", nil, w)
	return w
}

// Commands waits until the bot has registered its commands, and returns their names.
func (w *Twin) Commands() (names []string) { w.script.Do("commands", nil, &names); return names }

// interact begins an interaction and waits for its first answer.
func (w *Twin) interact(act string, with map[string]any) (Interaction, Answer) {
	var i Interaction
	w.script.Do(act, with, &i)
	var a Answer
	w.script.Do("answer", map[string]any{"id": i.ID}, &a)
	return i, a
}

// Saying waits for a message with the text.
func (w *Twin) Saying(text string) (m Message) {
	w.script.Do("message", map[string]any{"text": text}, &m)
	return m
}

// FollowUps waits until an interaction is followed up by a further answer, and returns those.
func (w *Twin) FollowUps(i Interaction) (list []Message) {
	w.script.Do("followUps", map[string]any{"id": i.ID}, &list)
	return list
}
