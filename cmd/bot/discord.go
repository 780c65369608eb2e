package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"moot/commands"
	"moot/internal/config"
	"moot/internal/record"
	"moot/internal/say"
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

// foreign are the languages in which the bot tells Discord what commands are called, beside English.
var foreign = slices.DeleteFunc(say.Languages(), func(l say.Language) bool { return l == say.English })

// foreignOf are the languages of a command; one that an operator has made says in all of them what they have written.
func foreignOf(n *commands.Node) []say.Language {
	if n.Words == nil {
		return nil
	}
	return foreign
}

// inServer is what the parameter is called by which a command in private names its server.
var inServer = func() map[say.Language]discord.Locale {
	in := map[say.Language]discord.Locale{}
	for _, l := range foreign {
		in[l] = discord.InServer(l)
	}
	return in
}()

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
			In: map[say.Language]discord.Locale{}, MenuIn: map[say.Language]discord.Locale{},
		}
		for _, l := range foreignOf(n) {
			c.In[l] = discord.Locale{Name: n.NameIn(l), Summary: sentence(n.SummaryIn(l))}
			if n.OnPerson != "" {
				c.MenuIn[l] = discord.Locale{Name: n.OnPersonIn(l)}
			}
		}
		for i := range n.Params {
			if p := discordParam(n, &n.Params[i]); n.Params[i].Hidden {
				c.Hidden = append(c.Hidden, p)
			} else {
				c.Params = append(c.Params, p)
			}
		}
		if n.Where == commands.NeedsRoom && !c.Group {
			c.Params = append(c.Params, discord.Param{
				Name: "in", Slots: []string{"in"}, Summary: discord.InServer(say.English).Summary, Complete: true, In: inServer,
			})
		}
		list = append(list, c)
	}
	return list
}

func discordParam(n *commands.Node, p *commands.Param) discord.Param {
	out := discord.Param{
		Name: p.Name, Summary: sentence(p.Summary), Required: p.Required(), Slots: p.Slots(), Choices: p.Choices,
		Complete: p.Complete != nil || p.Kind == commands.Room, Joined: p.Joined,
		In: map[say.Language]discord.Locale{}, ChoicesIn: map[string]map[say.Language]discord.Locale{},
	}
	const example = " (90m, 2h30m, 3d)"
	for _, l := range foreignOf(n) {
		in := discord.Locale{Name: n.ParamNameIn(l, p), Summary: sentence(n.ParamSummaryIn(l, p))}
		if p.Kind == commands.Duration {
			in.Summary += example
		}
		out.In[l] = in
		for _, choice := range p.Choices {
			if out.ChoicesIn[choice] == nil {
				out.ChoicesIn[choice] = map[say.Language]discord.Locale{}
			}
			out.ChoicesIn[choice][l] = discord.Locale{Name: n.ChoiceIn(l, p, choice)}
		}
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
		out.Summary += example
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
