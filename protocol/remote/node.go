package remote

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"moot/internal/pause"
	"moot/protocol"
	"moot/protocol/remote/wire"
)

// NodeConfig says what a node does. All but Log is required.
type NodeConfig struct {
	Hello Hello // Version is filled in
	// Dial connects to the writer. Where that may be one of several, each call tries the next one first.
	Dial func(ctx context.Context) (io.ReadWriteCloser, error)
	// Patience is after how long a writer is given up from which nothing is heard; zero means Patience.
	Patience time.Duration
	// Open makes the adapter of a Run, of the configuration that the writer has for it.
	Open func(config json.RawMessage, g *Grant) (NodeAdapter, error)
	Log  *slog.Logger // nil means none
}

// NodeAdapter is what a node runs. One Run is all that it is asked for.
type NodeAdapter interface {
	protocol.Adapter
	// Online returns the shards that are connected.
	Online() []int
}

// Node runs the adapter of some shards for a bot in another process. Use NewNode and Run.
type Node struct {
	cfg NodeConfig

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when link or grant changes
	link    *Link         // nil while there is no connection on which the shards are this node's
	grant   *Grant        // nil while the shards are not this node's
	adapter NodeAdapter   // nil while none runs
	up      bool          // whether that reaches the network
	load    load          // of the writer
}

// Grant is the right to some shards. It is the Admitter of the adapter that makes use of it.
type Grant struct {
	node    *Node
	config  json.RawMessage
	revoked chan struct{}   // closed when the right has ended
	within  context.Context // of the adapter that runs; set before it is made
}

// NewNode returns a node that is not connected.
func NewNode(cfg NodeConfig) *Node {
	cfg.Hello.Version = Version
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Patience = cmp.Or(cfg.Patience, Patience)
	return &Node{cfg: cfg, changed: make(chan struct{})}
}

// ErrRefused is why a node ends that the writer will never give its shards.
var ErrRefused = errors.New("the writer refuses this node")

// Run connects to the writer, and runs the adapter while the shards are this node's, until the context ends, which is no error,
// or trying further is of no use.
func (n *Node) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// The connection outlives the adapter, which at its end hands over how far it has come.
	linked, unlink := context.WithCancel(context.WithoutCancel(ctx))
	var connecting sync.WaitGroup
	defer connecting.Wait()
	defer unlink()
	connecting.Go(func() {
		if err := n.connect(linked); err != nil {
			stop(err)
		}
	})
	soon, slowly := pause.Backoff{First: time.Second, Most: time.Minute}, pause.Backoff{First: time.Minute, Most: 10 * time.Minute}
	for failed := 0; ; {
		g, err := n.await(ctx, nil)
		if err != nil {
			return unlessStopped(ctx)
		}
		began := time.Now()
		err = n.serve(ctx, g)
		if ctx.Err() != nil {
			return unlessStopped(ctx)
		}
		if err == nil {
			failed = 0
			continue // its right has ended
		}
		if time.Since(began) > time.Minute {
			failed = 0
		}
		wait := soon.After(failed)
		switch protocol.RetryOf(err) {
		case protocol.RetryNever:
			return err
		case protocol.RetrySlowly:
			wait = slowly.After(failed)
		}
		failed++
		n.cfg.Log.Error("the network has ended, and is tried again", "again", wait.Round(time.Second), "err", err)
		if pause.Sleep(ctx, wait) != nil {
			return unlessStopped(ctx)
		}
	}
}

