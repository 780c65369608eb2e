// Package program is the collector that is a program: in any language, it prints a line of JSON for each thing that it has found.
//
//	bot ─▶ program   {"cursor":…,"service":…,"collector":…}     the first line: go on from there
//	program ─▶ bot   {"id":…,"cursor":…,"text":…, …}            something found; all of it is for the tasks
//	bot ─▶ program   {"taken":…}                                that is durable           ┐
//	bot ─▶ program   {"key":…,"job":…,"data":…,"results":…}     what the tasks have made  ├ where it takes back
//	program ─▶ bot   {"ack":KEY, …}                             of it; and it has that    ┘
//
// # Promises
//
//   - Each thing is one event, however often it is printed: by its "id", or, without one, by the last "cursor" and how many
//     things came behind it. What has neither is another thing each time.
//   - A cursor is handed back, at every start of the program, only when all that was printed up to it is durable.
//   - A program that ends is started again, after pauses that grow from a second to five minutes; one that is to run now and then,
//     and ends well, when its time has come.
//   - What the tasks have made of a thing is handed to a program that takes back until it has acknowledged it, always under the same
//     key.
//   - While nothing more may be brought, what the program writes is not read, and it has to wait. One that takes back is read on,
//     since it may acknowledge something; it is ended where more than [maxAhead] things are not taken.
package program

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"sync"
	"time"

	"moot/internal/pause"
	"moot/protocol"
	"moot/protocol/service"
	"moot/protocol/service/exec"
	"moot/protocol/service/result"
)

const (
	// maxAhead is how many things a program that takes back may be ahead of what is taken.
	maxAhead = 1000
	// good is how long a program has to run to count as one that works.
	good = time.Minute
)

// Config says what a Collector is.
type Config struct {
	Service, Name string
	Exec          exec.Config // as exec.Start takes it
	// Every is how often a program that ends well is started; zero means at once.
	Every time.Duration
	// Back is whether it takes back what the tasks have made of what it has found, within Timeout.
	Back    bool
	Timeout time.Duration
	Log     *slog.Logger // nil means none
}

// Collector is a program that finds things.
type Collector struct {
	cfg     Config
	backoff pause.Backoff

	mu   sync.Mutex
	live *exec.Stream // the program that runs, where it takes back; guarded by mu
	up   chan struct{}
	acks map[protocol.Key]chan []byte // those who wait for an acknowledgement; guarded by mu
}

// New returns a collector.
func New(c Config) (*Collector, error) {
	if c.Service == "" || c.Name == "" || c.Back && c.Timeout <= 0 {
		return nil, errors.New("program: Service, Name or Timeout is missing")
	}
	if err := exec.Check(c.Exec); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Collector{
		cfg: c, backoff: pause.Backoff{First: time.Second, Most: 5 * time.Minute},
		up: make(chan struct{}), acks: map[protocol.Key]chan []byte{},
	}, nil
}

// Name implements service.Collector.
func (c *Collector) Name() string { return c.cfg.Name }

// Source implements service.Collector. A program may be put elsewhere and go on.
func (c *Collector) Source() string { return "program" }

// Run implements service.Collector.
func (c *Collector) Run(ctx context.Context, to service.Sink) error {
	for failures := 0; ; {
		if !c.cfg.Back { // one that takes back has to be there for what waits, which would wait for ever otherwise
			if err := to.Ready(ctx); err != nil {
				return err
			}
		}
		began := time.Now()
		brought, err := c.life(ctx, to)
		var sunk sinkError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &sunk):
			return sunk.error
		case brought > 0 || time.Since(began) >= good:
			failures = 0
		}
		wait := c.backoff.After(failures)
		if err == nil && c.cfg.Every > 0 {
			failures, wait = 0, max(0, c.cfg.Every-time.Since(began))
		} else {
			failures++
			c.cfg.Log.Warn("the program of a collector has ended, and is started again", "in", wait.Round(time.Millisecond), "err", err)
		}
		if err := pause.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// sinkError is an error of the sink.
type sinkError struct{ error }

