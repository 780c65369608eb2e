package main

import (
	"context"
	"net/http"

	"moot/events"
	"moot/internal/config"
	"moot/internal/finding"
	"moot/protocol/discord"
)

// checkDiscord looks at the application on Discord.
func checkDiscord(ctx context.Context, cfg config.Config, token, left string, over http.RoundTripper) []finding.Finding {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	features, err := newFeatures(cfg, new(events.Bus)) // for the names of the commands only: nothing is run
	if err != nil {
		return []finding.Finding{{Status: finding.Fail, What: "discord", Text: explain(err)}}
	}
	c := discordConfig(cfg, token)
	c.Commands, c.Transport = discordCommands(features.commands), over
	return discord.Survey(ctx, c, left)
}
