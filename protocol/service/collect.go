package service

import (
	"context"
	"strings"
	"time"

	"moot/internal/pause"
	"moot/protocol"
)

// Collector yields what a service works on.
type Collector interface {
	// Name is the name of its room, and is unique within the service.
	Name() string
	// Source says in one line what its cursor is a place in: one of another source begins as at the first time.
	Source() string
	// Run brings what there is, from the cursor on, until the context ends. It deals with what fails by itself; an error is
	// one of the sink, which it returns as it is. It is run again then.
	Run(ctx context.Context, to Sink) error
}

// Item is one thing that a collector has found.
type Item struct {
	// ID is the same for what is brought again, and another for everything else.
	ID protocol.EventID
	protocol.Collected
	// Cursor is where the collector goes on behind it; zero leaves the cursor where it is.
	Cursor string
}

// Sink takes what one collector brings.
type Sink interface {
	// Cursor returns the last cursor that is durable; zero if there is none.
	Cursor() (string, error)
	// Ready waits while nothing may be brought: the service is paused, or as many jobs wait as may.
	Ready(ctx context.Context) error
	// Bring hands over things in their order, as they may be brought. It returns nil when all of them are durable.
	Bring(ctx context.Context, items []Item) error
	// Mark makes a cursor durable where there is nothing to bring.
	Mark(ctx context.Context, cursor string) error
}

const (
	// atOnce is how many things are brought in one go.
	atOnce = 64
	// look is how long a collector waits between looks at whether there is room for its jobs again.
	look = 200 * time.Millisecond
)

// sink is what one collector of an adapter hands over to.
type sink struct {
	a      *Adapter
	to     protocol.Admitter
	room   protocol.RoomID
	source string
}

// name is that of the cursor. Its value is the source, the end of a line, and the place, which has none. An older bot
// stored the place alone.
func (s *sink) name() string { return string(s.room) + "/cursor" }

func (s *sink) cursor(place string) protocol.Cursor {
	return protocol.Cursor{Name: s.name(), Value: s.source + "\n" + place}
}

// Cursor implements Sink.
func (s *sink) Cursor() (string, error) {
	value, err := s.to.Cursor(s.name())
	source, place, told := strings.Cut(value, "\n")
	switch {
	case err != nil || !told:
		return value, err
	case source != s.source:
		return "", nil // the configuration has another collector by that name now
	}
	return place, nil
}

// Ready implements Sink.
func (s *sink) Ready(ctx context.Context) error {
	_, err := s.free(ctx)
	return err
}

// free waits until something may be brought, and returns how many things may.
func (s *sink) free(ctx context.Context) (int, error) {
	for {
		s.a.mu.Lock()
		paused, turned := s.a.paused, s.a.turned
		s.a.mu.Unlock()
		if paused {
			select {
			case <-turned:
				continue
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		if s.a.cfg.Free == nil {
			return atOnce, ctx.Err()
		}
		n, err := s.a.cfg.Free(s.room)
		if err != nil || n > 0 {
			return n, err
		}
		if err := pause.Sleep(ctx, look); err != nil {
			return 0, err
		}
	}
}

// Bring implements Sink.
func (s *sink) Bring(ctx context.Context, items []Item) error {
	for len(items) > 0 {
		n, err := s.free(ctx)
		if err != nil {
			return err
		}
		n = min(n, atOnce, len(items))
		events, cursor := make([]protocol.Event, n), protocol.Cursor{}
		for i, item := range items[:n] {
			events[i] = protocol.Event{Room: s.room, ID: item.ID, Private: true, Body: item.Collected}
			if item.Cursor != "" {
				cursor = s.cursor(item.Cursor)
			}
		}
		if err := s.to.Admit(ctx, events, cursor); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// Mark implements Sink.
func (s *sink) Mark(ctx context.Context, cursor string) error {
	return s.to.Admit(ctx, nil, s.cursor(cursor))
}
