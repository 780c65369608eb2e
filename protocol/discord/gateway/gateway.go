package gateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"moot/internal/pause"
	"moot/protocol/discord/rest"
)

// Disconnected is the type of the event by which the gateway itself says that a shard is offline.
const Disconnected = "DISCONNECTED"

// Event is one dispatch of the gateway.
type Event struct {
	Shard     int
	Session   string // Discord's id of the session
	ResumeURL string // where the session is to be resumed
	Seq       int64  // of the event in its session
	Type      string // "MESSAGE_CREATE", "READY", "RESUMED", Disconnected
	Replayed  bool   // whether it came while the bot was away
	Raw       json.RawMessage
	Lost      *Disconnection // of Disconnected only
}

// Disconnection says why a shard went offline.
type Disconnection struct {
	Err       error
	Resumable bool // whether nothing is lost if Discord agrees
}

// Session is a session that can be resumed. The zero value is none.
type Session struct {
	ID, URL string
	Seq     int64 // of the last event that need not come again
}

// Config says how to connect.
type Config struct {
	Token   string // of the bot, without "Bot "
	REST    *rest.Client
	URL     string // of the gateway, or of a proxy before it; zero takes what Discord says
	Intents int
	// Shards is how many there are; zero takes as many as Discord advises, and at least AtLeast.
	Shards, AtLeast int
	Own             []int // those of Shards that are connected; nil means all
	// Resume returns the session that an earlier run of so many shards has saved; nil means none.
	Resume func(shard, count int) Session
	Status string // what is shown below the name of the bot; zero shows nothing
	// Budget remembers identifies over restarts; nil counts those of this process only.
	Budget Budget
	// Turn waits until no other process of the bot identifies; nil means that there is none.
	Turn func(ctx context.Context) (over func(), err error)
	// IdentifyEvery is how far apart two identifies of one concurrency bucket are; zero means 5.5 s,
	// as Discord asks for 5.
	IdentifyEvery time.Duration
	OpenTimeout   time.Duration                         // from dialing to the first event; zero means 30 seconds
	Backoff       time.Duration                         // the first pause after failures, doubled up to 120 times; zero means 1 s
	TLS           *tls.Config                           // nil means the system's authorities
	Proxy         func(*http.Request) (*url.URL, error) // nil means http.ProxyFromEnvironment
	Log           *slog.Logger                          // nil means none
}

// Handler takes one event. It may block, and returns an error to end Run. The event is its to keep.
type Handler func(ctx context.Context, e Event) error

// Gateway is a bot's connection to the gateway: all its shards.
type Gateway struct {
	cfg     Config
	budget  *budget
	backoff pause.Backoff
	shards  atomic.Pointer[[]*shard] // by their numbers, nil where they are of others; nil before Run knows how many
}

// New makes a gateway that is not connected.
func New(cfg Config) *Gateway {
	cfg.IdentifyEvery = cmp.Or(cfg.IdentifyEvery, 5500*time.Millisecond)
	cfg.OpenTimeout = cmp.Or(cfg.OpenTimeout, 30*time.Second)
	cfg.Backoff = cmp.Or(cfg.Backoff, time.Second)
	if cfg.Proxy == nil {
		cfg.Proxy = http.ProxyFromEnvironment
	}
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	return &Gateway{cfg: cfg, backoff: pause.Backoff{First: cfg.Backoff, Most: 120 * cfg.Backoff},
		budget: &budget{store: cfg.Budget, rest: cfg.REST, every: cfg.IdentifyEvery, log: cfg.Log, turn: make(chan struct{}, 1), others: cfg.Turn}}
}

// Run connects all shards and calls handle for their events until the context ends, which is no
// error. It returns when all is down. The error is a *FatalError where the operator has to change
// something, or that of handle or the Budget.
func (g *Gateway) Run(ctx context.Context, handle Handler) error {
	if err := g.budget.load(); err != nil {
		return err
	}
	info, err := g.firstInfo(ctx)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	count := max(g.cfg.Shards, 0)
	if count == 0 {
		count = max(info.Shards, g.cfg.AtLeast, 1) // fewer than AtLeast would end every session
	}
	g.cfg.Log.Info("connecting", "shards", count, "advised", info.Shards, "identifies_left", info.Limit.Remaining)
	shards := make([]*shard, count)
	group, each := errgroup.WithContext(ctx)
	for i := range shards {
		if g.cfg.Own != nil && !slices.Contains(g.cfg.Own, i) {
			continue
		}
		var session Session
		if g.cfg.Resume != nil {
			session = g.cfg.Resume(i, count)
		}
		shards[i] = &shard{g: g, id: i, count: count, url: info.URL, session: session, handle: handle,
			sent: make(chan struct{}, sendsPerMinute)}
	}
	g.shards.Store(&shards)
	for _, s := range shards {
		if s != nil {
			group.Go(func() error { return s.run(each) })
		}
	}
	return unlessStopped(ctx, group.Wait())
}

// unlessStopped is the error, unless it says no more than that the context has ended.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// firstInfo asks until Discord answers.
func (g *Gateway) firstInfo(ctx context.Context) (botInfo, error) {
	for n := 0; ; n++ {
		info, err := g.budget.lookUp(ctx)
		if err == nil {
			return info, nil
		}
		if f := fatal(err); f != nil {
			return info, f
		}
		wait := g.backoff.After(n)
		g.cfg.Log.Warn("cannot ask for the gateway", "err", err, "again_in", wait)
		if err := pause.Sleep(ctx, wait); err != nil {
			return info, err
		}
	}
}

// ShardOf returns which of so many shards hears of the guild.
// https://discord.com/developers/docs/events/gateway#sharding
func ShardOf(guild string, count int) int {
	id, err := strconv.ParseUint(guild, 10, 64)
	if err != nil || count <= 0 {
		return 0
	}
	return int((id >> 22) % uint64(count))
}

// RequestMembers asks for all members of the guild, which come as GUILD_MEMBERS_CHUNK events with
// the nonce (at most 32 bytes). Sent is not arrived: the caller waits for the events, and asks for
// one guild once in 30 seconds. It returns ErrOffline where there is no session.
func (g *Gateway) RequestMembers(ctx context.Context, guild, nonce string) error {
	shards := g.shards.Load()
	if shards == nil || (*shards)[ShardOf(guild, len(*shards))] == nil {
		return ErrOffline
	}
	return (*shards)[ShardOf(guild, len(*shards))].send(ctx, opRequestMembers,
		map[string]any{"guild_id": guild, "query": "", "limit": 0, "nonce": nonce})
}

// Latency is how long Discord took to acknowledge the last heartbeat of a shard; zero before the first.
func (g *Gateway) Latency(shard int) time.Duration {
	if all := g.shards.Load(); all != nil && shard < len(*all) && (*all)[shard] != nil {
		return time.Duration((*all)[shard].latency.Load())
	}
	return 0
}
