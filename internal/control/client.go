package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"moot/backup"
	"moot/internal/finding"
	"moot/internal/inspect"
	"moot/internal/pause"
	"moot/services"
)

// Errors of a Client.
var (
	// ErrNoData: no bot has run with the data folder yet.
	ErrNoData = errors.New("there is nothing in the data folder yet")
	// ErrUnreachable: a process holds the files and does not answer.
	ErrUnreachable = errors.New("the files are in use by a process that does not answer")
	// ErrCutShort: the bot ended in the middle of an answer.
	ErrCutShort = errors.New("the answer was cut short")

	errNobody = errors.New("nobody listens")
)

const (
	// retryEvery is how often socket and files are tried.
	retryEvery = 50 * time.Millisecond
	// longestRow is the longest line of an answer: a page of facts.
	longestRow = 64 << 20
)

// ClientConfig says whom to ask.
type ClientConfig struct {
	// Folder is the data folder.
	Folder string
	// Files opens the files where no bot listens, to read or, if write is set, also to write. The lock is not to be waited
	// for: it fails with an error for which Busy is true where another process holds them. Release lets go of them.
	Files func(write bool) (h *Handler, release func() error, err error)
	// Busy reports whether an error of Files means that another process holds them.
	Busy func(error) bool
	// Wait is for how long both are tried; zero means 5 seconds.
	Wait time.Duration
}

// Client asks a bot, or its files where none runs. Its methods may be called concurrently.
type Client struct{ cfg ClientConfig }

// NewClient returns a client. It asks nobody yet.
func NewClient(c ClientConfig) *Client {
	if c.Wait == 0 {
		c.Wait = 5 * time.Second
	}
	return &Client{c}
}

// Why returns what became of an event.
func (c *Client) Why(ctx context.Context, q inspect.WhyQuery) (inspect.Why, error) {
	return ask[inspect.Why](ctx, c, doWhy, q)
}

// Seen returns a page of what a room had.
func (c *Client) Seen(ctx context.Context, q inspect.SeenQuery) (inspect.SeenPage, error) {
	return ask[inspect.SeenPage](ctx, c, doSeen, q)
}

// Log returns a page of the log.
func (c *Client) Log(ctx context.Context, q inspect.LogQuery) (inspect.LogPage, error) {
	return ask[inspect.LogPage](ctx, c, doLog, q)
}

// Outbox returns what waits to be sent and what was sent.
func (c *Client) Outbox(ctx context.Context, q inspect.OutboxQuery) (inspect.OutboxPage, error) {
	return ask[inspect.OutboxPage](ctx, c, doOutbox, q)
}

// Dead returns the dead letters behind a number.
func (c *Client) Dead(ctx context.Context, after uint64) (inspect.DeadPage, error) {
	return ask[inspect.DeadPage](ctx, c, doDead, Letter{after})
}

// Letter returns one dead letter.
func (c *Client) Letter(ctx context.Context, id uint64) (inspect.Letter, error) {
	return ask[inspect.Letter](ctx, c, doLetter, Letter{id})
}

// Retry has a dead letter tried again and says what came of it.
func (c *Client) Retry(ctx context.Context, id uint64) (string, error) {
	done, err := ask[Done](ctx, c, doRetry, Letter{id})
	return done.Text, err
}

// Drop lets go of a dead letter and says so.
func (c *Client) Drop(ctx context.Context, id uint64) (string, error) {
	done, err := ask[Done](ctx, c, doDrop, Letter{id})
	return done.Text, err
}

// LogLevel changes for a while how much the bot logs, and says so.
func (c *Client) LogLevel(ctx context.Context, l LogLevel) (string, error) {
	done, err := ask[Done](ctx, c, doLevel, l)
	return done.Text, err
}

// Web returns a link to the page of the bot, which lets somebody in once.
func (c *Client) Web(ctx context.Context) (string, error) {
	done, err := ask[Done](ctx, c, doWeb, struct{}{})
	return done.Text, err
}

