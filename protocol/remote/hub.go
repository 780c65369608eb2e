package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"moot/protocol"
)

// HubConfig says what a Hub is. Log, More and Config may be left out.
type HubConfig struct {
	Network protocol.Network
	// Listen listens for nodes. Who reaches the listener is trusted: it is a socket of this user, or asks for certificates.
	Listen func() (net.Listener, error)
	// Config is what each node is given for its adapter.
	Config any
	// Place returns the shard at which something is sent or asked, of so many, or -1 where any node will do; only is whether no other
	// node can.
	Place func(out *protocol.Outgoing, ask *protocol.Ask, count int) (shard int, only bool)
	// More are further calls that nodes may make.
	More map[string]Func
	Log  *slog.Logger
}

// Hub is the adapter of a network that nodes connect. It implements protocol.Adapter, and may run again.
type Hub struct {
	cfg HubConfig

	turn chan struct{} // holds a token while a shard identifies

	reaching sync.Mutex // held while the bot is told whether the network is there, so that it hears it in order

	mu      sync.Mutex
	members []*member         // whose shards are theirs
	to      protocol.Admitter // of the Run; nil before the first
}

// member is a node that is connected.
type member struct {
	hello Hello
	link  *Link
	leave chan struct{} // closed when its shards are nobody's
	pulse Pulse         // guarded by the mutex of the Hub
	told  atomic.Bool   // whether it is being told how much waits

	turning sync.Mutex // over turns
	turns   bool       // whether one of its shards identifies; guarded by turning
}

// gone reports whether its connection has ended.
func (m *member) gone() bool {
	select {
	case <-m.link.Done():
		return true
	default:
		return false
	}
}

// NewHub returns a Hub that does not listen.
func NewHub(cfg HubConfig) *Hub {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Hub{cfg: cfg, turn: make(chan struct{}, 1)}
}

// Network implements protocol.Adapter.
func (h *Hub) Network() protocol.Network { return h.cfg.Network }

// Run implements protocol.Adapter: it serves nodes until the context ends.
func (h *Hub) Run(ctx context.Context, to protocol.Admitter) error {
	l, err := h.cfg.Listen()
	if err != nil {
		return fmt.Errorf("listen for nodes: %w", err)
	}
	config, err := json.Marshal(h.cfg.Config)
	if err != nil {
		return protocol.Ends(protocol.RetryNever, err)
	}
	ctx, stop := context.WithCancel(ctx)
	h.mu.Lock()
	h.to = to
	h.mu.Unlock()
	h.reach()
	h.cfg.Log.Info("nodes can connect", "network", h.cfg.Network, "at", l.Addr())
	unhook := context.AfterFunc(ctx, func() { l.Close() })
	var conns sync.WaitGroup
	conns.Go(func() { h.telling(ctx) })
	for {
		conn, aerr := l.Accept()
		if aerr == nil {
			conns.Go(func() { h.serve(ctx, conn, config) })
			continue
		}
		if ctx.Err() == nil {
			err = fmt.Errorf("listen for nodes: %w", aerr)
		}
		unhook()
		l.Close()
		stop()
		conns.Wait()
		return err
	}
}

// telling tells the nodes how much waits.
func (h *Hub) telling(ctx context.Context) {
	for tick := time.NewTicker(250 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		var w load
		if l, ok := h.to.(protocol.Loaded); ok {
			w = load{l.Backlog(), l.Held()}
		}
		h.each(func(m *member) {
			if m.told.CompareAndSwap(false, true) { // one that does not read holds up no other
				go func() {
					defer m.told.Store(false)
					_ = m.link.Tell(tellWriter, w) // its connection has ended
				}()
			}
		})
	}
}

func (h *Hub) each(f func(*member)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.members {
		f(m)
	}
}

