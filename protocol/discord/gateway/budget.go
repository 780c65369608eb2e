package gateway

import (
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

const day = 24 * time.Hour

// errBudget wraps what went wrong with a Budget: without it no identify is sent.
var errBudget = errors.New("the count of identifies cannot be kept")

// budget decides when an identify may be sent. Discord resets the token of a bot that sends more than 1,000 in a day.
type budget struct {
	store Budget
	rest  *rest.Client
	every time.Duration
	log   *slog.Logger

	mu    sync.Mutex
	spent []time.Time           // identifies of the last 24 hours, oldest first
	last  map[int]time.Time     // the last one of each concurrency bucket
	turns map[int]chan struct{} // holds a token while one of the bucket is about to identify
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
	for s := range strings.SplitSeq(value, ",") {
		if unix, err := strconv.ParseInt(s, 36, 64); err == nil {
			b.spent = append(b.spent, time.Unix(unix, 0))
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
	turn chan struct{}
}

// acquire waits until the shard may identify, and keeps the turn of its concurrency bucket until release.
func (b *budget) acquire(ctx context.Context, shard int) (*permit, error) {
	for {
		info, err := b.lookUp(ctx)
		if err != nil {
			return nil, err
		}
		p := &permit{b: b, info: info, key: shard % max(info.Limit.MaxConcurrency, 1)}
		if p.turn, err = b.takeTurn(ctx, p.key); err != nil {
			return nil, err
		}
		wait := b.wait(time.Now(), p)
		if wait <= 0 {
			return p, nil
		}
		if wait > b.every {
			// Too long to keep others from their turn, and long enough to ask again afterwards.
			p.release()
			b.log.Warn("discord: waiting with an identify", "shard", shard, "left", info.Limit.Remaining, "total", info.Limit.Total, "for", wait.Round(time.Second))
			if err := sleep(ctx, wait); err != nil {
				return nil, err
			}
			continue
		}
		if err := sleep(ctx, wait); err != nil {
			p.release()
			return nil, err
		}
		return p, nil
	}
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

// wait returns how long the identify has to wait for the pace of its bucket, for Discord's budget and for our own count.
func (b *budget) wait(now time.Time, p *permit) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgetLocked(now)
	wait := b.last[p.key].Add(b.every).Sub(now)
	limit := p.info.Limit
	reset := time.Duration(limit.ResetAfter) * time.Millisecond
	if limit.Total <= 0 {
		return wait
	}
	if limit.Remaining <= 0 {
		return max(wait, reset, time.Second)
	}
	if n := len(b.spent); n >= limit.Total {
		return max(wait, b.spent[n-limit.Total].Add(day).Sub(now), time.Second)
	}
	if left := min(limit.Remaining, limit.Total-len(b.spent)); left*2 < limit.Total && len(b.spent) > 0 {
		// More than half is gone: something goes wrong again and again. What is left is spread over the time.
		if reset <= 0 {
			reset = day
		}
		wait = max(wait, b.spent[len(b.spent)-1].Add(reset/time.Duration(left)).Sub(now))
	}
	return wait
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
	now := time.Now()
	b.forgetLocked(now)
	if total := p.info.Limit.Total; total > 0 && len(b.spent) >= total {
		return fmt.Errorf("%d identifies within 24 hours are spent", total)
	}
	b.spent = append(b.spent, now)
	b.last[p.key] = now
	if b.store == nil {
		return nil
	}
	value := make([]string, len(b.spent))
	for i, t := range b.spent {
		value[i] = strconv.FormatInt(t.Unix(), 36)
	}
	if err := b.store.Save(ctx, strings.Join(value, ",")); err != nil {
		return fmt.Errorf("%w: %w", errBudget, err)
	}
	return nil
}

// release lets the next of the bucket have its turn.
func (p *permit) release() {
	if p != nil && p.turn != nil {
		<-p.turn
		p.turn = nil
	}
}
