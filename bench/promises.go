package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"moot/protocol"
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
	return s.e.finish()
}

// rows is a bucket for what a checkpoint has to write beside events.
var rows = store.SharedBucket("rows")

// untilMoving records events, and writes rows under random keys, until a checkpoint or a merge is
// under way: both halves of the memtable are nearly full then.
func (s *solo) untilMoving() error {
	value := make([]byte, 300)
	for {
		if st, err := s.e.Stats(); err != nil || st.Moving {
			return err
		}
		if _, err := s.batch(&s.e, 500); err != nil {
			return err
		}
		err := s.e.Commit(s.source.at, func(c *store.Commit) error {
			return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
				for range 80 {
					tx.Put(rows, store.Number(s.source.random.Uint64()), value)
				}
				return nil
			})
		})
		if err != nil {
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

// single compares commits of one event with bare appends, in turn, and those made while a
// checkpoint or a merge runs with those made while none does.
func single(dir string, sz sizes) ([]target, error) {
	s, err := newSolo(filepath.Join(dir, "single"))
	if err != nil {
		return nil, err
	}
	defer s.e.Close()
	if err := s.fill(sz.preload, 60*24*time.Hour); err != nil {
		return nil, err
	}
	limit := &bareEngine{}
	if err := limit.open(dir); err != nil {
		return nil, err
	}
	defer limit.close()
	var bare, quiet, moving, beside []time.Duration // beside: bare appends while something moves
	one := func(into *[]time.Duration) error {
		took, err := s.batch(&s.e, 1)
		*into = append(*into, took)
		return err
	}
	appended := func(into *[]time.Duration) error {
		began := time.Now()
		_, err := limit.admit(make([]event, 1), began)
		*into = append(*into, time.Since(began))
		return err
	}
	for range sz.singles {
		if err := errors.Join(appended(&bare), one(&quiet)); err != nil {
			return nil, err
		}
	}
	// Turns with and without take the same time of the machine. Checkpoints are short: it takes
	// several until as many commits fell into one.
	rounds := 0
	s.bare = true // what is forgotten is new again
	for ; len(moving) < 3*sz.singles && rounds < 300; rounds++ {
		// Half a day is forgotten each time, so that whole runs are dropped now and then.
		gone := s.source.at.AddDate(0, 0, -60).Add(time.Duration(rounds) * 12 * time.Hour)
		err := s.e.Commit(s.source.at, func(c *store.Commit) error { c.SweepSeen(gone); return nil })
		if err := errors.Join(err, s.untilMoving()); err != nil {
			return nil, err
		}
		began := len(moving)
		for busy := true; busy && len(moving)-began < sz.singles; {
			if err := errors.Join(one(&moving), appended(&beside)); err != nil {
				return nil, err
			}
			if len(moving)%10 == 0 {
				st, err := s.e.Stats()
				if err != nil {
					return nil, err
				}
				busy = st.Moving
			}
		}
		n := len(moving) - began
		if err := s.e.finish(); err != nil {
			return nil, err
		}
		for range n {
			if err := errors.Join(one(&quiet), appended(&bare)); err != nil {
				return nil, err
			}
		}
	}
	ms := func(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }
	b, q := percentile(bare[:sz.singles], 0.5), percentile(quiet[:sz.singles], 0.5)
	alone := float64(q) / float64(b)
	q999, m999 := percentile(quiet, 0.999), percentile(moving, 0.999)
	longer := slices.Max(moving) - slices.Max(quiet)
	return []target{
		{
			what: "one event alone, of a bare append with one sync", want: "≤ 1.2 ×", ok: alone <= 1.2,
			got: fmt.Sprintf("%.2f × (median %s, bare %s)", alone, ms(q), ms(b)),
		},
		{
			what: "p99.9 of a commit of one event while a checkpoint or a merge runs", want: "≤ 2 × of that without",
			ok: m999 <= 2*q999, got: fmt.Sprintf("%.2f ×", float64(m999)/float64(q999)),
		},
		{
			what: "the longest of these commits, beyond the longest without", want: "≤ 5 ms", ok: longer <= 5*time.Millisecond,
			got: ms(longer),
		},
		{
			what: "p99.9 of these commits, beyond that without",
			want: "≤ 5 ms", ok: m999-q999 <= 5*time.Millisecond,
			got: fmt.Sprintf("%s (%s, without %s; medians %s, %s; longest %s, %s; of %d commits in %d checkpoints)",
				ms(m999-q999), ms(m999), ms(q999), ms(percentile(moving, 0.5)), ms(percentile(quiet, 0.5)),
				ms(slices.Max(moving)), ms(slices.Max(quiet)), len(moving), rounds),
		},
		{
			what: "the same of a bare append, which waits for nothing but the disk and the processor", want: "–", ok: true,
			got: fmt.Sprintf("%s (%s, without %s; longest %s, %s)", ms(percentile(beside, 0.999)-percentile(bare, 0.999)),
				ms(percentile(beside, 0.999)), ms(percentile(bare, 0.999)), ms(slices.Max(beside)), ms(slices.Max(bare))),
		},
	}, nil
}

// restart measures what it takes until the store is ready, after an orderly end and after a crash.
func restart(dir string, sz sizes) ([]target, error) {
	s, err := newSolo(filepath.Join(dir, "restart"))
	if err != nil {
		return nil, err
	}
	if err := s.fill(sz.preload-sz.preload/20, 57*24*time.Hour); err != nil {
		return nil, err
	}
	for s.stored < sz.preload { // a part of it is in the log alone
		if _, err := s.batch(&s.e, 500); err != nil {
			return nil, err
		}
	}
	st, err := s.e.Stats()
	for ; err == nil && st.Moving; st, err = s.e.Stats() {
		time.Sleep(time.Millisecond)
	}
	// A copy of the files is what a crash leaves.
	crashed := filepath.Join(dir, "crashed")
	if err := errors.Join(err, os.CopyFS(crashed, os.DirFS(s.dir)), s.e.Close()); err != nil {
		return nil, err
	}
	start := func(dir string) (time.Duration, error) {
		began := time.Now()
		if err := s.e.open(dir); err != nil {
			return 0, err
		}
		_, err := s.batch(&s.e, 1)
		took := time.Since(began)
		return took, errors.Join(err, s.e.Close())
	}
	var all []time.Duration
	for range 5 {
		took, err := start(s.dir)
		if err != nil {
			return nil, err
		}
		all = append(all, took)
	}
	after, err := start(crashed)
	if err != nil {
		return nil, err
	}
	got := percentile(all, 0.5)
	return []target{
		{
			what: fmt.Sprintf("restart with %s events, until the first commit", thousands(sz.preload)),
			want: "< 1 s", ok: got < time.Second, got: fmt.Sprintf("%.2f s", got.Seconds()),
		},
		{
			what: "the same after a crash", want: "< 1 s", ok: after < time.Second,
			got: fmt.Sprintf("%.2f s (%s of them in the log alone)", after.Seconds(), thousands(st.Seen.Table)),
		},
	}, nil
}

// sweepAndSize compares the sweep of nine tenths with deleting by cursor, and says what an event
// takes.
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
	each := func(bytes int64) float64 { return float64(bytes) / float64(s.stored) }
	targets := []target{{
		what: "live bytes an event", want: "≤ 75", ok: live <= 75,
		got: fmt.Sprintf("%.0f (the file has %.0f; %.1f in memory for filters)",
			live, each(size), each(int64(st.Seen.Filters))),
	}}

	before := s.source.at.Add(-days * 24 * time.Hour / 10)
	began := time.Now()
	if err := s.e.Commit(s.source.at, func(c *store.Commit) error { c.SweepSeen(before); return nil }); err != nil {
		return nil, err
	}
	commit := time.Since(began)
	if err := s.e.finish(); err != nil {
		return nil, err
	}
	total := time.Since(began)
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
		target{
			what: fmt.Sprintf("sweep of %s of %s events", thousands(sz.preload*9/10), thousands(sz.preload)),
			want: "≥ 10 × faster than by cursor", ok: faster >= 10,
			got: fmt.Sprintf("%.1f × (%.0f ms, of which %.1f ms in its commit; by cursor %.0f ms)",
				faster, total.Seconds()*1000, commit.Seconds()*1000, byCursor.Seconds()*1000),
		},
		target{
			what: "`moot compact` after it", want: "returns the space", ok: is < was/2,
			got: fmt.Sprintf("%.0f MB, before %.0f MB", float64(is)/1e6, float64(was)/1e6),
		},
	), nil
}

// deleteByCursor deletes nine tenths of the events of a plain bbolt file, 5,000 in a transaction,
// each by the index by time.
func deleteByCursor(path string, n int) (took time.Duration, err error) {
	db, err := openBolt(path)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	e, src := &boltEngine{db, newFront()}, newSource()
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
				first := func() ([]byte, []byte) { return c.Seek([]byte(room + sep)) }
				for k, v := first(); k != nil && string(k) < room+sep+end; k, v = first() {
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
		{
			what: fmt.Sprintf("throughput with %s events stored, of that with %s", thousands(sz.long), thousands(few)),
			want: "≥ 80 %", ok: b >= 0.8*a,
			got: fmt.Sprintf("%.0f %% (%s and %s events/s, batches of 500)",
				100*b/a, thousands(int(b)), thousands(int(a))),
		},
		{
			what: fmt.Sprintf("live bytes an event with %s stored", thousands(sz.long)),
			want: "≤ 75", ok: live <= 75, got: fmt.Sprintf("%.0f", live),
		},
	}, nil
}