// serve serves one connection until it ends.
func (h *Hub) serve(ctx context.Context, conn net.Conn, config json.RawMessage) {
	m := &member{leave: make(chan struct{})}
	var greeted sync.Once
	admitted := make(chan struct{}) // closed when the shards are the node's
	its := func(f Func) Func {
		return func(ctx context.Context, args json.RawMessage) (any, error) {
			select {
			case <-admitted:
				return f(ctx, args)
			default:
				return nil, errors.New("a node says hello first")
			}
		}
	}
	calls := map[string]Func{
		callHello: Answer(func(_ context.Context, hello Hello) (w Welcome, err error) {
			err = errors.New("a node says hello once")
			greeted.Do(func() {
				m.hello, err = hello, nil
				if w = h.join(ctx, m); w.Refused == "" {
					w.Config = config
					close(admitted)
				}
			})
			return w, err
		}),
		// The batch is the Runner's also when the node goes: its shards are then given to nobody before it is through.
		callAdmit: its(Answer(func(_ context.Context, b batch) (struct{}, error) {
			if b.Cursor.Name != "" {
				if err := ownCursor(b.Cursor.Name, h.cfg.Network); err != nil {
					return struct{}{}, err
				}
			}
			return struct{}{}, h.to.Admit(ctx, b.Events, b.Cursor)
		})),
		callCursor: its(Answer(func(_ context.Context, name string) (string, error) {
			if err := ownCursor(name, h.cfg.Network); err != nil {
				return "", err
			}
			return h.to.Cursor(name)
		})),
		callTurn: its(Answer(func(ctx context.Context, _ struct{}) (struct{}, error) { return struct{}{}, h.take(ctx, m) })),
		tellOver: its(Answer(func(context.Context, struct{}) (struct{}, error) {
			h.give(m)
			return struct{}{}, nil
		})),
		tellNode: its(Answer(func(_ context.Context, p Pulse) (struct{}, error) {
			h.mu.Lock()
			m.pulse = p
			h.mu.Unlock()
			h.reach()
			return struct{}{}, nil
		})),
	}
	for name, f := range h.cfg.More {
		calls[name] = its(f)
	}
	m.link = NewLink(conn, calls, h.cfg.Log)
	var watch sync.WaitGroup
	watch.Go(func() {
		<-m.link.Done()
		h.reach() // while what it has handed over may still be on its way
	})
	err := m.link.Run(ctx)
	watch.Wait()
	h.give(m)
	h.mu.Lock()
	h.members = slices.DeleteFunc(h.members, func(other *member) bool { return other == m })
	h.mu.Unlock()
	close(m.leave)
	select {
	case <-admitted:
		h.reach()
		if ctx.Err() == nil {
			h.cfg.Log.Warn("a node is gone", "network", h.cfg.Network, "node", m.hello.Node, "shards", m.hello.Shards, "err", err)
		}
	default:
	}
}

// join gives a node the shards that it wants, if they are nobody's. A node that comes again takes the place of its former connection.
func (h *Hub) join(ctx context.Context, m *member) Welcome {
	hello := m.hello
	switch {
	case hello.Version != Version:
		return Welcome{Final: true, Refused: fmt.Sprintf("the writer speaks version %d of what nodes and writers say, and the node version %d: run the same moot on both", Version, hello.Version)}
	case hello.Network != h.cfg.Network:
		return Welcome{Final: true, Refused: fmt.Sprintf("the writer has nodes for %s, and the node is for %q", h.cfg.Network, protocol.Shorten(string(hello.Network), 40))}
	case hello.Count < 1 || len(hello.Shards) == 0 || slices.Min(hello.Shards) < 0 || slices.Max(hello.Shards) >= hello.Count:
		return Welcome{Final: true, Refused: "the node wants shards that there cannot be"}
	}
	for {
		h.mu.Lock()
		var former *member
		for _, other := range h.members {
			switch {
			case other.hello.Node == hello.Node:
				former = other
			case other.hello.Count != hello.Count:
				h.mu.Unlock()
				return Welcome{Refused: fmt.Sprintf("node %s has shards of %d, and this one wants some of %d: all have to be of the same number", other.hello.Node, other.hello.Count, hello.Count)}
			case slices.ContainsFunc(hello.Shards, func(k int) bool { return slices.Contains(other.hello.Shards, k) }):
				h.mu.Unlock()
				return Welcome{Refused: fmt.Sprintf("node %s has some of the shards %v already; this one takes over when it is gone", other.hello.Node, hello.Shards)}
			}
		}
		if former == nil {
			h.members = append(h.members, m)
			h.mu.Unlock()
			h.cfg.Log.Info("a node has come", "network", h.cfg.Network, "node", hello.Node, "shards", hello.Shards, "of", hello.Count)
			return Welcome{}
		}
		h.mu.Unlock()
		former.link.Close()
		select {
		case <-former.leave:
		case <-ctx.Done():
			return Welcome{Refused: "the writer stops"}
		}
	}
}

