package discord

import (
	"context"
	"time"

	"github.com/bwmarrin/discordgo"

	"moot/protocol"
	"moot/protocol/discord/gateway"
)

// onReady takes in that a new session has begun. What happened since the last one Discord does not tell.
func (a *Adapter) onReady(ctx context.Context, e gateway.Event, r *discordgo.Ready) error {
	if r.User == nil || !isSnowflake(r.User.ID) {
		return a.unreadable(ctx, e.Type, deliveryOf(e.Session, e.Seq))
	}
	since := a.begin(e.Shard, r)
	a.online(e.Shard)
	in := map[string]bool{}
	for _, g := range r.Guilds {
		if g != nil {
			in[g.ID] = true
		}
	}
	a.guilds.expect(in)
	a.greeted(e.Shard)
	for _, room := range a.cfg.State.Rooms() {
		if guildID, ok := guildOf(room); ok {
			if a.gw.ShardOf(guildID) != e.Shard || in[guildID] {
				continue
			}
			if err := a.removed(ctx, guildID, deliveryOf(e.Session, e.Seq)); err != nil {
				return err
			}
			continue
		}
		if channel, ok := channelOf(room); ok && e.Shard == 0 && since != "" {
			w := work{room: room, about: everyState, make: func(ctx context.Context) []protocol.Event { return a.missedInPrivate(ctx, channel, since) }}
			if err := a.lanes.put(ctx, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// onGuild takes in a guild: one that the bot has come to, one that it is in and that a new session tells anew, or one that
// was out of reach and is back.
func (a *Adapter) onGuild(ctx context.Context, e gateway.Event, c *discordgo.Guild, delivery string) error {
	if c == nil || !isSnowflake(c.ID) {
		return a.unreadable(ctx, e.Type, delivery)
	}
	if c.Unavailable {
		return a.onGuildGone(ctx, c, delivery)
	}
	a.guilds.put(c, a.self())
	since := a.sinceWhen(e.Shard)
	return a.lanes.put(ctx, work{room: guildRoom(c.ID), about: everyState, make: func(ctx context.Context) []protocol.Event {
		room := guildRoom(c.ID)
		known := a.cfg.State.Room(room)
		self := userID(a.self())
		join := protocol.EventID("own-join-" + stamp(c.JoinedAt))
		name := protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: c.Name}}}
		if !known.Joined || known.Join != join && !c.JoinedAt.IsZero() {
			evs := []protocol.Event{
				{Room: room, ID: join, Sender: self, Time: timeOrZero(c.JoinedAt), Body: protocol.MemberChange{
					User: self, Self: true, Bot: true, Membership: protocol.Joined, Power: a.ownPower(c.ID),
				}},
				{Room: room, ID: protocol.EventID("guild-" + delivery), Sender: self, Body: name},
			}
			return append(evs, a.inVoice(c, delivery)...)
		}
		if since == "" {
			since = snowflakeAt(c.JoinedAt) // nobody has said anything since the bot came, as far as it knows
		}
		return a.again(ctx, c, known, since, delivery)
	}})
}

// again makes the events of a guild that the bot was in before: what is other than the store has it, and what was missed.
func (a *Adapter) again(ctx context.Context, c *discordgo.Guild, known Room, since, delivery string) []protocol.Event {
	room := guildRoom(c.ID)
	var changes []protocol.Change
	if protocol.OneLine(c.Name) != known.Name {
		changes = append(changes, protocol.Renamed{Name: c.Name})
	}
	if known.Outage {
		changes = append(changes, protocol.Available{Reachable: true})
	}
	evs := a.bannedMeanwhile(ctx, c.ID, delivery)
	lost := lostForGood
	backlog, gaps := a.missedInGuild(ctx, c, since)
	lost = append(lost[:len(lost):len(lost)], gaps...)
	evs = append(evs, protocol.Event{
		Room: room, ID: protocol.EventID("guild-" + delivery), Body: protocol.RoomChange{Changes: append(changes, protocol.Outdated{})},
	})
	evs = append(evs, a.inVoice(c, delivery)...)
	evs = append(evs, backlog...)
	return append(evs, protocol.Event{
		Room: room, ID: protocol.EventID("gap-" + delivery), Body: protocol.Gap{From: timeOf(since), Until: time.Now().UTC(), Lost: lost},
	})
}

// lostForGood is what Discord does not give back.
var lostForGood = []string{
	"commands given meanwhile", "edits and deletions", "reactions, but for those to open votes", "who left and came back", "voice calls that ended",
}

func (a *Adapter) ownPower(guildID string) (p protocol.Power) {
	a.guilds.with(guildID, func(g *guild) {
		if p = protocol.PowerMember; g.moderator(a.self(), g.own) {
			p = protocol.PowerModerator
		}
	})
	return p
}

// inVoice makes the events of who is in voice other than the store has it.
func (a *Adapter) inVoice(c *discordgo.Guild, delivery string) (evs []protocol.Event) {
	there := map[protocol.UserID]bool{}
	for _, v := range c.VoiceStates {
		if v != nil && isSnowflake(v.UserID) {
			there[userID(v.UserID)] = v.ChannelID != ""
			evs = append(evs, a.voice(c.ID, v, delivery)...)
		}
	}
	for _, user := range a.cfg.State.InVoice(guildRoom(c.ID)) {
		if id, ok := userOf(user); ok && !there[user] {
			evs = append(evs, a.voice(c.ID, &discordgo.VoiceState{UserID: id}, delivery)...)
		}
	}
	return evs
}

// onGuildGone takes in that a guild is out of reach, or that the bot is not in it any more. Discord does not say whether it
// was kicked or banned; that it left it knows itself.
func (a *Adapter) onGuildGone(ctx context.Context, c *discordgo.Guild, delivery string) error {
	if c == nil || !isSnowflake(c.ID) {
		return a.unreadable(ctx, "GUILD_DELETE", delivery)
	}
	if !c.Unavailable {
		return a.removed(ctx, c.ID, delivery)
	}
	a.guilds.change(c.ID, func(g *guild) { g.away = true })
	room := guildRoom(c.ID)
	return a.lanes.put(ctx, work{room: room, about: everyState, make: func(context.Context) []protocol.Event {
		if known := a.cfg.State.Room(room); !known.Joined || known.Outage {
			return nil
		}
		return []protocol.Event{{
			Room: room, ID: protocol.EventID("guild-" + delivery), Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Available{}}},
		}}
	}})
}

