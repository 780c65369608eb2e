package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"moot/protocol"
)

// How a session is taken up again. Two cursors say how far the adapter has come:
//
//	discord/shard/COUNT/K   the session of shard K of COUNT, and the sequence up to which all of it is admitted. It is
//	                        saved when the session begins, before anything of it is admitted, and then four times a
//	                        second, and so may lag behind
//	discord/room/ROOM       SESSION.SEQUENCE.SNOWFLAKE of the last event of which something was admitted in that room,
//	                        saved with just that; of a private conversation it says how recent it is
//
// Discord replays what follows the sequence of the shard. What a room has had already is left out
// by its own cursor: it must not be made anew, since what an event amounts to is found by comparing
// it with the store, which by then may hold what a later event said.

// saved is what stands in the cursor of a shard.
type saved struct {
	Me      string `json:"me"` // Discord's ids of the bot and its application
	App     string `json:"app"`
	Session string `json:"session"`
	URL     string `json:"url"`
	Seq     int64  `json:"seq"`
	Seen    string `json:"seen"`            // the snowflake up to which everything is admitted
	Since   string `json:"since,omitempty"` // from which on the session does not know
	// Guilds are those of its READY, whose sequence is Seq, until all that becomes of it is
	// admitted. Nil afterwards.
	Guilds []string `json:"guilds,omitempty"`
}

func shardCursor(count, shard int) string {
	return fmt.Sprintf("discord/shard/%d/%d", count, shard)
}

func parseSaved(value string) (s saved, ok bool) {
	return s, json.Unmarshal([]byte(value), &s) == nil && s.Session != "" && isSnowflake(s.Me)
}

// progress is how far one session of a shard has come. Its methods may be called concurrently.
type progress struct {
	shard        int
	session, url string
	since        string    // the place from which on the session does not know; zero where nothing is missing
	first        int64     // the sequence of READY
	guilds       []string  // those that READY tells
	former       *progress // the session before it in this process; nil for none
	// begun is closed when it was saved that the session has begun; nil where an earlier run has.
	begun chan struct{}

	asked atomic.Int64 // how many requests were made for what was missed before it

	mu      sync.Mutex
	open    []*place // in the order of arrival, from the first that is not done
	seq     int64    // all that came up to it is done
	seen    string   // the snowflake up to which everything is done
	brought string   // the newest snowflake that came
	written string   // what was saved last
}

// mayAsk reports whether one more request may be made for what was missed before the session, and
// counts it.
func (a *Adapter) mayAsk(p *progress) bool {
	n := p.asked.Add(1)
	if n == maxRequests+1 {
		a.log.Warn("the session was lost, and not all that was missed is fetched", "shard", p.shard,
			"requests", maxRequests)
	}
	return n <= maxRequests
}

// await waits until it was saved that the session has begun.
func (p *progress) await(ctx context.Context) {
	if p.begun != nil {
		select {
		case <-p.begun:
		case <-ctx.Done():
		}
	}
}

// place is one event in the order of its session. It is done when all that became of it is durable.
type place struct {
	of   *progress
	seq  int64
	at   string // the snowflake of what it brought; zero where it brought none
	left int    // what is still to be done, its arrival included; guarded by the mutex of the progress
}

// arrived adds an event.
func (p *progress) arrived(seq int64) *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &place{of: p, seq: seq, left: 1}
	p.open = append(p.open, l)
	return l
}

// brings notes the snowflake of what the event brought.
func (l *place) brings(snowflake string) {
	if l == nil || !isSnowflake(snowflake) {
		return
	}
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.at = snowflake; newer(snowflake, l.of.brought) {
		l.of.brought = snowflake
	}
}

// hold has the place wait for one thing more, and done says that one is.
func (l *place) hold() {
	if l != nil {
		l.of.mu.Lock()
		defer l.of.mu.Unlock()
		l.left++
	}
}

func (l *place) done() {
	if l == nil {
		return
	}
	p := l.of
	p.mu.Lock()
	defer p.mu.Unlock()
	l.left--
	n := 0
	for ; n < len(p.open) && p.open[n].left == 0; n++ {
		p.seq = max(p.seq, p.open[n].seq)
		if newer(p.open[n].at, p.seen) {
			p.seen = p.open[n].at
		}
	}
	if p.open = p.open[n:]; len(p.open) == 0 {
		p.open = nil
	}
}

// mark is what stands in the cursor of a room.
func (l *place) mark() string {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	return l.of.session + "." + strconv.FormatInt(l.seq, 10) + "." + l.at
}

// within reports whether the place lies at or before a mark, in the same session.
func (l *place) within(mark string) bool {
	parts := strings.Split(mark, ".")
	if l == nil || len(parts) < 2 || parts[0] != l.of.session {
		return false
	}
	seq, err := strconv.ParseInt(parts[1], 10, 64)
	return err == nil && l.seq <= seq
}

// again reports whether it is a place that has come already when another of its session came; nil
// ones are none.
func (l *place) again(last *place) bool {
	return l != nil && last != nil && l.of == last.of && l.seq <= last.seq
}

// latest is the snowflake in a mark; zero where it has none.
func latest(mark string) string { return mark[strings.LastIndexByte(mark, '.')+1:] }

func roomCursor(room protocol.RoomID) string { return "discord/room/" + room.Local() }

// drained reports whether nothing that came is left to be done.
func (p *progress) drained() bool {
	if p == nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open) == 0
}

// state is what to save; ok is false where that is saved already, and while the session cannot be
// taken up by another process, because something of the one before is not admitted.
func (p *progress) state(me, app string) (value string, ok bool) {
	if !p.former.drained() {
		return "", false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := saved{Me: me, App: app, Session: p.session, URL: p.url, Seq: p.seq, Seen: p.seen, Since: p.since}
	if p.seq == 0 {
		s.Seq, s.Guilds = p.first, p.guilds
	}
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings and numbers can be encoded
	}
	p.former = nil
	return string(data), string(data) != p.written
}

func (p *progress) wrote(value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written = value
}

// newest is the newest snowflake that came; that up to which an earlier run had admitted everything
// where none did.
func (p *progress) newest() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return cmp.Or(p.brought, p.seen)
}

// placeKey is under what the context of an event holds its place.
type placeKey struct{}

func withPlace(ctx context.Context, l *place) context.Context {
	return context.WithValue(ctx, placeKey{}, l)
}

// placeIn returns the place of the event that is being taken in; nil where there is none.
func placeIn(ctx context.Context) *place {
	l, _ := ctx.Value(placeKey{}).(*place)
	return l
}