// reach tells the bot whether the network is there: as long as any node reaches it.
func (h *Hub) reach() {
	h.reaching.Lock()
	defer h.reaching.Unlock()
	h.mu.Lock()
	up := slices.ContainsFunc(h.members, func(m *member) bool { return m.pulse.Up && !m.gone() })
	to := h.to
	h.mu.Unlock()
	// Without the mutex: what hears it may wait for somebody who is sending something just now.
	if c, ok := to.(protocol.Connectivity); ok {
		c.Connected(up)
	}
}

// Shards returns of each shard whether it is connected, in their order; nothing before a node has come.
func (h *Hub) Shards() []bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []bool
	for _, m := range h.members {
		if all == nil {
			all = make([]bool, m.hello.Count)
		}
		for _, k := range m.pulse.Online {
			if k >= 0 && k < len(all) && !m.gone() {
				all[k] = true
			}
		}
	}
	return all
}

// take waits until no other shard identifies.
func (h *Hub) take(ctx context.Context, m *member) error {
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	m.turning.Lock()
	m.turns = true
	m.turning.Unlock()
	if err := ctx.Err(); err != nil { // the node waits no more, or is gone
		h.give(m)
		return err
	}
	return nil
}

// give ends the turn of a node, if it has one.
func (h *Hub) give(m *member) {
	m.turning.Lock()
	defer m.turning.Unlock()
	if m.turns {
		m.turns = false
		<-h.turn
	}
}

// errNoNode is why nothing can be sent.
var errNoNode = errors.New("no node is connected that can do it")

// pick returns the node for something: that with the shard, or any that reaches the network.
func (h *Hub) pick(out *protocol.Outgoing, ask *protocol.Ask) (*member, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var any *member
	for _, m := range h.members {
		if m.gone() {
			continue
		}
		shard, only := h.cfg.Place(out, ask, m.hello.Count)
		switch {
		case shard >= 0 && slices.Contains(m.hello.Shards, shard):
			return m, nil
		case !only && m.pulse.Up && any == nil:
			any = m
		}
	}
	if any == nil {
		return nil, errNoNode
	}
	return any, nil
}

// Send implements protocol.Adapter.
func (h *Hub) Send(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt) (protocol.Ref, error) {
	t := tryOf(attempt)
	t.Send = &out
	o, err := h.try(ctx, callSend, t)
	return o.Ref, err
}

// Ask implements protocol.Adapter.
func (h *Hub) Ask(ctx context.Context, ask protocol.Ask, attempt protocol.Attempt) (protocol.Body, error) {
	t := tryOf(attempt)
	t.Ask = &ask
	o, err := h.try(ctx, callAsk, t)
	if err != nil || o.Body == nil {
		return nil, err
	}
	return o.Body.Body, nil
}

func (h *Hub) try(ctx context.Context, method string, t try) (o outcome, err error) {
	m, err := h.pick(t.Send, t.Ask)
	if err != nil {
		return o, err
	}
	err = m.link.Call(ctx, method, t, &o)
	return o, err
}