// life runs the program once. It returns how many things it has brought, and nil where the program has ended well.
func (c *Collector) life(ctx context.Context, to service.Sink) (brought int, err error) {
	cursor, err := to.Cursor()
	if err != nil {
		return 0, sinkError{err}
	}
	first := map[string]any{"service": c.cfg.Service, "collector": c.cfg.Name, "cursor": nil}
	if cursor != "" {
		first["cursor"] = json.RawMessage(cursor)
	}
	line, err := json.Marshal(first)
	if err != nil {
		return 0, fmt.Errorf("encode the cursor %s: %w", cursor, err)
	}
	s, err := exec.Start(c.cfg.Exec)
	if err != nil {
		return 0, err
	}
	var reading sync.WaitGroup
	within, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		reading.Wait()
	}()
	defer context.AfterFunc(within, s.End)()
	ahead := 16
	if c.cfg.Back {
		ahead = maxAhead
	}
	found, ended := make(chan []byte, ahead), make(chan error, 1)
	reading.Go(func() {
		defer close(found)
		ended <- c.read(within, s, found)
	})
	// One that does not read its input may do without a cursor; one that has ended says so by itself. What is taken back comes behind it.
	_ = s.Write(line)
	if c.cfg.Back {
		c.serve(s)
		defer c.serve(nil)
	}
	p := newPlace(cursor)
	for line := range found {
		batch := [][]byte{line}
		for more := true; more && len(batch) < ahead; {
			select {
			case line, ok := <-found:
				if more = ok; ok {
					batch = append(batch, line)
				}
			default:
				more = false
			}
		}
		items, taken := c.items(&p, batch)
		if err := to.Bring(ctx, items); err != nil {
			s.End()
			_ = s.Close()
			return brought, sinkError{err}
		}
		brought += len(items)
		for _, t := range taken {
			if !c.cfg.Back || s.Write(t) != nil {
				break // it has ended, or is ended
			}
		}
	}
	why := <-ended
	if fate := s.Close(); why == nil {
		why = fate
	}
	return brought, why
}

