package discord

import (
	"context"
	"net/http"
	"net/url"

	"moot/protocol"
	"moot/protocol/discord/rest"
)

// onReaction takes in a reaction that was added or taken away.
func (a *Adapter) onReaction(ctx context.Context, r reaction, added bool, delivery string) error {
	name := r.Emoji.String()
	if !isSnowflake(r.User) || !isSnowflake(r.Channel) || !isSnowflake(r.Message) || r.Guild != "" && !isSnowflake(r.Guild) || name == "" {
		return a.unreadable(ctx, "MESSAGE_REACTION", delivery)
	}
	target := messageID(r.Channel, r.Message)
	about := "reaction-" + r.User + "-" + r.Message + "-" + name
	return a.lanes.put(ctx, work{room: roomOf(r.Guild, r.Channel), about: about, make: func(context.Context) []protocol.Event {
		ev := protocol.Event{
			Room: roomOf(r.Guild, r.Channel), Place: placeOf(r.Guild, r.Channel), Private: r.Guild == "", Hidden: a.guilds.hidden(r.Guild, r.Channel),
			ID: protocol.EventID("reaction-" + delivery), Sender: userID(r.User),
		}
		if stands, tracked := a.cfg.State.Reacted(ev.Room, target, ev.Sender, name); tracked && stands == added {
			return nil
		}
		bot := r.User == a.self() || r.Member != nil && r.Member.User != nil && r.Member.User.Bot
		if ev.Body = protocol.ReactionRemoved(protocol.ReactionAdded{Target: target, Reaction: name, Bot: bot}); added {
			ev.Body = protocol.ReactionAdded{Target: target, Reaction: name, Bot: bot}
		}
		return []protocol.Event{ev}
	}})
}

// onReactionsGone takes in that reactions of all people were taken away at once. What stands is then read.
func (a *Adapter) onReactionsGone(ctx context.Context, r reaction, delivery string) error {
	if !isSnowflake(r.Channel) || !isSnowflake(r.Message) || r.Guild != "" && !isSnowflake(r.Guild) {
		return a.unreadable(ctx, "MESSAGE_REACTION_REMOVE_ALL", delivery)
	}
	return a.lanes.put(ctx, work{room: roomOf(r.Guild, r.Channel), about: everyState, make: func(ctx context.Context) []protocol.Event {
		set, err := a.reactions(ctx, r.Channel, r.Message)
		if err != nil {
			a.log.Warn("discord: reactions could not be read after some were taken away", "room", roomOf(r.Guild, r.Channel), "err", err)
			return nil // a vote reads them once more before it closes
		}
		return []protocol.Event{{
			Room: roomOf(r.Guild, r.Channel), Place: placeOf(r.Guild, r.Channel), Private: r.Guild == "",
			ID: protocol.EventID("reactions-" + delivery), Body: set,
		}}
	}})
}

// reactions reads all the reactions to a message.
func (a *Adapter) reactions(ctx context.Context, channel, id string) (protocol.ReactionSet, error) {
	set := protocol.ReactionSet{Target: messageID(channel, id)}
	at := "/channels/" + channel + "/messages/" + id
	var m message
	if err := a.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: at, Into: &m}); err != nil {
		return set, err
	}
	for _, t := range m.Reactions {
		if t.Emoji.String() == "" {
			continue
		}
		for after := ""; ; {
			var page []account
			q := url.Values{"limit": {"100"}}
			if after != "" {
				q.Set("after", after)
			}
			err := a.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: at + "/reactions/" + emojiPath(t.Emoji.String()), Query: q, Into: &page})
			if err != nil {
				return set, err
			}
			for _, u := range page {
				if isSnowflake(u.ID) {
					set.Reactions = append(set.Reactions, protocol.Reaction{User: userID(u.ID), Reaction: t.Emoji.String(), Bot: u.Bot || u.ID == a.self()})
				}
			}
			if len(page) < 100 || page[99].ID == after {
				break
			}
			after = page[99].ID
		}
	}
	return set, nil
}

// emojiPath writes an emoji, or name:id, for a path.
func emojiPath(e string) string { return url.PathEscape(e) }
