package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"moot/backup"
	"moot/events"
	"moot/internal/bot"
	"moot/internal/finding"
	"moot/internal/inspect"
	"moot/services"
)

// Handler answers requests: of a bot that runs, or from the files of one that does not.
type Handler struct {
	Inspector *inspect.Inspector
	// Retry has a dead letter tried again and says what came of it, and Drop lets go of one. Their errors are those of
	// package inspect where there is no such letter.
	Retry func(ctx context.Context, id uint64) (string, error)
	Drop  func(ctx context.Context, id uint64) error
	// Status says how the bot is.
	Status func() Status
	// Backup makes a backup, and says how far it is; the last that it says is what was made.
	Backup func(ctx context.Context, r backup.Request, say func(backup.Progress)) error
	// LogLevel changes for a while how much is logged, and says so. Nil where no bot runs.
	LogLevel func(LogLevel) (string, error)
	// Web returns a link to the page that lets somebody in once, or why there is none.
	Web func() (string, error)
	// Jobs returns jobs of services.
	Jobs func(q services.JobQuery) (services.JobPage, error)
	// Service does something with a service or a job of one, and says what came of it. Nil where no bot runs.
	Service func(ctx context.Context, o ServiceOrder) (string, error)
	// FollowBackup makes one and what follows, until the context ends. Nil where no bot runs.
	FollowBackup func(ctx context.Context, r backup.Request, say func(backup.Followed)) error
}

// Status is how a bot is.
type Status struct {
	Running  bool                `json:"running"`
	Standby  bool                `json:"standby,omitempty"` // whether another machine leads
	PID      int                 `json:"pid,omitempty"`
	Version  string              `json:"version,omitempty"`
	Started  time.Time           `json:"started,omitzero"`
	Networks []bot.NetworkStatus `json:"networks,omitempty"`
	Folder   string              `json:"folder"`
	// Reached is the time that the store has reached; zero where there was no commit yet.
	Reached time.Time `json:"reached,omitzero"`
}

// Letter names a dead letter, or the one behind which others are wanted.
type Letter struct {
	ID uint64 `json:"id"`
}

// LogLevel is how much is to be logged, and for how long.
type LogLevel struct {
	Level string        `json:"level"`
	For   time.Duration `json:"for"`
}

// ServiceOrder is what an operator wants of a service.
type ServiceOrder struct {
	What    string `json:"what"` // pause, up, run, retry or drop
	Service string `json:"service,omitempty"`
	Job     string `json:"job,omitempty"` // the beginning of its name
	Text    string `json:"text,omitempty"`
}

// ErrNoBot is the error of an order that only a running bot can follow.
var ErrNoBot = errors.New("the bot does not run; only one that runs can do that")

// Done says what came of an order.
type Done struct {
	Text string `json:"text"`
}

// The requests.
const (
	doWhy    = "why"
	doSeen   = "seen"
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
	doBackup = "backup"
	doLevel  = "log-level"
	doWeb    = "web"

	doJobs    = "jobs"
	doService = "service"

	doFollowBackup = "follow-backup"
)

// emit hands over a row of an answer.
type emit func(row any) error

// method answers one kind of request.
type method func(ctx context.Context, h *Handler, with json.RawMessage, out emit) error

// one makes a method of a function that answers with one row.
func one[Q, R any](f func(context.Context, *Handler, Q) (R, error)) method {
	return many(func(ctx context.Context, h *Handler, q Q, out emit) error {
		row, err := f(ctx, h, q)
		if err != nil {
			return err
		}
		return out(row)
	})
}

// many makes a method of a function that answers with any number of rows.
func many[Q any](f func(context.Context, *Handler, Q, emit) error) method {
	return func(ctx context.Context, h *Handler, with json.RawMessage, out emit) error {
		var q Q
		if len(with) > 0 {
			if err := json.Unmarshal(with, &q); err != nil {
				return fmt.Errorf("read the request: %w", err)
			}
		}
		return f(ctx, h, q, out)
	}
}

