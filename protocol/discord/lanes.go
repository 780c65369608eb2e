package discord

import (
	"context"
	"sync"

	"moot/protocol"
)

const (
	// maxWaiting is how much of what the gateway brought waits in memory. A shard that brings more waits, and Discord with
	// it: the connection stays, since heartbeats do not.
	maxWaiting = 10_000
	// maxBatch is how much of one room is admitted at once.
	maxBatch = 64
)

// work is one thing that the gateway brought, for the lane of its room.
type work struct {
	room protocol.RoomID
	// about names the state that it may change. What the store says of that counts only once what came before is in it.
	// Zero is no state, as for a message; everyState is all of them.
	about string
	// at is the snowflake of it, as a place in what Discord tells; zero where it has none.
	at string
	// make makes the events of it, and may ask Discord. It is called when all that the room brought before is admitted, as
	// far as it is about the same state.
	make func(ctx context.Context) []protocol.Event
}

const everyState = "*"

// lanes keep the order within each room, while rooms do not wait for one another.
type lanes struct {
	admit func(ctx context.Context, evs []protocol.Event, place string) error
	fail  func(error)

	ctx   context.Context
	slots chan struct{} // one for each work that waits
	wg    sync.WaitGroup

	mu     sync.Mutex
	byRoom map[protocol.RoomID][]queued // guarded by mu; a room that is in it has a goroutine
	open   []*placed                    // in the order of arrival, from the first that is not done; guarded by mu
	low    string                       // all that came up to this place is admitted; guarded by mu
}

// queued is work in a lane.
type queued struct {
	work
	place *placed // nil where it has none
}

// placed is a place in what Discord tells.
type placed struct {
	at   string
	done bool
}

func newLanes(ctx context.Context, admit func(context.Context, []protocol.Event, string) error, fail func(error)) *lanes {
	return &lanes{
		admit: admit, fail: fail, ctx: ctx,
		slots: make(chan struct{}, maxWaiting), byRoom: map[protocol.RoomID][]queued{},
	}
}

// put adds work to the end of its lane. It waits while there is too much already, and returns the error of the context.
func (l *lanes) put(ctx context.Context, w work) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	q := queued{work: w}
	if w.at != "" {
		q.place = &placed{at: w.at}
		l.open = append(l.open, q.place)
	}
	queue, runs := l.byRoom[w.room]
	l.byRoom[w.room] = append(queue, q)
	if !runs {
		l.wg.Go(func() { l.run(w.room) })
	}
	return nil
}

// take takes the next works of a room, and ends its lane where there are none.
func (l *lanes) take(room protocol.RoomID) []queued {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.byRoom[room]
	if len(queue) == 0 {
		delete(l.byRoom, room)
		return nil
	}
	n := min(len(queue), maxBatch)
	l.byRoom[room] = queue[n:]
	return queue[:n:n]
}

// run is the goroutine of a room that has work.
func (l *lanes) run(room protocol.RoomID) {
	for {
		batch := l.take(room)
		if batch == nil {
			return
		}
		if err := l.handle(batch); err != nil && l.ctx.Err() == nil {
			l.fail(err)
		}
		l.done(batch)
		for range batch {
			<-l.slots
		}
	}
}

// done notes that a batch is admitted, or never will be because all ends.
func (l *lanes) done(batch []queued) {
	if l.ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, q := range batch {
		if q.place != nil {
			q.place.done = true
		}
	}
	n, low := l.placeLocked(nil)
	l.low = low
	if l.open = l.open[n:]; len(l.open) == 0 {
		l.open = nil
	}
}

// place returns the place up to which everything that came is admitted once a batch is; zero where nothing has come.
func (l *lanes) place(batch []queued) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	with := map[*placed]bool{}
	for _, q := range batch {
		with[q.place] = true
	}
	_, low := l.placeLocked(with)
	return low
}

// placeLocked returns how many of those that are open are done, or among the others given, and the newest of them.
func (l *lanes) placeLocked(with map[*placed]bool) (n int, low string) {
	low = l.low
	for ; n < len(l.open) && (l.open[n].done || with[l.open[n]]); n++ {
		if newer(l.open[n].at, low) {
			low = l.open[n].at
		}
	}
	return n, low
}

// handle admits what becomes of a batch, in as few deliveries as the states in it allow.
func (l *lanes) handle(batch []queued) error {
	var evs []protocol.Event
	touched := map[string]bool{}
	flush := func(of []queued) error {
		if len(evs) == 0 {
			return nil
		}
		err := l.admit(l.ctx, evs, l.place(of))
		evs, touched = nil, map[string]bool{}
		return err
	}
	for _, w := range batch {
		if err := l.ctx.Err(); err != nil {
			return err // the next run is told of it, or fetches it
		}
		if w.about == everyState || w.about != "" && (touched[w.about] || touched[everyState]) {
			if err := flush(nil); err != nil {
				return err
			}
		}
		evs = append(evs, w.make(l.ctx)...)
		if w.about != "" {
			touched[w.about] = true
		}
	}
	return flush(batch)
}

// wait returns when no lane has work, which needs the end of their context or of what is put.
func (l *lanes) wait() { l.wg.Wait() }
