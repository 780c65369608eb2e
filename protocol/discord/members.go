package discord

import (
	"context"
	"fmt"
	"slices"

	"github.com/bwmarrin/discordgo"

	"moot/protocol"
)

// nameOf is what a member is called in a guild.
func nameOf(m *discordgo.Member) string {
	switch {
	case m.Nick != "":
		return m.Nick
	case m.User.GlobalName != "":
		return m.User.GlobalName
	}
	return m.User.Username
}

// sound reports whether a member has what makes one.
func sound(m *discordgo.Member) bool { return m != nil && m.User != nil && isSnowflake(m.User.ID) }

// guest is the flag of a member who was let into one voice channel only.
// https://discord.com/developers/docs/resources/guild#guild-member-object-guild-member-flags
const guest = 1 << 4

// counts reports whether somebody takes part in a guild: who has not accepted its rules yet, where
// it asks for that, can neither write nor vote there, and a guest comes for one call.
func counts(m *discordgo.Member) bool { return !m.Pending && m.Flags&guest == 0 }

// powerOf is what a member may do in a guild; unknown where the guild is.
func (a *Adapter) powerOf(guildID string, m *discordgo.Member) (p protocol.Power) {
	a.guilds.with(guildID, func(g *guild) {
		if p = protocol.PowerMember; g.moderator(m.User.ID, m.Roles) {
			p = protocol.PowerModerator
		}
	})
	return p
}

// member makes an entry of a list.
func (a *Adapter) member(guildID string, m *discordgo.Member) protocol.Member {
	return protocol.Member{
		User: userID(m.User.ID), Name: nameOf(m), Bot: m.User.Bot, Self: m.User.ID == a.self(),
		Power: a.powerOf(guildID, m), Since: m.JoinedAt.UTC(),
	}
}

// joins makes the event of somebody who has come to a guild, if that is new.
func (a *Adapter) joins(guildID string, m *discordgo.Member) []protocol.Event {
	room, user := guildRoom(guildID), userID(m.User.ID)
	if m.User.ID == a.self() {
		return nil // the guildID itself comes, and says it
	}
	if _, in := a.cfg.State.Member(room, user); in && a.cfg.State.Room(room).Settled {
		return nil
	}
	id := protocol.EventID("join-" + m.User.ID + "-" + stamp(m.JoinedAt))
	return []protocol.Event{{Room: room, ID: id, Sender: user, Time: timeOrZero(m.JoinedAt),
		Body: a.joined(guildID, m, false)}}
}

// changes makes the event of a member who has another name or other roles, or counts from now on,
// if that is new.
func (a *Adapter) changes(guildID string, m *discordgo.Member, delivery string) []protocol.Event {
	room, user := guildRoom(guildID), userID(m.User.ID)
	body := a.joined(guildID, m, true)
	known, in := a.cfg.State.Member(room, user)
	id := protocol.EventID("member-" + m.User.ID + "-" + delivery)
	if !in && a.cfg.State.Room(room).Settled && m.User.ID != a.self() { // they have accepted the rules
		return []protocol.Event{{Room: room, ID: id, Sender: user, Time: timeOrZero(m.JoinedAt),
			Body: a.joined(guildID, m, false)}}
	}
	if in && a.cfg.State.Room(room).Settled && known.Name == protocol.OneLine(body.Name) &&
		known.Moderator == (body.Power == protocol.PowerModerator) {
		return nil
	}
	return []protocol.Event{{Room: room, ID: id, Sender: user, Body: body}}
}

func (a *Adapter) joined(guildID string, m *discordgo.Member, profile bool) protocol.MemberChange {
	return protocol.MemberChange{
		User: userID(m.User.ID), Self: m.User.ID == a.self(), Membership: protocol.Joined, Profile: profile,
		Name: nameOf(m), Bot: m.User.Bot, Power: a.powerOf(guildID, m),
	}
}

