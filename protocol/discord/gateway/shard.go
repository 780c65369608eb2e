package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// sendsPerMinute is what Discord allows on one connection, less what heartbeats and the opening need.
	// https://discord.com/developers/docs/events/gateway#rate-limiting
	sendsPerMinute = 110
	// steady is how long a session must have lasted for its successor not to count as another failure.
	steady = time.Minute
)

// shard keeps one shard connected.
type shard struct {
	g         *Gateway
	id, count int
	conns     sync.WaitGroup // the goroutines of connections

	filled chan struct{} // a token: something is in the queue
	room   chan struct{} // a token: something was taken out

	mu        sync.Mutex
	live      *conn // the connection whose events count; nil between two
	queue     []Event
	bytes     int // of the queue
	session   string
	resumeURL string
	seq       int64
	status    ShardStatus
	sent      []time.Time // the last sendsPerMinute sends, oldest first
}

func newShard(g *Gateway, id, count int) *shard {
	return &shard{g: g, id: id, count: count, filled: make(chan struct{}, 1), room: make(chan struct{}, 1), status: ShardStatus{Shard: id}}
}

// supervise connects, again and again, until the context ends or there is no use in it.
func (s *shard) supervise(ctx context.Context) error {
	for failures := 0; ; {
		c, err := s.connect(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if f := fatal(err, s.g.cfg.Intents, s.count); f != nil {
			return f
		}
		if errors.Is(err, errBudget) {
			return err
		}
		lasted := s.lost(c, err)
		pause := time.Duration(0)
		switch {
		case lasted >= steady, lasted > 0 && errors.Is(err, errReconnect):
			failures = 0
			pause = s.g.backoff(0) / 4
		default:
			pause = s.g.backoff(failures)
			failures++
		}
		if _, invalid := errors.AsType[invalidSession](err); invalid {
			// "Wait between one and five seconds", says the documentation of op 9.
			pause = max(pause, s.g.cfg.Backoff)
		}
		s.g.cfg.Log.Info("discord: disconnected", "shard", s.id, "err", err, "again_in", pause)
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// lost notes that a connection has ended, and returns how long it was online.
func (s *shard) lost(c *conn, cause error) (lasted time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c != nil && s.live == c {
		s.live = nil
	}
	if endsSession(cause) {
		s.session, s.resumeURL, s.seq = "", "", 0
	} else if c != nil && !c.dialed() {
		s.resumeURL = "" // perhaps it is only that address which cannot be reached
	}
	s.status.LastError = cause
	if !s.status.Online {
		return 0
	}
	lasted = time.Since(s.status.Since)
	s.status.Online, s.status.Since = false, time.Now()
	s.queue = append(s.queue, Event{Shard: s.id, Session: s.status.Session, Seq: s.seq, Type: Disconnected,
		Data: Disconnection{Err: cause, Resumable: s.session != ""}})
	signal(s.filled)
	return lasted
}

// put queues an event of a connection, and waits while there is no room. It is false where the connection has ended
// meanwhile: the event then counts as not received.
func (s *shard) put(c *conn, e Event) bool {
	for waited := false; ; waited = true {
		if s.tryPut(c, e) {
			if waited {
				c.stall(false)
			}
			return true
		}
		c.stall(true)
		select {
		case <-c.ended:
			signal(s.room) // the token may have been meant for the connection that follows
			return false
		case <-s.room:
		}
	}
}

// size is what an event counts for in the queue. Decoded, even the smallest takes some memory.
func size(e Event) int {
	if e.Type == Disconnected {
		return 0
	}
	return len(e.Raw) + 256
}

func (s *shard) tryPut(c *conn, e Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live != c || len(s.queue) > 0 && s.bytes+size(e) > s.g.cfg.QueueBytes {
		return false
	}
	switch e.Type {
	case "READY":
		s.session, s.resumeURL = c.readySession(e.Raw)
		s.online(true)
	case "RESUMED":
		s.status.Resumes++
		s.online(false)
	}
	e.Session = s.session
	s.seq = e.Seq
	s.queue = append(s.queue, e)
	s.bytes += size(e)
	signal(s.filled)
	return true
}

func (s *shard) online(afresh bool) {
	s.status.Online, s.status.Since, s.status.Session = true, time.Now(), s.session
	s.g.cfg.Log.Info("discord: connected", "shard", s.id, "new_session", afresh)
}

// dispatch hands the queue over.
func (s *shard) dispatch(ctx context.Context, handle Handler) error {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.queue = nil
			s.mu.Unlock()
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.filled:
			}
			continue
		}
		e := s.queue[0]
		s.queue[0] = Event{}
		s.queue = s.queue[1:]
		s.bytes -= size(e)
		s.mu.Unlock()
		signal(s.room)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.handle(ctx, handle, e); err != nil {
			return fmt.Errorf("shard %d, %s: %w", s.id, e.Type, err)
		}
	}
}

// handle calls the function and survives its panics.
func (s *shard) handle(ctx context.Context, handle Handler, e Event) error {
	defer func() {
		if p := recover(); p != nil {
			s.g.cfg.Log.Error("discord: panic while handling an event", "shard", s.id, "session", e.Session, "seq", e.Seq, "type", e.Type,
				"panic", p, "stack", string(debug.Stack()))
		}
	}()
	return handle(ctx, e)
}

// send waits for the limit and sends.
func (s *shard) send(ctx context.Context, payload []byte) error {
	for {
		s.mu.Lock()
		c, now := s.live, time.Now()
		if c == nil || !s.status.Online {
			s.mu.Unlock()
			return ErrOffline
		}
		if len(s.sent) < sendsPerMinute || now.Sub(s.sent[0]) >= time.Minute {
			if len(s.sent) == sendsPerMinute {
				s.sent = s.sent[1:]
			}
			s.sent = append(s.sent, now)
			s.mu.Unlock()
			return c.send(payload)
		}
		wait := time.Minute - now.Sub(s.sent[0])
		s.mu.Unlock()
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			return fmt.Errorf("gateway: the limit of sends is reached for another %s: %w", wait.Round(time.Millisecond), context.DeadlineExceeded)
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func (s *shard) state() ShardStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Seq, st.Waiting = s.seq, len(s.queue)
	if s.live != nil {
		st.Latency = s.live.latency()
	}
	return st
}

// signal leaves a token where there is none.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
