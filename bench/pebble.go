package main

import (
	"errors"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// pebbleEngine is Pebble behind a filter in memory. Its index by time has a row for what a room had
// in a batch.
type pebbleEngine struct {
	db     *pebble.DB
	filter *front
}

func (p *pebbleEngine) open(dir string) (err error) {
	options := &pebble.Options{
		CacheSize: 64 << 20, MemTableSize: 64 << 20, MemTableStopWritesThreshold: 4, Logger: silent{},
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
		FormatMajorVersion:         pebble.FormatNewest,
	}
	for i := range options.Levels {
		options.Levels[i] = pebble.LevelOptions{FilterPolicy: bloom.FilterPolicy(10), FilterType: pebble.TableFilter}
	}
	if p.db, err = pebble.Open(dir, options); err != nil {
		return err
	}
	p.filter = newFront()
	it, err := p.db.NewIter(&pebble.IterOptions{LowerBound: []byte("s" + sep), UpperBound: []byte("s\x20")})
	if err != nil {
		return err
	}
	for it.First(); it.Valid(); it.Next() {
		p.filter.add(string(it.Key()[2:]))
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
		if p.filter.maybe(k) {
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
	p.filter.admit(fresh)
	return len(fresh), nil
}

func (p *pebbleEngine) finish() error {
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
