package rest

import (
	"sync"
	"time"
)

// Discord allows a bot 50 requests a second, however they fall into its seconds:
// https://discord.com/developers/docs/topics/rate-limits#global-rate-limit
// What is sent evenly does not arrive evenly. So it is a burst of ten and then 40 a second.
const (
	burst = 10
	every = time.Second / 40
)

// pace spreads requests.
type pace struct {
	due time.Time // when those of so far would all be sent evenly
}

// early returns how long it is too early for the next one.
func (p *pace) early(now time.Time) time.Duration {
	return max(p.due.Add(-(burst-1)*every).Sub(now), 0)
}

// take counts one.
func (p *pace) take(now time.Time) {
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(every)
}

// Pace keeps the requests of several processes together to what Discord allows a bot in a second. The zero value is ready, and safe
// for concurrent use.
type Pace struct {
	mu   sync.Mutex
	pace pace
}

// Take returns how long to wait before the next request goes, and takes that place, unless the wait is longer than most.
func (p *Pace) Take(now time.Time, most time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := p.pace.early(now)
	if wait <= most {
		p.pace.take(now)
	}
	return wait
}
