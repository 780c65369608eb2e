package discord

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bwmarrin/discordgo"

	"moot/protocol"
	"moot/protocol/discord/gateway"
	"moot/protocol/discord/rest"
)

// Config says how the bot lives on Discord.
type Config struct {
	Token string // of the bot, without "Bot "
	// APIURL and GatewayURL are where Discord is reached, or a proxy before it; zero means Discord
	// itself.
	APIURL, GatewayURL string
	// Shards is how many connections share the guilds; zero takes as many as Discord advises.
	Shards int
	// Own are those of Shards that this adapter has; nil means all. The others are those of other processes of the bot, which all
	// admit to the same store.
	Own []int
	// Turn waits until no shard of another process identifies, and returns what ends the turn; nil where there is none.
	Turn func(ctx context.Context) (over func(), err error)
	// Share takes a place among the requests of all processes, as [rest.Config] says; nil where this is the only one.
	Share func(ctx context.Context, most time.Duration) (time.Duration, error)
	// MessageContent is whether the bot asks for the text of messages in guilds, which is a
	// privileged intent: commands can then be typed with a prefix as well.
	MessageContent bool
	Enforcement    Enforcement
	// Commands are the whole tree, each group before what it holds.
	Commands  []Command
	State     State
	Completer Completer // nil completes nothing
	// Status is what is shown below the name of the bot; zero shows nothing.
	Status string
	// Version of the bot, which Discord wants to know; zero means none.
	Version string
	Log     *slog.Logger // nil means none
	// Transport makes the requests; nil means one like http.DefaultTransport.
	Transport http.RoundTripper

	// DeferAfter is when an interaction is acknowledged that has no answer yet; zero means 1.5
	// seconds.
	DeferAfter time.Duration
	// ForgetAfter is when an acknowledgement to which no answer has come becomes a sentence; zero
	// means a minute.
	ForgetAfter time.Duration
	// IdentifyEvery and Backoff are handed to the gateway; zero means its own.
	IdentifyEvery, Backoff time.Duration
}

// Enforcement is how Discord holds somebody back who is challenged.
type Enforcement struct {
	// Timeout times them out; otherwise, where it has a name, they get the role of that name, or
	// id. Neither does nothing.
	Timeout bool
	Role    string
}

// Intents returns what the bot has to hear of. Server Members is privileged, and Message Content,
// if it is among them.
func Intents(messageContent bool) discordgo.Intent {
	intents := discordgo.IntentGuilds | discordgo.IntentGuildMembers | discordgo.IntentGuildModeration |
		discordgo.IntentGuildVoiceStates | discordgo.IntentGuildMessages | discordgo.IntentGuildMessageReactions |
		discordgo.IntentDirectMessages | discordgo.IntentDirectMessageReactions
	if messageContent {
		intents |= discordgo.IntentMessageContent
	}
	return intents
}

// Adapter is the bot on Discord. It implements protocol.Adapter and runs once.
type Adapter struct {
	cfg    Config
	log    *slog.Logger
	rest   *rest.Client
	tree   *tree
	guilds *guilds
	chunks *chunks

	// set by Run before anything else runs, and then only read
	to      protocol.Admitter
	gw      *gateway.Gateway
	ctx     context.Context
	stop    context.CancelCauseFunc
	lanes   *lanes
	replies *replies
	before  string // the place up to which the run before this one admitted everything; zero where there was none

	unkept unkept
	count  atomic.Int64 // how many shards there are; zero before that is known

	saving     sync.Mutex // over saving how far the shards have come
	savedCount int        // how many shards are saved; guarded by saving

	doubts   chan struct{}  // says that another copy of the data folder may run
	fetching chan struct{}  // one for each server or conversation of which missed messages are fetched
	quick    chan struct{}  // one for each completion and form under way
	jobs     sync.WaitGroup // goroutines of Run

	mu          sync.Mutex
	me, app     string              // Discord's ids of the bot and its application; guarded by mu
	shards      map[int]*shardState // guarded by mu
	up          map[int]bool        // shards that are connected; guarded by mu
	left        map[string]bool     // guilds that the bot is leaving by itself; guarded by mu
	directs     map[string]string   // person → channel of the private conversation; guarded by mu
	registering bool                // guarded by mu
	changed     chan struct{}       // closed and replaced when a shard is ready; guarded by mu
}

