package bot

import (
	"slices"
	"time"

	"moot/internal/failpoint"
	"moot/outbox"
)

const (
	sweepEvery  = time.Hour
	sweepSlice  = 500
	letterSlice = 64
	laneSlice   = 64
)

// forget forgets a slice of what is old.
func (s *step) forget() {
	w := &s.sweep
	if w.stage == 0 {
		if w.next.IsZero() || !w.next.After(s.c.Now()) {
			*w = sweep{stage: 1, next: s.c.Now().Add(sweepEvery)}
		}
		return
	}
	before := s.c.Now().Add(-s.Retention - futureSlack)
	var more bool
	switch w.stage {
	case 1:
		s.c.SweepSeen(before)
		failpoint.Hit(failpoint.SweepSeen)
	case 2:
		w.from, _ = s.c.SweepSent(before, w.from, sweepSlice)
		more = w.from != ""
		failpoint.Hit(failpoint.SweepSent)
	case 3:
		w.letter, _ = s.c.SweepLetters(before, w.letter, letterSlice)
		if more = w.letter != 0; !more {
			w.lanes = s.outbox.Stranded()
		}
	case 4:
		more = s.expire(before)
	}
	if !more {
		w.stage = (w.stage + 1) % 5
	}
}

// expire ends what has expired on networks that are out of reach, and what would wait for ever for one that the bot no longer
// serves. It reports whether there is more to look at.
func (s *step) expire(before time.Time) (more bool) {
	w := &s.sweep
	for n := 0; n < laneSlice && len(w.lanes) > 0; n++ {
		oldest := before
		if s.serves == nil || slices.Contains(s.serves, outbox.LaneNetwork(w.lanes[0])) {
			oldest = time.Time{}
		}
		answers, more := s.outbox.Expire(s.c, w.lanes[0], oldest)
		s.answer(answers)
		if more {
			return true
		}
		w.lanes = w.lanes[1:]
	}
	return len(w.lanes) > 0
}
