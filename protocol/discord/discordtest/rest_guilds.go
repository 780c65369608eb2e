package discordtest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// guild returns the guild of the path, if the bot is in it.
func (c *call) guild() *Guild {
	g := c.s.guildLocked(c.v("guild"))
	if g == nil || !g.botIn || g.unavailable {
		return nil
	}
	return g
}

// inGuild handles what is about the guild of the path.
func inGuild(handle func(*call, *Guild) (int, any)) handler {
	return func(c *call) (int, any) {
		g := c.guild()
		if g == nil {
			return refuse(404, 10004, "Unknown Guild")
		}
		return handle(c, g)
	}
}

// onMember handles what is about a member of it.
func onMember(handle func(*call, *Guild, *member) (int, any)) handler {
	return inGuild(func(c *call, g *Guild) (int, any) {
		m := g.members[c.v("user")]
		if m == nil {
			return refuse(404, 10007, "Unknown Member")
		}
		return handle(c, g, m)
	})
}

func noPermission() (int, any) { return refuse(403, 50013, "Missing Permissions") }

// may reports whether the bot has the permission in the guild.
func (c *call) may(g *Guild, perm int64) bool {
	return g.permissionsLocked(c.s.Bot, nil)&perm == perm
}

func (c *call) getUser() (int, any) {
	u := c.s.users[c.v("user")]
	if u == nil {
		return refuse(404, 10013, "Unknown User")
	}
	return 200, u.json()
}

func (c *call) ownGuilds() (int, any) {
	list := []obj{}
	after := c.query("after")
	for _, g := range c.s.guilds {
		if g.botIn && less(after, g.ID) && len(list) < c.number("limit", 200, 200) {
			list = append(list, obj{"id": g.ID, "name": g.name, "icon": nil, "banner": nil, "owner": false,
				"permissions": strconv.FormatInt(g.permissionsLocked(c.s.Bot, nil), 10), "features": []string{}})
		}
	}
	return 200, list
}

func (c *call) leaveGuild(g *Guild) (int, any) {
	g.removeBotLocked()
	return http.StatusNoContent, nil
}

func (c *call) openDM() (int, any) {
	id, _ := c.body["recipient_id"].(string)
	u := c.s.users[id]
	if u == nil || u == c.s.Bot {
		return refuse(400, 50033, "Invalid Recipient(s)")
	}
	return 200, u.dmLocked().json()
}

func (c *call) getGuild(g *Guild) (int, any) {
	o := g.json()
	if c.query("with_counts") == "true" {
		o["approximate_member_count"], o["approximate_presence_count"] = len(g.order), 1
	}
	return 200, o
}

func (c *call) guildChannels(g *Guild) (int, any) {
	list := []obj{}
	for _, ch := range g.channels {
		if ch.Kind != PublicThread {
			list = append(list, ch.json())
		}
	}
	return 200, list
}

func (c *call) guildThreads(g *Guild) (int, any) {
	list := []obj{}
	for _, ch := range g.channels {
		if ch.Kind == PublicThread && !ch.archived {
			list = append(list, ch.json())
		}
	}
	return 200, obj{"threads": list, "members": []obj{}, "has_more": false}
}

func (c *call) guildRoles(g *Guild) (int, any) {
	return 200, g.json()["roles"]
}

func (c *call) createRole(g *Guild) (int, any) {
	if !c.may(g, ManageRoles) {
		return noPermission()
	}
	name, _ := c.body["name"].(string)
	perms, _ := strconv.ParseInt(fmt.Sprint(c.body["permissions"]), 10, 64)
	r := g.newRoleLocked(name, perms, false)
	return 200, r.json()
}

func (c *call) listMembers(g *Guild) (int, any) {
	if c.s.Flags&(3<<14) == 0 {
		return refuse(403, 50001, "Missing Access")
	}
	limit, after, list := c.number("limit", 1000, 1), c.query("after"), []obj{}
	for _, id := range g.order {
		if less(after, id) && len(list) < limit {
			list = append(list, g.members[id].json())
		}
	}
	return 200, list
}

func (c *call) getMember(g *Guild, m *member) (int, any) {
	return 200, m.json()
}

// over reports whether the bot may act on the member with the permission: it must have it and stand
// above them.
func (c *call) over(g *Guild, m *member, perm int64) bool {
	return c.may(g, perm) && g.rankLocked(c.s.Bot) > g.rankLocked(m.user)
}