// read reads what the program writes until it ends: things go to the channel, acknowledgements to who waits for them.
func (c *Collector) read(ctx context.Context, s *exec.Stream, found chan<- []byte) error {
	for {
		line, err := s.Read()
		if errors.Is(err, result.ErrOutput) {
			return err
		}
		if err != nil {
			return nil // it has ended, and how is known then
		}
		if line = bytes.TrimSpace(line); len(line) == 0 || c.acknowledged(line) {
			continue
		}
		if !c.cfg.Back {
			select {
			case found <- line:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		select {
		case found <- line:
		default:
			s.End()
			return fmt.Errorf("%w: it is more than %d lines ahead of what was taken", result.ErrFailed, maxAhead)
		}
	}
}

// said is what a line of a program may have.
type said struct {
	ID     json.RawMessage `json:"id"`
	Cursor json.RawMessage `json:"cursor"`
	Text   string          `json:"text"`
	Ack    protocol.Key    `json:"ack"`
}

// known reports whether the thing has an id.
func (s said) known() bool { return len(s.ID) > 0 && string(s.ID) != "null" }

// id returns the id of a thing. A number is what is written: many have more digits than a float64 keeps apart.
func (s said) id() string {
	var v any
	if err := json.Unmarshal(s.ID, &v); err != nil {
		return string(s.ID)
	}
	switch v := v.(type) {
	case string:
		return v
	case float64:
		if math.Abs(v) < 1<<53 && v == math.Trunc(v) {
			return fmt.Sprint(v) // 1 and 1.0 are the same
		}
	}
	return string(s.ID)
}

// place is the last cursor and how many things came behind it.
type place struct {
	cursor string
	behind int
	run    string // stands for a cursor where there is none
}

func newPlace(cursor string) place { return place{cursor: cursor, run: rand.Text()} }

// next returns the id of a thing, and moves the place behind it.
func (p *place) next(s said) protocol.EventID {
	if s.Cursor != nil && string(s.Cursor) != "null" && string(s.Cursor) != p.cursor {
		p.cursor, p.behind = string(s.Cursor), 0
	} else {
		p.behind++
	}
	switch {
	case s.known():
		return protocol.EventID("id/" + protocol.DeriveKey(s.id()))
	case p.cursor == "":
		return protocol.EventID("run/" + protocol.DeriveKey(p.run, strconv.Itoa(p.behind)))
	}
	return protocol.EventID("at/" + protocol.DeriveKey(p.cursor, strconv.Itoa(p.behind)))
}

// items makes things of lines, and for each what is to be said to the program when it is taken. A line that is no object is left
// out, and in the log.
func (c *Collector) items(p *place, lines [][]byte) (items []service.Item, taken [][]byte) {
	for _, line := range lines {
		var s said
		if err := json.Unmarshal(line, &s); err != nil || line[0] != '{' {
			c.cfg.Log.Warn("a collector has written what is no line with a JSON object",
				"line", protocol.Quoted(string(bytes.ToValidUTF8(line, []byte("\uFFFD"))), 80))
			continue
		}
		item := service.Item{ID: p.next(s), Cursor: p.cursor}
		item.Collected = protocol.Collected{Kind: "program", Text: s.Text, Data: line}
		said := map[string]any{"taken": s.ID}
		if !s.known() {
			said["taken"] = json.RawMessage(p.cursor)
			if p.cursor == "" {
				said["taken"] = nil
			}
		}
		data, err := json.Marshal(said)
		if err != nil {
			panic(err) // both were read from JSON
		}
		items, taken = append(items, item), append(taken, data)
	}
	return items, taken
}

// serve says which program takes back; nil for none.
func (c *Collector) serve(s *exec.Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live = s; s != nil {
		close(c.up)
		return
	}
	c.up = make(chan struct{})
	for key, ack := range c.acks {
		close(ack)
		delete(c.acks, key)
	}
}

// acknowledged hands an acknowledgement to who waits for it, and reports whether the line is one.
func (c *Collector) acknowledged(line []byte) bool {
	var s said
	if !c.cfg.Back || json.Unmarshal(line, &s) != nil || s.Ack == "" {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ack, ok := c.acks[s.Ack]; ok {
		ack <- line // which has room for one
		delete(c.acks, s.Ack)
	}
	return true
}

// Do implements service.Runner: it hands the program what the tasks have made of what it has found.
func (c *Collector) Do(ctx context.Context, line []byte, _ ...string) (json.RawMessage, error) {
	var in struct{ Key protocol.Key }
	if err := json.Unmarshal(line, &in); err != nil || in.Key == "" {
		return nil, fmt.Errorf("%w: it has no key", result.ErrRefused)
	}
	within, cancel := context.WithTimeoutCause(ctx, c.cfg.Timeout, result.ErrTimeout)
	defer cancel()
	s, ack, err := c.expect(within, in.Key)
	if err != nil {
		return nil, err
	}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.acks[in.Key] == ack {
			delete(c.acks, in.Key)
		}
	}()
	if err := s.Write(line); err != nil {
		return nil, fmt.Errorf("%w: %w", result.ErrDied, err)
	}
	select {
	case out, ok := <-ack:
		if !ok {
			return nil, result.ErrDied
		}
		return answer(out, c.cfg.Exec.Folder)
	case <-within.Done():
		return nil, context.Cause(within)
	}
}

// expect waits until a program runs, and begins to wait for its acknowledgement.
func (c *Collector) expect(ctx context.Context, key protocol.Key) (*exec.Stream, chan []byte, error) {
	for {
		c.mu.Lock()
		if c.live != nil {
			ack := make(chan []byte, 1)
			c.acks[key] = ack
			s := c.live
			c.mu.Unlock()
			return s, ack, nil
		}
		up := c.up
		c.mu.Unlock()
		select {
		case <-up:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// answer is an acknowledgement as the result of a task. A file in it is read from the folder of the program.
func answer(line []byte, folder string) (json.RawMessage, error) {
	out, err := result.Read(line, false, folder)
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, err
	}
	delete(all, "ack")
	return json.Marshal(all)
}

// Warm implements service.Runner.
func (c *Collector) Warm() {}

// Close implements service.Runner. The program has ended with Run.
func (c *Collector) Close() {}
