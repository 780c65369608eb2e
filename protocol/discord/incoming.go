package discord

import (
	"regexp"
	"strings"
	"unicode"

	"moot/protocol"
)

// mentionOf is the mention of a person in the text of a message.
func mentionOf(user string) string { return protocol.MentionToken(userID(user)) }

// readContent turns Discord's mentions of people into ours, and takes off that of the bot at the beginning: its own or
// that of its role, which has its name and stands beside it in Discord's list. A zero id is mentioned by nothing.
func readContent(content, bot, role string) (text string, addressed bool) {
	content = strings.ToValidUTF8(content, "\uFFFD")
	trimmed := strings.TrimLeftFunc(content, unicode.IsSpace)
	for _, mark := range [][2]string{{"<@", bot}, {"<@!", bot}, {"<@&", role}} {
		if rest, ok := strings.CutPrefix(trimmed, mark[0]+mark[1]+">"); ok && mark[1] != "" {
			content, addressed = strings.TrimLeft(strings.TrimLeftFunc(rest, unicode.IsSpace), ",:，：、 \u3000"), true
			break
		}
	}
	if !strings.Contains(content, "<@") {
		return content, addressed
	}
	var b strings.Builder
	for {
		at := strings.Index(content, "<@")
		if at < 0 {
			break
		}
		b.WriteString(content[:at])
		content = content[at:]
		end := strings.IndexByte(content, '>')
		if end < 0 {
			break
		}
		id := strings.TrimPrefix(content[2:end], "!")
		if !isSnowflake(id) {
			b.WriteString("<@") // of a role, or no mention at all
			content = content[2:]
			continue
		}
		b.WriteString(mentionOf(id))
		content = content[end+1:]
	}
	b.WriteString(content)
	return b.String(), addressed
}

// picked is what stands in a text for a channel, a role or an emoji (developer documentation, "Message Formatting").
var picked = regexp.MustCompile(`<(#|@&)([0-9]{1,20})>|<a?(:[0-9A-Za-z_]{1,32}:)[0-9]{1,20}>`)

// readable writes the channels, roles and emoji in a text by their names. What the guild does not have stays as it is.
func (g *guild) readable(text string) string {
	return picked.ReplaceAllStringFunc(text, func(mark string) string {
		part := picked.FindStringSubmatch(mark)
		c, r := g.channels[part[2]], g.roles[part[2]]
		switch {
		case part[3] != "":
			return part[3]
		case part[1] == "#" && c.name != "":
			return "#" + c.name
		case part[1] == "@&" && r.name != "":
			return "@" + strings.TrimPrefix(r.name, "@")
		}
		return mark
	})
}

// The types of messages that people write (developer documentation, "Message Types"). All others are notices of Discord.
const (
	messageDefault = 0
	messageReply   = 19
)

// messageEvent makes the event of a message; ok is false for what is none.
func messageEvent(m message, bot string, backlog bool) (ev protocol.Event, ok bool) {
	if !isSnowflake(m.ID) || !isSnowflake(m.Channel) || m.Guild != "" && !isSnowflake(m.Guild) {
		return ev, false
	}
	ev = protocol.Event{
		Room: roomOf(m.Guild, m.Channel), Place: placeOf(m.Guild, m.Channel), Private: m.Guild == "",
		ID: messageID(m.Channel, m.ID), Time: timeOf(m.ID), Backlog: backlog,
	}
	if m.Author != nil && isSnowflake(m.Author.ID) {
		ev.Sender = userID(m.Author.ID)
	}
	if m.Author != nil && m.Author.ID == bot {
		if key, ok := keyOf(nonceOf(m.Nonce)); ok {
			ev.Body = protocol.Receipt{Key: key}
			return ev, true
		}
	}
	body := protocol.Message{Bot: m.Author == nil || m.Author.Bot || m.Author.System || m.Webhook != "" || m.Type != messageDefault && m.Type != messageReply}
	body.Text, body.Addressed = readContent(m.Content, bot, m.role)
	if r := m.Reference; r != nil && m.Type == messageReply && isSnowflake(r.Message) && isSnowflake(r.Channel) {
		body.ReplyTo = messageID(r.Channel, r.Message)
	}
	ev.Body = body
	return ev, true
}

// editEvent makes the event of a change of a message. Discord also tells of changes that nobody made, as of a preview
// that it has added to a link; those have no time.
func editEvent(m message, bot string) (ev protocol.Event, ok bool) {
	if m.Edited == nil {
		return ev, false
	}
	at := isoTime(*m.Edited)
	ev, ok = messageEvent(m, bot, false)
	if !ok || at.IsZero() {
		return ev, false
	}
	target := ev.ID
	ev.ID, ev.Time = protocol.EventID("edit-"+string(target)+"-"+stamp(at)), at
	edit := protocol.Edit{Target: target, Bot: m.Author != nil && (m.Author.Bot || m.Author.ID == bot) || m.Webhook != ""}
	edit.Text, _ = readContent(m.Content, bot, m.role)
	ev.Body = edit
	return ev, true
}

// deletionEvents makes the events of messages that were deleted.
func deletionEvents(d deletion) (evs []protocol.Event) {
	if !isSnowflake(d.Channel) || d.Guild != "" && !isSnowflake(d.Guild) {
		return nil
	}
	for _, id := range append([]string{d.ID}, d.IDs...) {
		if !isSnowflake(id) {
			continue
		}
		target := messageID(d.Channel, id)
		evs = append(evs, protocol.Event{
			Room: roomOf(d.Guild, d.Channel), Place: placeOf(d.Guild, d.Channel), Private: d.Guild == "",
			ID: "deletion-" + target, Body: protocol.Deletion{Target: target},
		})
	}
	return evs
}

func roomOf(guild, channel string) protocol.RoomID {
	if guild == "" {
		return directRoom(channel)
	}
	return guildRoom(guild)
}

func placeOf(guild, channel string) protocol.PlaceID {
	if guild == "" {
		return ""
	}
	return protocol.PlaceID(channel)
}
