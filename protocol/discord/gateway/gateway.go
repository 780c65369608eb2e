package gateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"
	"golang.org/x/sync/errgroup"

	"moot/protocol/discord/rest"
)

// Disconnected is the type of the event that the gateway itself puts into the stream when a shard has lost its
// connection. Its Data is a [Disconnection].
const Disconnected = "DISCONNECTED"

// Event is one dispatch of the gateway.
type Event struct {
	Shard   int
	Session string // Discord's id of the session
	Seq     int64  // of the event in its session
	Type    string // "MESSAGE_CREATE", "READY", "RESUMED", Disconnected
	// Data is discordgo's decoded struct, such as *discordgo.MessageCreate; nil where discordgo does not know the type.
	// Where one field of the event has a type that discordgo does not expect, the fields after it may be missing.
	Data any
	Raw  json.RawMessage // the event as Discord wrote it; nil for Disconnected
}

// Disconnection tells why a shard went offline.
type Disconnection struct {
	Err       error
	Resumable bool // whether nothing is lost if Discord agrees
}

// Config says how to connect.
type Config struct {
	Token   string // of the bot, without "Bot "
	REST    *rest.Client
	URL     string // of the gateway, or of a proxy before it; zero takes what Discord says
	Intents discordgo.Intent
	Shards  int // how many; zero takes as many as Discord advises
	// Budget remembers identifies over restarts; nil counts those of this process only.
	Budget Budget
	// IdentifyEvery is how far apart two identifies of one concurrency bucket are; zero means 5.5 seconds, as Discord
	// asks for 5.
	IdentifyEvery time.Duration
	// OpenTimeout is how long a connection may take from dialing to its first event; zero means 30 seconds.
	OpenTimeout time.Duration
	// Backoff is the first pause after a connection that failed, which doubles up to 120 times as much; zero means one
	// second.
	Backoff time.Duration
	// QueueBytes is how much of each shard waits for the function of Run, in bytes of JSON; zero means 4 MiB.
	QueueBytes int
	// TLS is for gateways with a certificate of their own; nil means the system's authorities.
	TLS *tls.Config
	// Proxy says by which proxy to go; nil means what the environment says, as the REST API is reached. See
	// http.ProxyFromEnvironment.
	Proxy func(*http.Request) (*url.URL, error)
	Log   *slog.Logger // nil means none
}

// Handler takes one event. It may block, and returns an error to end Run. The event is its to keep.
type Handler func(ctx context.Context, e Event) error

// Gateway is a bot's connection to the gateway: all its shards.
type Gateway struct {
	cfg    Config
	budget *budget

	mu     sync.Mutex
	shards []*shard // empty before Run knows how many
}

// New makes a gateway that is not connected.
func New(cfg Config) *Gateway {
	cfg.IdentifyEvery = cmp.Or(cfg.IdentifyEvery, 5500*time.Millisecond)
	cfg.OpenTimeout = cmp.Or(cfg.OpenTimeout, 30*time.Second)
	cfg.Backoff = cmp.Or(cfg.Backoff, time.Second)
	cfg.QueueBytes = cmp.Or(cfg.QueueBytes, 4<<20)
	if cfg.TLS == nil {
		cfg.TLS = &tls.Config{}
	}
	if cfg.Proxy == nil {
		cfg.Proxy = http.ProxyFromEnvironment
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{cfg: cfg}
	g.budget = &budget{store: cfg.Budget, rest: cfg.REST, every: cfg.IdentifyEvery, log: cfg.Log, last: map[int]time.Time{}, turns: map[int]chan struct{}{}}
	return g
}

// Run connects all shards and calls handle for their events until the context ends, which is no error. It returns when
// all is down. The error is a *FatalError where the operator has to change something, or that of handle or the Budget.
func (g *Gateway) Run(ctx context.Context, handle Handler) error {
	if err := g.budget.load(); err != nil {
		return err
	}
	info, err := g.firstInfo(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	count := max(cmp.Or(g.cfg.Shards, info.Shards), 1)
	g.cfg.Log.Info("discord: connecting", "shards", count, "advised", info.Shards, "identifies_left", info.Limit.Remaining)
	shards := make([]*shard, count)
	for i := range shards {
		shards[i] = newShard(g, i, count)
	}
	g.mu.Lock()
	g.shards = shards
	g.mu.Unlock()

	group, ctx := errgroup.WithContext(ctx)
	for _, s := range shards {
		group.Go(func() error { return s.supervise(ctx) })
		group.Go(func() error { return s.dispatch(ctx, handle) })
	}
	err = group.Wait()
	for _, s := range shards {
		s.conns.Wait()
	}
	if errors.Is(err, context.Canceled) {
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
		if f := fatal(err, g.cfg.Intents, g.cfg.Shards); f != nil {
			return info, f
		}
		pause := g.backoff(n)
		g.cfg.Log.Warn("discord: cannot ask for the gateway", "err", err, "again_in", pause)
		if sleep(ctx, pause) != nil {
			return info, ctx.Err()
		}
	}
}

// backoff is the pause after n failures before this one: doubled each time, and with a random half.
func (g *Gateway) backoff(n int) time.Duration {
	d := min(g.cfg.Backoff<<min(n, 20), 120*g.cfg.Backoff)
	return d/2 + rand.N(d/2+1)
}

// Shards returns how many shards there are, zero before Run knows.
func (g *Gateway) Shards() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.shards)
}

