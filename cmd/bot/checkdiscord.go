package main

import (
	"context"
	"net/http"

	"moot/events"
	"moot/internal/config"
	"moot/internal/inspect"
	"moot/protocol/discord"
)

// checkDiscord looks at the application on Discord.
func checkDiscord(ctx context.Context, cfg config.Config, token string, over http.RoundTripper) (found []inspect.Finding) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	features, err := newFeatures(cfg, new(events.Bus)) // for the names of the commands only: nothing is run
	if err != nil {
		return []inspect.Finding{{Status: inspect.Fail, What: "discord", Text: explain(err)}}
	}
	c := discordConfig(cfg, token)
	c.Commands, c.Transport = discordCommands(features.commands), over
	status := map[discord.Weight]inspect.Status{discord.Fine: inspect.OK, discord.Flaw: inspect.Warn, discord.Failure: inspect.Fail}
	for _, f := range discord.Survey(ctx, c) {
		found = append(found, inspect.Finding{Status: status[f.Weight], What: f.What, Text: f.Text, Do: f.Do})
	}
	return found
}
