package discord

import (
	"context"
	"strings"

	"github.com/bwmarrin/discordgo"

	"moot/internal/alike"
	"moot/protocol"
)

// has reports whether a member has a role; everybody has the zero one.
func has(m *discordgo.Member, role string) bool { return role == "" || contains(m.Roles, role) }

// holders tells who has a role of a guild. Who has which role nobody keeps: it is read when it is asked for.
func (a *Adapter) holders(ctx context.Context, room protocol.RoomID, role, nonce string) (protocol.RoleHolders, error) {
	guildID, err := a.guildIn(ctx, room)
	if err != nil {
		return protocol.RoleHolders{}, err
	}
	var out protocol.RoleHolders
	a.guilds.with(guildID, func(g *guild) { out = g.roleMeant(role) })
	if out.Role == "" || out.Everyone {
		return out, nil
	}
	list, err := a.membersOf(ctx, guildID, out.Role, nonce)
	if err != nil {
		return protocol.RoleHolders{}, err
	}
	if out.Count = len(list.Members); out.Count > protocol.MaxHolders {
		return out, nil
	}
	for _, m := range list.Members {
		out.Holders = append(out.Holders, m.User)
	}
	return out, nil
}

// roleMeant finds the role that somebody means. Of several that look the same none is meant, also where one of them is written just
// so: who reads its name cannot tell which it is.
func (g *guild) roleMeant(role string) (out protocol.RoleHolders) {
	id := strings.TrimSuffix(strings.TrimPrefix(role, "<@&"), ">")
	if r, ok := g.roles[id]; ok {
		return protocol.RoleHolders{Role: id, Name: r.name, Alike: 1, Everyone: id == g.id}
	}
	bare := func(name string) string { return alike.Look(strings.TrimPrefix(strings.TrimSpace(name), "@")) }
	look := bare(role)
	for id, r := range g.roles {
		if look == "" || bare(r.name) != look {
			continue
		}
		if out.Alike++; out.Alike == 1 {
			out.Role, out.Name, out.Everyone = id, r.name, id == g.id
		}
	}
	if out.Alike > 1 {
		return protocol.RoleHolders{Alike: out.Alike}
	}
	return out
}
