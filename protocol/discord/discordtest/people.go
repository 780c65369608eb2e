package discordtest

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// BotPermissions is what the bot's role has after an [Guild.Invite] that names nothing else.
const BotPermissions = ViewChannel | SendMessages | ReadHistory | AddReactions | ManageMessages | EmbedLinks | SendInThreads | BanMembers | KickMembers | ViewAuditLog

// NewUser makes a person. Their user name is the name in lower case.
func (s *Server) NewUser(name string) *User {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &User{ID: s.snowflakeLocked(), Name: name, srv: s}
	s.users[u.ID] = u
	return u
}

// NewBot makes another bot.
func (s *Server) NewBot(name string) *User {
	u := s.NewUser(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	u.bot = true
	return u
}

// NewGuild makes a guild, in which there are its owner and nobody else yet.
func (s *Server) NewGuild(name string) *Guild {
	owner := s.NewUser("owner of " + name)
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &Guild{ID: s.snowflakeLocked(), srv: s, name: name, owner: owner, members: map[string]*member{},
		bans: map[string]string{}, voice: map[string]obj{}}
	g.roles = []*Role{{ID: g.ID, Name: "@everyone", perms: everyone}}
	s.guilds = append(s.guilds, g)
	g.addLocked(owner)
	return g
}

// Owner returns who owns the guild.
func (g *Guild) Owner() *User { return lockedValue(g.srv, func() *User { return g.owner }) }

// Invite brings the bot in, with a role that has the permissions; zero means BotPermissions.
func (g *Guild) Invite(permissions ...int64) {
	g.do(func() {
		perms := BotPermissions
		if len(permissions) > 0 {
			perms = 0
			for _, p := range permissions {
				perms |= p
			}
		}
		role := g.newRoleLocked("moot", perms, true)
		m := g.addLocked(g.srv.Bot)
		m.roles = []string{role.ID}
		g.botIn = true
		g.srv.emitLocked(g, "GUILD_CREATE", g.create())
	})
}

// KickBot puts the bot out of the guild.
func (g *Guild) KickBot() { g.do(g.removeBotLocked) }

func (g *Guild) removeBotLocked() {
	if !g.botIn {
		return
	}
	g.removeLocked(g.srv.Bot)
	g.botIn = false
	g.srv.emitLocked(g, "GUILD_DELETE", obj{"id": g.ID})
}

// Outage takes the guild away from the bot, or gives it back, without anybody leaving.
func (g *Guild) Outage(down bool) {
	g.do(func() {
		if g.unavailable = down; down {
			g.srv.emitLocked(g, "GUILD_DELETE", obj{"id": g.ID, "unavailable": true})
		} else {
			g.srv.emitLocked(g, "GUILD_CREATE", g.create())
		}
	})
}

// Join has somebody join.
func (g *Guild) Join(u *User) { g.enter(u, func(*member) {}) }

func (g *Guild) enter(u *User, as func(*member)) {
	g.do(func() {
		m := g.addLocked(u)
		as(m)
		o := m.json()
		o["guild_id"] = g.ID
		g.srv.emitLocked(g, "GUILD_MEMBER_ADD", o)
	})
}

// Knock has somebody join who has not accepted the rules yet, which they then do by LetIn.
func (g *Guild) Knock(u *User) { g.enter(u, func(m *member) { m.pending = true }) }

// LetIn is somebody accepting the rules.
func (g *Guild) LetIn(u *User) {
	g.do(func() {
		m := g.members[u.ID]
		m.pending = false
		o := m.json()
		o["guild_id"] = g.ID
		g.srv.emitLocked(g, "GUILD_MEMBER_UPDATE", o)
	})
}

// Guest has somebody come for one call.
func (g *Guild) Guest(u *User) { g.enter(u, func(m *member) { m.flags = 1 << 4 }) }

// Populate adds n people at once, before the bot connects, and returns them.
func (g *Guild) Populate(n int) []*User {
	var people []*User
	for i := range n {
		people = append(people, g.srv.NewUser("member "+strconv.Itoa(i)))
	}
	g.do(func() {
		for _, u := range people {
			g.addLocked(u)
		}
	})
	return people
}

// Leave has somebody leave.
func (g *Guild) Leave(u *User) { g.do(func() { g.removeLocked(u) }) }

// Kick has somebody put out by a person.
func (g *Guild) Kick(by, u *User, reason string) {
	g.do(func() { g.auditLocked(20, by, u.ID, reason); g.removeLocked(u) })
}

// Ban has somebody banned by a person.
func (g *Guild) Ban(by, u *User, reason string) {
	g.do(func() { g.auditLocked(22, by, u.ID, reason); g.banLocked(u, reason) })
}

// Unban lifts a ban.
func (g *Guild) Unban(by, u *User) {
	g.do(func() {
		if !g.unbanLocked(u) {
			g.srv.fail("%s is not banned", u.Name)
		}
		g.auditLocked(23, by, u.ID, "")
	})
}

// Banned reports whether somebody is banned, and the reason.
func (g *Guild) Banned(u *User) (reason string, banned bool) {
	g.srv.mu.Lock()
	defer g.srv.mu.Unlock()
	reason, banned = g.bans[u.ID]
	return reason, banned
}

// Has reports whether somebody is in the guild.
func (g *Guild) Has(u *User) bool {
	return lockedValue(g.srv, func() bool { return g.members[u.ID] != nil })
}

// TimedOut returns until when somebody is timed out; zero means that they are not.
func (g *Guild) TimedOut(u *User) time.Time {
	return lockedValue(g.srv, func() time.Time {
		if m := g.members[u.ID]; m != nil {
			return m.timeout
		}
		return time.Time{}
	})
}

// Rename gives the guild another name.
func (g *Guild) Rename(name string) {
	g.do(func() { g.name = name; g.srv.emitLocked(g, "GUILD_UPDATE", g.json()) })
}

// SetOwner hands the guild over.
func (g *Guild) SetOwner(u *User) {
	g.do(func() { g.owner = u; g.srv.emitLocked(g, "GUILD_UPDATE", g.json()) })
}

// Nick gives somebody a nickname; an empty one takes it away.
func (g *Guild) Nick(u *User, nick string) {
	g.do(func() { g.members[u.ID].nick = nick; g.memberChangedLocked(g.members[u.ID]) })
}

// NewRole makes a role above those that are there.
func (g *Guild) NewRole(name string, permissions int64) *Role {
	return lockedValue(g.srv, func() *Role { return g.newRoleLocked(name, permissions, false) })
}

func (g *Guild) newRoleLocked(name string, permissions int64, managed bool) *Role {
	r := &Role{ID: g.srv.snowflakeLocked(), Name: name, perms: permissions, position: len(g.roles), managed: managed}
	g.roles = append(g.roles, r)
	g.srv.emitLocked(g, "GUILD_ROLE_CREATE", obj{"guild_id": g.ID, "role": r.json()})
	return r
}

// SetPermissions changes a role. The role of @everyone is named by nil.
func (g *Guild) SetPermissions(r *Role, permissions int64) {
	g.do(func() {
		if r == nil {
			r = g.roles[0]
		}
		r.perms = permissions
		g.srv.emitLocked(g, "GUILD_ROLE_UPDATE", obj{"guild_id": g.ID, "role": r.json()})
	})
}

// BotRole is the role that came with the bot's last invitation.
func (g *Guild) BotRole() *Role {
	return lockedValue(g.srv, func() *Role { return g.roleLocked(g.members[g.srv.Bot.ID].roles[0]) })
}

// DeleteRole removes a role from everybody.
func (g *Guild) DeleteRole(r *Role) {
	g.do(func() {
		g.roles = slices.DeleteFunc(g.roles, func(o *Role) bool { return o == r })
		g.srv.emitLocked(g, "GUILD_ROLE_DELETE", obj{"guild_id": g.ID, "role_id": r.ID})
		for _, m := range g.members {
			m.roles = slices.DeleteFunc(m.roles, func(id string) bool { return id == r.ID })
		}
	})
}

// Give gives somebody a role, Take takes it back.
func (g *Guild) Give(u *User, r *Role) {
	g.do(func() { m := g.members[u.ID]; m.roles = append(m.roles, r.ID); g.memberChangedLocked(m) })
}

// Take takes a role back from somebody.
func (g *Guild) Take(u *User, r *Role) {
	g.do(func() {
		m := g.members[u.ID]
		m.roles = slices.DeleteFunc(m.roles, func(id string) bool { return id == r.ID })
		g.memberChangedLocked(m)
	})
}

// Roles returns the names of somebody's roles.
func (g *Guild) Roles(u *User) []string {
	return lockedValue(g.srv, func() (names []string) {
		if m := g.members[u.ID]; m != nil {
			for _, id := range m.roles {
				names = append(names, g.roleLocked(id).Name)
			}
		}
		return names
	})
}

func (g *Guild) addLocked(u *User) *member {
	m := &member{user: u, joined: g.srv.nowLocked()}
	if g.members[u.ID] == nil {
		i, _ := slices.BinarySearchFunc(g.order, u.ID, compare)
		g.order = slices.Insert(g.order, i, u.ID)
	}
	g.members[u.ID] = m
	return m
}

func (g *Guild) removeLocked(u *User) {
	if g.members[u.ID] == nil {
		return
	}
	delete(g.members, u.ID)
	g.order = slices.DeleteFunc(g.order, func(id string) bool { return id == u.ID })
	g.voiceLocked(u, nil, nil)
	if u != g.srv.Bot {
		g.srv.emitLocked(g, "GUILD_MEMBER_REMOVE", obj{"guild_id": g.ID, "user": u.json()})
	}
}

func (g *Guild) banLocked(u *User, reason string) {
	g.bans[u.ID] = reason
	g.srv.emitLocked(g, "GUILD_BAN_ADD", obj{"guild_id": g.ID, "user": u.json()})
	if u == g.srv.Bot {
		g.removeBotLocked()
		return
	}
	g.removeLocked(u)
}

func (g *Guild) unbanLocked(u *User) bool {
	if _, ok := g.bans[u.ID]; !ok {
		return false
	}
	delete(g.bans, u.ID)
	g.srv.emitLocked(g, "GUILD_BAN_REMOVE", obj{"guild_id": g.ID, "user": u.json()})
	return true
}

func (g *Guild) memberChangedLocked(m *member) {
	o := m.json()
	o["guild_id"] = g.ID
	g.srv.emitLocked(g, "GUILD_MEMBER_UPDATE", o)
}

// auditLocked writes the audit log, of which the bot hears if it may see it.
func (g *Guild) auditLocked(action int, by *User, target, reason string) {
	if g.permissionsLocked(g.srv.Bot, nil)&ViewAuditLog == 0 {
		return
	}
	o := obj{"guild_id": g.ID, "id": g.srv.snowflakeLocked(), "user_id": by.ID, "target_id": target,
		"action_type": action}
	if reason != "" {
		o["reason"] = reason
	}
	g.srv.emitLocked(g, "GUILD_AUDIT_LOG_ENTRY_CREATE", o)
}

// NewChannel makes a text channel.
func (g *Guild) NewChannel(name string) *Channel { return g.newChannel(name, TextChannel, nil) }

// NewVoice makes a voice channel.
func (g *Guild) NewVoice(name string) *Channel { return g.newChannel(name, VoiceChannel, nil) }

// NewThread starts a thread in the channel.
func (c *Channel) NewThread(name string) *Channel { return c.Guild.newChannel(name, PublicThread, c) }

func (g *Guild) newChannel(name string, kind int, parent *Channel) *Channel {
	return lockedValue(g.srv, func() *Channel { return g.newChannelLocked(name, kind, parent) })
}

func (g *Guild) newChannelLocked(name string, kind int, parent *Channel) *Channel {
	c := &Channel{ID: g.srv.snowflakeLocked(), Name: name, Kind: kind, Guild: g, srv: g.srv, parent: parent}
	g.channels = append(g.channels, c)
	g.srv.channels[c.ID] = c
	event := "CHANNEL_CREATE"
	o := c.json()
	if kind == PublicThread {
		event = "THREAD_CREATE"
		o["newly_created"] = true
	}
	g.srv.emitLocked(g, event, o)
	return c
}

// Delete deletes the channel or thread.
func (c *Channel) Delete() {
	c.Guild.do(func() {
		o := c.json()
		c.deleted = true
		delete(c.srv.channels, c.ID)
		c.Guild.channels = slices.DeleteFunc(c.Guild.channels, func(o *Channel) bool { return o == c })
		if c.Kind == PublicThread {
			c.srv.emitLocked(c.Guild, "THREAD_DELETE", obj{"id": c.ID, "guild_id": c.Guild.ID, "parent_id": c.parent.ID,
				"type": c.Kind})
			return
		}
		c.srv.emitLocked(c.Guild, "CHANNEL_DELETE", o)
	})
}

// Archive archives a thread, and locks it where that is wanted. Nothing in it can be edited then;
// writing opens it again, unless it is locked.
func (c *Channel) Archive(locked bool) { c.Guild.do(func() { c.archiveLocked(true, locked) }) }

func (c *Channel) archiveLocked(archived, locked bool) {
	if c.archived == archived && c.locked == locked {
		return
	}
	c.archived, c.locked = archived, locked
	c.srv.emitLocked(c.Guild, "THREAD_UPDATE", c.json())
}

// SyncThreads tells the bot of all active threads of the channel, as where it gains access to it.
func (c *Channel) SyncThreads() {
	c.Guild.do(func() {
		threads := []obj{}
		for _, t := range c.Guild.channels {
			if t.Kind == PublicThread && t.parent == c && !t.archived {
				threads = append(threads, t.json())
			}
		}
		c.srv.emitLocked(c.Guild, "THREAD_LIST_SYNC",
			obj{"guild_id": c.Guild.ID, "channel_ids": []string{c.ID}, "threads": threads, "members": []obj{}})
	})
}

// Deny takes permissions in the channel from a person, or from @everyone where u is nil; zero takes
// the rule away.
func (c *Channel) Deny(u *User, permissions int64) {
	c.Guild.do(func() {
		id, kind := c.Guild.ID, 0
		if u != nil {
			id, kind = u.ID, 1
		}
		c.overwrites = slices.DeleteFunc(c.overwrites, func(o obj) bool { return o["id"] == id })
		if permissions != 0 {
			c.overwrites = append(c.overwrites, obj{"id": id, "type": kind, "allow": "0",
				"deny": strconv.FormatInt(permissions, 10)})
		}
		c.srv.emitLocked(c.Guild, "CHANNEL_UPDATE", c.json())
	})
}

// Voice is how somebody is in a voice channel.
type Voice struct{ Deaf, SelfDeaf, SelfMute bool }

// Talks has the person join a voice channel.
func (u *User) Talks(c *Channel, v Voice) { c.Guild.do(func() { c.Guild.voiceLocked(u, c, &v) }) }

// Hangs has the person leave the voice channel that they are in.
func (u *User) Hangs(g *Guild) { g.do(func() { g.voiceLocked(u, nil, nil) }) }

func (g *Guild) voiceLocked(u *User, c *Channel, v *Voice) {
	if c == nil && g.voice[u.ID] == nil {
		return
	}
	if v == nil {
		v = &Voice{}
	}
	o := obj{"guild_id": g.ID, "channel_id": nil, "user_id": u.ID, "session_id": "voice-" + u.ID,
		"deaf": v.Deaf, "mute": false,
		"self_deaf": v.SelfDeaf, "self_mute": v.SelfMute, "self_video": false, "self_stream": false, "suppress": false, "request_to_speak_timestamp": nil}
	if m := g.members[u.ID]; m != nil {
		o["member"] = m.json()
	}
	delete(g.voice, u.ID)
	if c != nil {
		o["channel_id"] = c.ID
		g.voice[u.ID] = o
	}
	g.srv.emitLocked(g, "VOICE_STATE_UPDATE", maps.Clone(o))
}

// DM returns the person's conversation with the bot.
func (u *User) DM() *Channel { return lockedValue(u.srv, u.dmLocked) }

func (u *User) dmLocked() *Channel {
	if u.dm == nil {
		u.dm = &Channel{ID: u.srv.snowflakeLocked(), Kind: DirectMessage, srv: u.srv, person: u}
		u.srv.channels[u.dm.ID] = u.dm
	}
	return u.dm
}

// RefuseDMs has the person take no direct messages, or take them again.
func (u *User) RefuseDMs(refuse bool) {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.closed = refuse
}

// Mention is how the person is mentioned in a message.
func (u *User) Mention() string { return "<@" + u.ID + ">" }

func (g *Guild) do(f func()) {
	g.srv.mu.Lock()
	defer g.srv.mu.Unlock()
	f()
	g.srv.touchLocked()
}

func lockedValue[T any](s *Server, f func() T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.touchLocked()
	return f()
}
