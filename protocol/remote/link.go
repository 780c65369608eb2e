package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"moot/protocol"
	"moot/protocol/remote/wire"
)

const (
	// Patience is after how long a connection is given up on which nothing was heard.
	Patience = 20 * time.Second
	// maxLine is the longest line. The members of the largest guilds are some hundred thousand, of 200 bytes each.
	maxLine = 512 << 20
)

// ErrLost is the error of a call whose answer does not come: the connection has ended. Whether the call was carried out is not
// known.
var ErrLost = errors.New("the connection to the other process is lost")

// Func answers a call. The context ends when the caller does not wait any more, or the Link ends.
type Func func(ctx context.Context, args json.RawMessage) (any, error)

// Answer makes a Func of a function with types.
func Answer[A, R any](f func(ctx context.Context, args A) (R, error)) Func {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var args A
		if len(raw) > 0 {
			if err := json.Unmarshal(raw, &args); err != nil {
				return nil, fmt.Errorf("read what the call brings: %w", err)
			}
		}
		return f(ctx, args)
	}
}

// frame is one line. A call has an id, unless it wants no answer.
type frame struct {
	ID     int64           `json:"id,omitempty"`
	Call   string          `json:"call,omitempty"`
	Args   json.RawMessage `json:"args,omitempty"`
	Back   json.RawMessage `json:"back,omitempty"`
	Fault  *wire.Fault     `json:"fault,omitempty"`
	Cancel bool            `json:"cancel,omitempty"` // of the caller of ID, who waits no more
}

// Link is a connection over which each side calls the other. Calls run side by side. Use NewLink and Run.
type Link struct {
	conn    io.ReadWriteCloser
	out     *wire.Writer
	answers map[string]Func
	log     *slog.Logger
	// patience is after how long it is given up when nothing is heard; it is set before Run.
	patience time.Duration

	done    chan struct{}  // closed when the connection has ended
	serving sync.WaitGroup // calls of the other side that are being answered

	mu      sync.Mutex
	last    int64
	waiting map[int64]chan frame              // whose answers have not come; nil when it has ended
	cancels map[int64]context.CancelCauseFunc // of the calls that are being answered
}

// NewLink returns a link that answers calls once it runs. Nil logs nothing.
func NewLink(conn io.ReadWriteCloser, answers map[string]Func, log *slog.Logger) *Link {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Link{conn: conn, out: wire.NewWriter(conn), answers: answers, log: log, patience: Patience, done: make(chan struct{}),
		waiting: map[int64]chan frame{}, cancels: map[int64]context.CancelCauseFunc{}}
}

// Done is closed when the connection has ended. Calls may then still be answered.
func (l *Link) Done() <-chan struct{} { return l.done }

// Close ends the connection.
func (l *Link) Close() { l.conn.Close() }

// deadline is what a connection has that can tell that nothing comes any more.
type deadline interface {
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// Run answers calls until the connection or the context ends, and returns when all of them are answered. The end of
// a connection is no error, but ErrLost says why.
func (l *Link) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	unhook := context.AfterFunc(ctx, l.Close)
	err := l.read(ctx)
	unhook()
	l.Close()
	close(l.done)
	l.mu.Lock()
	for _, answer := range l.waiting {
		close(answer)
	}
	l.waiting = nil
	l.mu.Unlock()
	stop()
	l.serving.Wait()
	return fmt.Errorf("%w: %w", ErrLost, err)
}

