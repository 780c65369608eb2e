package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"moot/internal/pause"
)

const (
	// sendsPerMinute is what Discord takes on one connection, less what heartbeats and the opening
	// need. https://discord.com/developers/docs/events/gateway#rate-limiting
	sendsPerMinute = 110
	steady         = time.Minute // a new session that lasts as long has not failed when it ends
	activityCustom = 4           // the activity that is a text
)

// shard keeps one shard connected.
type shard struct {
	g         *Gateway
	id, count int
	url       string // of the gateway, for a session that has none of its own
	handle    Handler
	sent      chan struct{}        // one for each send of the last minute, beside heartbeats and openings
	live      atomic.Pointer[conn] // the connection that has the session; nil between two
	latency   atomic.Int64         // how long Discord took to acknowledge the last heartbeat, in nanoseconds

	// owned by run
	session Session   // as far as its events were handed over
	since   time.Time // when live came online
	resumed bool      // whether live has resumed the session
}

// run connects again and again, until the context ends or there is no use in it.
func (s *shard) run(ctx context.Context) error {
	for failures := 0; ; {
		err := s.connect(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		} else if f := fatal(err); f != nil {
			return f
		} else if e, ok := errors.AsType[ends](err); ok {
			return e.error
		}
		well, ended := s.lost(err)
		if well {
			failures = 0
		}
		wait := s.g.backoff.After(failures)
		failures++
		if _, invalid := errors.AsType[invalidSession](err); invalid {
			// "Wait a random amount of time between 1 and 5 seconds", says the documentation of op 9.
			wait = max(wait, s.g.cfg.Backoff+rand.N(4*s.g.cfg.Backoff+1))
		}
		s.g.cfg.Log.Info("disconnected", "shard", s.id, "err", err, "resumable", s.session.ID != "", "again_in", wait)
		if ended != nil {
			if err := s.call(ctx, *ended); err != nil {
				return err
			}
		}
		if err := pause.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// connect makes one connection and returns when it has ended, with the reason.
func (s *shard) connect(ctx context.Context) error {
	address := cmp.Or(s.g.cfg.URL, s.session.URL, s.url)
	var p *permit
	if s.session.ID == "" {
		var err error
		if p, err = s.g.budget.acquire(ctx, s.id); err != nil {
			return err
		}
		defer p.release()
		address = cmp.Or(s.g.cfg.URL, p.info.URL)
	}
	opening, cancel := context.WithTimeoutCause(ctx, s.g.cfg.OpenTimeout, errStuck)
	defer cancel()
	ws, err := s.g.dial(opening, address)
	if err != nil {
		s.session.URL = "" // perhaps it is only that address which cannot be reached
		return err
	}
	return s.converse(ctx, ws, p)
}

// converse opens or resumes a session, and hands its events over until the connection ends.
func (s *shard) converse(ctx context.Context, ws socket, p *permit) error {
	c := newConn(ctx, ws, s.session.Seq)
	var beside sync.WaitGroup
	beside.Go(func() { c.closes(ctx) })
	stuck := time.AfterFunc(s.g.cfg.OpenTimeout, func() { c.end(errStuck) })
	defer func() {
		stuck.Stop()
		c.end(nil)
		beside.Wait()
	}()
	if err := c.hello(); err != nil {
		return err
	}
	if err := s.open(ctx, c, p); err != nil {
		return err
	}
	beside.Go(func() { c.beats(rand.Float64()) })
	for {
		in, err := c.read()
		if err != nil {
			return err
		}
		switch *in.Op {
		case opDispatch:
			stuck.Stop()
			if err := s.take(ctx, c, in, p); err != nil {
				return err
			}
		case opHeartbeat:
			if err := c.pulse(); err != nil {
				return err
			}
		case opHeartbeatAck:
			if c.unacked.Swap(false) {
				s.latency.Store(time.Now().UnixNano() - c.beat.Load())
			}
		case opReconnect:
			return errReconnect
		case opInvalidSession:
			return invalidSession{resumable: string(in.Data) == "true"}
		}
	}
}

// open sends the IDENTIFY or RESUME of a connection.
func (s *shard) open(ctx context.Context, c *conn, p *permit) error {
	if p == nil {
		return c.send(opResume, map[string]any{"token": s.g.cfg.Token, "session_id": s.session.ID, "seq": s.session.Seq})
	}
	if err := p.spend(ctx); err != nil {
		return err
	}
	identify := map[string]any{
		"token": s.g.cfg.Token, "intents": s.g.cfg.Intents, "shard": [2]int{s.id, s.count}, "large_threshold": 250,
		"properties": map[string]string{"os": runtime.GOOS, "browser": "moot", "device": "moot"},
	}
	if s.g.cfg.Status != "" { // https://discord.com/developers/docs/events/gateway-events#activity-object
		identify["presence"] = map[string]any{"since": nil, "afk": false, "status": "online",
			"activities": []any{map[string]any{"name": "Custom Status", "type": activityCustom, "state": s.g.cfg.Status}}}
	}
	return c.send(opIdentify, identify)
}

// take hands one event over. It counts as received once the function has returned.
func (s *shard) take(ctx context.Context, c *conn, in payload, p *permit) error {
	session := s.session
	switch in.Type {
	case "READY":
		var ready struct {
			ID  string `json:"session_id"`
			URL string `json:"resume_gateway_url"`
		}
		if json.Unmarshal(in.Data, &ready) != nil || ready.ID == "" {
			return errGarbage
		}
		session = Session{ID: ready.ID, URL: ready.URL}
		p.release()
		s.online(c, false)
	case "RESUMED":
		s.online(c, true)
	}
	if session.ID == "" {
		return errGarbage // an event before READY
	}
	c.seq.Store(max(c.seq.Load(), in.Seq))
	if err := s.call(ctx, Event{Shard: s.id, Session: session.ID, ResumeURL: session.URL, Seq: in.Seq, Type: in.Type,
		Replayed: s.live.Load() != c, Raw: in.Data}); err != nil { // between RESUME and RESUMED
		return err
	}
	session.Seq = max(session.Seq, in.Seq)
	s.session = session
	return nil
}

func (s *shard) online(c *conn, resumed bool) {
	s.live.Store(c)
	s.since, s.resumed = time.Now(), resumed
	s.g.cfg.Log.Info("connected", "shard", s.id, "new_session", !resumed)
}

// lost notes that a connection has ended: whether it had gone well, and what to tell if it was online.
func (s *shard) lost(cause error) (well bool, ended *Event) {
	was := s.session
	if endsSession(cause) {
		s.session = Session{}
	}
	if s.live.Swap(nil) == nil {
		return false, nil
	}
	well = s.resumed && s.session.ID != "" || time.Since(s.since) >= steady
	return well, &Event{Shard: s.id, Session: was.ID, Seq: was.Seq, Type: Disconnected,
		Lost: &Disconnection{Err: cause, Resumable: s.session.ID != ""}}
}

// ends is an error that ends Run.
type ends struct{ error }

func (e ends) Unwrap() error { return e.error }

// call calls the function and survives its panics.
func (s *shard) call(ctx context.Context, e Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.g.cfg.Log.Error("panic while handling an event", "shard", s.id, "session", e.Session, "seq", e.Seq,
				"type", e.Type, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if err := s.handle(ctx, e); err != nil {
		return ends{fmt.Errorf("shard %d, %s: %w", s.id, e.Type, err)}
	}
	return nil
}

// send waits for its turn and sends.
func (s *shard) send(ctx context.Context, op int, data any) error {
	select {
	case s.sent <- struct{}{}:
		time.AfterFunc(time.Minute, func() { <-s.sent })
	case <-ctx.Done():
		return fmt.Errorf("the limit of what a bot may send is reached: %w", ctx.Err())
	}
	c := s.live.Load()
	if c == nil {
		return ErrOffline
	}
	return c.send(op, data)
}
