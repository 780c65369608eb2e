package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/bwmarrin/discordgo"

	"moot/internal/pause"
	"moot/protocol"
	"moot/protocol/discord/gateway"
	"moot/protocol/discord/rest"
)

// Other cursors that the adapter saves.
const (
	cursorShards = "discord/shards" // how many there were last
	cursorBudget = "discord/identifies"
	// cursorSeen is the snowflake up to which everything was admitted, as versions before this one
	// saved it.
	cursorSeen = "discord/seen"
)

// flushEvery is how often it is saved how far the shards have come, where that has changed. A bot that dies
// again and again, however soon, must not have more replayed each time.
const flushEvery = 250 * time.Millisecond

// shardState is what is remembered of a shard while the process lives. Guarded by the mutex of the
// Adapter.
type shardState struct {
	*progress
	ready bool // whether it is known in which guilds the bot is
}

// earlier reads how many shards the run before this one had, and up to where it had admitted
// everything.
func (a *Adapter) earlier() (count int, seen string, err error) {
	value, err := a.to.Cursor(cursorShards)
	if err != nil {
		return 0, "", err
	}
	if count, _ = strconv.Atoi(value); count == 0 {
		seen, err = a.to.Cursor(cursorSeen)
		return 0, seen, err
	}
	first := true
	for k := range count {
		if count == a.cfg.Shards && !a.has(k) {
			continue // another process has it
		}
		value, err := a.to.Cursor(shardCursor(count, k))
		if err != nil {
			return 0, "", err
		}
		if s, ok := parseSaved(value); ok && (first || newer(seen, s.Seen)) {
			seen = s.Seen
		} else if !ok {
			seen = ""
		}
		first = false
	}
	return count, seen, nil
}

// resume returns the session that an earlier run has left, and begins with what that knew.
func (a *Adapter) resume(shard, count int) gateway.Session {
	a.count.Store(int64(count))
	value, err := a.to.Cursor(shardCursor(count, shard))
	s, ok := parseSaved(value)
	if err != nil || !ok {
		return gateway.Session{}
	}
	a.guilds.restore(a.kept(shard, count))
	p := &progress{shard: shard, session: s.Session, url: s.URL, seq: s.Seq, seen: s.Seen,
		since: s.Since, written: value}
	a.mu.Lock()
	a.me, a.app = s.Me, s.App
	a.shards[shard] = &shardState{ready: true, progress: p}
	a.tellLocked()
	a.registerLocked()
	a.mu.Unlock()
	if s.Guilds != nil { // of its READY not everything was admitted
		p.seq, p.first, p.guilds = 0, s.Seq, s.Guilds
		l := p.arrived(s.Seq)
		if err := a.begun(withPlace(a.ctx, l), p); err != nil {
			a.log.Debug("stopped while the beginning of a session was taken up", "err", err)
		} else {
			l.done()
		}
	}
	return gateway.Session{ID: s.Session, URL: s.URL, Seq: s.Seq}
}

// begin notes that a shard has a new session.
func (a *Adapter) begin(e gateway.Event, r *discordgo.Ready) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.me = r.User.ID
	if r.Application != nil && r.Application.ID != "" {
		a.app = r.Application.ID
	}
	p := &progress{shard: e.Shard, session: e.Session, url: e.ResumeURL, since: a.before, first: e.Seq,
		guilds: []string{}, begun: make(chan struct{})}
	for _, g := range r.Guilds {
		if g != nil {
			p.guilds = append(p.guilds, g.ID)
		}
	}
	s := a.shards[e.Shard]
	if s == nil {
		s = &shardState{}
		a.shards[e.Shard] = s
	} else {
		p.former, p.since = s.progress, s.newest()
	}
	p.seen = p.since
	s.progress = p
	a.tellLocked()
	a.registerLocked()
}

// greeted notes that Discord has said in which guilds of a shard the bot is.
func (a *Adapter) greeted(shard int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shards[shard].ready = true
	a.tellLocked()
}

// tellLocked wakes those who wait for a shard.
func (a *Adapter) tellLocked() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// registerLocked begins to register the commands, once: of several processes the one with the first shard does.
func (a *Adapter) registerLocked() {
	if !a.registering && a.app != "" && a.has(0) {
		a.registering = true
		a.jobs.Go(func() { a.register(a.ctx) })
	}
}

// progressOf returns how far the session of a shard has come; nil before the first.
func (a *Adapter) progressOf(shard int) *progress {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.shards[shard]; s != nil {
		return s.progress
	}
	return nil
}

// flushing saves how far the shards have come, again and again until the context ends; soon at first,
// since a bot that dies shortly after each start would have all replayed to it every time.
func (a *Adapter) flushing(ctx context.Context) {
	for every := flushEvery / 8; ; every = min(2*every, flushEvery) {
		if pause.Sleep(ctx, every) != nil {
			return
		}
		if err := a.flush(ctx); err != nil && ctx.Err() == nil {
			a.fail(err)
			return
		}
	}
}

// beginning returns what saves a session that has just begun. Lanes wait for it: whenever the process
// dies after something of the session was admitted, the next one goes on with it. The gateway does
// not wait, since the bot may hold still for long.
func (a *Adapter) beginning(p *progress) func() {
	return func() {
		defer close(p.begun)
		if err := a.save(a.ctx); err != nil && a.ctx.Err() == nil {
			a.fail(err)
		}
	}
}

// flush saves what is kept of guilds, and then how far the shards have come.
func (a *Adapter) flush(ctx context.Context) error {
	if err := a.keep(ctx); err != nil {
		return err
	}
	return a.save(ctx)
}