var methods = map[string]method{
	doWhy: one(func(_ context.Context, h *Handler, q inspect.WhyQuery) (inspect.Why, error) {
		return h.Inspector.Why(q)
	}),
	doSeen: one(func(_ context.Context, h *Handler, q inspect.SeenQuery) (inspect.SeenPage, error) {
		return h.Inspector.Seen(q)
	}),
	doLog: one(func(_ context.Context, h *Handler, q inspect.LogQuery) (inspect.LogPage, error) {
		return h.Inspector.Log(q)
	}),
	doOutbox: one(func(_ context.Context, h *Handler, q inspect.OutboxQuery) (inspect.OutboxPage, error) {
		return h.Inspector.Outbox(q)
	}),
	doDead: one(func(_ context.Context, h *Handler, q Letter) (inspect.DeadPage, error) { return h.Inspector.Dead(q.ID) }),
	doLetter: one(func(_ context.Context, h *Handler, q Letter) (inspect.Letter, error) {
		return h.Inspector.Letter(q.ID)
	}),
	doCheck: one(func(ctx context.Context, h *Handler, q inspect.CheckQuery) ([]finding.Finding, error) {
		return h.Inspector.Check(ctx, q)
	}),
	doVerify: one(func(ctx context.Context, h *Handler, _ struct{}) (inspect.Verified, error) {
		return h.Inspector.Verify(ctx)
	}),
	doStatus: one(func(_ context.Context, h *Handler, _ struct{}) (Status, error) { return h.Status(), nil }),
	doRetry: one(func(ctx context.Context, h *Handler, q Letter) (Done, error) {
		text, err := h.Retry(ctx, q.ID)
		return Done{text}, err
	}),
	doDrop: one(func(ctx context.Context, h *Handler, q Letter) (Done, error) {
		return Done{fmt.Sprintf("Dead letter %d is gone. Its event stays recorded as failed.", q.ID)}, h.Drop(ctx, q.ID)
	}),
	doFollow: many(follow),
	doJobs:   one(func(_ context.Context, h *Handler, q services.JobQuery) (services.JobPage, error) { return h.Jobs(q) }),
	doService: one(func(ctx context.Context, h *Handler, o ServiceOrder) (Done, error) {
		if h.Service == nil {
			return Done{}, ErrNoBot
		}
		text, err := h.Service(ctx, o)
		return Done{text}, err
	}),
	doLevel: one(func(_ context.Context, h *Handler, l LogLevel) (Done, error) {
		if h.LogLevel == nil {
			return Done{}, errors.New("no bot runs here that could log anything")
		}
		text, err := h.LogLevel(l)
		return Done{text}, err
	}),
	doWeb: one(func(_ context.Context, h *Handler, _ struct{}) (Done, error) {
		if h.Web == nil {
			return Done{}, errors.New("no bot runs here that could show a page")
		}
		link, err := h.Web()
		return Done{link}, err
	}),
	doFollowBackup: many(func(ctx context.Context, h *Handler, r backup.Request, out emit) error {
		return h.FollowBackup(ctx, r, func(f backup.Followed) { _ = out(f) })
	}),
	doBackup: many(func(ctx context.Context, h *Handler, r backup.Request, out emit) error {
		return h.Backup(ctx, r, func(p backup.Progress) { _ = out(p) }) // whoever is gone has ended the context
	}),
}

// handle answers a request.
func (h *Handler) handle(ctx context.Context, do string, with json.RawMessage, out emit) error {
	m, ok := methods[do]
	if !ok {
		return fmt.Errorf("there is no request %q; is this another version of moot?", do)
	}
	return m(ctx, h, with, out)
}

// follow brings the facts that a query wants, and those that come after them, until the context or the bus ends.
func follow(ctx context.Context, h *Handler, q inspect.LogQuery, out emit) error {
	if h.Inspector.Bus == nil {
		_, err := h.Inspector.Log(q) // which says why
		return err
	}
	q.Backward, q.Before, q.Limit = false, 0, 0
	// It only wakes: the pages decide what is shown, by the same filters as ever.
	var kinds []string
	if q.Kind != "" {
		kinds = []string{q.Kind}
	}
	wake := h.Inspector.Bus.Subscribe(kinds...)
	defer wake.Close()
	for {
		page, err := h.Inspector.Log(q)
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
