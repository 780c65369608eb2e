package rest

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// The limits that hold for everything.
const (
	// unlimited is the limit of a route for which Discord tells none.
	unlimited = 50
	// Discord bans an address at 10,000 refused requests (401, 403, 429) in ten minutes.
	refusedMost   = 9000
	refusedWithin = 10 * time.Minute
	sweepEvery    = 256 // requests between two looks for buckets that can go
)

// limiter knows when the next request may go. It waits for nothing itself: it says how long.
type limiter struct {
	mu       sync.Mutex
	hashes   map[string]string  // route → the bucket that Discord says it belongs to
	buckets  map[string]*bucket // bucket and top-level resource → its state
	blocked  time.Time          // none before this but answers to interactions: a global 429
	shut     time.Time          // none at all before this: what stands before Discord refuses the address
	pace     pace               // of all but answers to interactions
	refused  window
	requests int
}

// bucket is the state of one of Discord's rate limits.
type bucket struct {
	known     bool // whether an answer has told the numbers
	limit     int
	remaining int
	reset     time.Time // when remaining is limit again
	flying    int       // requests whose answers are not in yet
}

func newLimiter() *limiter {
	return &limiter{hashes: map[string]string{}, buckets: map[string]*bucket{}}
}

func (l *limiter) keyLocked(r route) string {
	if hash, ok := l.hashes[r.name]; ok {
		return hash + " " + r.major
	}
	return r.name + " " + r.major
}

// take lets a request go, or returns how long to wait before asking again. Only after zero the
// request must be made, and be ended with done.
func (l *limiter) take(now time.Time, r route) (wait time.Duration, key string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.refused.waitFor(now, refusedMost); wait > 0 {
		return wait, "", ErrRefused
	}
	if now.Before(l.shut) {
		return l.shut.Sub(now), "", nil
	}
	// https://discord.com/developers/docs/interactions/receiving-and-responding: its endpoints are
	// "not bound to the bot's Global Rate Limit", and three seconds are not long.
	if r.tokened {
		return 0, "", nil
	}
	if now.Before(l.blocked) {
		return l.blocked.Sub(now), "", nil
	}
	if early := l.pace.early(now); early > 0 {
		return early, "", nil
	}
	if l.requests++; l.requests%sweepEvery == 0 {
		l.sweepLocked(now)
	}
	key = l.keyLocked(r)
	b := l.buckets[key]
	if b == nil {
		b = &bucket{remaining: 1, limit: 1}
		l.buckets[key] = b
	}
	if !now.Before(b.reset) && b.known {
		b.remaining = b.limit - b.flying
	}
	if b.remaining <= 0 {
		// Where the numbers are not known, the first answer tells them; until then one goes at a
		// time.
		return max(b.reset.Sub(now), 5*time.Millisecond), "", nil
	}
	b.remaining--
	b.flying++
	l.pace.take(now)
	return 0, key, nil
}

// done takes what an answer says about the limits. A nil header means that there was no answer.
func (l *limiter) done(now time.Time, r route, key string, header http.Header) {
	if r.tokened {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.buckets[key]
	if old != nil && old.flying > 0 {
		old.flying--
	}
	remaining, err1 := strconv.Atoi(header.Get("X-RateLimit-Remaining"))
	limit, err2 := strconv.Atoi(header.Get("X-RateLimit-Limit"))
	hash := header.Get("X-RateLimit-Bucket")
	if err1 != nil || err2 != nil || limit <= 0 || hash == "" {
		if old != nil && !old.known { // a route without a limit of its own
			old.remaining = old.limit
			if header != nil {
				old.limit, old.remaining = unlimited, unlimited
			}
		}
		return
	}
	l.hashes[r.name] = hash
	b := l.buckets[l.keyLocked(r)]
	if b == nil {
		b = &bucket{}
		l.buckets[l.keyLocked(r)] = b
	}
	if old != nil && old != b && old.flying == 0 {
		delete(l.buckets, key)
	}
	reset := now.Add(headerSeconds(header, "X-RateLimit-Reset-After"))
	// Answers of the same window may come out of order: the lowest number is the latest. What still
	// flies is not in it.
	remaining -= b.flying
	if b.known && now.Before(b.reset) && b.remaining < remaining {
		remaining = b.remaining
	}
	*b = bucket{known: true, limit: limit, remaining: remaining, reset: reset, flying: b.flying}
}

// exhausted is for a 429: the bucket, or everything, is closed for that long.
func (l *limiter) exhausted(now time.Time, r route, e *Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := now.Add(e.RetryAfter)
	later := func(t *time.Time) {
		if until.After(*t) {
			*t = until
		}
	}
	switch {
	case e.shut:
		later(&l.shut)
		return
	case e.Global:
		later(&l.blocked)
		return
	case r.tokened:
		return
	}
	b := l.buckets[l.keyLocked(r)]
	if b == nil {
		b = &bucket{limit: 1}
		l.buckets[l.keyLocked(r)] = b
	}
	b.known, b.remaining, b.reset = true, 0, until
	b.limit = max(b.limit, 1)
}

// refuse counts an answer that Discord counts against the address.
func (l *limiter) refuse(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused.add(now)
}

// sweepLocked forgets the buckets that say nothing any more.
func (l *limiter) sweepLocked(now time.Time) {
	for key, b := range l.buckets {
		if b.flying == 0 && !now.Before(b.reset) {
			delete(l.buckets, key)
		}
	}
}

// window counts what happened within refusedWithin, to the tenth of it.
type window struct {
	slots [10]int
	at    int64 // the number of the newest slot
}

func (w *window) turn(now time.Time) {
	at := now.UnixNano() / int64(refusedWithin/10)
	for n := 0; w.at < at && n < len(w.slots); n++ {
		w.at++
		w.slots[w.at%10] = 0
	}
	w.at = at
}

func (w *window) add(now time.Time) { w.turn(now); w.slots[w.at%10]++ }

// waitFor returns how long it takes until fewer than most are within the window.
func (w *window) waitFor(now time.Time, most int) time.Duration {
	w.turn(now)
	sum := 0
	for _, n := range w.slots {
		sum += n
	}
	if sum < most {
		return 0
	}
	next := time.Unix(0, (w.at+1)*int64(refusedWithin/10))
	return next.Sub(now)
}
