package main

import (
	"fmt"
	"log/slog"
	"net/http"

	"moot/commands"
	"moot/internal/config"
	"moot/internal/record"
	"moot/protocol"
	"moot/protocol/discord"
	"moot/store"
)

// openDiscord makes the adapter for Discord. It connects when it runs.
func (a *app) openDiscord(cfg config.Config, st *store.Store, f *features, over http.RoundTripper, log *slog.Logger) (protocol.Adapter, error) {
	token, err := cfg.Discord.Token.Token()
	if err != nil {
		return nil, fmt.Errorf("token in [discord]: %w", err)
	}
	c := discordConfig(cfg, token)
	c.Commands, c.State, c.Completer, c.Transport, c.Log = discordCommands(f.commands), record.Discord{Store: st}, discordCompleter{st, f.commands}, over, log
	return discord.New(c), nil
}

// discordConfig is what the configuration says of Discord.
func discordConfig(cfg config.Config, token string) discord.Config {
	return discord.Config{
		Token: token, APIURL: cfg.Discord.APIURL, GatewayURL: cfg.Discord.GatewayURL, Shards: cfg.Discord.Shards,
		MessageContent: cfg.Discord.MessageContent,
		Enforcement:    discord.Enforcement{Timeout: cfg.Discord.Enforcement == "timeout", Role: cfg.Discord.EnforcementRole},
		Status:         "/help",
		Version:        version(),
	}
}

// discordCommands describes the command tree as Discord wants to have it.
func discordCommands(tree *commands.Commands) (list []discord.Command) {
	hidden := map[string]bool{}
	for n := range tree.Walk() {
		parent := (&commands.Node{Path: n.Path[:len(n.Path)-1]}).Title()
		if hidden[parent] || n.Hidden {
			hidden[n.Title()] = true
			continue
		}
		c := discord.Command{
			Path: n.Path, Summary: sentence(n.Summary), Group: len(n.Subs()) > 0, OnPerson: n.OnPerson,
			Operators: n.Who == commands.Operator,
			Private:   n.Visibility.In(protocol.Event{Body: protocol.Invocation{}}) == commands.Private,
			InGuilds:  n.Where != commands.PrivateOnly, InPrivate: true,
		}
		for i := range n.Params {
			if p := discordParam(&n.Params[i]); n.Params[i].Hidden {
				c.Hidden = append(c.Hidden, p)
			} else {
				c.Params = append(c.Params, p)
			}
		}
		if n.Where == commands.NeedsRoom && !c.Group {
			c.Params = append(c.Params, discord.Param{
				Name: "in", Slots: []string{"in"}, Summary: "In a private message to me: the server that it concerns", Complete: true,
			})
		}
		list = append(list, c)
	}
	return list
}

func discordParam(p *commands.Param) discord.Param {
	out := discord.Param{
		Name: p.Name, Summary: sentence(p.Summary), Required: p.Required(), Slots: p.Slots(), Choices: p.Choices,
		Complete: p.Complete != nil || p.Kind == commands.Room, Joined: p.Joined,
	}
	switch p.Kind {
	case commands.Integer:
		out.Kind, out.Min, out.Max = discord.Integer, p.Min, p.Max
	case commands.Switch:
		out.Kind = discord.Switch
	case commands.Person:
		out.Kind = discord.Person
	case commands.NamedRole:
		out.Kind = discord.Role
	case commands.Text:
		out.Kind, out.Min, out.Max = discord.Long, p.Min, p.Max
	case commands.Word:
		out.Min, out.Max = p.Min, p.Max
	case commands.Duration:
		out.Summary += " (90m, 2h30m, 3d)"
	case commands.Room:
		out.Choices = nil // they stand beside the names of rooms, which are completed
	}
	return out
}

// discordCompleter completes by a transaction that only reads.
type discordCompleter struct {
	store *store.Store
	tree  *commands.Commands
}

// Complete implements discord.Completer.
func (c discordCompleter) Complete(where discord.Where, path []string, param, typed string, args map[string]string) (values []string) {
	_ = c.store.View(func(tx *store.Tx) error { // what cannot be read cannot be completed
		who := commands.CompletionContext{Person: where.User, Room: where.Room, Private: where.Private}
		values = c.tree.CompleteValue(tx, who, path, param, typed, args)
		return nil
	})
	return values
}
