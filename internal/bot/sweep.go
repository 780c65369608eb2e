package bot

import (
	"time"

	"moot/internal/failpoint"
	"moot/store"
)

const (
	sweepEvery = time.Hour
	sweepSlice = 500

	// futureSlack is how far the clock of a network may be ahead. What is recorded is kept that much longer, so that
	// nothing is forgotten before its own time has become too old to act on.
	futureSlack = 24 * time.Hour
)

// sweep forgets what was seen and sent long ago, a slice in each commit.
type sweep struct {
	next  time.Time // when to begin again; zero means at the first step
	stage int       // 0: not running, 1: seen, 2: sent
	from  string    // of SweepSent
}

func (s *sweep) running() bool { return s.stage != 0 }

func (s *sweep) step(c *store.Commit, retention time.Duration) {
	if s.stage == 0 {
		if s.next.IsZero() || !s.next.After(c.Now()) {
			s.stage, s.from = 1, ""
			s.next = c.Now().Add(sweepEvery)
		}
		return
	}
	before := c.Now().Add(-retention - futureSlack)
	var more bool
	if s.stage == 1 {
		more = c.SweepSeen(before)
		failpoint.Hit(failpoint.SweepSeen)
	} else {
		s.from, _ = c.SweepSent(before, s.from, sweepSlice)
		more = s.from != ""
		failpoint.Hit(failpoint.SweepSent)
	}
	if !more {
		s.stage = (s.stage + 1) % 3
	}
}
