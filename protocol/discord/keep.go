package discord

import (
	"context"
	"encoding/json"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/bwmarrin/discordgo"

	"moot/protocol"
	"moot/protocol/discord/gateway"
)

// What Discord tells of a guild when a session begins, and not when it is taken up again, stands in
// a cursor of the guild: channels, roles and the bot's own member. A cursor, because it is the
// adapter's alone, is read and replaced as a whole, and belongs to a place in what the gateway
// tells: the shard's place passes a change only once that is kept.

// keptGuild is a guild as it is kept.
type keptGuild struct {
	Owner    string                 `json:"o"`
	AFK      string                 `json:"f,omitempty"`
	System   string                 `json:"s,omitempty"`
	Own      []string               `json:"m,omitempty"`
	Away     bool                   `json:"a,omitempty"`
	Members  int                    `json:"n,omitempty"`
	Roles    map[string]keptRole    `json:"r"`
	Channels map[string]keptChannel `json:"c"`
}

type keptRole struct {
	Name     string `json:"n"`
	Position int    `json:"p"`
	Allows   int64  `json:"a"`
	Managed  bool   `json:"d,omitempty"`
}

type keptChannel struct {
	Name       string          `json:"n"`
	Kind       int             `json:"k,omitempty"`
	Parent     string          `json:"u,omitempty"`
	Position   int             `json:"p,omitempty"`
	Thread     bool            `json:"t,omitempty"`
	Overwrites []keptOverwrite `json:"o,omitempty"`
}

type keptOverwrite struct {
	ID     string `json:"i"`
	Member bool   `json:"m,omitempty"`
	Allow  int64  `json:"a,omitempty"`
	Deny   int64  `json:"d,omitempty"`
}

// String writes a guild as it is kept; the same guild always in the same way.
func (g *guild) String() string {
	k := keptGuild{Owner: g.owner, AFK: g.afk, System: g.system, Own: g.own, Away: g.away, Members: g.members,
		Roles: map[string]keptRole{}, Channels: map[string]keptChannel{}}
	for id, r := range g.roles {
		k.Roles[id] = keptRole{r.name, r.position, r.allows, r.managed}
	}
	for id, c := range g.channels {
		out := keptChannel{c.name, int(c.kind), c.parent, c.position, c.thread, nil}
		for _, o := range c.overwrites {
			out.Overwrites = append(out.Overwrites, keptOverwrite{o.id, o.member, o.allow, o.deny})
		}
		k.Channels[id] = out
	}
	data, err := json.Marshal(k)
	if err != nil {
		panic(err) // strings and numbers can be encoded
	}
	return string(data)
}

// parseGuild reads what String wrote; nil for anything else.
func parseGuild(id, value string) *guild {
	var k keptGuild
	if json.Unmarshal([]byte(value), &k) != nil {
		return nil
	}
	g := &guild{id: id, owner: k.Owner, afk: k.AFK, system: k.System, own: k.Own, away: k.Away, members: k.Members,
		roles: make(map[string]role, len(k.Roles)), channels: make(map[string]channel, len(k.Channels))}
	for id, r := range k.Roles {
		g.roles[id] = role{r.Name, r.Position, r.Allows, r.Managed}
	}
	for id, c := range k.Channels {
		in := channel{name: c.Name, kind: discordgo.ChannelType(c.Kind), parent: c.Parent, position: c.Position,
			thread: c.Thread}
		for _, o := range c.Overwrites {
			in.overwrites = append(in.overwrites, overwrite{o.ID, o.Member, o.Allow, o.Deny})
		}
		g.channels[id] = in
	}
	return g
}

func guildCursor(id string) string { return "discord/guild/" + id }

// kept returns the guilds of a shard that are in the store, with what is kept of them; nil of one
// of which nothing is, because Discord has not told of it yet.
func (a *Adapter) kept(shard, count int) map[string]*guild {
	all := map[string]*guild{}
	for _, room := range a.cfg.State.Rooms() {
		id, ok := guildOf(room)
		if !ok || gateway.ShardOf(id, count) != shard {
			continue
		}
		all[id] = nil
		if value, err := a.to.Cursor(guildCursor(id)); err == nil && value != "" {
			all[id] = parseGuild(id, value)
		}
	}
	return all
}

// unkept are the guilds that have changed since they were kept.
type unkept struct {
	mu      sync.Mutex
	changed map[string][]*place // the places that wait for it; guarded by mu
}

// changes notes that the event with the context has changed a guild, or ended it.
func (u *unkept) changes(ctx context.Context, guild string) {
	l := placeIn(ctx)
	l.hold()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.changed == nil {
		u.changed = map[string][]*place{}
	}
	u.changed[guild] = append(u.changed[guild], l)
}

// keep keeps the guilds that have changed. Of one that the bot has left nothing is kept.
func (a *Adapter) keep(ctx context.Context) error {
	a.unkept.mu.Lock()
	changed := a.unkept.changed
	a.unkept.changed = nil
	a.unkept.mu.Unlock()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(32) // which then share commits
	for id, places := range changed {
		group.Go(func() error {
			value := ""
			a.guilds.with(id, func(g *guild) { value = g.String() })
			if was, err := a.to.Cursor(guildCursor(id)); err != nil || was != value {
				if err := a.to.Admit(ctx, nil, protocol.Cursor{Name: guildCursor(id), Value: value}); err != nil {
					return err
				}
			}
			for _, l := range places {
				l.done()
			}
			return nil
		})
	}
	return group.Wait()
}
