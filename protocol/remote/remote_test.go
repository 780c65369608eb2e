package remote_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/remote"
)

const network protocol.Network = "console"

// store is what outlives a writer: what was admitted, each once, and the cursors.
type store struct {
	mu      sync.Mutex
	seen    []protocol.EventID
	twice   int
	cursors map[string]string
	up      bool
	changed chan struct{}
	asks    func() // called when the network is told to be there or not; nil for nothing
}

func newStore() *store { return &store{cursors: map[string]string{}, changed: make(chan struct{})} }

func (s *store) tellLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *store) Admit(_ context.Context, events []protocol.Event, c protocol.Cursor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ev := range events {
		if slices.Contains(s.seen, ev.ID) {
			s.twice++
			continue
		}
		s.seen = append(s.seen, ev.ID)
	}
	s.cursors[c.Name] = c.Value
	s.tellLocked()
	return nil
}

func (s *store) Cursor(name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursors[name], nil
}

func (s *store) Connected(up bool) {
	if s.asks != nil {
		s.asks()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = up
	s.tellLocked()
}

// until waits until something holds.
func (s *store) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.After(time.Minute)
	for {
		s.mu.Lock()
		is, changed := ok(), s.changed
		s.mu.Unlock()
		if is {
			return
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond): // what only the caller knows
		case <-end:
			t.Fatal("waited in vain until ", what)
		}
	}
}

// echo is the adapter of a node.
type echo struct {
	name string
	to   chan protocol.Admitter // gets the Admitter when it runs
	over chan struct{}          // closed when it has ended
}

func (e *echo) Network() protocol.Network { return network }
func (e *echo) Online() []int             { return []int{1} }

func (e *echo) Run(ctx context.Context, to protocol.Admitter) error {
	to.(protocol.Connectivity).Connected(true)
	e.to <- to
	<-ctx.Done()
	close(e.over)
	return nil
}

var errAnswer = &protocol.SendError{RetryAfter: time.Minute, Limits: protocol.LimitAccount, Err: protocol.ErrGone}

func (e *echo) Send(_ context.Context, out protocol.Outgoing, a protocol.Attempt) (protocol.Ref, error) {
	if a.N > 1 {
		return protocol.Ref{}, errAnswer
	}
	return protocol.Ref{Room: out.Room, Event: protocol.EventID(e.name)}, nil
}

func (e *echo) Ask(context.Context, protocol.Ask, protocol.Attempt) (protocol.Body, error) {
	return protocol.MemberList{Last: true, Members: []protocol.Member{{User: "console:ann"}}}, nil
}

type rig struct {
	*testing.T
	path  string
	store *store
}

func newRig(t *testing.T) *rig {
	t.Parallel()
	return &rig{t, filepath.Join(t.TempDir(), "s"), newStore()}
}

func (r *rig) hub() *remote.Hub {
	return remote.NewHub(remote.HubConfig{
		Network: network, Config: "config",
		Listen: func() (net.Listener, error) { return net.Listen("unix", r.path) },
		Place: func(out *protocol.Outgoing, ask *protocol.Ask, _ int) (int, bool) {
			if ask != nil {
				return 0, true
			}
			return 0, false
		},
	})
}

// writer runs a hub until its end is called.
func (r *rig) writer() (h *remote.Hub, end func()) {
	h = r.hub()
	return h, r.run(func(ctx context.Context) error { return h.Run(ctx, r.store) })
}

// run runs something until the function is called that it returns, or the test ends.
func (r *rig) run(f func(context.Context) error) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.Errorf("it ended with: %v", err)
		}
	})
	r.Cleanup(end)
	return end
}

func (r *rig) node(name string, shards ...int) (*echo, func()) {
	e := &echo{name: name, to: make(chan protocol.Admitter, 1), over: make(chan struct{})}
	n := remote.NewNode(r.config(e, remote.Hello{Network: network, Node: name, Shards: shards, Count: 4}))
	return e, r.run(n.Run)
}

func (r *rig) config(e *echo, hello remote.Hello) remote.NodeConfig {
	return remote.NodeConfig{
		Hello: hello,
		Dial: func(ctx context.Context) (io.ReadWriteCloser, error) {
			return new(net.Dialer).DialContext(ctx, "unix", r.path)
		},
		Open: func(config json.RawMessage, _ *remote.Grant) (remote.NodeAdapter, error) {
			if string(config) != `"config"` {
				r.Errorf("the adapter gets %s", config)
			}
			return e, nil
		},
	}
}

func event(id protocol.EventID) []protocol.Event {
	return []protocol.Event{{Room: "console:lobby", ID: id, Body: protocol.Message{Text: "hello"}}}
}

