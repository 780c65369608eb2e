package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"moot/store"
)

// target is something that moot is to reach, and what was measured.
type target struct {
	what, want, got string
	ok              bool
	why             string // it is not reached
}

// solo is the store of moot with a source of events, apart from the race.
type solo struct {
	racer
	e mootEngine
}

func newSolo(dir string) (*solo, error) {
	s := &solo{racer: racer{contender: contenders()[0], dir: dir, source: newSource(), paces: map[int]pace{}}}
	if err := makeFolder(dir); err != nil {
		return nil, err
	}
	return s, s.e.open(dir)
}

// fill records events until so many are stored, spread over the time.
func (s *solo) fill(n int, over time.Duration) error {
	s.source.step = over / time.Duration(max(n-s.stored, 1))
	for s.stored < n {
		if _, err := s.batch(&s.e, min(5000, n)); err != nil {
			return err
		}
	}
	s.source.step = time.Millisecond
	return s.e.Merge(context.Background())
}

// untilMoving records events until commits are at work on a run.
func (s *solo) untilMoving() error {
	for {
		if st, err := s.e.Stats(); err != nil || st.Moving {
			return err
		}
		if _, err := s.batch(&s.e, 500); err != nil {
			return err
		}
	}
}

// percentile returns the value below which that part of the sample lies.
func percentile(v []time.Duration, part float64) time.Duration {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[min(len(v)-1, int(part*float64(len(v))))]
}

// single compares commits of one event with bare commits of bbolt, in turn, and with those made while a merge runs.
func single(dir string, sz sizes) ([]target, error) {
	s, err := newSolo(filepath.Join(dir, "single"))
	if err != nil {
		return nil, err
	}
	defer s.e.Close()
	if err := s.fill(sz.preload, 60*24*time.Hour); err != nil {
		return nil, err
	}
	db, err := openBolt(filepath.Join(dir, "bare.db"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var bare, quiet, merging []time.Duration
	for i := range sz.singles {
		began := time.Now()
		err := db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket(seenBucket).Put([]byte(number(time.Unix(0, int64(i)))), make([]byte, 80))
		})
		bare = append(bare, time.Since(began))
		if err != nil {
			return nil, err
		}
		took, err := s.batch(&s.e, 1)
		if err != nil {
			return nil, err
		}
		quiet = append(quiet, took)
	}
	// The table is filled up until it is moved into a run. Turns with and without take the same time of the machine.
	for range 3 {
		if err := s.e.Merge(context.Background()); err != nil {
			return nil, err
		}
		for range sz.singles {
			took, err := s.batch(&s.e, 1)
			if err != nil {
				return nil, err
			}
			quiet = append(quiet, took)
		}
		if err := s.untilMoving(); err != nil {
			return nil, err
		}
		for range sz.singles {
			took, err := s.batch(&s.e, 1)
			if err != nil {
				return nil, err
			}
			merging = append(merging, took)
		}
		if st, err := s.e.Stats(); err != nil || !st.Moving {
			return nil, errors.Join(err, errors.New("the merge ended before the commits that it was to disturb"))
		}
	}
	ms := func(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }
	b, q := percentile(bare, 0.5), percentile(quiet[:sz.singles], 0.5)
	alone := float64(q) / float64(b)
	q999, m999 := percentile(quiet, 0.999), percentile(merging, 0.999)
	slow := float64(m999) / float64(q999)
	return []target{
		{what: "one event alone, against a bare commit of bbolt", want: "≤ 1.2 ×", ok: alone <= 1.2,
			got: fmt.Sprintf("%.2f × (median %s, bare %s)", alone, ms(q), ms(b))},
		{what: "p99.9 of a commit of one event while a merge runs", want: "≤ 2 × of that without", ok: slow <= 2,
			got: fmt.Sprintf("%.2f × (%s, without %s; median %s, without %s; longest %s, without %s)", slow, ms(m999), ms(q999),
				ms(percentile(merging, 0.5)), ms(percentile(quiet, 0.5)), ms(slices.Max(merging)), ms(slices.Max(quiet)))},
	}, nil
}

// restart measures what it takes until the store is ready.
func restart(dir string, sz sizes) ([]target, error) {
	s, err := newSolo(filepath.Join(dir, "restart"))
	if err != nil {
		return nil, err
	}
	if err := s.fill(sz.preload-sz.preload/20, 57*24*time.Hour); err != nil {
		return nil, err
	}
	for s.stored < sz.preload { // a part of it is in the journal
		if _, err := s.batch(&s.e, 500); err != nil {
			return nil, err
		}
	}
	st, err := s.e.Stats()
	if err != nil {
		return nil, err
	}
	if err := s.e.Close(); err != nil {
		return nil, err
	}
	var all []time.Duration
	for range 5 {
		began := time.Now()
		if err := s.e.open(s.dir); err != nil {
			return nil, err
		}
		if _, err := s.batch(&s.e, 1); err != nil {
			return nil, err
		}
		all = append(all, time.Since(began))
		if err := s.e.Close(); err != nil {
			return nil, err
		}
	}
	got := percentile(all, 0.5)
	return []target{{what: fmt.Sprintf("restart with %s events, until the first commit", thousands(sz.preload)), want: "< 1 s", ok: got < time.Second,
		got: fmt.Sprintf("%.2f s (%s of them in the journal)", got.Seconds(), thousands(st.Journal))}}, nil
}