func (l *Link) read(ctx context.Context) error {
	in := wire.NewReaderOf(l.conn, maxLine)
	d, timed := l.conn.(deadline)
	for {
		if timed {
			_ = d.SetReadDeadline(time.Now().Add(l.patience))
		}
		line, _, err := in.Next()
		if err != nil {
			return err
		}
		var f frame
		if err := json.Unmarshal(line, &f); err != nil {
			return fmt.Errorf("what came is no call: %w", err)
		}
		switch {
		case f.Call != "":
			l.answer(ctx, f)
		case f.Cancel:
			l.mu.Lock()
			if cancel := l.cancels[f.ID]; cancel != nil {
				cancel(context.Canceled)
			}
			l.mu.Unlock()
		default:
			l.mu.Lock()
			if answer := l.waiting[f.ID]; answer != nil {
				delete(l.waiting, f.ID)
				answer <- f
			}
			l.mu.Unlock()
		}
	}
}

// answer has a call answered beside others.
func (l *Link) answer(ctx context.Context, f frame) {
	ctx, cancel := context.WithCancelCause(ctx)
	if f.ID != 0 {
		l.mu.Lock()
		l.cancels[f.ID] = cancel
		l.mu.Unlock()
	}
	l.serving.Go(func() {
		defer cancel(nil)
		back, err := l.carryOut(ctx, f)
		if f.ID == 0 {
			if err != nil {
				l.log.Warn("what another process told could not be taken", "what", f.Call, "err", err)
			}
			return
		}
		l.mu.Lock()
		delete(l.cancels, f.ID)
		l.mu.Unlock()
		out := frame{ID: f.ID}
		if err == nil {
			out.Back, err = json.Marshal(back)
		}
		if err != nil {
			fault := wire.FaultOf(err)
			out.Back, out.Fault = nil, &fault
		}
		_ = l.write(out) // the connection has ended, and the caller knows
	})
}

func (l *Link) carryOut(ctx context.Context, f frame) (back any, err error) {
	do := l.answers[f.Call]
	if do == nil {
		return nil, fmt.Errorf("the other process does not know how to %q", protocol.Shorten(f.Call, 40))
	}
	err = protocol.Guard(func() error {
		back, err = do(ctx, f.Args)
		return err
	})
	return back, err
}

func (l *Link) write(f frame) error {
	if d, timed := l.conn.(deadline); timed {
		_ = d.SetWriteDeadline(time.Now().Add(l.patience))
	}
	err := l.out.Write(f)
	if err != nil {
		l.Close() // half a line may have gone out
	}
	return err
}

// Call calls the other side and waits for its answer, which is written into reply; nil wants none. The error is one of
// the other side, as an adapter gave it, ErrLost, or that of the context.
func (l *Link) Call(ctx context.Context, method string, args, reply any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	wait, err := l.Begin(method, args)
	if err != nil {
		return err
	}
	return wait(ctx, reply)
}

// Begin hands a call to the connection, and returns what waits for its answer, as Call does. It is called once.
func (l *Link) Begin(method string, args any) (wait func(ctx context.Context, reply any) error, err error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("write what to %s: %w", method, err)
	}
	answer := make(chan frame, 1)
	l.mu.Lock()
	if l.waiting == nil {
		l.mu.Unlock()
		return nil, ErrLost
	}
	l.last++
	id := l.last
	l.waiting[id] = answer
	l.mu.Unlock()
	if err := l.write(frame{ID: id, Call: method, Args: raw}); err != nil {
		l.forget(id)
		return nil, fmt.Errorf("%w: %w", ErrLost, err)
	}
	return func(ctx context.Context, reply any) error {
		select {
		case f, ok := <-answer:
			switch {
			case !ok:
				return ErrLost
			case f.Fault != nil:
				return f.Fault.Err()
			case reply == nil:
				return nil
			}
			return json.Unmarshal(f.Back, reply)
		case <-ctx.Done():
			l.forget(id)
			_ = l.write(frame{ID: id, Cancel: true}) // a connection that has ended cancels it too
			return ctx.Err()
		}
	}, nil
}

func (l *Link) forget(id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, id)
}

// Tell calls the other side and does not wait for an answer.
func (l *Link) Tell(method string, args any) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("write what to %s: %w", method, err)
	}
	if err := l.write(frame{Call: method, Args: raw}); err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return nil
}