func unlessStopped(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// serve runs the adapter once, until it ends, or the right to its shards does.
func (n *Node) serve(ctx context.Context, g *Grant) error {
	run, end := context.WithCancel(ctx)
	defer end()
	g.within = run
	a, err := n.cfg.Open(g.config, g)
	if err != nil {
		return err
	}
	go func() {
		select {
		case <-g.revoked:
			end()
		case <-run.Done():
		}
	}()
	n.mu.Lock()
	n.adapter, n.up = a, true
	n.mu.Unlock()
	err = protocol.Guard(func() error { return a.Run(run, g) })
	n.mu.Lock()
	n.adapter, n.up = nil, false
	n.mu.Unlock()
	n.pulse()
	select {
	case <-g.revoked:
		return nil
	default:
	}
	if err == nil && ctx.Err() == nil {
		err = errors.New("the adapter has ended without a reason")
	}
	return err
}

// connect keeps the node connected.
func (n *Node) connect(ctx context.Context) error {
	again := pause.Backoff{First: 50 * time.Millisecond, Most: time.Second}
	said := ""
	for failed := 0; ; failed++ {
		got, err := n.converse(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ErrRefused) {
			return err
		}
		if got {
			failed, said = 0, ""
		}
		if text := err.Error(); text != said {
			n.cfg.Log.Warn("there is no writer for the shards of this node; it tries on", "err", err)
			said = text
		}
		if pause.Sleep(ctx, again.After(failed)) != nil {
			return nil
		}
	}
}

// converse is one connection. It reports whether the shards were this node's.
func (n *Node) converse(ctx context.Context) (got bool, err error) {
	dialing, cancel := context.WithTimeout(ctx, n.cfg.Patience)
	conn, err := n.cfg.Dial(dialing)
	cancel()
	if err != nil {
		return false, fmt.Errorf("connect to the writer: %w", err)
	}
	l := NewLink(conn, map[string]Func{
		callSend: Answer(n.send), callAsk: Answer(n.ask),
		tellWriter: Answer(func(_ context.Context, w load) (struct{}, error) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.load = w
			return struct{}{}, nil
		}),
	}, n.cfg.Log)
	l.patience = n.cfg.Patience
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	var w Welcome
	if err := l.Call(ctx, callHello, n.cfg.Hello, &w); err != nil {
		l.Close()
		return false, errors.Join(err, <-ended)
	}
	if w.Refused != "" {
		n.revoke()
		l.Close()
		<-ended
		if w.Final {
			return false, fmt.Errorf("%w: %s", ErrRefused, w.Refused)
		}
		return false, errors.New(w.Refused)
	}
	n.granted(l, w.Config)
	n.cfg.Log.Info("connected to the writer", "shards", n.cfg.Hello.Shards, "of", n.cfg.Hello.Count)
	stop := make(chan struct{})
	var pulsing sync.WaitGroup
	pulsing.Go(func() {
		for {
			n.pulse()
			select {
			case <-time.After(time.Second):
			case <-stop:
				return
			}
		}
	})
	err = <-ended
	close(stop)
	pulsing.Wait()
	n.mu.Lock()
	n.link = nil
	n.tellLocked()
	n.mu.Unlock()
	return true, err
}

// granted notes that the shards are this node's. An adapter that runs goes on, unless it is to be made otherwise.
func (n *Node) granted(l *Link, config json.RawMessage) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link = l
	if g := n.grant; g == nil || !bytes.Equal(g.config, config) {
		if g != nil {
			close(g.revoked)
		}
		n.grant = &Grant{node: n, config: config, revoked: make(chan struct{})}
	}
	n.tellLocked()
}

// revoke notes that the shards are another node's.
func (n *Node) revoke() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.grant != nil {
		close(n.grant.revoked)
		n.grant = nil
		n.tellLocked()
	}
}

func (n *Node) tellLocked() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// errRevoked is the error of an adapter whose shards are another node's.
var errRevoked = errors.New("the shards belong to another node")

