package main

import (
	"context"

	"moot/events"
	"moot/internal/config"
	"moot/internal/inspect"
	"moot/protocol/discord"
)

// checkDiscord looks at the application on Discord.
func checkDiscord(ctx context.Context, cfg config.Config) (found []inspect.Finding) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	token, err := cfg.Discord.Token.Reveal()
	if err != nil {
		return []inspect.Finding{{Status: inspect.Fail, What: "discord", Text: sentence(err.Error()), Do: "put the token where token in [discord] says that it is"}}
	}
	features, err := newFeatures(cfg, nil, new(events.Bus)) // for the names of the commands only: nothing is run
	if err != nil {
		return []inspect.Finding{{Status: inspect.Fail, What: "discord", Text: explain(err)}}
	}
	c := discordConfig(cfg, token)
	c.Commands = discordCommands(features.commands)
	status := map[discord.Weight]inspect.Status{discord.Fine: inspect.OK, discord.Flaw: inspect.Warn, discord.Failure: inspect.Fail}
	for _, f := range discord.Survey(ctx, c) {
		found = append(found, inspect.Finding{Status: status[f.Weight], What: f.What, Text: f.Text, Do: f.Do})
	}
	return found
}