// Jobs returns jobs of services.
func (c *Client) Jobs(ctx context.Context, q services.JobQuery) (services.JobPage, error) {
	return ask[services.JobPage](ctx, c, doJobs, q)
}

// Service has something done with a service, and says what came of it.
func (c *Client) Service(ctx context.Context, o ServiceOrder) (string, error) {
	done, err := ask[Done](ctx, c, doService, o)
	return done.Text, err
}

// Check looks at the store.
func (c *Client) Check(ctx context.Context, q inspect.CheckQuery) ([]finding.Finding, error) {
	return ask[[]finding.Finding](ctx, c, doCheck, q)
}

// Verify replays the log of facts and compares what it gives with what the bot knows.
func (c *Client) Verify(ctx context.Context) (inspect.Verified, error) {
	return ask[inspect.Verified](ctx, c, doVerify, struct{}{})
}

// Status says how the bot is, or that none runs.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, doStatus, struct{}{})
}

// Backup has a backup made, and calls each with how far it is; at last with what was made.
func (c *Client) Backup(ctx context.Context, r backup.Request, each func(backup.Progress)) error {
	made := false
	err := c.call(ctx, doBackup, r, func(row json.RawMessage) error {
		p, err := decode[backup.Progress](row)
		if err != nil {
			return err
		}
		made = made || p.Made != nil
		each(p)
		return nil
	})
	if err == nil && !made {
		err = ErrCutShort
	}
	return err
}

