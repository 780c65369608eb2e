package bot

import (
	"moot/protocol"
	"moot/rooms"
)

const (
	// laneTurn is how many events of one scope a commit takes at most.
	laneTurn = 64
	// fewTurn is how many it takes where another scope has few.
	fewTurn = 16
	// commitTurn is how many events a commit takes at most.
	commitTurn = 512
	// partWeight is how many events a part of a list of members counts for.
	partWeight = 256
)

// Batch is what one call of Admit brings, on its way through the lanes.
type Batch struct {
	Network protocol.Network // whose identifiers are to be in it; zero means any
	Events  []protocol.Event
	Cursor  protocol.Cursor

	left   int           // events that are not handled yet
	weight int64         // of Events in memory, as the Runner counts it
	done   chan struct{} // closed by the Runner when all are handled; nil where there is none
}

// queued is an event in a lane.
type queued struct {
	event protocol.Event
	batch *Batch       // nil for what the bot made itself
	bad   error        // why it is refused
	ask   protocol.Key // what it answers; zero means nothing
}

// lane is the queue of one scope.
type lane struct {
	scope protocol.Scope
	queue []queued
}

// lanes are all queues that are not empty, in the order in which their turn comes.
type lanes struct {
	byScope map[protocol.Scope]*lane
	turn    []*lane
	size    int // events in all of them
	// open has the batches of each cursor that are not all handled, in the order in which they came: the cursor of
	// one is not saved before those of the ones before it.
	open map[string][]*Batch
}

func newLanes() *lanes {
	return &lanes{byScope: map[protocol.Scope]*lane{}, open: map[string][]*Batch{}}
}

// admit puts the events of a batch into their lanes.
func (l *lanes) admit(b *Batch) {
	floors := ownJoins(b.Events)
	var events []protocol.Event
	for i, ev := range b.Events {
		if at, ok := floors[ev.Room]; ok && i < at {
			ev.History = true
		}
		events = append(events, rooms.Split(ev)...)
	}
	b.Events = nil
	b.left = len(events)
	if b.Cursor.Name != "" {
		l.open[b.Cursor.Name] = append(l.open[b.Cursor.Name], b)
	}
	for _, ev := range events {
		l.push(queued{event: ev, batch: b, bad: ev.Check(b.Network)})
	}
}

// ownJoins finds the last own join of each room in a delivery. What comes before it is history, also where the network
// delivers it as new: after a rejoin servers replay the timeline.
func ownJoins(events []protocol.Event) map[protocol.RoomID]int {
	var at map[protocol.RoomID]int
	for i, ev := range events {
		c, ok := ev.Body.(protocol.MemberChange)
		if ok && c.Self && c.Membership == protocol.Joined && !c.Profile && !ev.History {
			if at == nil {
				at = map[protocol.RoomID]int{}
			}
			at[ev.Room] = i
		}
	}
	return at
}

func (l *lanes) push(q queued) {
	scope := q.event.Scope()
	la := l.byScope[scope]
	if la == nil {
		la = &lane{scope: scope}
		l.byScope[scope] = la
		l.turn = append(l.turn, la)
	}
	la.queue = append(la.queue, q)
	l.size++
}

// take calls handle for the events whose turn it is, until the commit has enough. Lanes that still have something go
// to the end of the turn.
func (l *lanes) take(handle func(queued)) {
	weight, most := 0, l.share()
	for n := len(l.turn); n > 0 && weight < commitTurn; n-- {
		la := l.turn[0]
		l.turn = l.turn[1:]
		share := 0
		for len(la.queue) > 0 && share < most && weight < commitTurn {
			q := la.queue[0]
			la.queue[0] = queued{} // lets go of what it points to
			la.queue = la.queue[1:]
			l.size--
			w := 1
			if _, ok := q.event.Body.(protocol.MemberList); ok {
				w = partWeight
			}
			share, weight = share+w, weight+w
			handle(q)
		}
		if len(la.queue) > 0 {
			l.turn = append(l.turn, la)
		} else {
			delete(l.byScope, la.scope)
		}
	}
	if len(l.turn) == 0 {
		l.turn = nil
	}
}

// share returns how many events of one lane the next commit takes at most. Where a lane waits that has few, those that have
// many take less, so that the few are through sooner: a flood in one room must not make the others wait for its commits.
func (l *lanes) share() int {
	many, few := false, false
	for _, la := range l.turn[:min(len(l.turn), commitTurn)] {
		many = many || len(la.queue) > fewTurn
		few = few || len(la.queue) <= fewTurn/4
	}
	if many && few {
		return fewTurn
	}
	return laneTurn
}

// done counts an event as handled and returns the batches that are now all handled, those with a cursor in the order
// of their admission.
func (l *lanes) done(b *Batch) []*Batch {
	if b == nil {
		return nil
	}
	b.left--
	return l.settled(b)
}

func (l *lanes) settled(b *Batch) (out []*Batch) {
	if b.Cursor.Name == "" {
		if b.left == 0 {
			out = append(out, b)
		}
		return out
	}
	open := l.open[b.Cursor.Name]
	for len(open) > 0 && open[0].left == 0 {
		out = append(out, open[0])
		open = open[1:]
	}
	if len(open) == 0 {
		delete(l.open, b.Cursor.Name)
	} else {
		l.open[b.Cursor.Name] = open
	}
	return out
}
