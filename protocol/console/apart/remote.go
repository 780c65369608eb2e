package apart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/remote"
	"moot/protocol/remote/wire"
)

// What the parent calls at the bot, and the bot at its parent.
const (
	callReady  = "ready"
	callAhead  = "ahead"
	callCursor = "cursor"
	callAdmit  = "admit"
	callLook   = "look"
	callSend   = "send"
	callAsk    = "ask"
)

// batch is what is admitted at once.
type batch struct {
	Events []protocol.Event
	Cursor protocol.Cursor
}

// request is something that the bot wants from its network: one of Send and Ask.
type request struct {
	Send    *protocol.Outgoing `json:",omitempty"`
	Ask     *protocol.Ask      `json:",omitempty"`
	Attempt protocol.Attempt
}

// outcome is what has come of a request that has worked.
type outcome struct {
	Ref  protocol.Ref `json:",omitzero"`
	Body *wire.Body   `json:",omitempty"`
}

// look is a call of what the bot has registered.
type look struct {
	Name string
	Args json.RawMessage
}

// Remote is the adapter of a bot whose console is in the parent process. Use Serve, and Begin before all else.
type Remote struct {
	link *remote.Link
	gone chan struct{} // closed when the parent is gone

	mu    sync.Mutex
	clock *console.Clock
	begun chan struct{} // closed when the clock is known
	to    protocol.Admitter
	runs  chan struct{}          // closed when the bot listens
	looks map[string]remote.Func // what was registered
}

// stream is a connection of two files.
type stream struct {
	io.Reader
	io.Writer
}

func (stream) Close() error { return nil }

// Serve serves the parent over two files. The caller holds the lock on the data folder by then: that it answers at all is what the
// parent waits for before it opens the world and shows it. All that can be left for later is, so that a person sees it soon.
func Serve(in io.Reader, out io.Writer) *Remote {
	r := &Remote{gone: make(chan struct{}), begun: make(chan struct{}), runs: make(chan struct{}), looks: map[string]remote.Func{}}
	r.link = remote.NewLink(stream{in, out}, map[string]remote.Func{
		callReady:  remote.Answer(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }),
		callAhead:  remote.Answer(func(_ context.Context, by time.Duration) (struct{}, error) { r.ahead(by); return struct{}{}, nil }),
		callCursor: remote.Answer(r.cursor),
		callAdmit:  remote.Answer(r.admit),
		callLook:   remote.Answer(r.look),
	}, nil)
	go func() { // until the parent is gone, or the process
		_ = r.link.Run(context.Background()) // it ends with the parent
	}()
	go func() {
		<-r.link.Done()
		close(r.gone)
	}()
	return r
}

// Begin returns when the parent has said what time it is.
func (r *Remote) Begin(ctx context.Context) error {
	select {
	case <-r.begun:
		return nil
	case <-r.gone:
		return errGone
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errGone = errors.New("the console that this bot belongs to is gone")

// Clock is that of the world, once the parent has said what time it is.
func (r *Remote) Clock() *console.Clock { return r.clock }

// Register lets the parent call a function under a name.
func (r *Remote) Register(name string, f remote.Func) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks[name] = f
}

// Network returns protocol.Console.
func (r *Remote) Network() protocol.Network { return protocol.Console }

// Run admits what the parent hands over, until the context ends or the parent is gone.
func (r *Remote) Run(ctx context.Context, to protocol.Admitter) error {
	r.mu.Lock()
	again := r.to != nil
	r.to = to
	r.mu.Unlock()
	if !again {
		close(r.runs)
	}
	select {
	case <-ctx.Done():
		return nil
	case <-r.gone:
		return protocol.Ends(protocol.RetryNever, errGone)
	}
}

// Send asks the parent to send and waits for its answer.
func (r *Remote) Send(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt) (protocol.Ref, error) {
	var o outcome
	err := r.link.Call(ctx, callSend, request{Send: &out, Attempt: attempt}, &o)
	return o.Ref, err
}

// Ask asks the parent and waits for its answer.
func (r *Remote) Ask(ctx context.Context, ask protocol.Ask, attempt protocol.Attempt) (protocol.Body, error) {
	var o outcome
	if err := r.link.Call(ctx, callAsk, request{Ask: &ask, Attempt: attempt}, &o); err != nil || o.Body == nil {
		return nil, err
	}
	return o.Body.Body, nil
}

// ahead takes by how much the time of the world is ahead of the real one, first of all and whenever that changes.
func (r *Remote) ahead(by time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.clock != nil {
		r.clock.Ahead(by)
		return
	}
	r.clock = console.NewClock(by)
	close(r.begun)
}

// listener waits until the bot listens.
func (r *Remote) listener(ctx context.Context) (protocol.Admitter, error) {
	select {
	case <-r.runs:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.to, nil
}

// cursor returns what the bot has saved under a name.
func (r *Remote) cursor(ctx context.Context, name string) (string, error) {
	to, err := r.listener(ctx)
	if err != nil {
		return "", err
	}
	return to.Cursor(name)
}

// admit returns when a batch is durable. It ends with that also where the parent is gone meanwhile.
func (r *Remote) admit(ctx context.Context, b batch) (struct{}, error) {
	to, err := r.listener(ctx)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, to.Admit(context.WithoutCancel(ctx), b.Events, b.Cursor)
}

// look calls what was registered.
func (r *Remote) look(ctx context.Context, l look) (any, error) {
	r.mu.Lock()
	f := r.looks[l.Name]
	r.mu.Unlock()
	if f == nil {
		return nil, fmt.Errorf("the bot has no %s to look at", protocol.Quoted(l.Name, 40))
	}
	return f(ctx, l.Args)
}
