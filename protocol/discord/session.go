package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/bwmarrin/discordgo"

	"moot/protocol"
	"moot/protocol/discord/gateway"
	"moot/protocol/discord/rest"
)

// The cursors that the adapter saves.
const (
	cursorSeen     = "discord/seen"     // the snowflake up to which everything that came is admitted
	cursorCommands = "discord/commands" // the application and the hash of what is registered with it
	cursorBudget   = "discord/identifies"
)

// shardState is what is remembered of a shard while the process lives. Guarded by the mutex of the Adapter.
type shardState struct {
	seen  string // the newest snowflake that it brought; zero before the first
	since string // the place from which on the present session does not know; zero where nothing is missing
	ready bool   // whether Discord has said in which guilds the bot is
}

// begin notes that a shard has a new session, and returns the place from which on something may be missing; zero where
// nothing is.
func (a *Adapter) begin(shard int, r *discordgo.Ready) (since string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.me == "" {
		close(a.changed)
		a.changed = make(chan struct{})
	}
	a.me = r.User.ID
	if r.Application != nil && r.Application.ID != "" {
		a.app = r.Application.ID
	}
	s := a.shards[shard]
	if s == nil {
		s = &shardState{}
		a.shards[shard] = s
	}
	if s.since = s.seen; s.since == "" {
		s.since = a.before
	}
	if !a.registering {
		a.registering = true
		a.jobs.Go(func() { a.register(a.ctx) })
	}
	return s.since
}

// greeted notes that Discord has said who the bot is, and in which guilds of a shard.
func (a *Adapter) greeted(shard int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.shards[shard].ready {
		a.shards[shard].ready = true
		close(a.changed)
		a.changed = make(chan struct{})
	}
}

// saw notes the place of something that a shard brought.
func (a *Adapter) saw(shard int, snowflake string) {
	if !isSnowflake(snowflake) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.shards[shard]; s != nil && newer(snowflake, s.seen) {
		s.seen = snowflake
	}
}

// sinceWhen returns the place from which on the session of a shard does not know.
func (a *Adapter) sinceWhen(shard int) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.shards[shard]; s != nil {
		return s.since
	}
	return ""
}

// online notes that a shard is connected, and offline that it is not. Members of its guilds that are on their way are then
// lost. Discord is there as long as any shard is.
func (a *Adapter) online(shard int) {
	a.mu.Lock()
	a.up[shard] = true
	a.mu.Unlock()
	a.connected(true)
}

func (a *Adapter) offline(e gateway.Event) {
	if d, ok := e.Data.(gateway.Disconnection); ok {
		a.log.Info("discord: a shard is offline", "shard", e.Shard, "err", d.Err, "resumable", d.Resumable)
	}
	a.mu.Lock()
	delete(a.up, e.Shard)
	up := len(a.up) > 0
	a.mu.Unlock()
	a.chunks.lost(func(guild string) bool { return a.gw.ShardOf(guild) == e.Shard })
	a.connected(up)
}

// connected tells the bot whether Discord is there, where it wants to know.
func (a *Adapter) connected(up bool) {
	if c, ok := a.to.(protocol.Connectivity); ok {
		c.Connected(up)
	}
}

// self is Discord's id of the bot; zero before the first session.
func (a *Adapter) self() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.me
}

func (a *Adapter) application() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.app
}

// willLeave notes that the bot is about to leave a guild by itself, and leaving whether it was.
func (a *Adapter) willLeave(guild string, will bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if will {
		a.left[guild] = true
	} else {
		delete(a.left, guild)
	}
}

func (a *Adapter) leaving(guild string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.left[guild]
	delete(a.left, guild)
	return was
}

// admit hands events over, and with them the place up to which everything is in once they are.
func (a *Adapter) admit(ctx context.Context, evs []protocol.Event, place string) error {
	cursor := protocol.Cursor{}
	if place != "" {
		cursor = protocol.Cursor{Name: cursorSeen, Value: place}
	}
	return a.to.Admit(ctx, evs, cursor)
}

// register registers the commands, if they are others than those that stand there. It tries until it works.
func (a *Adapter) register(ctx context.Context) {
	r := Register(a.cfg.Commands)
	app := a.application()
	want := app + " " + r.Hash
	if have, err := a.to.Cursor(cursorCommands); err == nil && have == want || app == "" {
		return
	}
	for pause := time.Second; ; pause = min(2*pause, 10*time.Minute) {
		err := a.rest.Do(ctx, rest.Request{Method: http.MethodPut, Path: "/applications/" + app + "/commands", Body: r.Commands})
		if err == nil {
			if err = a.to.Admit(ctx, nil, protocol.Cursor{Name: cursorCommands, Value: want}); err == nil {
				a.log.Info("discord: the commands are registered", "count", len(r.Names))
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, rest.ErrToken) {
			a.fail(err)
			return
		}
		a.log.Error("discord: the commands could not be registered", "err", err, "again_in", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// budget keeps how many sessions were begun where it outlives the process.
type budget struct{ to protocol.Admitter }

func (b budget) Load() (string, error) { return b.to.Cursor(cursorBudget) }

func (b budget) Save(ctx context.Context, value string) error {
	return b.to.Admit(ctx, nil, protocol.Cursor{Name: cursorBudget, Value: value})
}

// errNotReady is why nothing can be done before Discord has said who the bot is.
var errNotReady = errors.New("discord has not greeted the bot yet")

// awaitReady waits until Discord has said who the bot is, to the shard of the guild; any shard will do where that is zero.
func (a *Adapter) awaitReady(ctx context.Context, guildID string) error {
	for {
		a.mu.Lock()
		changed, ready := a.changed, a.me != "" // which Run has written after all that it sets up
		if ready && guildID != "" {
			s := a.shards[a.gw.ShardOf(guildID)]
			ready = s != nil && s.ready
		}
		a.mu.Unlock()
		if ready {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errNotReady, ctx.Err())
		}
	}
}

// here waits until it is known whether the bot is in a guild, and is nil if it is.
func (a *Adapter) here(ctx context.Context, guildID string) error {
	if err := a.awaitReady(ctx, guildID); err != nil {
		return err
	}
	in, err := a.guilds.await(ctx, guildID)
	if err == nil && !in {
		return noSuch("server %s for the bot", guildID)
	}
	return err
}
