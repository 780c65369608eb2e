package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"moot/protocol"
	"moot/protocol/remote/wire"
)

// Pipe is an adapter to a network that lives in the parent process and speaks the lines of package wire. It has no
// cursor: the network delivers again what was not acknowledged. Events are handed on as they come, without a check,
// so that tests can bring what no real network brings. Use NewPipe; a Pipe runs once.
type Pipe struct {
	in    io.Reader
	out   *wire.Writer
	clock *Clock

	mu      sync.Mutex
	waiting map[question][]chan wire.In // who waits for which answer; nil when Run has ended
}

// question is a key together with what it was used for.
type question struct {
	kind string
	key  protocol.Key
}

const (
	toSend = "send"
	toAsk  = "ask"
)

// pipeAhead is how many lines of events are read ahead of those that are admitted, since an answer may stand behind them: while the
// clock is moved, events wait for what was asked before.
const pipeAhead = 256

// NewPipe returns an adapter that reads and writes lines. A reader that is an *os.File is left open; another that
// is an io.Closer is closed when the context of Run ends; any other must not block for ever.
func NewPipe(in io.Reader, out io.Writer) *Pipe {
	return &Pipe{in: in, out: wire.NewWriter(out), waiting: map[question][]chan wire.In{}, clock: realClock()}
}

// Clock returns the real time, until the network says what time it is. From then on it stands still, but for what the
// network says further. It never goes back.
func (p *Pipe) Clock() *Clock { return p.clock }

// Network returns protocol.Console.
func (p *Pipe) Network() protocol.Network { return protocol.Console }

// Run admits line after line until the context or the input ends; neither is an error. The errors are those of
// Admit, of reading and of writing, and none passes by itself. It holds at most two lines of events at a time.
func (p *Pipe) Run(ctx context.Context, to protocol.Admitter) error {
	return protocol.Ends(protocol.RetryNever, p.run(ctx, to))
}

func (p *Pipe) run(ctx context.Context, to protocol.Admitter) error {
	in, stop, err := stoppable(p.in)
	if err != nil {
		return fmt.Errorf("read the pipe: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	unhook := context.AfterFunc(ctx, stop)
	defer unhook()
	defer p.hangUp()

	lines := make(chan wire.In, pipeAhead)
	var readErr error // written before lines is closed
	go func() {
		defer close(lines)
		readErr = p.read(ctx, wire.NewReader(in), lines)
	}()
	admitErr := p.admit(ctx, to, lines)
	cancel()
	for range lines { // until the reader is down
	}
	if admitErr != nil || readErr != nil {
		return errors.Join(admitErr, readErr)
	}
	return nil
}

// read takes lines apart: answers go to those who wait for them, events to the channel.
func (p *Pipe) read(ctx context.Context, r *wire.Reader, events chan<- wire.In) error {
	for {
		text, n, err := r.Next()
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, wire.ErrLong):
			err = p.refuse(n, 0, err)
		case err != nil:
			return fmt.Errorf("read the pipe: %w", err)
		default:
			err = p.take(ctx, text, n, events)
		}
		if err != nil {
			return err
		}
	}
}

func (p *Pipe) take(ctx context.Context, text []byte, n int64, events chan<- wire.In) error {
	var in wire.In
	err := json.Unmarshal(text, &in)
	if err == nil {
		err = in.Check()
	}
	if err == nil && in.ID == 0 {
		err = p.resolve(in)
	}
	if err != nil {
		return p.refuse(n, in.ID, err)
	}
	if in.ID != 0 {
		select {
		case events <- in:
		case <-ctx.Done():
		}
	}
	return nil
}

func (p *Pipe) refuse(line, id int64, cause error) error {
	// The cause may quote what was read, which may be long.
	err := p.out.Write(wire.Out{Refused: protocol.Shorten(cause.Error(), 500), Line: line, ID: id})
	if err != nil {
		return fmt.Errorf("write to the pipe: %w", err)
	}
	return nil
}

func (p *Pipe) admit(ctx context.Context, to protocol.Admitter, lines <-chan wire.In) error {
	for in := range lines {
		if !in.Now.IsZero() {
			p.clock.stand(in.Now) // what was due by then is done when the commit is through
		}
		if err := to.Admit(ctx, in.All(), protocol.Cursor{}); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("admit line %d of the pipe: %w", in.ID, err)
		}
		if err := p.out.Write(wire.Out{Ack: in.ID}); err != nil {
			return fmt.Errorf("write to the pipe: %w", err)
		}
	}
	return nil
}

// Send asks the network to send and waits for its answer. It fails with ErrClosed when Run has ended.
func (p *Pipe) Send(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt) (protocol.Ref, error) {
	in, err := p.ask(ctx, question{toSend, out.Key}, wire.Out{Send: &out, Attempt: &attempt})
	if err != nil || in.Ref == nil {
		return protocol.Ref{}, err
	}
	return *in.Ref, nil
}

// Ask asks the network and waits for its answer. It fails with ErrClosed when Run has ended.
func (p *Pipe) Ask(ctx context.Context, ask protocol.Ask, attempt protocol.Attempt) (protocol.Body, error) {
	in, err := p.ask(ctx, question{toAsk, ask.Key}, wire.Out{Ask: &ask, Attempt: &attempt})
	if err != nil || in.Body == nil {
		return nil, err
	}
	return in.Body.Body, nil
}

func (p *Pipe) ask(ctx context.Context, q question, out wire.Out) (wire.In, error) {
	if err := ctx.Err(); err != nil {
		return wire.In{}, err
	}
	answer := make(chan wire.In, 1)
	p.mu.Lock()
	if p.waiting == nil {
		p.mu.Unlock()
		return wire.In{}, fmt.Errorf("the pipe is %w", ErrClosed)
	}
	p.waiting[q] = append(p.waiting[q], answer)
	p.mu.Unlock()

	if err := p.out.Write(out); err != nil {
		p.forget(q, answer)
		return wire.In{}, fmt.Errorf("write to the pipe: %w", err)
	}
	select {
	case in, ok := <-answer:
		if !ok {
			return wire.In{}, fmt.Errorf("the pipe is %w", ErrClosed)
		}
		if in.Failed != "" {
			return wire.In{}, in.Err()
		}
		return in, nil
	case <-ctx.Done():
		p.forget(q, answer)
		return wire.In{}, ctx.Err()
	}
}

// resolve hands an answer to all who wait for it.
func (p *Pipe) resolve(in wire.In) error {
	questions := []question{{toSend, in.Sent}, {toAsk, in.Answer}}
	if in.Failed != "" {
		questions = []question{{toSend, in.Failed}, {toAsk, in.Failed}}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	found := false
	for _, q := range questions {
		for _, answer := range p.waiting[q] {
			answer <- in
			found = true
		}
		delete(p.waiting, q)
	}
	if !found {
		return errors.New("nothing waits for an answer to that key")
	}
	return nil
}

func (p *Pipe) forget(q question, answer chan wire.In) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, a := range p.waiting[q] {
		if a == answer {
			p.waiting[q] = append(p.waiting[q][:i:i], p.waiting[q][i+1:]...)
			break
		}
	}
	if len(p.waiting[q]) == 0 {
		delete(p.waiting, q)
	}
}

// hangUp tells all who wait that no answer will come.
func (p *Pipe) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, answers := range p.waiting {
		for _, a := range answers {
			close(a)
		}
	}
	p.waiting = nil
}
