package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"moot/protocol/discord/rest"
)

// Budget remembers how many identifies were sent, over restarts.
type Budget interface {
	// Load returns what was saved last, zero if nothing was.
	Load() (string, error)
	// Save keeps the value; it is durable when it returns. It is called before each identify, by one goroutine at a
	// time. The value is opaque and some bytes per identify of the last 24 hours long.
	Save(ctx context.Context, value string) error
}

// botInfo is what GET /gateway/bot answers.
type botInfo struct {
	URL    string `json:"url"`
	Shards int    `json:"shards"`
	Limit  struct {
		Total          int   `json:"total"`
		Remaining      int   `json:"remaining"`
		ResetAfter     int64 `json:"reset_after"` // milliseconds
		MaxConcurrency int   `json:"max_concurrency"`
	} `json:"session_start_limit"`
}

const (
	day = 24 * time.Hour
	// usualTotal is how many identifies Discord allows in a day, for whoever answers without saying it.
	// https://discord.com/developers/docs/events/gateway#session-start-limit-object
	usualTotal = 1000
)

// errBudget wraps what went wrong with a Budget: without it no identify is sent.
var errBudget = errors.New("the count of identifies cannot be kept")

// budget decides when an identify may be sent. Discord resets the token of a bot that sends more than 1,000 in a day.
type budget struct {
	store Budget
	rest  *rest.Client
	every time.Duration
	log   *slog.Logger

	mu sync.Mutex
	// spent are the identifies of the last 24 hours, oldest first. All have a reading of the monotonic clock, also those of
	// earlier processes: how old they are does not change when somebody sets the clock.
	spent   []time.Time
	sent    int                   // identifies of this process
	granted int                   // permits that may still become one
	last    map[int]time.Time     // the last one of each concurrency bucket
	turns   map[int]chan struct{} // holds a token while one of the bucket is about to identify
}

func (b *budget) load() error {
	if b.store == nil {
		return nil
	}
	value, err := b.store.Load()
	if err != nil {
		return fmt.Errorf("the count of identifies: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = nil
	now := time.Now()
	for s := range strings.SplitSeq(value, ",") {
		if unix, err := strconv.ParseInt(s, 36, 64); err == nil {
			// What lies ahead was recorded while the clock was wrong, and counts as if it were of now.
			b.spent = append(b.spent, now.Add(min(time.Unix(unix, 0).Sub(now), 0)))
		}
	}
	slices.SortFunc(b.spent, time.Time.Compare)
	return nil
}

func (b *budget) lookUp(ctx context.Context) (info botInfo, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = b.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: "/gateway/bot", Into: &info})
	return info, err
}

// permit lets one identify happen.
type permit struct {
	b    *budget
	key  int
	info botInfo
	seen int // how many identifies of this process Discord may have counted when it gave the info
	turn chan struct{}
	open bool // whether it may still become an identify; guarded by the mutex of the budget
}

// acquire waits until the shard may identify, and keeps the turn of its concurrency bucket until release.
func (b *budget) acquire(ctx context.Context, shard int) (*permit, error) {
	for {
		p := &permit{b: b, seen: b.count()}
		var err error
		if p.info, err = b.lookUp(ctx); err != nil {
			return nil, err
		}
		p.key = shard % max(p.info.Limit.MaxConcurrency, 1)
		if p.turn, err = b.takeTurn(ctx, p.key); err != nil {
			return nil, err
		}
		pace, wait := b.grant(time.Now(), p)
		if wait <= 0 {
			if err := sleep(ctx, pace); err != nil {
				p.release()
				return nil, err
			}
			return p, nil
		}
		// Others are not kept from their turn by that, and what Discord says is out of date afterwards.
		p.release()
		b.log.Warn("discord: waiting with an identify", "shard", shard, "left", p.info.Limit.Remaining, "total", p.info.Limit.Total, "for", wait.Round(time.Second))
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func (b *budget) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent
}

func (b *budget) takeTurn(ctx context.Context, key int) (chan struct{}, error) {
	b.mu.Lock()
	turn := b.turns[key]
	if turn == nil {
		turn = make(chan struct{}, 1)
		b.turns[key] = turn
	}
	b.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return turn, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// grant opens the permit, which is to keep to the pace of its bucket; or it says how long to wait before Discord is asked
// again, for its budget or our own count.
func (b *budget) grant(now time.Time, p *permit) (pace, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgetLocked(now)
	limit, n := p.info.Limit, len(b.spent)
	reset := time.Duration(limit.ResetAfter) * time.Millisecond
	if reset <= 0 || reset > day {
		reset = day
	}
	ours := cmp.Or(max(limit.Total, 0), usualTotal) - n
	theirs := ours
	if limit.Total > 0 {
		// Shards that asked at the same time were told of the same few that are left.
		theirs = limit.Remaining - (b.sent - p.seen)
	}
	left := min(ours, theirs) - b.granted
	switch {
	case left > 0 && left*2 >= n+ours, left > 0 && n == 0 && b.granted == 0:
		p.open = true
		b.granted++
		return b.last[p.key].Add(b.every).Sub(now), 0
	case ours <= 0:
		wait = b.spent[-ours].Add(day).Sub(now)
	case limit.Total > 0 && limit.Remaining <= 0:
		wait = reset
	case left > 0 && b.granted == 0:
		// More than half is gone: something goes wrong again and again. What is left is spread over the time.
		if wait = b.spent[n-1].Add(reset / time.Duration(left)).Sub(now); wait <= 0 {
			p.open = true
			b.granted++
			return b.last[p.key].Add(b.every).Sub(now), 0
		}
	}
	return 0, max(wait, b.every, time.Second)
}

func (b *budget) forgetLocked(now time.Time) {
	for len(b.spent) > 0 && now.Sub(b.spent[0]) >= day {
		b.spent = b.spent[1:]
	}
}

// spend records the identify that is about to be sent. After an error it must not be sent.
func (p *permit) spend(ctx context.Context) error {
	b := p.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if !p.open {
		return errPermit
	}
	p.open = false
	b.granted--
	now := time.Now()
	b.forgetLocked(now)
	b.spent = append(b.spent, now)
	b.sent++
	b.last[p.key] = now
	if b.store == nil {
		return nil
	}
	value := make([]string, len(b.spent))
	for i, t := range b.spent {
		// As the clock is now, which somebody may have set since.
		value[i] = strconv.FormatInt(now.Unix()-int64(now.Sub(t)/time.Second), 36)
	}
	if err := b.store.Save(ctx, strings.Join(value, ",")); err != nil {
		return fmt.Errorf("%w: %w", errBudget, err)
	}
	return nil
}

// release lets the next of the bucket have its turn.
func (p *permit) release() {
	if p == nil || p.turn == nil {
		return
	}
	p.b.mu.Lock()
	if p.open {
		p.open = false
		p.b.granted--
	}
	p.b.mu.Unlock()
	<-p.turn
	p.turn = nil
}
