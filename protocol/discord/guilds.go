package discord

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"
)

// guild is what the adapter has to know of a guild that no one else needs: what roles and channels
// allow. Discord tells all of it when a session begins; see keep.go for where it stands meanwhile.
// Members are not here: they are in the store, and only there.
type guild struct {
	id, owner string
	afk       string // the voice channel for those who are away; zero for none
	system    string // the channel for the guild's own messages; zero for none
	roles     map[string]role
	channels  map[string]channel
	own       []string // the roles of the bot
	away      bool     // whether Discord cannot reach it
	members   int      // how many there are, about: it is only shown
}

type role struct {
	name     string
	position int
	allows   int64
	managed  bool // whether Discord has made it, as that of a bot
}

type channel struct {
	name       string
	kind       discordgo.ChannelType
	parent     string
	position   int
	thread     bool
	overwrites []overwrite
}

type overwrite struct {
	id          string
	member      bool
	allow, deny int64
}

// guilds are those that the bot is in. Its methods may be called concurrently.
type guilds struct {
	mu   sync.RWMutex
	byID map[string]*guild // guarded by mu, and so is what it leads to
	// awaited are those of which Discord has said that the bot is in them, and no more yet. Guarded
	// by mu.
	awaited map[string]bool
	changed chan struct{} // closed and replaced when one comes or goes; guarded by mu
}

func newGuilds() *guilds {
	return &guilds{byID: map[string]*guild{}, awaited: map[string]bool{}, changed: make(chan struct{})}
}

// guildPatience is how long something waits for a guild of which Discord has said no more than that
// there is one.
const guildPatience = 10 * time.Second

// await waits until it is known whether the bot is in a guild, and reports that. Its shard has to
// be ready. Joined is what the store says: where that is yes and Discord has said no, the one is
// about to follow the other, as while a session that was taken up tells again how the bot left and
// came back. The error says that it is still not known.
func (s *guilds) await(ctx context.Context, id string, joined func() bool) (here bool, err error) {
	patience := time.NewTimer(guildPatience)
	defer patience.Stop()
	for {
		s.mu.RLock()
		here, awaited, changed := s.byID[id] != nil, s.awaited[id], s.changed
		s.mu.RUnlock()
		if here || !awaited && !joined() {
			return here, nil
		}
		select {
		case <-changed:
		case <-patience.C:
			return false, errGuildYet
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// expect notes of which guilds Discord is about to tell.
func (s *guilds) expect(ids map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range ids {
		s.awaited[id] = true
	}
}

func (s *guilds) tellLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// with calls f with a guild, if it is known. F does not keep it, and changes it only through
// change.
func (s *guilds) with(id string, f func(*guild)) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	g := s.byID[id]
	if g != nil {
		f(g)
	}
	return g != nil
}

func (s *guilds) change(id string, f func(*guild)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.byID[id]; g != nil {
		f(g)
	}
}

// hidden reports whether not every member sees a channel. It is false in private, and of a guild
// that is not known yet.
func (s *guilds) hidden(guildID, channel string) (is bool) {
	if guildID != "" {
		s.with(guildID, func(g *guild) { is = g.hidden(channel) })
	}
	return is
}

// ownRole is the role that Discord has made for the bot in a guild; zero where it has none.
func (s *guilds) ownRole(id string) (own string) {
	s.with(id, func(g *guild) {
		for _, r := range g.own {
			if g.roles[r].managed {
				own = r
			}
		}
	})
	return own
}

// restore takes in the guilds that an earlier run knew; nil ones are awaited.
func (s *guilds) restore(all map[string]*guild) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, g := range all {
		if g != nil {
			s.byID[id] = g
		} else {
			s.awaited[id] = true
		}
	}
	s.tellLocked()
}

// put takes in a guild as a GUILD_CREATE tells it. It reports whether that is one which was known
// in this session, and only out of Discord's own reach for a while.
func (s *guilds) put(c *discordgo.Guild, self string) (back bool) {
	g := &guild{
		id: c.ID, owner: c.OwnerID, afk: c.AfkChannelID, system: c.SystemChannelID, members: c.MemberCount,
		roles: map[string]role{}, channels: map[string]channel{},
	}
	for _, r := range c.Roles {
		if r != nil {
			g.roles[r.ID] = roleFrom(r)
		}
	}
	for _, list := range [][]*discordgo.Channel{c.Channels, c.Threads} {
		for _, ch := range list {
			if ch != nil && !archived(ch) {
				g.channels[ch.ID] = channelFrom(ch)
			}
		}
	}
	for _, m := range c.Members {
		if m != nil && m.User != nil && m.User.ID == self {
			g.own = slices.Clone(m.Roles)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	back = s.byID[c.ID] != nil && s.byID[c.ID].away && !s.awaited[c.ID]
	s.byID[c.ID] = g
	delete(s.awaited, c.ID)
	s.tellLocked()
	return back
}

// leave forgets a guild that the bot is no longer in.
func (s *guilds) leave(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
	delete(s.awaited, id)
	s.tellLocked()
}

// archived reports whether a channel is a thread that nobody writes in any more. Such a thread is
// forgotten: there is no end to them, and Discord tells of it again when somebody writes.
func archived(c *discordgo.Channel) bool { return c.ThreadMetadata != nil && c.ThreadMetadata.Archived }

func roleFrom(r *discordgo.Role) role { return role{r.Name, r.Position, r.Permissions, r.Managed} }

func channelFrom(c *discordgo.Channel) channel {
	out := channel{
		name: c.Name, kind: c.Type, parent: c.ParentID, position: c.Position, thread: c.IsThread(),
	}
	for _, o := range c.PermissionOverwrites {
		if o != nil {
			out.overwrites = append(out.overwrites, overwrite{o.ID, o.Type == discordgo.PermissionOverwriteTypeMember,
				o.Allow, o.Deny})
		}
	}
	return out
}

// writable reports whether people write in channels of that kind.
func (c channel) writable() bool {
	switch c.kind {
	case discordgo.ChannelTypeGuildText, discordgo.ChannelTypeGuildNews, discordgo.ChannelTypeGuildVoice,
		discordgo.ChannelTypeGuildStageVoice:
		return true
	}
	return c.thread
}

// home returns the channel for what is said to the whole guild, among those in which the bot may
// write: one that all can read, if there is any; that for the guild's own messages, if it is one of
// them; the first in the list otherwise.
func (g *guild) home(self string) (id string, ok bool) {
	type place struct {
		id       string
		hidden   bool
		foreign  bool // not for the guild's own messages
		position int
	}
	var best []place
	for id, c := range g.channels {
		system := id == g.system && c.writable()
		if !system && c.kind != discordgo.ChannelTypeGuildText ||
			g.in(id, self, g.own)&(mayView|maySend) != mayView|maySend {
			continue
		}
		best = append(best, place{id, g.hidden(id), !system, c.position})
	}
	if best == nil {
		return "", false
	}
	rank := func(yes bool) int {
		if yes {
			return 1
		}
		return 0
	}
	return slices.MinFunc(best, func(a, b place) int {
		return cmp.Or(cmp.Compare(rank(a.hidden), rank(b.hidden)), cmp.Compare(rank(a.foreign), rank(b.foreign)),
			cmp.Compare(a.position, b.position), cmp.Compare(len(a.id), len(b.id)), cmp.Compare(a.id, b.id))
	}).id, true
}