// save saves how far the shards have come.
func (a *Adapter) save(ctx context.Context) error {
	a.saving.Lock()
	defer a.saving.Unlock()
	a.mu.Lock()
	me, app, all := a.me, a.app, []*progress{}
	for _, s := range a.shards {
		all = append(all, s.progress)
	}
	a.mu.Unlock()
	count := int(a.count.Load())
	for _, p := range all {
		value, changed := p.state(me, app)
		if !changed {
			continue
		}
		if a.savedCount != count {
			if err := a.to.Admit(ctx, nil, protocol.Cursor{Name: cursorShards,
				Value: strconv.Itoa(count)}); err != nil {
				return err
			}
			a.savedCount = count
		}
		if err := a.to.Admit(ctx, nil, protocol.Cursor{Name: shardCursor(count, p.shard), Value: value}); err != nil {
			return err
		}
		p.wrote(value)
	}
	return nil
}

// shardOf returns the shard that hears of a guild; 0 before it is known how many there are.
func (a *Adapter) shardOf(guild string) int { return gateway.ShardOf(guild, int(a.count.Load())) }

// online notes that a shard is connected, and offline that it is not. Members of its guilds that
// are on their way are then lost. Discord is there as long as any shard is.
func (a *Adapter) online(shard int) {
	a.mu.Lock()
	a.up[shard] = true
	a.mu.Unlock()
	a.doubt() // it may have been away for as long as a copy has run
	a.connected(true)
}

func (a *Adapter) offline(e gateway.Event) {
	a.mu.Lock()
	delete(a.up, e.Shard)
	up := len(a.up) > 0
	a.mu.Unlock()
	a.chunks.lost(func(guild string) bool { return a.shardOf(guild) == e.Shard })
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

// withLocales asks for commands with what they are called in other languages, which Discord leaves out otherwise.
var withLocales = map[string][]string{"with_localizations": {"true"}}

// register registers the commands, if they are others than those that stand with Discord. It tries
// until it works.
func (a *Adapter) register(ctx context.Context) {
	r := Register(a.cfg.Commands)
	path := "/applications/" + a.application() + "/commands"
	again := pause.Backoff{First: time.Second, Most: 10 * time.Minute}
	for failures := 0; ; failures++ {
		var have []registered
		err := a.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: path, Query: withLocales, Into: &have})
		if err == nil && r.stands(have) {
			return
		}
		if err == nil || rest.StatusOf(err) == http.StatusNotFound { // what cannot be compared is registered
			err = a.rest.Do(ctx, rest.Request{Method: http.MethodPut, Path: path, Body: r.Commands})
		}
		if err == nil {
			a.log.Info("the commands are registered", "count", len(r.Names))
			return
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, rest.ErrToken) {
			a.fail(err)
			return
		}
		wait := again.After(failures)
		a.log.Error("the commands could not be registered", "err", err, "again_in", wait)
		if pause.Sleep(ctx, wait) != nil {
			return
		}
	}
}

// budget keeps how many sessions were begun where it outlives the process.
type budget struct{ *Adapter }

func (b budget) Load() (string, error) { return b.to.Cursor(cursorBudget) }

// Save implements gateway.Budget. While the bot holds still it does not wait: without a connection
// nobody would be told why their commands are not answered. Discord counts the identify too, and is
// asked before each how many are left.
func (b budget) Save(ctx context.Context, value string) error {
	kept := make(chan error, 1)
	b.jobs.Go(func() {
		kept <- b.to.Admit(ctx, nil, protocol.Cursor{Name: cursorBudget, Value: value})
	})
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-kept:
			return err
		case <-look.C:
			if b.held() {
				return nil
			}
		}
	}
}

// held reports whether the bot admits nothing until somebody has put its machine right.
func (a *Adapter) held() bool {
	l, ok := a.to.(protocol.Loaded)
	return ok && l.Held()
}

// errNotReady is why nothing can be done before Discord has said who the bot is.
var errNotReady = errors.New("discord has not greeted the bot yet")

// awaitReady waits until Discord has said who the bot is, to the shard of the guild; any shard will
// do where that is zero.
func (a *Adapter) awaitReady(ctx context.Context, guildID string) error {
	for {
		a.mu.Lock()
		changed, ready := a.changed, a.me != "" // which is written after all that Run sets up
		if ready && guildID != "" {
			s := a.shards[a.shardOf(guildID)]
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
	if a.cfg.Own != nil && !a.has(gateway.ShardOf(guildID, a.cfg.Shards)) {
		return a.visit(guildID)
	}
	if err := a.awaitReady(ctx, guildID); err != nil {
		return err
	}
	in, err := a.guilds.await(ctx, guildID, func() bool { return a.cfg.State.Room(guildRoom(guildID)).Joined })
	if err == nil && !in {
		return noSuch("server %s for the bot", guildID)
	}
	return err
}

// visit takes in what is kept of a guild whose shard another process has, which is away: so this one sends there. What is kept may
// be some seconds old, which is no harm: what the bot may do there Discord decides.
func (a *Adapter) visit(guildID string) error {
	if !a.cfg.State.Room(guildRoom(guildID)).Joined {
		return noSuch("server %s for the bot", guildID)
	}
	value, err := a.to.Cursor(guildCursor(guildID))
	if err != nil {
		return err
	}
	g := parseGuild(guildID, value)
	if g == nil {
		return errGuildYet
	}
	a.guilds.restore(map[string]*guild{guildID: g})
	return nil
}
