package matrix

import (
	"strings"

	"maunium.net/go/mautrix/event"

	"moot/protocol"
)

// messageContent is what is read of m.room.message, m.sticker and m.reaction.
type messageContent struct {
	Kind     word   `json:"msgtype"`
	Body     word   `json:"body"`
	Format   word   `json:"format"`
	HTML     word   `json:"formatted_body"`
	Key      word   `json:"org.moot.key"`
	Parts    words  `json:"org.moot.parts"`
	New      object `json:"m.new_content"`
	Mentions struct {
		Users words `json:"user_ids"`
	} `json:"-"`
	MentionsRaw object `json:"m.mentions"`
	RelatesRaw  object `json:"m.relates_to"`
	Command     struct {
		Command word `json:"command"`
	} `json:"org.matrix.msc4391.command"`
	relates relation
}

// relation is m.relates_to.
type relation struct {
	Kind     word   `json:"rel_type"`
	Event    word   `json:"event_id"`
	Key      word   `json:"key"` // of a reaction
	FallBack yes    `json:"is_falling_back"`
	ReplyRaw object `json:"m.in_reply_to"`
	replyTo  string
}

func readMessage(content object) (c messageContent, ok bool) {
	ok = into(content, &c)
	into(c.MentionsRaw, &c.Mentions)
	into(c.RelatesRaw, &c.relates)
	var reply struct {
		Event word `json:"event_id"`
	}
	into(c.relates.ReplyRaw, &reply)
	c.relates.replyTo = string(reply.Event)
	return c, ok
}

// message reads an event that is no state.
func (r reader) message(ev *rawEvent) (body protocol.Body, at protocol.PlaceID) {
	switch string(ev.Type) {
	case event.EventMessage.Type, event.EventReaction.Type, event.EventSticker.Type:
	case event.EventUnstablePollStart.Type, event.EventUnstablePollResponse.Type, event.EventUnstablePollEnd.Type,
		stablePollStart.Type, stablePollResponse.Type, stablePollEnd.Type:
		return r.pollEvent(ev), ""
	case event.EventEncrypted.Type:
		// It was not opened because it is history.
		return protocol.Other{Kind: event.EventEncrypted.Type}, ""
	case "":
		return r.malformed(ev, "it has no type"), ""
	default:
		return protocol.Other{Kind: bounded(string(ev.Type))}, ""
	}
	c, ok := readMessage(ev.Content)
	if !ok {
		return r.malformed(ev, "it has no content"), ""
	}
	if own, is := r.receipt(ev, c); is {
		return own, ""
	}
	if string(ev.Type) == event.EventReaction.Type {
		return r.reaction(ev, c.relates), ""
	}
	bot := string(ev.Sender) == string(r.self) || c.Kind == "m.notice"
	rel := c.relates
	if rel.Kind == "m.replace" {
		if protocol.CheckID(string(rel.Event)) != nil {
			return r.malformed(ev, "it does not say what it replaces"), ""
		}
		fresh, ok := readMessage(c.New)
		if !ok {
			fresh = c
		}
		return protocol.Edit{Target: protocol.EventID(rel.Event), Text: r.text(fresh, false), Bot: bot || fresh.Kind == "m.notice"}, ""
	}
	if rel.Kind == "m.thread" && protocol.CheckID(string(rel.Event)) == nil {
		at = protocol.PlaceID(rel.Event)
	}
	if c.Kind == "" && string(ev.Type) == event.EventMessage.Type {
		return r.malformed(ev, "it is a message of no kind"), ""
	}
	m := protocol.Message{Bot: bot, Emote: c.Kind == "m.emote"}
	if protocol.CheckID(rel.replyTo) == nil && !(at != "" && bool(rel.FallBack)) {
		m.ReplyTo = protocol.EventID(rel.replyTo)
	}
	text := r.text(c, rel.replyTo != "")
	if m.Text, m.Addressed = r.described(c, text); !m.Addressed {
		m.Text, m.Addressed = r.addressed(text, c.Mentions.Users)
	}
	return m, at
}

// receipt reads something that the bot itself has sent, and reports whether it has.
func (r reader) receipt(ev *rawEvent, c messageContent) (protocol.Body, bool) {
	key, part := r.ownKey(ev, string(c.Key))
	if i, n, many := strings.Cut(part, "-"); many && i != n {
		return protocol.Other{Kind: "a part of a message of the bot"}, true
	}
	own := protocol.Receipt{Key: key}
	if len(c.Parts) > 0 {
		parts := make([]protocol.EventID, 0, len(c.Parts)+1)
		for _, p := range append(c.Parts, string(ev.ID)) {
			if protocol.CheckID(p) != nil {
				return own, key != ""
			}
			parts = append(parts, protocol.EventID(p))
		}
		own.Message = protocol.PartsRef(r.room, parts...)
	}
	return own, key != ""
}

func (r reader) reaction(ev *rawEvent, rel relation) protocol.Body {
	switch {
	case rel.Kind != "m.annotation" || protocol.CheckID(string(rel.Event)) != nil:
		return r.malformed(ev, "it does not say to what it reacts")
	case rel.Key == "":
		return r.malformed(ev, "it says nothing")
	}
	return protocol.ReactionAdded{
		Target: protocol.EventID(rel.Event), Reaction: protocol.Shorten(string(rel.Key), maxReaction), Bot: string(ev.Sender) == string(r.self),
	}
}

// maxReaction is how many characters of a reaction are kept. The longest emoji has 10.
const maxReaction = 100

// maxText is how many bytes of a text are kept. A whole event has at most 64 KiB (Client-Server API, section "Size limits").
const maxText = 64 << 10

// text returns the text of a message with mention tokens in it. Images and the like say nothing. Of a reply the words that
// it quotes are taken off.
func (r reader) text(c messageContent, reply bool) string {
	switch c.Kind {
	case "m.text", "m.notice", "m.emote":
	default:
		return ""
	}
	body := string(c.Body)
	if len(body) > maxText {
		body = strings.ToValidUTF8(body[:maxText], "")
	}
	if string(c.Format) == string(event.FormatHTML) && len(c.HTML) <= maxText && mayMention(string(c.HTML)) {
		return mentionLinks(plainOf(string(c.HTML)))
	}
	if reply {
		body = withoutQuote(body)
	}
	return mentionIDs(mentionLinks(body), c.Mentions.Users)
}

// withoutQuote takes off the lines that older clients put before a reply (Client-Server API, "Rich replies").
func withoutQuote(body string) string {
	if !strings.HasPrefix(body, "> ") {
		return body
	}
	rest := body
	for strings.HasPrefix(rest, "> ") || strings.HasPrefix(rest, ">\n") {
		_, after, more := strings.Cut(rest, "\n")
		if !more {
			return body // all of it is a quote of their own
		}
		rest = after
	}
	return strings.TrimPrefix(rest, "\n")
}