// TestWriterDies: what is admitted while there is no writer is admitted by the next one, once, and the adapter goes on.
func TestWriterDies(t *testing.T) {
	r := newRig(t)
	_, end := r.writer()
	e, _ := r.node("a", 0, 1)
	to := <-e.to
	if err := to.Admit(t.Context(), event("1"), protocol.Cursor{Name: "console/c", Value: "1"}); err != nil {
		t.Fatal(err)
	}
	if v, err := to.Cursor("console/c"); err != nil || v != "1" {
		t.Errorf("the cursor is %q, %v", v, err)
	}
	if err := to.(*remote.Grant).Call(t.Context(), "cursor", "matrix/c", new(string)); err == nil {
		t.Error("a node reads cursors of another network")
	}
	end()
	if l := to.(protocol.Loaded); l.Held() {
		t.Error("a writer that is away is said to hold still")
	}
	admitted := make(chan error, 1)
	go func() { admitted <- to.Admit(t.Context(), event("2"), protocol.Cursor{}) }()
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := to.Admit(short, event("3"), protocol.Cursor{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a writer: %v", err)
	}
	r.writer()
	if err := <-admitted; err != nil {
		t.Error(err)
	}
	select {
	case <-e.over:
		t.Error("the adapter has ended with the writer")
	default:
	}
	r.store.until(t, "the network is there", func() bool { return r.store.up })
	if !slices.Equal(r.store.seen, []protocol.EventID{"1", "2"}) {
		t.Errorf("admitted are %v", r.store.seen)
	}
}

// TestShardsAreOfOneNode: a second node with them waits for the first, and the first ends what it does with them when it comes too late.
func TestShardsAreOfOneNode(t *testing.T) {
	r := newRig(t)
	h, _ := r.writer()
	a, endA := r.node("a", 0, 1)
	<-a.to
	b, _ := r.node("b", 1, 2)
	c, _ := r.node("c", 3)
	<-c.to
	r.store.until(t, "the network is there", func() bool { return r.store.up })
	send := func(n int) (protocol.Ref, error) {
		return h.Send(t.Context(), protocol.Outgoing{Key: "k", Room: "console:lobby", Act: protocol.Say{}}, protocol.Attempt{N: n})
	}
	if ref, err := send(1); err != nil || ref.Event != "a" {
		t.Errorf("sent to %v, %v", ref, err)
	}
	var se *protocol.SendError
	if _, err := send(2); !errors.As(err, &se) || se.RetryAfter != time.Minute || se.Limits != protocol.LimitAccount || !errors.Is(err, protocol.ErrGone) {
		t.Errorf("the fault arrives as %v", err)
	}
	ask := protocol.Ask{Key: "k", Room: "console:lobby", Want: protocol.AskMembers{}}
	if body, err := h.Ask(t.Context(), ask, protocol.Attempt{}); err != nil || len(body.(protocol.MemberList).Members) != 1 {
		t.Errorf("asked: %v, %v", body, err)
	}
	select {
	case <-b.to:
		t.Error("two nodes have a shard")
	default:
	}
	endA()
	<-b.to
	if _, err := h.Ask(t.Context(), ask, protocol.Attempt{}); err == nil {
		t.Error("what only the node with the shard can do is done without it")
	}
	r.store.until(t, "another one sends", func() bool {
		ref, err := send(1)
		return err == nil && (ref.Event == "b" || ref.Event == "c")
	})
}

// TestToldWhileSending: the bot may use the network as soon as it is told that it is there, and wait for that.
func TestToldWhileSending(t *testing.T) {
	r := newRig(t)
	h := r.hub()
	r.store.asks = func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.Shards()
		}()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Error("the shards cannot be asked for while the bot is told of them")
		}
	}
	r.run(func(ctx context.Context) error { return h.Run(ctx, r.store) })
	a, _ := r.node("a", 0, 1)
	<-a.to
	r.store.until(t, "the network is there", func() bool { return r.store.up })
}

// TestVersion: a node of another version ends, and says why.
func TestVersion(t *testing.T) {
	r := newRig(t)
	r.writer()
	for what, hello := range map[string]remote.Hello{
		"another network": {Network: "matrix", Node: "a", Shards: []int{0}, Count: 1},
		"no such shards":  {Network: network, Node: "a", Shards: []int{4}, Count: 4},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := remote.NewNode(r.config(nil, hello)).Run(ctx); !errors.Is(err, remote.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
		cancel()
	}
	conn, err := net.Dial("unix", r.path)
	for ; err != nil; conn, err = net.Dial("unix", r.path) {
		time.Sleep(time.Millisecond)
	}
	l := remote.NewLink(conn, nil, nil)
	defer r.run(func(ctx context.Context) error { _ = l.Run(ctx); return nil })()
	if err := l.Call(t.Context(), "admit", struct{}{}, nil); err == nil {
		t.Error("it admits what comes without a hello")
	}
	var w remote.Welcome
	if err := l.Call(t.Context(), "hello", remote.Hello{Version: remote.Version + 1, Network: network, Node: "a", Shards: []int{0}, Count: 1}, &w); err != nil || !w.Final {
		t.Errorf("a newer version: %+v, %v", w, err)
	}
}

// TestTurns: one node at a time identifies, and one that dies in its turn holds up nobody.
func TestTurns(t *testing.T) {
	r := newRig(t)
	r.writer()
	a, endA := r.node("a", 0)
	b, _ := r.node("b", 1)
	ga, gb := (<-a.to).(*remote.Grant), (<-b.to).(*remote.Grant)
	over, err := ga.Turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := gb.Turn(short); err == nil {
		t.Fatal("two nodes identify at once")
	}
	over()
	if over, err = gb.Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	over()
	if _, err = ga.Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	endA()
	if _, err := gb.Turn(t.Context()); err != nil {
		t.Error(err)
	}
}
