package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"moot/events"
	"moot/internal/inspect"
)

// Office is who answers: a bot that runs, or whoever has opened its files.
type Office struct {
	Desk *inspect.Desk
	// Retry has a dead letter tried again and says what came of it, and Drop lets go of one. Their errors are those of
	// package inspect where there is no such letter.
	Retry func(ctx context.Context, id uint64) (string, error)
	Drop  func(ctx context.Context, id uint64) error
	// Status says how the bot is.
	Status func() Status
}

// Status is how a bot is.
type Status struct {
	Running  bool      `json:"running"`
	PID      int       `json:"pid,omitempty"`
	Version  string    `json:"version,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Networks []string  `json:"networks,omitempty"`
	Folder   string    `json:"folder"`
}

// Letter names a dead letter, or the one behind which others are wanted.
type Letter struct {
	ID uint64 `json:"id"`
}

// Done says what came of an order.
type Done struct {
	Text string `json:"text"`
}

// The requests.
const (
	doWhy    = "why"
	doLog    = "log"
	doFollow = "follow"
	doOutbox = "outbox"
	doDead   = "dead"
	doLetter = "letter"
	doRetry  = "retry"
	doDrop   = "drop"
	doCheck  = "check"
	doVerify = "verify"
	doStatus = "status"
)

// emit hands over a row of an answer.
type emit func(row any) error

// handler answers one kind of request.
type handler func(ctx context.Context, o *Office, with json.RawMessage, out emit) error

// one makes a handler of a function that answers with one row.
func one[Q, R any](f func(context.Context, *Office, Q) (R, error)) handler {
	return many(func(ctx context.Context, o *Office, q Q, out emit) error {
		row, err := f(ctx, o, q)
		if err != nil {
			return err
		}
		return out(row)
	})
}

// many makes a handler of a function that answers with any number of rows.
func many[Q any](f func(context.Context, *Office, Q, emit) error) handler {
	return func(ctx context.Context, o *Office, with json.RawMessage, out emit) error {
		var q Q
		if len(with) > 0 {
			if err := json.Unmarshal(with, &q); err != nil {
				return fmt.Errorf("read the request: %w", err)
			}
		}
		return f(ctx, o, q, out)
	}
}

var handlers = map[string]handler{
	doWhy: one(func(_ context.Context, o *Office, q inspect.WhyQuery) (inspect.Why, error) { return o.Desk.Why(q) }),
	doLog: one(func(_ context.Context, o *Office, q inspect.LogQuery) (inspect.LogPage, error) { return o.Desk.Log(q) }),
	doOutbox: one(func(_ context.Context, o *Office, q inspect.OutboxQuery) (inspect.OutboxPage, error) {
		return o.Desk.Outbox(q)
	}),
	doDead: one(func(_ context.Context, o *Office, q Letter) (inspect.DeadPage, error) { return o.Desk.Dead(q.ID) }),
	doLetter: one(func(_ context.Context, o *Office, q Letter) (inspect.Letter, error) {
		return o.Desk.Letter(q.ID)
	}),
	doCheck: one(func(ctx context.Context, o *Office, q inspect.CheckQuery) ([]inspect.Finding, error) {
		return o.Desk.Check(ctx, q)
	}),
	doVerify: one(func(ctx context.Context, o *Office, _ struct{}) (inspect.Verified, error) { return o.Desk.Verify(ctx) }),
	doStatus: one(func(_ context.Context, o *Office, _ struct{}) (Status, error) { return o.Status(), nil }),
	doRetry: one(func(ctx context.Context, o *Office, q Letter) (Done, error) {
		text, err := o.Retry(ctx, q.ID)
		return Done{text}, err
	}),
	doDrop: one(func(ctx context.Context, o *Office, q Letter) (Done, error) {
		return Done{fmt.Sprintf("Dead letter %d is gone. Its event stays recorded as failed.", q.ID)}, o.Drop(ctx, q.ID)
	}),
	doFollow: many(follow),
}

// handle answers a request.
func (o *Office) handle(ctx context.Context, do string, with json.RawMessage, out emit) error {
	h, ok := handlers[do]
	if !ok {
		return fmt.Errorf("there is no request %q; is this another version of moot?", do)
	}
	return h(ctx, o, with, out)
}

// follow brings the facts that a query wants, and those that come after them, until the context or the bus ends.
func follow(ctx context.Context, o *Office, q inspect.LogQuery, out emit) error {
	if o.Desk.Bus == nil {
		_, err := o.Desk.Log(q) // which says why
		return err
	}
	q.Backward, q.Before, q.Limit = false, 0, 0
	// It only wakes: the pages decide what is shown, by the same filters as ever.
	var kinds []string
	if q.Kind != "" {
		kinds = []string{q.Kind}
	}
	wake := o.Desk.Bus.Subscribe(kinds...)
	defer wake.Close()
	for {
		page, err := o.Desk.Log(q)
		if err != nil {
			return err
		}
		for _, f := range page.Facts {
			if err := out(f); err != nil {
				return err
			}
			q.After = f.Seq
		}
		if page.More {
			continue
		}
		q.After, q.Since, q.Ago = max(q.After, page.Last), time.Time{}, 0
		if err := await(ctx, wake, q.After); err != nil {
			if ctx.Err() != nil || errors.Is(err, events.ErrClosed) {
				return nil
			}
			return err
		}
	}
}

// await returns when there is a fact behind the given one.
func await(ctx context.Context, sub *events.Subscription, after uint64) error {
	for {
		f, err := sub.Next(ctx)
		switch {
		case err != nil && f.Seq == 0:
			return err
		case f.Seq > after:
			return nil
		}
	}
}