// removed takes in that the bot is not in a guild any more.
func (a *Adapter) removed(ctx context.Context, guildID, delivery string) error {
	a.guilds.leave(guildID)
	room, self := guildRoom(guildID), userID(a.self())
	as := protocol.Kicked
	if a.leaving(guildID) {
		as = protocol.Left
	}
	return a.lanes.put(ctx, work{room: room, about: everyState, make: func(context.Context) []protocol.Event {
		if !a.cfg.State.Room(room).Joined {
			return nil
		}
		return []protocol.Event{{
			Room: room, ID: protocol.EventID("own-" + string(as) + "-" + delivery), Body: protocol.MemberChange{User: self, Self: true, Bot: true, Membership: as},
		}}
	}})
}

// onGuildUpdate takes in that a guild has another name, owner or channel for those who are away.
func (a *Adapter) onGuildUpdate(ctx context.Context, c *discordgo.Guild, delivery string) error {
	if c == nil || !isSnowflake(c.ID) {
		return a.unreadable(ctx, "GUILD_UPDATE", delivery)
	}
	ceded := false
	a.guilds.change(c.ID, func(g *guild) {
		ceded = c.OwnerID != "" && c.OwnerID != g.owner
		if ceded {
			g.owner = c.OwnerID
		}
		g.afk, g.system = c.AfkChannelID, c.SystemChannelID
	})
	room := guildRoom(c.ID)
	return a.lanes.put(ctx, work{room: room, about: everyState, make: func(context.Context) []protocol.Event {
		var changes []protocol.Change
		if known := a.cfg.State.Room(room); c.Name != "" && protocol.OneLine(c.Name) != known.Name {
			changes = append(changes, protocol.Renamed{Name: c.Name})
		}
		if ceded {
			changes = append(changes, protocol.Outdated{})
		}
		if changes == nil {
			return nil
		}
		return []protocol.Event{{Room: room, ID: protocol.EventID("guild-" + delivery), Body: protocol.RoomChange{Changes: changes}}}
	}})
}