// await waits until the shards are this node's; where g is not nil, until there is a connection on which they still are.
func (n *Node) await(ctx context.Context, g *Grant) (*Grant, error) {
	for {
		n.mu.Lock()
		changed, link, grant := n.changed, n.link, n.grant
		n.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case g != nil && g != grant:
			return nil, errRevoked
		case grant != nil && (g == nil || link != nil):
			return grant, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// pulse tells the writer how the shards are, where there is a connection.
func (n *Node) pulse() {
	n.mu.Lock()
	l, a, p := n.link, n.adapter, Pulse{}
	if a != nil {
		p.Up = n.up
	}
	n.mu.Unlock()
	if a != nil {
		p.Online = a.Online()
	}
	if l != nil {
		_ = l.Tell(tellNode, p) // the connection has ended, and the next one tells it
	}
}

// Connected reports whether the writer is there and the shards are this node's.
func (n *Node) Connected() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.link != nil
}

var errNotYet = errors.New("the network is about to be connected by this node")

func (n *Node) running() (NodeAdapter, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.adapter == nil {
		return nil, errNotYet
	}
	return n.adapter, nil
}

func (n *Node) send(ctx context.Context, t try) (o outcome, err error) {
	a, err := n.running()
	if err == nil && t.Send != nil {
		o.Ref, err = a.Send(ctx, *t.Send, t.attempt())
	}
	return o, err
}

func (n *Node) ask(ctx context.Context, t try) (o outcome, err error) {
	a, err := n.running()
	if err != nil || t.Ask == nil {
		return o, err
	}
	body, err := a.Ask(ctx, *t.Ask, t.attempt())
	if body != nil {
		o.Body = &wire.Body{Body: body}
	}
	return o, err
}

// Call calls the writer, and again where the connection is lost before the answer: what is called must be as good when it is done
// twice. It fails when the context ends, or the right to the shards does.
func (g *Grant) Call(ctx context.Context, method string, args, reply any) error {
	for {
		if _, err := g.node.await(ctx, g); err != nil {
			return err
		}
		g.node.mu.Lock()
		l := g.node.link
		g.node.mu.Unlock()
		if l == nil {
			continue
		}
		if err := l.Call(ctx, method, args, reply); !errors.Is(err, ErrLost) {
			return err
		}
		if err := g.node.without(ctx, l); err != nil {
			return err
		}
	}
}

// Try calls the writer once. ErrLost is the error where the connection is lost before the answer, or there is none.
func (g *Grant) Try(ctx context.Context, method string, args, reply any) error {
	g.node.mu.Lock()
	l := g.node.link
	g.node.mu.Unlock()
	if l == nil {
		return ErrLost
	}
	return l.Call(ctx, method, args, reply)
}

// without waits until a connection that has ended is no longer the node's.
func (n *Node) without(ctx context.Context, l *Link) error {
	for {
		n.mu.Lock()
		changed, now := n.changed, n.link
		n.mu.Unlock()
		if now != l {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Admit implements protocol.Admitter. It also waits while the writer stops, until the next one is there.
func (g *Grant) Admit(ctx context.Context, events []protocol.Event, cursor protocol.Cursor) error {
	for {
		err := g.Call(ctx, callAdmit, batch{events, cursor}, nil)
		if err == nil || ctx.Err() != nil || errors.Is(err, errRevoked) {
			return err
		}
		g.node.cfg.Log.Warn("the writer does not take what is handed to it; it is tried again", "err", err)
		if err := pause.Sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// Cursor implements protocol.Admitter.
func (g *Grant) Cursor(name string) (value string, err error) {
	err = g.Call(g.within, callCursor, name, &value)
	return value, err
}

// Within is the context of the adapter, for what it calls without one.
func (g *Grant) Within() context.Context { return g.within }

// Connected implements protocol.Connectivity.
func (g *Grant) Connected(up bool) {
	g.node.mu.Lock()
	g.node.up = up
	g.node.mu.Unlock()
	g.node.pulse()
}

// busy is how much counts as waiting at a writer that is away.
const busy = 1000

// Backlog implements protocol.Loaded.
func (g *Grant) Backlog() int {
	g.node.mu.Lock()
	defer g.node.mu.Unlock()
	if g.node.link == nil {
		return busy
	}
	return g.node.load.Backlog
}

// Held implements protocol.Loaded.
func (g *Grant) Held() bool {
	g.node.mu.Lock()
	defer g.node.mu.Unlock()
	return g.node.link != nil && g.node.load.Held
}

// Turn waits until no other shard of the bot identifies, whatever node has it, and returns what ends the turn.
func (g *Grant) Turn(ctx context.Context) (over func(), err error) {
	if _, err := g.node.await(ctx, g); err != nil {
		return nil, err
	}
	g.node.mu.Lock()
	l := g.node.link
	g.node.mu.Unlock()
	if l == nil {
		return nil, ErrLost
	}
	over = func() { _ = l.Tell(tellOver, struct{}{}) } // where the connection has ended the turn has, too
	if err := l.Call(ctx, callTurn, struct{}{}, nil); err != nil {
		over() // it may have come at this moment
		return nil, err
	}
	return over, nil
}
