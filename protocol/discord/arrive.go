package discord

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/bwmarrin/discordgo"

	"moot/protocol"
	"moot/protocol/discord/gateway"
)

// arrive takes in one event of the gateway. It is called in the order of each shard, and only waits where there is too much
// to do already. Its error ends the run; an event that cannot be read is none.
func (a *Adapter) arrive(ctx context.Context, e gateway.Event) error {
	delivery := deliveryOf(e.Session, e.Seq)
	switch data := e.Data.(type) {
	case *discordgo.GuildMemberAdd:
		return a.onMember(ctx, guildIn(data.Member), data.Member, e.Type, delivery)
	case *discordgo.GuildMemberUpdate:
		return a.onMember(ctx, guildIn(data.Member), data.Member, e.Type, delivery)
	case *discordgo.GuildMemberRemove:
		return a.onMember(ctx, guildIn(data.Member), data.Member, e.Type, delivery)
	case *discordgo.GuildMembersChunk:
		a.chunks.take(data, func(m *discordgo.Member) protocol.Member { return a.member(data.GuildID, m) })
		return nil
	case *discordgo.VoiceStateUpdate:
		if data.VoiceState == nil {
			return a.unreadable(ctx, e.Type, delivery)
		}
		return a.onVoice(ctx, data.VoiceState, delivery)
	case *discordgo.Ready:
		return a.onReady(ctx, e, data)
	case *discordgo.GuildCreate:
		return a.onGuild(ctx, e, data.Guild, delivery)
	case *discordgo.GuildUpdate:
		return a.onGuildUpdate(ctx, data.Guild, delivery)
	case *discordgo.GuildDelete:
		return a.onGuildGone(ctx, data.Guild, delivery)
	case *discordgo.GuildBanAdd:
		return a.onBan(ctx, data, delivery)
	case *discordgo.GuildRoleCreate:
		return a.onRole(ctx, roleIn(data.GuildRole), delivery)
	case *discordgo.GuildRoleUpdate:
		return a.onRole(ctx, roleIn(data.GuildRole), delivery)
	case *discordgo.GuildRoleDelete:
		return a.onRoleGone(ctx, data.GuildID, data.RoleID, delivery)
	case *discordgo.ChannelCreate:
		return a.onChannel(data.Channel)
	case *discordgo.ChannelUpdate:
		return a.onChannel(data.Channel)
	case *discordgo.ThreadCreate:
		return a.onChannel(data.Channel)
	case *discordgo.ThreadUpdate:
		return a.onChannel(data.Channel)
	case *discordgo.ChannelDelete:
		return a.onChannelGone(data.Channel)
	case *discordgo.ThreadDelete:
		return a.onChannelGone(data.Channel)
	}
	return a.arriveRaw(ctx, e, delivery)
}

// arriveRaw takes in the events that are read by types of our own.
func (a *Adapter) arriveRaw(ctx context.Context, e gateway.Event, delivery string) error {
	switch e.Type {
	case gateway.Disconnected:
		a.offline(e)
		return nil
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
		a.saw(e.Shard, i.ID)
		return a.onInteraction(ctx, &i, delivery)
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
		for _, ev := range deletionEvents(d) {
			if err := a.lanes.put(ctx, work{room: ev.Room, make: just(ev)}); err != nil {
				return err
			}
		}
		return nil
	}
	if !strings.HasPrefix(e.Type, "MESSAGE_REACTION_") {
		return nil // of no concern to the bot
	}
	var r reaction
	if json.Unmarshal(e.Raw, &r) != nil {
		return a.unreadable(ctx, e.Type, delivery)
	}
	switch e.Type {
	case "MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE":
		return a.onReaction(ctx, r, e.Type == "MESSAGE_REACTION_ADD", delivery)
	case "MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_REACTION_REMOVE_EMOJI":
		return a.onReactionsGone(ctx, r, delivery)
	}
	return nil
}

// onMessage takes in a message, or a change of one.
func (a *Adapter) onMessage(ctx context.Context, e gateway.Event, m message, delivery string) error {
	var ev protocol.Event
	var ok bool
	if e.Type == "MESSAGE_CREATE" {
		a.saw(e.Shard, m.ID)
		if ev, ok = messageEvent(m, a.self(), false); !ok {
			return a.unreadable(ctx, e.Type, delivery)
		}
	} else if ev, ok = editEvent(m, a.self()); !ok {
		return nil // nobody has changed it
	}
	ev.Hidden = a.guilds.hidden(m.Guild, m.Channel)
	w := work{room: ev.Room, make: just(ev)}
	if e.Type == "MESSAGE_CREATE" {
		w.at = m.ID
	}
	if ev.Private {
		// Only the store knows whether the conversation is new to it.
		w.about = everyState
		w.make = func(context.Context) []protocol.Event { return append(a.meet(ev), ev) }
	}
	return a.lanes.put(ctx, w)
}

// meet makes the event by which the bot enters a private conversation that is new to it.
func (a *Adapter) meet(ev protocol.Event) []protocol.Event {
	if a.cfg.State.Room(ev.Room).Joined {
		return nil
	}
	self := userID(a.self())
	return []protocol.Event{{
		Room: ev.Room, ID: "own-join", Sender: self, Private: true, Backlog: ev.Backlog,
		Body: protocol.MemberChange{User: self, Self: true, Bot: true, Membership: protocol.Joined},
	}}
}

func just(ev protocol.Event) func(context.Context) []protocol.Event {
	return func(context.Context) []protocol.Event { return []protocol.Event{ev} }
}

func guildIn(m *discordgo.Member) string {
	if m == nil {
		return ""
	}
	return m.GuildID
}

func roleIn(r *discordgo.GuildRole) *discordgo.GuildRole {
	if r == nil || r.Role == nil {
		return nil
	}
	return r
}
