package discord

import (
	"context"
	"sync"

	"moot/protocol"
)

const (
	// maxWaiting is how much of what the gateway brought waits in memory. A shard that brings more
	// waits, and Discord with it: the connection stays, since heartbeats do not.
	maxWaiting = 10_000
	// maxBatch is how much of one room is admitted at once.
	maxBatch = 64
)

// work is one thing that the gateway brought, for the lane of its room. An event of the gateway
// makes one work of a room at most: that is what the cursor of a room rests on.
type work struct {
	room protocol.RoomID
	// about names the state that it may change. What the store says of that counts only once what
	// came before is in it. Zero is no state, as for a message; everyState is all of them.
	about string
	// make makes the events of it, and may ask Discord. It is called when all that the room brought
	// before is admitted, as far as it is about the same state.
	make func(ctx context.Context) []protocol.Event
}

const everyState = "*"

// lanes keep the order within each room, while rooms do not wait for one another.
type lanes struct {
	to   protocol.Admitter
	fail func(error)

	ctx   context.Context
	slots chan struct{} // one for each work that waits
	wg    sync.WaitGroup

	mu     sync.Mutex
	byRoom map[protocol.RoomID][]queued // guarded by mu; a room that is in it has a goroutine
}

// queued is work in a lane.
type queued struct {
	work
	place *place // nil where it has none
}

func newLanes(ctx context.Context, to protocol.Admitter, fail func(error)) *lanes {
	return &lanes{
		to: to, fail: fail, ctx: ctx,
		slots: make(chan struct{}, maxWaiting), byRoom: map[protocol.RoomID][]queued{},
	}
}

// put adds work to the end of its lane. It waits while there is too much already, and returns the
// error of the context, which holds the place of the event.
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
	q := queued{work: w, place: placeIn(ctx)}
	q.place.hold()
	l.mu.Lock()
	defer l.mu.Unlock()
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
	mark, err := l.to.Cursor(roomCursor(room))
	if err != nil {
		l.fail(err)
	}
	for {
		batch := l.take(room)
		if batch == nil {
			return
		}
		if err == nil {
			err = protocol.Guard(func() (err error) {
				mark, err = l.handle(room, batch, mark)
				return err
			})
		}
		if err != nil && l.ctx.Err() == nil {
			l.fail(err)
		}
		for _, q := range batch {
			if err == nil {
				q.place.done()
			}
			<-l.slots
		}
	}
}

// handle admits what becomes of a batch, in as few deliveries as the states in it allow. What lies
// within the mark of the room is admitted already. It returns the mark that the room has then.
func (l *lanes) handle(room protocol.RoomID, batch []queued, mark string) (string, error) {
	var evs []protocol.Event
	var last *place
	touched := map[string]bool{}
	flush := func() error {
		if len(evs) == 0 {
			return nil
		}
		cursor := protocol.Cursor{}
		if last != nil {
			last.of.await(l.ctx)
			cursor = protocol.Cursor{Name: roomCursor(room), Value: last.mark()}
			mark = cursor.Value
		}
		err := l.to.Admit(l.ctx, evs, cursor)
		evs, touched = nil, map[string]bool{}
		return err
	}
	for _, w := range batch {
		if err := l.ctx.Err(); err != nil {
			return mark, err // the next run is told of it, or fetches it
		}
		if w.place.within(mark) || w.place.again(last) {
			continue
		}
		if w.about == everyState || w.about != "" && (touched[w.about] || touched[everyState]) {
			if err := flush(); err != nil {
				return mark, err
			}
		}
		evs = append(evs, w.make(l.ctx)...)
		if w.place != nil {
			last = w.place
		}
		if w.about != "" {
			touched[w.about] = true
		}
	}
	return mark, flush()
}

// wait returns when no lane has work, which needs the end of their context or of what is put.
func (l *lanes) wait() { l.wg.Wait() }