// sweepAndSize compares the sweep of nine tenths with deleting by cursor, and says what an event takes.
func sweepAndSize(dir string, sz sizes) ([]target, error) {
	s, err := newSolo(filepath.Join(dir, "sweep"))
	if err != nil {
		return nil, err
	}
	const days = 70
	if err := s.fill(sz.preload, days*24*time.Hour); err != nil {
		return nil, err
	}
	st, err := s.e.Stats()
	if err != nil {
		return nil, err
	}
	size := s.e.Size()
	live := float64(st.Bytes) / float64(s.stored)
	targets := []target{{what: "live bytes an event", want: "< 250", ok: live < 250,
		got: fmt.Sprintf("%.0f (the file has %.0f; %.1f in memory for filters)", live, float64(size)/float64(s.stored), float64(st.Filters)/float64(s.stored))}}

	var longest, total time.Duration
	commits := 0
	before := s.source.at.Add(-days * 24 * time.Hour / 10)
	for more := true; more; commits++ {
		began := time.Now()
		err := s.e.Commit(s.source.at.Add(time.Duration(commits)*time.Second), func(c *store.Commit) error {
			more = c.SweepSeen(before)
			return nil
		})
		if err != nil {
			return nil, err
		}
		took := time.Since(began)
		total, longest = total+took, max(longest, took)
	}
	if err := s.e.Close(); err != nil {
		return nil, err
	}
	byCursor, err := deleteByCursor(filepath.Join(dir, "cursor.db"), sz.preload)
	if err != nil {
		return nil, err
	}
	faster := byCursor.Seconds() / total.Seconds()
	was, is, err := store.Compact(store.Config{Path: filepath.Join(s.dir, "moot.db")})
	if err != nil {
		return nil, err
	}
	return append(targets,
		target{what: fmt.Sprintf("sweep of %s of %s events", thousands(sz.preload*9/10), thousands(sz.preload)), want: "≥ 10 × faster than by cursor", ok: faster >= 10,
			got: fmt.Sprintf("%.1f × (%.0f ms in %d commits, by cursor %.0f ms)", faster, total.Seconds()*1000, commits, byCursor.Seconds()*1000)},
		target{what: "longest commit of the sweep", want: "≤ 50 ms", ok: longest <= 50*time.Millisecond, got: fmt.Sprintf("%.1f ms", longest.Seconds()*1000)},
		target{what: "`bot compact` after it", want: "returns the space", ok: is < was/2, got: fmt.Sprintf("%.0f MB, before %.0f MB", float64(is)/1e6, float64(was)/1e6)},
	), nil
}

// deleteByCursor deletes nine tenths of the events of a plain bbolt file, 5,000 in a transaction, each by the index by
// time.
func deleteByCursor(path string, n int) (took time.Duration, err error) {
	db, err := openBolt(path)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	e, src := &boltEngine{db}, newSource()
	src.step = 70 * 24 * time.Hour / time.Duration(n)
	for stored := 0; stored < n; {
		events, fresh, at := src.batch(min(10_000, n))
		if _, err := e.admit(events, at); err != nil {
			return 0, err
		}
		stored += fresh
	}
	end := number(src.at.Add(-7 * 24 * time.Hour))
	began := time.Now()
	for _, room := range rooms {
		for more := true; more; {
			err := db.Update(func(tx *bbolt.Tx) error {
				seen, c, swept := tx.Bucket(seenBucket), tx.Bucket(timesBucket).Cursor(), 0
				more = false
				for k, v := c.Seek([]byte(room + sep)); k != nil && string(k) < room+sep+end; k, v = c.Seek([]byte(room + sep)) {
					if swept >= 5000 {
						more = true
						break
					}
					for id := range strings.SplitSeq(string(v), sep) {
						if err := seen.Delete([]byte(room + sep + id)); err != nil {
							return err
						}
						swept++
					}
					if err := c.Delete(); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return 0, err
			}
		}
	}
	return time.Since(began), nil
}

// growth compares the throughput with many events stored with that with a hundred thousand.
func growth(dir string, sz sizes, tell func(string, ...any)) ([]target, error) {
	const size, events, few = 500, 400_000, 100_000
	rate := func(n int) (float64, float64, error) {
		s, err := newSolo(filepath.Join(dir, fmt.Sprint("growth", n)))
		if err != nil {
			return 0, 0, err
		}
		began := time.Now()
		if err := s.fill(n, 60*24*time.Hour); err != nil {
			return 0, 0, err
		}
		tell("%-28s %-20s %6.1fs", fmt.Sprintf("%d events", n), "moot", time.Since(began).Seconds())
		st, err := s.e.Stats()
		if err := errors.Join(err, s.e.Close()); err != nil {
			return 0, 0, err
		}
		live := float64(st.Bytes) / float64(s.stored)
		for range sz.turns {
			if err := s.turn(size, events); err != nil {
				return 0, 0, err
			}
		}
		return s.paces[size].rate(), live, s.verify()
	}
	a, _, err := rate(few)
	if err != nil {
		return nil, err
	}
	b, live, err := rate(sz.long)
	if err != nil {
		return nil, err
	}
	return []target{
		{what: fmt.Sprintf("throughput with %s events stored, of that with %s", thousands(sz.long), thousands(few)), want: "≥ 70 %", ok: b >= 0.7*a,
			got: fmt.Sprintf("%.0f %% (%s and %s events/s, batches of 500)", 100*b/a, thousands(int(b)), thousands(int(a)))},
		{what: fmt.Sprintf("live bytes an event with %s stored", thousands(sz.long)), want: "< 250", ok: live < 250, got: fmt.Sprintf("%.0f", live)},
	}, nil
}