func (c *call) editMember(g *Guild, m *member) (int, any) {
	if until, ok := c.body["communication_disabled_until"]; ok {
		if !c.over(g, m, ModerateMembers) || g.permissionsLocked(m.user, nil)&Administrator != 0 {
			return noPermission()
		}
		m.timeout = time.Time{}
		if text, _ := until.(string); text != "" {
			t, err := time.Parse(time.RFC3339, text)
			if err != nil || t.Sub(c.s.nowLocked()) > 28*24*time.Hour {
				return invalid("communication_disabled_until")
			}
			m.timeout = t
		}
	}
	if roles, ok := c.body["roles"].([]any); ok {
		if !c.may(g, ManageRoles) {
			return noPermission()
		}
		m.roles = nil
		for _, r := range roles {
			m.roles = append(m.roles, r.(string))
		}
	}
	g.memberChangedLocked(m)
	g.auditLocked(24, c.s.Bot, m.user.ID, c.reason)
	return 200, m.json()
}

func (c *call) kickMember(g *Guild, m *member) (int, any) {
	if !c.over(g, m, KickMembers) {
		return noPermission()
	}
	g.auditLocked(20, c.s.Bot, m.user.ID, c.reason)
	g.removeLocked(m.user)
	return http.StatusNoContent, nil
}

func (c *call) addRole(g *Guild, m *member) (int, any)    { return c.changeRole(g, m, true) }
func (c *call) removeRole(g *Guild, m *member) (int, any) { return c.changeRole(g, m, false) }

func (c *call) changeRole(g *Guild, m *member, add bool) (int, any) {
	r := g.roleLocked(c.v("role"))
	switch {
	case r == nil:
		return refuse(404, 10011, "Unknown Role")
	case !c.may(g, ManageRoles) || g.rankLocked(c.s.Bot) <= r.position:
		return noPermission()
	}
	m.roles = slices.DeleteFunc(m.roles, func(id string) bool { return id == r.ID })
	if add {
		m.roles = append(m.roles, r.ID)
	}
	g.memberChangedLocked(m)
	g.auditLocked(25, c.s.Bot, m.user.ID, c.reason)
	return http.StatusNoContent, nil
}

func (c *call) listBans(g *Guild) (int, any) {
	if !c.may(g, BanMembers) {
		return noPermission()
	}
	ids := slices.SortedFunc(maps.Keys(g.bans), compare)
	limit, after, list := c.number("limit", 1000, 1000), c.query("after"), []obj{}
	for _, id := range ids {
		if less(after, id) && len(list) < limit {
			list = append(list, g.banJSON(id))
		}
	}
	return 200, list
}

func (g *Guild) banJSON(id string) obj {
	o := obj{"user": g.srv.users[id].json(), "reason": nil}
	if reason := g.bans[id]; reason != "" {
		o["reason"] = reason
	}
	return o
}

func (c *call) getBan(g *Guild) (int, any) {
	if !c.may(g, BanMembers) {
		return noPermission()
	}
	if _, ok := g.bans[c.v("user")]; !ok {
		return refuse(404, 10026, "Unknown Ban")
	}
	return 200, g.banJSON(c.v("user"))
}

func (c *call) ban(g *Guild) (int, any) {
	u := c.s.users[c.v("user")]
	if u == nil {
		return refuse(404, 10013, "Unknown User")
	}
	if m := g.members[u.ID]; !c.may(g, BanMembers) || m != nil && !c.over(g, m, BanMembers) {
		return noPermission()
	}
	g.auditLocked(22, c.s.Bot, u.ID, c.reason)
	g.banLocked(u, c.reason)
	return http.StatusNoContent, nil
}

func (c *call) unban(g *Guild) (int, any) {
	u := c.s.users[c.v("user")]
	if !c.may(g, BanMembers) {
		return noPermission()
	}
	if u == nil || !g.unbanLocked(u) {
		return refuse(404, 10026, "Unknown Ban")
	}
	g.auditLocked(23, c.s.Bot, u.ID, c.reason)
	return http.StatusNoContent, nil
}

func (c *call) getVoice(g *Guild) (int, any) {
	v := g.voice[c.v("user")]
	if v == nil {
		return refuse(404, 10065, "Unknown Voice State")
	}
	return 200, v
}

// compare orders snowflakes, which are numbers.
func compare(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func less(a, b string) bool { return compare(a, b) < 0 }
