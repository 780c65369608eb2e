package discord

import (
	"context"
	"slices"
	"time"

	"github.com/bwmarrin/discordgo"

	"moot/protocol"
	"moot/protocol/discord/gateway"
)

// onReady takes in that a new session has begun. What happened since the last one Discord does not
// tell.
func (a *Adapter) onReady(ctx context.Context, e gateway.Event) error {
	p := a.progressOf(e.Shard)
	if p == nil || p.session != e.Session {
		return a.unreadable(ctx, e.Type, deliveryOf(e.Session, e.Seq)) // it does not say who the bot is
	}
	a.online(e.Shard)
	return a.begun(ctx, p)
}

// begun compares the guilds of a new session with the store, and looks for what was missed in
// private.
func (a *Adapter) begun(ctx context.Context, p *progress) error {
	in := map[string]bool{}
	for _, id := range p.guilds {
		in[id] = true
	}
	a.guilds.expect(in)
	a.greeted(p.shard)
	var private []protocol.RoomID
	for _, room := range a.cfg.State.Rooms() {
		if guildID, ok := guildOf(room); ok {
			if a.shardOf(guildID) != p.shard || in[guildID] {
				continue
			}
			if err := a.removed(ctx, guildID, deliveryOf(p.session, p.first)); err != nil {
				return err
			}
			continue
		}
		if _, ok := channelOf(room); ok && p.shard == 0 {
			private = append(private, room)
		}
	}
	for _, room := range a.mostRecent(private) {
		channel, _ := channelOf(room)
		w := work{room: room, about: everyState,
			make: func(ctx context.Context) []protocol.Event { return a.missedInPrivate(ctx, p, channel) }}
		if err := a.lanes.put(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// onGuild takes in a guild: one that the bot has come to, one that it is in and that a new session
// tells anew, or one that was out of reach and is back.
func (a *Adapter) onGuild(ctx context.Context, e gateway.Event, c *discordgo.Guild, delivery string) error {
	if !isSnowflake(c.ID) {
		return a.unreadable(ctx, e.Type, delivery)
	}
	if c.Unavailable {
		return a.onGuildGone(ctx, c, delivery)
	}
	back := a.guilds.put(c, a.self())
	a.unkept.changes(ctx, c.ID)
	since, p := "", a.progressOf(e.Shard)
	if p != nil {
		since = p.since
	}
	return a.lanes.put(ctx, work{room: guildRoom(c.ID), about: everyState,
		make: func(ctx context.Context) []protocol.Event {
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
			if back {
				return a.reachable(c, known, delivery)
			}
			return a.again(ctx, p, c, known, since, delivery)
		}})
}

// reachable makes the events of a guild that Discord itself could not reach for a while: nobody
// could do anything there, so nothing was missed.
func (a *Adapter) reachable(c *discordgo.Guild, known Room, delivery string) []protocol.Event {
	changes := append(a.differs(c, known), protocol.Outdated{})
	return append([]protocol.Event{{
		Room: guildRoom(c.ID), ID: protocol.EventID("guild-" + delivery), Body: protocol.RoomChange{Changes: changes},
	}}, a.inVoice(c, delivery)...)
}

// differs returns what of a guild is other than the store has it.
func (a *Adapter) differs(c *discordgo.Guild, known Room) (changes []protocol.Change) {
	if protocol.OneLine(c.Name) != known.Name {
		changes = append(changes, protocol.Renamed{Name: c.Name})
	}
	if known.Outage {
		changes = append(changes, protocol.Available{Reachable: true})
	}
	return changes
}

// again makes the events of a guild that the bot was in before: what is other than the store has
// it, and what was missed.
func (a *Adapter) again(ctx context.Context, p *progress, c *discordgo.Guild, known Room, since, delivery string) []protocol.Event {
	room := guildRoom(c.ID)
	lost := lostForGood
	backlog, gaps := a.missedInGuild(ctx, p, c, since)
	lost = append(lost[:len(lost):len(lost)], gaps...)
	evs := []protocol.Event{{
		Room: room, ID: protocol.EventID("guild-" + delivery),
		Body: protocol.RoomChange{Changes: append(a.differs(c, known), protocol.Outdated{})},
	}}
	evs = append(evs, a.inVoice(c, delivery)...)
	evs = append(evs, backlog...)
	return append(evs, protocol.Event{
		Room: room, ID: protocol.EventID("gap-" + delivery),
		Body: protocol.Gap{From: timeOf(since), Until: time.Now().UTC(), Lost: lost},
	})
}

// lostForGood is what Discord does not give back.
var lostForGood = []string{
	"commands given meanwhile", "edits and deletions", "reactions", "who left and came back", "voice calls that ended",
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

// onGuildGone takes in that a guild is out of reach, or that the bot is not in it any more. Discord
// does not say whether it was kicked or banned; that it left it knows itself.
func (a *Adapter) onGuildGone(ctx context.Context, c *discordgo.Guild, delivery string) error {
	if !isSnowflake(c.ID) {
		return a.unreadable(ctx, "GUILD_DELETE", delivery)
	}
	if !c.Unavailable {
		return a.removed(ctx, c.ID, delivery)
	}
	a.guilds.change(c.ID, func(g *guild) { g.away = true })
	a.unkept.changes(ctx, c.ID)
	room := guildRoom(c.ID)
	return a.lanes.put(ctx, work{room: room, about: everyState, make: func(context.Context) []protocol.Event {
		if known := a.cfg.State.Room(room); !known.Joined || known.Outage {
			return nil
		}
		return []protocol.Event{{
			Room: room, ID: protocol.EventID("guild-" + delivery),
			Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Available{}}},
		}}
	}})
}

// removed takes in that the bot is not in a guild any more.
func (a *Adapter) removed(ctx context.Context, guildID, delivery string) error {
	a.guilds.leave(guildID)
	a.unkept.changes(ctx, guildID)
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
			Room: room, ID: protocol.EventID("own-" + string(as) + "-" + delivery),
			Body: protocol.MemberChange{User: self, Self: true, Bot: true, Membership: as},
		}}
	}})
}

