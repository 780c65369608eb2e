package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// sizes is how much is measured.
type sizes struct {
	preload int
	turns   int
	batches []int
	events  map[int]int // of one turn, by the size of a batch
	long    int         // events stored for the measurement of growth; zero leaves it out
	singles int         // commits of one event, for latencies
}

var (
	full = sizes{
		preload: 1_000_000, turns: 3, batches: []int{1, 50, 500, 5000},
		// With more than one at a time a turn is longer than what any of the engines holds back.
		events: map[int]int{1: 2000, 50: 260_000, 500: 260_000, 5000: 260_000}, singles: 4000,
	}
	smoke = sizes{
		preload: 5000, turns: 1, batches: []int{1, 50, 500},
		events: map[int]int{1: 30, 50: 1000, 500: 5000}, singles: 50,
	}
)

// pace is how long an engine took for how many events, in all turns together.
type pace struct {
	events int
	took   time.Duration
}

// rate returns events a second; zero where there were none.
func (p pace) rate() float64 {
	if p.took == 0 {
		return 0
	}
	return float64(p.events) / p.took.Seconds()
}

// racer is a contender with what it holds.
type racer struct {
	contender
	dir    string
	source *source
	stored int          // events that were new so far
	paces  map[int]pace // by the size of a batch
	bytes  int64        // on the disk after the preload
	fault  error        // why its figures do not count
}

// batch has the engine admit a batch, and returns how long that took.
func (r *racer) batch(e engine, size int) (took time.Duration, err error) {
	events, want, at := r.source.batch(size)
	began := time.Now()
	got, err := e.admit(events, at)
	took = time.Since(began)
	if err == nil && got != want && !r.bare {
		err = fmt.Errorf("of %d events it found %d to be new, and %d were", size, got, want)
	}
	r.stored += want
	return took, err
}

// preload records the first events, spread over sixty days.
func (r *racer) preload(n int) error {
	if err := makeFolder(r.dir); err != nil {
		return err
	}
	e := r.make()
	if err := e.open(r.dir); err != nil {
		return err
	}
	r.source.step = 60 * 24 * time.Hour / time.Duration(n)
	for r.stored < n {
		if _, err := r.batch(e, min(10_000, max(n/50, 1))); err != nil {
			return err
		}
	}
	r.source.step = time.Millisecond
	if err := errors.Join(e.finish(), e.close()); err != nil {
		return err
	}
	r.bytes = diskUse(r.dir)
	return nil
}

// turn measures a turn, with what the engine puts off.
func (r *racer) turn(size, events int) error {
	if r.brief && size > 1 {
		events = max(size, events/4/size*size)
	}
	e := r.make()
	if err := e.open(r.dir); err != nil {
		return err
	}
	var took time.Duration
	for n := 0; n < events; n += size {
		d, err := r.batch(e, size)
		if err != nil {
			return err
		}
		took += d
	}
	began := time.Now()
	if err := e.finish(); err != nil {
		return err
	}
	took += time.Since(began)
	if err := e.close(); err != nil {
		return err
	}
	p := r.paces[size]
	r.paces[size] = pace{p.events + events, p.took + took}
	return nil
}

// verify opens the engine anew and counts.
func (r *racer) verify() error {
	if r.bare {
		return nil
	}
	e := r.make()
	if err := e.open(r.dir); err != nil {
		return err
	}
	n, indexed, err := e.count()
	if err != nil {
		return err
	}
	if n != r.stored || indexed != r.stored {
		return fmt.Errorf("%d events were new, and it holds %d and %d by time", r.stored, n, indexed)
	}
	sample := make([]event, 0, 500)
	for range cap(sample) {
		sample = append(sample, eventAt(r.source.random.Uint64N(r.source.next)))
	}
	if again, err := e.admit(sample, r.source.at.Add(time.Second)); err != nil || again != 0 {
		return fmt.Errorf("%d of %d that it holds are new to it (%w)", again, len(sample), err)
	}
	return e.close()
}

// race lets all contenders take turns.
func race(dir string, s sizes, only []string, tell func(string, ...any)) []*racer {
	var racers []*racer
	for _, c := range contenders() {
		if _, err := exec.LookPath("redis-server"); err != nil && c.name == "Redis" {
			tell("redis-server is not installed: Redis is left out")
			continue
		}
		wanted := func(name string) bool { return strings.HasPrefix(c.name, name) }
		if len(only) == 0 || slices.ContainsFunc(only, wanted) {
			racers = append(racers, &racer{
				contender: c, dir: filepath.Join(dir, c.name), source: newSource(), paces: map[int]pace{},
			})
		}
	}
	each := func(what string, f func(*racer) error) {
		for _, r := range racers {
			if r.fault != nil {
				continue
			}
			began := time.Now()
			if err := f(r); err != nil {
				r.fault = fmt.Errorf("%s: %w", what, err)
			}
			tell("%-28s %-20s %6.1fs", what, r.name, time.Since(began).Seconds())
		}
	}
	each(fmt.Sprintf("%d events to begin with", s.preload), func(r *racer) error { return r.preload(s.preload) })
	// One size after another, so that what an engine puts off over several turns falls to the size
	// that brought it.
	for _, size := range s.batches {
		for turn := range s.turns {
			what := fmt.Sprintf("batches of %d, turn %d", size, turn+1)
			each(what, func(r *racer) error { return r.turn(size, s.events[size]) })
		}
	}
	each("count", (*racer).verify)
	return racers
}
