package matrix

import (
	"context"
	"slices"

	"maunium.net/go/mautrix/event"

	"moot/protocol"
)

// Polls (MSC3381). The stable names are for rooms with extensible events, of which there are none yet: programs send the
// unstable ones, and show both. So the bot sends these, and reads both.
var (
	stablePollStart    = event.Type{Type: "m.poll.start", Class: event.MessageEventType}
	stablePollResponse = event.Type{Type: "m.poll.response", Class: event.MessageEventType}
	stablePollEnd      = event.Type{Type: "m.poll.end", Class: event.MessageEventType}
)

// extensibleText holds a text in what is written after an early draft of MSC1767, as the unstable polls are.
const extensibleText = "org.matrix.msc1767.text"

// startPoll posts a poll.
func (r *run) startPoll(ctx context.Context, room protocol.RoomID, key protocol.Key, place protocol.PlaceID, poll protocol.StartPoll) (protocol.Ref, error) {
	if err := poll.Check(); err != nil {
		return protocol.Ref{}, final("%w", err)
	}
	content := pollContent(poll)
	relate(content, place, "")
	return r.put(ctx, room, event.EventUnstablePollStart, string(key), content)
}

// endPoll ends a poll of the bot.
func (r *run) endPoll(ctx context.Context, room protocol.RoomID, key protocol.Key, text protocol.Text, poll protocol.EventID) (protocol.Ref, error) {
	if poll == "" {
		return protocol.Ref{}, final("%w: the poll to be ended", protocol.ErrGone)
	}
	return r.put(ctx, room, event.EventUnstablePollEnd, string(key), pollEndContent(text, poll))
}

// pollContent is the content of a poll. Its text is for programs that show no polls but know what an extensible event is.
func pollContent(poll protocol.StartPoll) map[string]any {
	kind := "org.matrix.msc3381.poll.undisclosed"
	if poll.Disclosed {
		kind = "org.matrix.msc3381.poll.disclosed"
	}
	text, answers := poll.Question, []map[string]any{}
	for _, o := range poll.Options {
		answers = append(answers, map[string]any{"id": o.Value, extensibleText: o.Label})
		text += "\n• " + o.Label
	}
	return map[string]any{
		event.EventUnstablePollStart.Type: map[string]any{
			"kind": kind, "max_selections": max(poll.Most, 1),
			"question": map[string]any{extensibleText: poll.Question}, "answers": answers,
		},
		extensibleText: text, "m.mentions": map[string]any{},
	}
}

// pollEndContent is the content of the end of a poll.
func pollEndContent(t protocol.Text, poll protocol.EventID) map[string]any {
	return map[string]any{
		event.EventUnstablePollEnd.Type: map[string]any{},
		extensibleText:                  shortened(t, maxPart/2).Plain(), "m.mentions": map[string]any{},
		"m.relates_to": map[string]any{"rel_type": "m.reference", "event_id": string(poll)},
	}
}

// pollEvent reads an event of a poll: the bot's own as what it has sent, and of others only what they choose.
func (r reader) pollEvent(ev *rawEvent) protocol.Body {
	c, ok := readMessage(ev.Content)
	if !ok {
		return r.malformed(ev, "it has no content")
	}
	if own, is := r.receipt(ev, c); is {
		return own
	}
	switch string(ev.Type) {
	case event.EventUnstablePollResponse.Type, stablePollResponse.Type:
	default:
		return protocol.Other{Kind: string(ev.Type)} // a poll of somebody else, or its end
	}
	if c.relates.Kind != "m.reference" || protocol.CheckID(string(c.relates.Event)) != nil {
		return r.malformed(ev, "it does not say to which poll it answers")
	}
	return protocol.PollResponse{Target: protocol.EventID(c.relates.Event), Answers: answersIn(ev.Content)}
}

// answersIn returns what a response to a poll chooses, by whichever of the names it goes. More than a poll can offer is cut off.
func answersIn(content object) []string {
	var c struct {
		Unstable   object `json:"org.matrix.msc3381.poll.response"`
		Draft      object `json:"m.poll.response"` // as matrix-js-sdk reads the stable event
		Selections words  `json:"m.selections"`
	}
	into(content, &c)
	all := c.Selections
	for _, o := range []object{c.Draft, c.Unstable} {
		var given struct {
			Answers words `json:"answers"`
		}
		if into(o, &given) {
			all = given.Answers
		}
	}
	answers := slices.Clone([]string(all[:min(len(all), protocol.MaxPollOptions)]))
	for i, a := range answers {
		answers[i] = protocol.Shorten(a, protocol.MaxOptionText)
	}
	return answers
}