// leaves makes the event of somebody who is not in a guild any more. Discord does not say whether
// they left or were kicked.
func (a *Adapter) leaves(guildID, user string, as protocol.Membership, delivery string) []protocol.Event {
	room, who := guildRoom(guildID), userID(user)
	if user == a.self() {
		return nil // the guildID itself goes, and says it
	}
	if _, in := a.cfg.State.Member(room, who); !in && a.cfg.State.Room(room).Settled {
		return nil
	}
	return []protocol.Event{{
		Room: room, ID: protocol.EventID(string(as) + "-" + user + "-" + delivery),
		Body: protocol.MemberChange{User: who, Membership: as},
	}}
}

// onMember takes in what the gateway says of the members of a guild.
func (a *Adapter) onMember(ctx context.Context, guildID string, m *discordgo.Member, typ, delivery string) error {
	if !isSnowflake(guildID) || !sound(m) {
		return a.unreadable(ctx, typ, delivery)
	}
	var changed []protocol.Change
	if m.User.ID == a.self() && typ != "GUILD_MEMBER_REMOVE" {
		a.guilds.change(guildID, func(g *guild) {
			if !slices.Equal(g.own, m.Roles) {
				changed = a.standing()
			}
			g.own = slices.Clone(m.Roles)
		})
		a.unkept.changes(ctx, guildID)
	}
	w := work{room: guildRoom(guildID), about: m.User.ID, make: func(context.Context) []protocol.Event {
		switch {
		case typ == "GUILD_MEMBER_REMOVE", !counts(m) && m.User.ID != a.self():
			return a.leaves(guildID, m.User.ID, protocol.Left, delivery)
		case typ == "GUILD_MEMBER_ADD":
			return a.joins(guildID, m)
		}
		return append(rolesChange(guildID, changed, delivery), a.changes(guildID, m, delivery)...)
	}}
	if len(changed) > 0 {
		w.about = everyState
	}
	return a.lanes.put(ctx, w)
}

// onVoice takes in a voice state, which says all that is to say of somebody's voice.
func (a *Adapter) onVoice(ctx context.Context, v *discordgo.VoiceState, delivery string) error {
	if !isSnowflake(v.GuildID) || !isSnowflake(v.UserID) {
		return nil // of a call outside of guilds, which bots do not hear of
	}
	return a.lanes.put(ctx, work{room: guildRoom(v.GuildID), about: v.UserID,
		make: func(context.Context) []protocol.Event {
			return a.voice(v.GuildID, v, delivery)
		}})
}

// voice makes the event of where somebody is in voice, if that is new.
func (a *Adapter) voice(guildID string, v *discordgo.VoiceState, delivery string) []protocol.Event {
	room, user := guildRoom(guildID), userID(v.UserID)
	body := protocol.VoicePresence{Call: protocol.PlaceID(v.ChannelID), Deafened: v.Deaf || v.SelfDeaf}
	if body.Call == "" {
		body.Deafened = false
	}
	body.Bot = v.UserID == a.self() || v.Member != nil && v.Member.User != nil && v.Member.User.Bot
	a.guilds.with(guildID, func(g *guild) { body.AFK = v.ChannelID != "" && v.ChannelID == g.afk })
	known, in := a.cfg.State.Voice(room, user)
	switch {
	case body.Bot, !in && body.Call == "":
		return nil
	case in && known.Call == body.Call && known.Deafened == body.Deafened && known.AFK == body.AFK:
		return nil
	}
	return []protocol.Event{{
		Room: room, Place: body.Call, ID: protocol.EventID("voice-" + v.UserID + "-" + delivery),
		Sender: user, Body: body,
	}}
}

// unreadable has what Discord sent and the bot does not understand recorded as refused, in a room
// of its own: whose it is cannot be told. It is no reason to end.
func (a *Adapter) unreadable(ctx context.Context, typ, delivery string) error {
	return a.lanes.put(ctx, work{room: "discord:gateway", make: just(protocol.Event{
		Room: "discord:gateway", ID: protocol.EventID("unreadable-" + delivery),
		Body: protocol.Malformed{Kind: typ, Reason: "it lacks what makes it one"},
	})})
}

func deliveryOf(session string, seq int64) string { return fmt.Sprintf("%s.%d", session, seq) }
