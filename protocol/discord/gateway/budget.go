package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"moot/internal/pause"
	"moot/protocol/discord/rest"
)

// Budget remembers how many identifies were sent, over restarts.
type Budget interface {
	// Load returns what was saved last, zero if nothing was.
	Load() (string, error)
	// Save keeps the value, durably unless that has to wait for a person. It is called before each
	// identify, by one goroutine at a time. The value is opaque; an identify of 24 hours takes 20 bytes.
	Save(ctx context.Context, value string) error
}

// botInfo is what GET /gateway/bot answers.
type botInfo struct {
	URL    string       `json:"url"`
	Shards int          `json:"shards"`
	Limit  sessionLimit `json:"session_start_limit"`
}

// https://discord.com/developers/docs/events/gateway#session-start-limit-object
type sessionLimit struct {
	Total          int   `json:"total"`
	Remaining      int   `json:"remaining"`
	ResetAfter     int64 `json:"reset_after"` // milliseconds
	MaxConcurrency int   `json:"max_concurrency"`
}

const (
	day        = 24 * time.Hour
	usualTotal = 1000 // how many identifies Discord allows in a day, where the answer does not say it
)

// budget decides when an identify may be sent. Discord resets the token after 1,000 in a day.
type budget struct {
	store Budget
	rest  *rest.Client
	every time.Duration
	log   *slog.Logger

	// turn holds a token while a shard is about to identify, from asking how many are left until
	// Discord has counted its own. What follows belongs to that shard.
	turn   chan struct{}
	others func(ctx context.Context) (over func(), err error) // Config.Turn
	// spent are the identifies of the last 24 hours, oldest first. All have a monotonic reading, also
	// those of earlier processes: their age does not change when somebody sets the clock.
	spent       []identify
	concurrency int // how many buckets there are; zero before Discord says so
}

// identify is one that was sent.
type identify struct {
	at    time.Time
	shard int
}

func (b *budget) load() error {
	if b.store == nil {
		return nil
	}
	value, err := b.store.Load()
	if err != nil {
		return fmt.Errorf("the count of identifies: %w", err)
	}
	var saved [][2]int64
	_ = json.Unmarshal([]byte(value), &saved) // nothing was saved, or what cannot be read
	now := time.Now()
	b.spent = b.spent[:0]
	for _, s := range saved {
		// What lies ahead was recorded while the clock was wrong, and counts as if it were of now.
		ago := max(now.Sub(time.UnixMilli(s[0])), 0)
		b.spent = append(b.spent, identify{now.Add(-ago), int(s[1])})
	}
	slices.SortStableFunc(b.spent, func(x, y identify) int { return x.at.Compare(y.at) })
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
	b     *budget // nil once it is released
	over  func()  // ends the turn among other processes; nil where there are none
	shard int
	info  botInfo
}

// acquire waits until the shard may identify. Others wait until it releases the permit.
func (b *budget) acquire(ctx context.Context, shard int) (*permit, error) {
	for {
		select {
		case b.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		p := &permit{b: b, shard: shard}
		if err := p.enter(ctx); err != nil {
			p.release()
			return nil, err
		}
		wait := b.pace(shard)
		if wait <= 0 {
			var err error
			if p.info, err = b.lookUp(ctx); err != nil {
				p.release()
				return nil, err
			}
			limit := p.info.Limit
			b.concurrency = max(limit.MaxConcurrency, 1)
			if wait = b.scarcity(time.Now(), limit); wait > 0 {
				b.log.Warn("waiting with an identify", "shard", shard, "left", limit.Remaining, "total", limit.Total, "for", wait.Round(time.Second))
			} else if wait = b.pace(shard); wait <= 0 {
				return p, nil
			}
		}
		p.release() // others are not kept from their turn by that
		if err := pause.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// enter waits for the turn among other processes, and learns what they have spent.
func (p *permit) enter(ctx context.Context) (err error) {
	if p.b.others == nil {
		return nil
	}
	if p.over, err = p.b.others(ctx); err != nil {
		return err
	}
	return p.b.load()
}

// pace is how long the concurrency bucket of a shard still has to wait after its last identify.
func (b *budget) pace(shard int) time.Duration {
	buckets := max(b.concurrency, 1)
	for _, s := range slices.Backward(b.spent) {
		if s.shard%buckets == shard%buckets {
			return time.Until(s.at.Add(b.every))
		}
	}
	return 0
}

// scarcity is how long to wait, for Discord's budget or our own count; zero where there is enough.
func (b *budget) scarcity(now time.Time, limit sessionLimit) time.Duration {
	b.forget(now)
	n, total, left := len(b.spent), usualTotal, usualTotal
	if limit.Total > 0 {
		total, left = limit.Total, limit.Remaining
	}
	left = min(left, total-n)
	reset := time.Duration(limit.ResetAfter) * time.Millisecond
	if reset <= 0 || reset > day {
		reset = day
	}
	switch {
	case n >= total:
		return b.spent[n-total].at.Add(day).Sub(now)
	case left <= 0:
		return reset
	case n == 0 || 2*left >= total:
		return 0
	}
	// More than half is gone: something goes wrong again and again. What is left is spread out.
	return max(b.spent[n-1].at.Add(reset/time.Duration(left)).Sub(now), 0)
}

func (b *budget) forget(now time.Time) {
	for len(b.spent) > 0 && now.Sub(b.spent[0].at) >= day {
		b.spent = b.spent[1:]
	}
}

// spend records the identify that is about to be sent. After an error it must not be sent.
func (p *permit) spend(ctx context.Context) error {
	b, now := p.b, time.Now()
	b.forget(now)
	b.spent = append(b.spent, identify{now, p.shard})
	if b.store == nil {
		return nil
	}
	// By the clock as it is now, which somebody may have set since.
	saved := make([][2]int64, len(b.spent))
	for i, s := range b.spent {
		saved[i] = [2]int64{now.Add(-now.Sub(s.at)).UnixMilli(), int64(s.shard)}
	}
	value, _ := json.Marshal(saved) // numbers can be encoded
	if err := b.store.Save(ctx, string(value)); err != nil {
		return ends{fmt.Errorf("the count of identifies cannot be kept: %w", err)}
	}
	return nil
}

// release lets the next shard have its turn. It may be called again, and on nil.
func (p *permit) release() {
	if p != nil && p.b != nil {
		if p.over != nil {
			p.over()
		}
		<-p.b.turn
		p.b = nil
	}
}
