package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"moot/cluster/fleet"
)

// ErrToken is the error of a token that Discord does not take.
var ErrToken = errors.New("the token is none that Discord takes")

// gateway asks Discord, or the proxy before it, how many shards there are to be and how many identifies are left.
type gateway struct {
	base, token, agent string
	client             *http.Client
}

func newGateway(c Config) *gateway {
	return &gateway{
		base: cmp.Or(c.Settings.Proxy, "https://discord.com"), token: c.Settings.Token,
		// Discord wants a URL and a version, and refuses others (https://discord.com/developers/docs/reference#user-agent).
		agent:  "DiscordBot (https://discord.com/developers/applications, " + c.Version + ")",
		client: &http.Client{Timeout: 10 * time.Second},
	}
}

func (g *gateway) ask(ctx context.Context) (fleet.Gateway, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.base+"/api/gateway/bot", nil)
	if err != nil {
		return fleet.Gateway{}, err
	}
	req.Header.Set("Authorization", "Bot "+g.token)
	req.Header.Set("User-Agent", g.agent)
	resp, err := g.client.Do(req)
	if err != nil {
		return fleet.Gateway{}, fmt.Errorf("ask Discord for the shards: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return fleet.Gateway{}, ErrToken
	default:
		return fleet.Gateway{}, fmt.Errorf("ask Discord for the shards: it answers %s", resp.Status)
	}
	var answer struct {
		URL    string `json:"url"`
		Shards int    `json:"shards"`
		Limit  struct {
			Total          int   `json:"total"`
			Remaining      int   `json:"remaining"`
			ResetAfter     int64 `json:"reset_after"`
			MaxConcurrency int   `json:"max_concurrency"`
		} `json:"session_start_limit"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return fleet.Gateway{}, fmt.Errorf("ask Discord for the shards: %w", err)
	}
	l := answer.Limit
	if answer.Shards < 1 || l.Total < 1 || l.Remaining < 0 || l.ResetAfter < 0 {
		return fleet.Gateway{}, errors.New("ask Discord for the shards: its answer cannot be")
	}
	return fleet.Gateway{
		URL: answer.URL, Shards: answer.Shards, Total: l.Total, Remaining: l.Remaining,
		ResetAfter: time.Duration(l.ResetAfter) * time.Millisecond, MaxConcurrency: max(1, l.MaxConcurrency),
	}, nil
}
