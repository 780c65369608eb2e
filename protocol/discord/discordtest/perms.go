package discordtest

import (
	"slices"
	"strconv"
)

// permissionsLocked computes what somebody may do in the channel, or in the guild where c is nil.
// https://discord.com/developers/docs/topics/permissions#permission-overwrites
func (g *Guild) permissionsLocked(u *User, c *Channel) int64 {
	m := g.members[u.ID]
	if m == nil {
		return 0
	}
	if g.owner == u {
		return allPerms
	}
	perms := g.roles[0].perms
	for _, r := range g.roles {
		if slices.Contains(m.roles, r.ID) {
			perms |= r.perms
		}
	}
	if perms&Administrator != 0 {
		return allPerms
	}
	if c != nil {
		if c.parent != nil && c.Kind == PublicThread {
			c = c.parent
		}
		var allow, deny, ownAllow, ownDeny int64
		for _, o := range c.overwrites {
			a, _ := strconv.ParseInt(o["allow"].(string), 10, 64)
			d, _ := strconv.ParseInt(o["deny"].(string), 10, 64)
			switch id := o["id"].(string); {
			case id == g.ID:
				perms = perms&^d | a
			case id == u.ID:
				ownAllow, ownDeny = a, d
			case slices.Contains(m.roles, id):
				allow, deny = allow|a, deny|d
			}
		}
		perms = perms&^deny | allow
		perms = perms&^ownDeny | ownAllow
	}
	if m.timeout.After(g.srv.nowLocked()) {
		perms &= ViewChannel | ReadHistory
	}
	return perms
}

// rankLocked is the position of somebody's highest role; the owner is above all.
func (g *Guild) rankLocked(u *User) int {
	if g.owner == u {
		return 1 << 30
	}
	top := 0
	if m := g.members[u.ID]; m != nil {
		for _, r := range g.roles {
			if slices.Contains(m.roles, r.ID) {
				top = max(top, r.position)
			}
		}
	}
	return top
}

func (g *Guild) roleLocked(id string) *Role {
	i := slices.IndexFunc(g.roles, func(r *Role) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return g.roles[i]
}