// onGuildUpdate takes in that a guild has another name, owner or channel for those who are away.
func (a *Adapter) onGuildUpdate(ctx context.Context, c *discordgo.Guild, delivery string) error {
	if !isSnowflake(c.ID) {
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
	a.unkept.changes(ctx, c.ID)
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
		return []protocol.Event{{Room: room, ID: protocol.EventID("guild-" + delivery),
			Body: protocol.RoomChange{Changes: changes}}}
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

// onRole takes in a role that is new or has changed. If that makes moderators, or ends their being
// so, the members are read again: who has which role nobody keeps.
func (a *Adapter) onRole(ctx context.Context, r *discordgo.GuildRole, delivery string) error {
	if r.Role == nil || !isSnowflake(r.GuildID) || !isSnowflake(r.Role.ID) {
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
	a.unkept.changes(ctx, r.GuildID)
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
	a.unkept.changes(ctx, guildID)
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
	return a.lanes.put(ctx, work{room: guildRoom(guildID), about: everyState,
		make: just(rolesChange(guildID, changes, delivery)...)})
}

// rolesChange makes the event of changes, if there are any.
func rolesChange(guildID string, changes []protocol.Change, delivery string) []protocol.Event {
	if len(changes) == 0 {
		return nil
	}
	return []protocol.Event{{
		Room: guildRoom(guildID), ID: protocol.EventID("roles-" + delivery),
		Body: protocol.RoomChange{Changes: changes},
	}}
}

// onChannel takes in a channel or thread that is new or has changed.
func (a *Adapter) onChannel(ctx context.Context, c *discordgo.Channel) {
	switch {
	case !isSnowflake(c.ID):
	case archived(c):
		a.onChannelGone(ctx, c)
	default:
		a.guilds.change(c.GuildID, func(g *guild) { g.channels[c.ID] = channelFrom(c) })
		a.unkept.changes(ctx, c.GuildID)
	}
}

func (a *Adapter) onChannelGone(ctx context.Context, c *discordgo.Channel) {
	a.guilds.change(c.GuildID, func(g *guild) {
		delete(g.channels, c.ID)
		for id, other := range g.channels {
			if other.thread && other.parent == c.ID {
				delete(g.channels, id) // Discord tells of the channel alone
			}
		}
	})
	a.unkept.changes(ctx, c.GuildID)
}

// onThreads takes in all threads of some channels, which the bot may see from now on, or of the
// whole guild. https://discord.com/developers/docs/events/gateway-events#thread-list-sync
func (a *Adapter) onThreads(ctx context.Context, s *discordgo.ThreadListSync) {
	a.guilds.change(s.GuildID, func(g *guild) {
		for id, c := range g.channels {
			if c.thread && (s.ChannelIDs == nil || slices.Contains(s.ChannelIDs, c.parent)) {
				delete(g.channels, id)
			}
		}
		for _, c := range s.Threads {
			if c != nil && isSnowflake(c.ID) && !archived(c) {
				g.channels[c.ID] = channelFrom(c)
			}
		}
	})
	a.unkept.changes(ctx, s.GuildID)
}

// timeOrZero is the time where it is one that Discord could have told.
func timeOrZero(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