// ShardOf returns the shard that hears of the guild.
// https://discord.com/developers/docs/events/gateway#sharding
func (g *Gateway) ShardOf(guild string) int {
	id, err := strconv.ParseUint(guild, 10, 64)
	n := g.Shards()
	if err != nil || n == 0 {
		return 0
	}
	return int((id >> 22) % uint64(n))
}

func (g *Gateway) shard(i int) (*shard, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i < 0 || i >= len(g.shards) {
		return nil, ErrOffline
	}
	return g.shards[i], nil
}

// RequestMembers asks for all members of the guild, which come as GUILD_MEMBERS_CHUNK events with the nonce (at most 32
// bytes). Discord answers for one guild once in 30 seconds; it is the caller's to keep to that.
func (g *Gateway) RequestMembers(ctx context.Context, guild, nonce string) error {
	return g.Send(ctx, g.ShardOf(guild), opRequestMembers, map[string]any{"guild_id": guild, "query": "", "limit": 0, "nonce": nonce})
}

// UpdatePresence sets what all shards show of the bot. Those that are offline are left out.
func (g *Gateway) UpdatePresence(ctx context.Context, d discordgo.UpdateStatusData) error {
	if d.Activities == nil {
		d.Activities = []*discordgo.Activity{} // null would have Discord close the connection
	}
	for i := range g.Shards() {
		if err := g.Send(ctx, i, opPresence, d); err != nil && !errors.Is(err, ErrOffline) {
			return err
		}
	}
	return nil
}

// Send sends one payload to the shard as soon as the limit of 120 a minute allows. That it was sent does not mean that
// it arrived. It returns ErrOffline where there is no session.
func (g *Gateway) Send(ctx context.Context, shard, op int, data any) error {
	s, err := g.shard(shard)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(map[string]any{"op": op, "d": data})
	if err != nil {
		return fmt.Errorf("gateway payload: %w", err)
	}
	if len(payload) > 4096 {
		return fmt.Errorf("gateway payload: %d bytes, of which Discord takes 4096", len(payload))
	}
	return s.send(ctx, payload)
}

// ShardStatus is how a shard fares.
type ShardStatus struct {
	Shard      int
	Online     bool
	Since      time.Time // of being online or offline; zero where it never was online
	Session    string
	Seq        int64
	Identifies int           // sent by this process
	Resumes    int           // that Discord agreed to
	Latency    time.Duration // from the last heartbeat to its acknowledgement; zero before the first
	Waiting    int           // events in the queue
	LastError  error         // why the last connection ended; nil if none has
}

// Status returns how each shard fares; nil before Run knows them.
func (g *Gateway) Status() []ShardStatus {
	g.mu.Lock()
	shards := g.shards
	g.mu.Unlock()
	var all []ShardStatus
	for _, s := range shards {
		all = append(all, s.state())
	}
	return all
}

// sleep waits, but not past the context.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
