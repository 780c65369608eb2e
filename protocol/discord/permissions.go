package discord

import (
	"github.com/bwmarrin/discordgo"
)

// What the bot needs to be allowed in a channel (developer documentation, "Permissions").
const (
	mayView         = discordgo.PermissionViewChannel
	maySend         = discordgo.PermissionSendMessages
	maySendInThread = discordgo.PermissionSendMessagesInThreads
	mayRead         = discordgo.PermissionReadMessageHistory
	mayReact        = discordgo.PermissionAddReactions
	mayAttach       = discordgo.PermissionAttachFiles
	mayTimeOut      = discordgo.PermissionModerateMembers
	mayGiveRoles    = discordgo.PermissionManageRoles

	administrator = discordgo.PermissionAdministrator
	// moderates is what makes a member a moderator to the bot: one of these.
	moderates = discordgo.PermissionManageGuild | discordgo.PermissionModerateMembers | administrator

	everything int64 = -1
)

// permissionNames are what people read in the settings of a server.
var permissionNames = []struct {
	bit  int64
	name string
}{
	{mayView, "View Channel"}, {maySend, "Send Messages"}, {maySendInThread, "Send Messages in Threads"},
	{mayRead, "Read Message History"}, {mayReact, "Add Reactions"}, {mayAttach, "Attach Files"},
	{mayTimeOut, "Timeout Members"}, {mayGiveRoles, "Manage Roles"},
}

// base returns what roles allow in the whole guild.
func (g *guild) base(user string, roles []string) int64 {
	if user == g.owner {
		return everything
	}
	sum := g.roles[g.id].allows // that of everybody has the id of the guild
	for _, id := range roles {
		sum |= g.roles[id].allows
	}
	if sum&administrator != 0 {
		return everything
	}
	return sum
}

// in returns what somebody is allowed in a channel. In a thread it is that of its channel.
// https://discord.com/developers/docs/topics/permissions#permission-overwrites
func (g *guild) in(channel, user string, roles []string) int64 {
	sum := g.base(user, roles)
	c, ok := g.channels[channel]
	if !ok || sum == everything {
		return sum
	}
	if c.thread {
		if c, ok = g.channels[c.parent]; !ok {
			return sum
		}
	}
	var allow, deny int64
	for _, o := range c.overwrites {
		if o.id == g.id && !o.member {
			sum = sum&^o.deny | o.allow
		}
	}
	for _, o := range c.overwrites {
		if !o.member && o.id != g.id && contains(roles, o.id) {
			allow, deny = allow|o.allow, deny|o.deny
		}
	}
	sum = sum&^deny | allow
	for _, o := range c.overwrites {
		if o.member && o.id == user {
			sum = sum&^o.deny | o.allow
		}
	}
	return sum
}

// hidden reports whether there are members who do not see a channel: whether everybody's own
// permissions do not suffice for it, or it is a private thread, or one of whose channel nothing is
// known. A channel that is not known counts as hidden.
func (g *guild) hidden(channel string) bool {
	c, ok := g.channels[channel]
	if ok && c.thread {
		_, ok = g.channels[c.parent]
	}
	return !ok || c.kind == discordgo.ChannelTypeGuildPrivateThread || g.in(channel, "", nil)&mayView == 0
}

// moderator reports whether somebody with these roles may moderate the guild.
func (g *guild) moderator(user string, roles []string) bool {
	return g.base(user, roles)&moderates != 0
}

// rank is the place of the highest of the roles.
func (g *guild) rank(roles []string) (highest int) {
	for _, id := range roles {
		highest = max(highest, g.roles[id].position)
	}
	return highest
}

// lacking names what is needed and not allowed.
func lacking(allowed, needed int64) (names []string) {
	for _, p := range permissionNames {
		if needed&p.bit != 0 && allowed&p.bit == 0 {
			names = append(names, p.name)
		}
	}
	return names
}
