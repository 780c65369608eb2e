package discord

import (
	"context"
	"encoding/json"

	"github.com/bwmarrin/discordgo"

	"moot/protocol"
	"moot/protocol/discord/gateway"
)

// arrive takes in one event of the gateway. It is called in the order of each shard, and only waits
// where there is too much to do already. Its error ends the run; an event that cannot be read is
// none.
func (a *Adapter) arrive(ctx context.Context, e gateway.Event) (err error) {
	if e.Type == gateway.Disconnected {
		a.offline(e)
		return nil
	}
	if e.Type == "READY" {
		if r := read[discordgo.Ready](e); r.User != nil && isSnowflake(r.User.ID) {
			a.begin(e, r)
			a.jobs.Go(a.beginning(a.progressOf(e.Shard)))
		}
	}
	if p := a.progressOf(e.Shard); p != nil {
		l := p.arrived(e.Seq)
		ctx = withPlace(ctx, l)
		defer func() {
			if err == nil { // or it panics, which costs this event
				l.done()
			}
		}()
	}
	return a.take(ctx, e, deliveryOf(e.Session, e.Seq))
}

// take takes in one event whose place the context holds.
func (a *Adapter) take(ctx context.Context, e gateway.Event, delivery string) error {
	switch e.Type {
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE":
		m := read[discordgo.Member](e)
		return a.onMember(ctx, m.GuildID, m, e.Type, delivery)
	case "GUILD_MEMBERS_CHUNK":
		chunk := read[discordgo.GuildMembersChunk](e)
		a.chunks.take(chunk, func(m *discordgo.Member) protocol.Member { return a.member(chunk.GuildID, m) })
		return nil
	case "VOICE_STATE_UPDATE":
		return a.onVoice(ctx, read[discordgo.VoiceState](e), delivery)
	case "READY":
		return a.onReady(ctx, e)
	case "GUILD_CREATE":
		return a.onGuild(ctx, e, read[discordgo.Guild](e), delivery)
	case "GUILD_UPDATE":
		return a.onGuildUpdate(ctx, read[discordgo.Guild](e), delivery)
	case "GUILD_DELETE":
		return a.onGuildGone(ctx, read[discordgo.Guild](e), delivery)
	case "GUILD_BAN_ADD":
		return a.onBan(ctx, read[discordgo.GuildBanAdd](e), delivery)
	case "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE":
		return a.onRole(ctx, read[discordgo.GuildRole](e), delivery)
	case "GUILD_ROLE_DELETE":
		r := read[discordgo.GuildRoleDelete](e)
		return a.onRoleGone(ctx, r.GuildID, r.RoleID, delivery)
	case "CHANNEL_CREATE", "CHANNEL_UPDATE", "THREAD_CREATE", "THREAD_UPDATE":
		a.onChannel(ctx, read[discordgo.Channel](e))
		return nil
	case "CHANNEL_DELETE", "THREAD_DELETE":
		a.onChannelGone(ctx, read[discordgo.Channel](e))
		return nil
	case "THREAD_LIST_SYNC":
		a.onThreads(ctx, read[discordgo.ThreadListSync](e))
		return nil
	}
	return a.arriveRaw(ctx, e, delivery)
}

// read decodes an event into a type of discordgo. Where one field has a type that it does not
// expect, only that field is missing.
func read[T any](e gateway.Event) *T {
	v := new(T)
	_ = json.Unmarshal(e.Raw, v) // it is JSON, or would not have come
	return v
}

// arriveRaw takes in the events that are read by types of our own.
func (a *Adapter) arriveRaw(ctx context.Context, e gateway.Event, delivery string) error {
	switch e.Type {
	case "RESUMED":
		a.online(e.Shard)
		return nil
	case "RATE_LIMITED":
		a.chunks.limited(e.Raw)
		return nil
	case "INTERACTION_CREATE":
		var i interaction
		if json.Unmarshal(e.Raw, &i) != nil {
			return a.unreadable(ctx, e.Type, delivery)
		}
		placeIn(ctx).brings(i.ID)
		return a.onInteraction(ctx, &i, e.Replayed, delivery)
	case "MESSAGE_CREATE", "MESSAGE_UPDATE":
		var m message
		if json.Unmarshal(e.Raw, &m) != nil {
			return a.unreadable(ctx, e.Type, delivery)
		}
		return a.onMessage(ctx, e, m, delivery)
	case "MESSAGE_DELETE", "MESSAGE_DELETE_BULK":
		var d deletion
		if json.Unmarshal(e.Raw, &d) != nil {
			return a.unreadable(ctx, e.Type, delivery)
		}
		evs := deletionEvents(d)
		if len(evs) == 0 {
			return nil
		}
		return a.lanes.put(ctx, work{room: evs[0].Room, make: just(evs...)})
	}
	if e.Type != "MESSAGE_REACTION_ADD" {
		return nil // of no concern to the bot
	}
	var r reaction
	if json.Unmarshal(e.Raw, &r) != nil {
		return a.unreadable(ctx, e.Type, delivery)
	}
	return a.onReaction(ctx, r, delivery)
}

// onMessage takes in a message, or a change of one.
func (a *Adapter) onMessage(ctx context.Context, e gateway.Event, m message, delivery string) error {
	m.role = a.guilds.ownRole(m.Guild)
	var ev protocol.Event
	var ok bool
	if e.Type == "MESSAGE_CREATE" {
		placeIn(ctx).brings(m.ID)
		if ev, ok = messageEvent(m, a.self(), e.Replayed); !ok {
			return a.unreadable(ctx, e.Type, delivery)
		}
	} else if ev, ok = editEvent(m, a.self()); !ok {
		return nil // nobody has changed it
	}
	ev.Hidden = a.guilds.hidden(m.Guild, m.Channel)
	ev.Mute = m.Guild != "" && a.may(target{channel: m.Channel, guild: m.Guild}, mayView|maySend) != nil
	a.aged(&ev)
	w := work{room: ev.Room, make: just(ev)}
	if ev.Private {
		// Only the store knows whether the conversation is new to it.
		w.about = everyState
		w.make = func(context.Context) []protocol.Event { return append(a.enters(ev), ev) }
	}
	return a.lanes.put(ctx, w)
}

// aged says how old something is that was caught up: by Discord's clock, whatever that of the machine
// says.
func (a *Adapter) aged(ev *protocol.Event) {
	if ev.Backlog && !ev.Time.IsZero() {
		ev.Age = max(a.rest.Now().Sub(ev.Time), 1)
	}
}

// enters makes the event by which the bot enters a private conversation that is new to it.
func (a *Adapter) enters(ev protocol.Event) []protocol.Event {
	if a.cfg.State.Room(ev.Room).Joined {
		return nil
	}
	self := userID(a.self())
	return []protocol.Event{{
		Room: ev.Room, ID: "own-join", Sender: self, Private: true, Backlog: ev.Backlog,
		Body: protocol.MemberChange{User: self, Self: true, Bot: true, Membership: protocol.Joined},
	}}
}

func just(evs ...protocol.Event) func(context.Context) []protocol.Event {
	return func(context.Context) []protocol.Event { return evs }
}
