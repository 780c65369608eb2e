package discord

import (
	"container/list"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// deferAfter is when an interaction is acknowledged that has no answer yet. Discord gives it up
	// after three seconds.
	deferAfter = 1500 * time.Millisecond
	// tokenLife is for how long an interaction can be answered (developer documentation, "Receiving
	// and Responding": 15 minutes), less what an answer takes.
	tokenLife = 15*time.Minute - 15*time.Second
	// forgetAfter is when an acknowledgement to which no answer has come becomes a sentence that
	// says so.
	forgetAfter = time.Minute
	// maxLate is how many late answers become private messages within lateWithin.
	maxLate    = 10
	lateWithin = time.Minute
	// busy is how much may wait for the bot before an interaction is acknowledged at once.
	busy = 50
	// maxReplies is of how many interactions it is remembered how they were answered. Of others
	// Discord is asked.
	maxReplies = 4096
)

// handle is the Handle of an event that is an interaction: what it takes to answer it, also after a
// restart.
type handle struct {
	ID, Token, User, Channel string
	Guild                    string // zero in a private conversation; elsewhere answers can be private
	Arrived                  time.Time
	// Quiet is whether all answers are private: what somebody does in the menu of another person
	// nobody else has seen.
	Quiet bool
	// Locale is the language in which the person uses Discord; zero where that is not known.
	Locale string
}

func (h handle) String() string {
	kind := "1"
	if h.Quiet {
		kind = "2"
	}
	parts := []string{kind, h.ID, h.User, h.Guild, h.Channel, strconv.FormatInt(h.Arrived.UnixMilli(), 10), h.Token}
	if h.Locale != "" {
		parts = append(parts, h.Locale)
	}
	return strings.Join(parts, " ")
}

// localeOf returns a locale if it is one by its form, as "de" or "pt-BR".
func localeOf(s string) string {
	if len(s) > 8 || strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}) {
		return ""
	}
	return s
}

// parseHandle reads what String wrote; ok is false for anything else.
func parseHandle(s string) (h handle, ok bool) {
	parts := strings.Split(s, " ")
	if len(parts) != 7 && len(parts) != 8 || parts[0] != "1" && parts[0] != "2" {
		return handle{}, false
	}
	ms, err := strconv.ParseInt(parts[5], 10, 64)
	h = handle{ID: parts[1], User: parts[2], Guild: parts[3], Channel: parts[4], Token: parts[6],
		Arrived: time.UnixMilli(ms).UTC(),
		Quiet:   parts[0] == "2"}
	if len(parts) == 8 {
		h.Locale = localeOf(parts[7])
	}
	ok = err == nil && isSnowflake(h.ID) && isSnowflake(h.User) && isSnowflake(h.Channel) && h.Token != "" &&
		(h.Guild == "" || isSnowflake(h.Guild))
	return h, ok
}

// stage is how far the answer of an interaction is.
type stage int

const (
	stageUnknown  stage = iota // another run, or a lost answer, may have acknowledged it
	stageFresh                 // nothing was sent
	stageDeferred              // acknowledged; its answer replaces what stands there
	stageAnswered              // answered; more follows up
	stageDead                  // Discord does not know it any more
)

// reply is how an interaction is being answered.
type reply struct {
	handle
	mu      sync.Mutex // held while something is sent for it
	stage   stage
	private bool // whether the deferred answer is; guarded by mu, as stage
	// first is the key of the answer that replaced, or was, the first; tried are those of which it
	// is known that they were not sent. Guarded by mu.
	first string
	tried map[string]bool
	stood *message    // the first answer as an earlier run or a lost confirmation left it; guarded by mu
	timer *time.Timer // for the defer; guarded by the mutex of replies
}

// replies remembers the latest interactions.
type replies struct {
	mu     sync.Mutex
	closed bool
	byID   map[string]*list.Element // of *reply
	order  list.List                // the newest first
	acks   sync.WaitGroup           // defers under way
	told   []time.Time              // when late answers became private messages, within lateWithin
}

func newReplies() *replies { return &replies{byID: map[string]*list.Element{}} }

// open remembers an interaction that has come in, and calls ack after a while unless it is answered
// or settled by then. It returns false for one that is known already: Discord delivers some twice.
func (s *replies) open(h handle, private bool, after time.Duration, ack func(*reply)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[h.ID] != nil || s.closed {
		return false
	}
	r := &reply{handle: h, stage: stageFresh, private: private}
	s.keep(r)
	r.timer = time.AfterFunc(after, func() { s.acknowledge(r, ack) })
	return true
}

// later calls f after a while, unless the reply is settled by then.
func (s *replies) later(r *reply, after time.Duration, f func(*reply)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		r.timer = time.AfterFunc(after, func() { s.acknowledge(r, f) })
	}
}

func (s *replies) keep(r *reply) {
	s.byID[r.ID] = s.order.PushFront(r)
	for s.order.Len() > maxReplies {
		last := s.order.Back()
		old := s.order.Remove(last).(*reply)
		delete(s.byID, old.ID)
		if old.timer != nil {
			old.timer.Stop() // so many at once that it goes without
		}
	}
}

func (s *replies) acknowledge(r *reply, ack func(*reply)) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.acks.Add(1)
	s.mu.Unlock()
	defer s.acks.Done()
	ack(r)
}

// of returns the reply to an interaction, made anew where it is not remembered.
func (s *replies) of(h handle) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byID[h.ID]; e != nil {
		return e.Value.(*reply)
	}
	r := &reply{handle: h}
	s.keep(r)
	return r
}

// late notes that a late answer becomes a private message, or returns how long it is too soon for
// one.
func (s *replies) late(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.told) > 0 && now.Sub(s.told[0]) >= lateWithin {
		s.told = s.told[1:]
	}
	if len(s.told) == maxLate {
		return lateWithin - now.Sub(s.told[0])
	}
	s.told = append(s.told, now)
	return 0
}

// settled says that no defer is needed any more.
func (s *replies) settled(r *reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.timer != nil {
		r.timer.Stop()
	}
}

// close ends the defers, and returns when none is under way.
func (s *replies) close() {
	s.mu.Lock()
	s.closed = true
	for e := s.order.Front(); e != nil; e = e.Next() {
		if r := e.Value.(*reply); r.timer != nil {
			r.timer.Stop()
		}
	}
	s.mu.Unlock()
	s.acks.Wait()
}