const (
	// maxFetching is how many servers and private conversations are caught up at once.
	maxFetching = 4
	// maxQuick is how many completions and forms are under way at once. More are dropped: people
	// type on.
	maxQuick = 64
	// maxDirects is of how many people the private conversation is remembered.
	maxDirects = 10_000
)

// Shards reports of each shard whether it is connected, in their order; nothing before it is known how many there are.
func (a *Adapter) Shards() []bool {
	all := make([]bool, a.count.Load())
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range all {
		all[i] = a.up[i]
	}
	return all
}

// Online returns the shards that are connected.
func (a *Adapter) Online() (shards []int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k := range a.up {
		shards = append(shards, k)
	}
	slices.Sort(shards)
	return shards
}

// has reports whether a shard is one of this adapter.
func (a *Adapter) has(shard int) bool { return a.cfg.Own == nil || slices.Contains(a.cfg.Own, shard) }

// New returns an adapter that is not connected.
func New(cfg Config) *Adapter {
	cfg.DeferAfter = cmp.Or(cfg.DeferAfter, deferAfter)
	cfg.ForgetAfter = cmp.Or(cfg.ForgetAfter, forgetAfter)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	log := cfg.Log.With("network", string(Network))
	return &Adapter{
		cfg: cfg, log: log, tree: newTree(cfg.Commands),
		rest: rest.New(rest.Config{
			Token: cfg.Token, URL: cfg.APIURL, Version: cfg.Version, Transport: cfg.Transport, Share: cfg.Share, Log: log,
		}),
		guilds: newGuilds(), chunks: newChunks(), replies: newReplies(),
		changed: make(chan struct{}), doubts: make(chan struct{}, 1), fetching: make(chan struct{}, maxFetching), quick: make(chan struct{}, maxQuick),
		shards: map[int]*shardState{}, up: map[int]bool{}, left: map[string]bool{}, directs: map[string]string{},
	}
}

// Network implements protocol.Adapter.
func (a *Adapter) Network() protocol.Network { return Network }

// Run implements protocol.Adapter.
func (a *Adapter) Run(ctx context.Context, to protocol.Admitter) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	a.to, a.ctx, a.stop = to, work, stop
	shards, before, err := a.earlier()
	if err != nil {
		return fmt.Errorf("the place that was reached: %w", err)
	}
	a.before = before
	a.lanes = newLanes(work, to, a.fail)
	a.gw = gateway.New(gateway.Config{
		Token: a.cfg.Token, REST: a.rest, URL: a.cfg.GatewayURL, Intents: int(Intents(a.cfg.MessageContent)),
		Shards: a.cfg.Shards, Own: a.cfg.Own, Turn: a.cfg.Turn,
		AtLeast: shards, Resume: a.resume, Status: a.cfg.Status,
		Budget: budget{a}, IdentifyEvery: a.cfg.IdentifyEvery, Backoff: a.cfg.Backoff, Log: a.log,
	})
	a.connected(false)
	claims := &claimant{Adapter: a}
	if err = claims.try(work); err == nil { // before anything can be said
		a.jobs.Go(func() { claims.watch(work) })
		a.jobs.Go(func() { a.flushing(work) })
		err = a.gw.Run(work, func(ctx context.Context, e gateway.Event) error {
			return protocol.Guard(func() error { return a.arrive(ctx, e) })
		})
	}
	cause := context.Cause(work)
	stop(nil)
	a.replies.close()
	a.lanes.wait()
	a.jobs.Wait()
	if cause == nil || errors.Is(cause, context.Canceled) {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_ = a.flush(last) // what is not saved is replayed
		cancel()
	}
	a.rest.Close()
	switch {
	case ctx.Err() != nil:
		return nil
	case cause != nil && !errors.Is(cause, context.Canceled):
		return a.ending(cause)
	case err != nil && !errors.Is(err, context.Canceled):
		return a.ending(err)
	}
	return nil
}

// fail ends Run with an error.
func (a *Adapter) fail(err error) { a.stop(err) }
