package apart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"net/rpc/jsonrpc"
	"sync"
	"time"

	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/remote/wire"
)

// service is the name of what a Remote answers itself.
const service = "Bot"

// Batch is what is admitted at once. The events are already written, since a call may write a value before it is asked for.
type Batch struct {
	Events []json.RawMessage
	Cursor protocol.Cursor
}

// Request is something that the bot wants from its network: one of Send and Ask.
type Request struct {
	ID      uint64
	Send    *protocol.Outgoing `json:",omitempty"`
	Ask     *protocol.Ask      `json:",omitempty"`
	Attempt protocol.Attempt
}

// Answer is what has come of a Request.
type Answer struct {
	ID uint64
	In wire.In
}

// Remote is the adapter of a bot whose console is in the parent process. Use Open.
type Remote struct {
	server *rpc.Server
	gone   chan struct{} // closed when the parent is gone

	mu      sync.Mutex
	clock   *console.Clock
	begun   chan struct{} // closed when the clock is known
	to      protocol.Admitter
	runs    chan struct{} // closed when the bot listens
	waiting map[uint64]chan wire.In
	last    uint64
	wants   chan Request
}

// stream is a connection of two files.
type stream struct {
	io.Reader
	io.Writer
}

func (stream) Close() error { return nil }

// Open serves the parent over two files, and returns when it has said what time it is. The caller holds the lock on
// the data folder by then: that it answers at all is what the parent waits for before it opens the world.
func Open(ctx context.Context, in io.Reader, out io.Writer) (*Remote, error) {
	r := &Remote{
		server: rpc.NewServer(), gone: make(chan struct{}), begun: make(chan struct{}), runs: make(chan struct{}),
		waiting: map[uint64]chan wire.In{}, wants: make(chan Request),
	}
	if err := r.server.RegisterName(service, &calls{r}); err != nil {
		return nil, err
	}
	go func() { // until the parent is gone, or the process
		r.server.ServeCodec(jsonrpc.NewServerCodec(stream{in, out}))
		close(r.gone)
	}()
	select {
	case <-r.begun:
		return r, nil
	case <-r.gone:
		return nil, errGone
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var errGone = errors.New("the console that this bot belongs to is gone")

// Clock is that of the world.
func (r *Remote) Clock() *console.Clock { return r.clock }

// Register lets the parent call the methods of a value, as net/rpc does, under a name. No answer may be null in JSON.
func (r *Remote) Register(name string, methods any) error {
	return r.server.RegisterName(name, methods)
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
	in, err := r.want(ctx, Request{Send: &out, Attempt: attempt})
	if err != nil || in.Ref == nil {
		return protocol.Ref{}, err
	}
	return *in.Ref, nil
}

// Ask asks the parent and waits for its answer.
func (r *Remote) Ask(ctx context.Context, ask protocol.Ask, attempt protocol.Attempt) (protocol.Body, error) {
	in, err := r.want(ctx, Request{Ask: &ask, Attempt: attempt})
	if err != nil || in.Body == nil {
		return nil, err
	}
	return in.Body.Body, nil
}

func (r *Remote) want(ctx context.Context, req Request) (wire.In, error) {
	answer := make(chan wire.In, 1)
	r.mu.Lock()
	r.last++
	req.ID = r.last
	r.waiting[req.ID] = answer
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.waiting, req.ID)
	}()
	select {
	case r.wants <- req:
	case <-ctx.Done():
		return wire.In{}, ctx.Err()
	case <-r.gone:
		return wire.In{}, errGone
	}
	select {
	case in := <-answer:
		if in.Failed != "" {
			return wire.In{}, in.Err()
		}
		return in, nil
	case <-ctx.Done():
		return wire.In{}, ctx.Err()
	case <-r.gone:
		return wire.In{}, errGone
	}
}

// calls are what the parent calls.
type calls struct{ r *Remote }

// Ready answers: the process holds its lock.
func (c *calls) Ready(struct{}, *struct{}) error { return nil }

// Ahead says by how much the time of the world is ahead of the real one, first of all and whenever that changes.
func (c *calls) Ahead(by time.Duration, _ *struct{}) error {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if c.r.clock != nil {
		c.r.clock.Ahead(by)
		return nil
	}
	c.r.clock = console.NewClock(by)
	close(c.r.begun)
	return nil
}

// listener waits until the bot listens.
func (c *calls) listener() (protocol.Admitter, error) {
	select {
	case <-c.r.runs:
	case <-c.r.gone:
		return nil, errGone
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.r.to, nil
}

// Cursor returns what the bot has saved under a name.
func (c *calls) Cursor(name string, value *string) error {
	to, err := c.listener()
	if err == nil {
		*value, err = to.Cursor(name)
	}
	return err
}

// Admit returns when a batch is durable.
func (c *calls) Admit(b Batch, _ *struct{}) error {
	to, err := c.listener()
	if err != nil {
		return err
	}
	events := make([]protocol.Event, len(b.Events))
	for i, data := range b.Events {
		if err := json.Unmarshal(data, &events[i]); err != nil {
			return fmt.Errorf("read event %d: %w", i, err)
		}
	}
	return to.Admit(context.Background(), events, b.Cursor)
}

// Next returns the next thing that the bot wants, when there is one.
func (c *calls) Next(_ struct{}, req *Request) error {
	select {
	case *req = <-c.r.wants:
		return nil
	case <-c.r.gone:
		return errGone
	}
}

// Done says what came of a request.
func (c *calls) Done(a Answer, _ *struct{}) error {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if ch := c.r.waiting[a.ID]; ch != nil {
		ch <- a.In
		delete(c.r.waiting, a.ID)
	}
	return nil
}