// FollowBackup has a backup made and followed, and calls each with how far it is, until the context ends, which is no error. It
// waits for a bot where none runs, and for the next one where one ends.
func (c *Client) FollowBackup(ctx context.Context, r backup.Request, each func(backup.Followed)) error {
	for ctx.Err() == nil {
		conn, err := c.dial(ctx)
		switch {
		case errors.Is(err, errNobody):
			_ = pause.Sleep(ctx, 5*retryEvery)
			continue
		case err != nil:
			return err
		}
		err = exchange(ctx, conn, doFollowBackup, r, func(row json.RawMessage) error {
			f, err := decode[backup.Followed](row)
			if err == nil {
				each(f)
			}
			return err
		})
		if err != nil && !errors.Is(err, ErrCutShort) && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// Follow shows the facts that a query wants, and those that come after them, until the context ends, which is no error.
// It waits for a bot where none runs, and for the next one where one ends.
func (c *Client) Follow(ctx context.Context, q inspect.LogQuery, each func(inspect.Fact) error) error {
	q.Backward, q.Before, q.Limit = false, 0, 0
	for first := true; ctx.Err() == nil; first = false {
		conn, err := c.dial(ctx)
		switch {
		case errors.Is(err, errNobody) && first:
			// What is in the files can be shown already.
			if err := c.pages(ctx, &q, each); err != nil {
				return err
			}
			continue
		case errors.Is(err, errNobody):
			_ = pause.Sleep(ctx, 5*retryEvery)
			continue
		case err != nil:
			return err
		}
		err = exchange(ctx, conn, doFollow, q, func(row json.RawMessage) error {
			f, err := decode[inspect.Fact](row)
			if err != nil {
				return err
			}
			q.After, q.Since, q.Ago = f.Seq, time.Time{}, 0
			return each(f)
		})
		if err != nil && !errors.Is(err, ErrCutShort) && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// pages shows the facts that there are, and moves the query behind them.
func (c *Client) pages(ctx context.Context, q *inspect.LogQuery, each func(inspect.Fact) error) error {
	for {
		page, err := c.Log(ctx, *q)
		if err != nil {
			if errors.Is(err, ErrNoData) || ctx.Err() != nil {
				return nil // the bot will have some
			}
			return err
		}
		for _, f := range page.Facts {
			if err := each(f); err != nil {
				return err
			}
			q.After = f.Seq
		}
		if !page.More {
			q.After, q.Since, q.Ago = max(q.After, page.Last), time.Time{}, 0
			return nil
		}
	}
}

// ask makes a request that is answered with one row.
func ask[R any](ctx context.Context, c *Client, do string, with any) (out R, err error) {
	got := false
	err = c.call(ctx, do, with, func(row json.RawMessage) (err error) {
		out, err = decode[R](row)
		got = true
		return err
	})
	if err == nil && !got {
		err = ErrCutShort
	}
	return out, err
}

func decode[R any](row json.RawMessage) (out R, err error) {
	if err := json.Unmarshal(row, &out); err != nil {
		return out, fmt.Errorf("read the answer: %w", err)
	}
	return out, nil
}

// call makes a request of the bot that runs, or else of the files.
func (c *Client) call(ctx context.Context, do string, with any, row func(json.RawMessage) error) error {
	giveUp := time.Now().Add(c.cfg.Wait)
	for {
		conn, err := c.dial(ctx)
		if err == nil {
			return exchange(ctx, conn, do, with, row)
		}
		if !errors.Is(err, errNobody) {
			return err
		}
		err = c.local(ctx, do, with, row)
		if err == nil || !c.cfg.Busy(err) {
			return err
		}
		// Somebody is starting or stopping, or reads for a moment.
		_ = pause.Sleep(ctx, retryEvery)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(giveUp) {
			return fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
	}
}

// local answers a request from the files.
func (c *Client) local(ctx context.Context, do string, with any, row func(json.RawMessage) error) error {
	h, release, err := c.cfg.Files(do == doRetry || do == doDrop || do == doBackup)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoData
	}
	if err != nil {
		return err
	}
	data, err := json.Marshal(with)
	if err == nil {
		err = h.handle(ctx, do, data, func(v any) error {
			data, err := json.Marshal(v)
			if err != nil {
				return fmt.Errorf("write a row as JSON: %w", err)
			}
			return row(data)
		})
	}
	return errors.Join(err, release())
}

// dial connects to the bot. It fails with errNobody where none listens.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	paths, err := places(c.cfg.Folder)
	if err != nil {
		return nil, errNobody // then no bot can listen either
	}
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&fs.ModeSocket == 0 {
			continue
		}
		if filepath.Base(path) != SocketName {
			if err := ownFolder(filepath.Dir(path)); err != nil {
				return nil, fmt.Errorf("the socket of the bot cannot be trusted: %w", err)
			}
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", path)
		switch {
		case err == nil:
			return conn, nil
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
			continue // left over, or just gone
		default:
			return nil, fmt.Errorf("ask the bot that runs: %w", err)
		}
	}
	return nil, errNobody
}

// remoteError is an error that a bot told.
type remoteError struct {
	text string
	kind error // nil where it is of none of the kinds
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }

// exchange makes a request over a connection, and closes it.
func exchange(ctx context.Context, conn net.Conn, do string, with any, row func(json.RawMessage) error) error {
	defer conn.Close()
	unhook := context.AfterFunc(ctx, func() { conn.Close() })
	defer unhook()
	err := talk(conn, do, with, row)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func talk(conn net.Conn, do string, with any, row func(json.RawMessage) error) error {
	data, err := json.Marshal(with)
	if err != nil {
		return err
	}
	if data, err = json.Marshal(request{do, data}); err != nil {
		return err
	}
	if len(data) >= MaxRequest {
		return fmt.Errorf("the request is longer than %d bytes", MaxRequest)
	}
	// A bot that answers before it has read the request says why.
	_, werr := conn.Write(append(data, '\n'))
	in := bufio.NewScanner(conn)
	in.Buffer(nil, longestRow)
	for in.Scan() {
		var a answer
		if err := json.Unmarshal(in.Bytes(), &a); err != nil {
			return fmt.Errorf("%w: %w", ErrCutShort, err)
		}
		switch {
		case a.End:
			return nil
		case a.Error != nil:
			return a.Error.err()
		}
		if err := row(a.Row); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrCutShort, errors.Join(werr, in.Err(), io.ErrUnexpectedEOF))
}

func (f *failure) err() error {
	e := &remoteError{text: f.Text}
	for _, kind := range kinds {
		if kind.Error() == f.Kind {
			e.kind = kind
		}
	}
	return e
}