// onBan takes in that somebody was banned.
func (a *Adapter) onBan(ctx context.Context, b *discordgo.GuildBanAdd, delivery string) error {
	if b.User == nil || !isSnowflake(b.User.ID) || !isSnowflake(b.GuildID) {
		return a.unreadable(ctx, "GUILD_BAN_ADD", delivery)
	}
	guildID, user := b.GuildID, b.User.ID
	return a.lanes.put(ctx, work{room: guildRoom(guildID), about: user, make: func(context.Context) []protocol.Event {
		return a.leaves(guildID, user, protocol.Banned, delivery)
	}})
}

// onRole takes in a role that is new or has changed. If that makes moderators, or ends their being so, the members are read
// again: who has which role nobody keeps.
func (a *Adapter) onRole(ctx context.Context, r *discordgo.GuildRole, delivery string) error {
	if r == nil || !isSnowflake(r.GuildID) || !isSnowflake(r.Role.ID) {
		return a.unreadable(ctx, "GUILD_ROLE", delivery)
	}
	var changes []protocol.Change
	a.guilds.change(r.GuildID, func(g *guild) {
		was, is := g.roles[r.Role.ID], roleFrom(r.Role)
		g.roles[r.Role.ID] = is
		if was.allows&moderates != 0 != (is.allows&moderates != 0) {
			changes = append(changes, protocol.Outdated{})
		}
		if was != is {
			changes = append(changes, a.standing()...)
		}
	})
	return a.rolesChanged(ctx, r.GuildID, changes, delivery)
}

func (a *Adapter) onRoleGone(ctx context.Context, guildID, roleID, delivery string) error {
	var changes []protocol.Change
	a.guilds.change(guildID, func(g *guild) {
		if g.roles[roleID].allows&moderates != 0 {
			changes = append(changes, protocol.Outdated{})
		}
		delete(g.roles, roleID)
		changes = append(changes, a.standing()...)
	})
	return a.rolesChanged(ctx, guildID, changes, delivery)
}

// standing is the change of how the bot stands to others in a guild, where that matters to it.
func (a *Adapter) standing() []protocol.Change {
	if a.cfg.Enforcement == (Enforcement{}) {
		return nil
	}
	return []protocol.Change{protocol.OwnPowersChanged{}}
}

func (a *Adapter) rolesChanged(ctx context.Context, guildID string, changes []protocol.Change, delivery string) error {
	if len(changes) == 0 {
		return nil
	}
	room := guildRoom(guildID)
	return a.lanes.put(ctx, work{room: room, about: everyState, make: func(context.Context) []protocol.Event {
		return []protocol.Event{{
			Room: room, ID: protocol.EventID("roles-" + delivery), Body: protocol.RoomChange{Changes: changes},
		}}
	}})
}

// onChannel takes in a channel or thread that is new or has changed.
func (a *Adapter) onChannel(c *discordgo.Channel) error {
	if c == nil || !isSnowflake(c.ID) {
		return nil
	}
	a.guilds.change(c.GuildID, func(g *guild) { g.channels[c.ID] = channelFrom(c) })
	return nil
}

func (a *Adapter) onChannelGone(c *discordgo.Channel) error {
	if c != nil {
		a.guilds.change(c.GuildID, func(g *guild) { delete(g.channels, c.ID) })
	}
	return nil
}

// timeOrZero is the time where it is one that Discord could have told.
func timeOrZero(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
