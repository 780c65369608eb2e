package main

import (
	"errors"
	"strings"
	"time"

	front "github.com/bits-and-blooms/bloom/v3"
	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/bloom"
)

// pebbleEngine is Pebble, plain or behind a filter in memory.
type pebbleEngine struct {
	front  bool
	db     *pebble.DB
	filter *front.BloomFilter
}

// frontEvents is how many events the filter in front is made for: those of the preload and of all turns.
const frontEvents = 5_000_000

func (p *pebbleEngine) open(dir string) (err error) {
	level := pebble.LevelOptions{FilterPolicy: bloom.FilterPolicy(10), FilterType: pebble.TableFilter}
	levels := make([]pebble.LevelOptions, 7)
	for i := range levels {
		levels[i] = level
	}
	p.db, err = pebble.Open(dir, &pebble.Options{
		Levels: levels, MemTableSize: 32 << 20, Logger: silent{},
		MaxConcurrentCompactions: func() int { return 2 },
	})
	if err != nil || !p.front {
		return err
	}
	p.filter = front.New(16*frontEvents, 6)
	it, err := p.db.NewIter(&pebble.IterOptions{LowerBound: []byte("s" + sep), UpperBound: []byte("s\x20")})
	if err != nil {
		return err
	}
	for it.First(); it.Valid(); it.Next() {
		p.filter.Add(it.Key()[2:])
	}
	return it.Close()
}

func (p *pebbleEngine) admit(events []event, at time.Time) (int, error) {
	b := p.db.NewBatch()
	defer b.Close()
	batch := make(map[string]bool, len(events))
	var fresh []event
	now := []byte(number(at))
	for _, e := range events {
		k := e.key()
		if batch[k] {
			continue
		}
		if p.filter == nil || p.filter.TestString(k) {
			switch _, closer, err := p.db.Get([]byte("s" + sep + k)); {
			case err == nil:
				if err := closer.Close(); err != nil {
					return 0, err
				}
				continue
			case !errors.Is(err, pebble.ErrNotFound):
				return 0, err
			}
		}
		batch[k] = true
		fresh = append(fresh, e)
		if err := b.Set([]byte("s"+sep+k), now, nil); err != nil {
			return 0, err
		}
	}
	for room, row := range byRoom(fresh) {
		if err := b.Set([]byte("t"+sep+room+sep+string(now)), row, nil); err != nil {
			return 0, err
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return 0, err
	}
	if p.filter != nil {
		for _, e := range fresh {
			p.filter.AddString(e.key())
		}
	}
	return len(fresh), nil
}

func (p *pebbleEngine) settle() error {
	if err := p.db.Flush(); err != nil {
		return err
	}
	for p.db.Metrics().Compact.NumInProgress > 0 {
		time.Sleep(time.Millisecond)
	}
	return nil
}

func (p *pebbleEngine) close() error { return p.db.Close() }

func (p *pebbleEngine) count() (events, indexed int, err error) {
	it, err := p.db.NewIter(nil)
	if err != nil {
		return 0, 0, err
	}
	for it.First(); it.Valid(); it.Next() {
		if it.Key()[0] == 's' {
			events++
		} else {
			indexed += 1 + strings.Count(string(it.Value()), sep)
		}
	}
	return events, indexed, it.Close()
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(f string, a ...any) {
	panic("pebble: " + f)
}
