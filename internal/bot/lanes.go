package bot

import (
	"container/list"
	"maps"
	"slices"

	"golang.org/x/sync/semaphore"

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
	// few is how many events a lane has at most that is served first.
	few = 4
	// partWeight is how many events a part of a list of members counts for, and toldWeight what a scope is told.
	partWeight = 256
	toldWeight = 64
)

// Batch is what one call of Admit brings, on its way through the lanes.
type Batch struct {
	Network protocol.Network // whose identifiers are to be in it; zero means any
	Events  []protocol.Event
	Cursor  protocol.Cursor

	left   int                 // events that are not handled yet
	weight int64               // of Events in memory, as the Runner counts it
	count  int                 // of Events, as they were admitted
	space  *semaphore.Weighted // where that is given back when all are handled; nil where there is none
	done   chan struct{}       // then closed; nil where there is none
}

// queued is an event in a lane.
type queued struct {
	event protocol.Event
	batch *Batch       // nil for what the bot made itself
	bad   error        // why it is refused
	ask   protocol.Key // what it answers; zero means nothing
	after *gate        // what it waits for, nil where it waits for nothing
	opens *gate        // what waits for it, nil where nothing can
}

// gate is a change of the bot's own membership of a room that is still to be handled. What is said in a private conversation goes by
// the lane of its person, and so could overtake the join before it: the join would let go of it as of something from before.
type gate struct{ open bool }

// lane is the queue of one scope.
type lane struct {
	scope  protocol.Scope
	queue  []queued
	quiet  bool          // whether nothing from a network is in it
	in     *share        // of its network
	at     *list.Element // its place in fresh or old
	fresh  bool          // which of the two
	served uint64        // the commit that took from it last
	gate   *gate         // the last one in the queue, nil where there is none
}

// lanes are the queues of all scopes, by network. Each network that has something to do has the same share of a commit, and
// what one does not need the others have: so a flood on one holds up no other (deficit round robin, in which a list of
// members that took more than the share is paid back later).
type lanes struct {
	byScope  map[protocol.Scope]*lane
	networks map[protocol.Network]*share
	size     int    // events in all of them
	commit   uint64 // counts the calls of take
	// open has the batches of each cursor that are not all handled, in the order in which they came: the cursor of
	// one is not saved before those of the ones before it.
	open map[string][]*Batch
}

// share has the lanes of one network, in the order in which their turn comes: first the fresh ones, which had nothing to do
// and have only a few events now, then the old ones, round and round. So one message in a quiet room does not wait for
// the floods in others. A fresh lane that was served becomes an old one, also where it is empty now, until its turn
// comes again: so no scope is served first twice before the others were once. What scopes are told makes no lane fresh.
type share struct {
	fresh, old *list.List
	credit     int // what it may take, below zero where it has taken more
}

func (s *share) empty() bool { return s.fresh.Len()+s.old.Len() == 0 }

func newLanes() *lanes {
	return &lanes{byScope: map[protocol.Scope]*lane{}, networks: map[protocol.Network]*share{}, open: map[string][]*Batch{}}
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
		if c, ok := ownChange(ev); ok && c.Membership == protocol.Joined {
			if at == nil {
				at = map[protocol.RoomID]int{}
			}
			at[ev.Room] = i
		}
	}
	return at
}

// ownChange returns the change of the bot's own membership that an event is, and whether it is one.
func ownChange(ev protocol.Event) (protocol.MemberChange, bool) {
	c, ok := ev.Body.(protocol.MemberChange)
	return c, ok && c.Self && !c.Profile && !ev.History
}

func (l *lanes) push(q queued) {
	scope := q.event.Scope()
	_, told := q.event.Body.(protocol.Internal)
	la := l.byScope[scope]
	switch {
	case la == nil:
		la = &lane{scope: scope, quiet: told, in: l.share(scope)}
		l.byScope[scope] = la
		la.put(!told)
	case la.quiet && !told:
		la.list().Remove(la.at)
		la.quiet = false
		la.put(true)
	}
	if room := protocol.Scope(q.event.Room); room != scope {
		if moves := l.byScope[room]; moves != nil {
			q.after = moves.gate
		}
	} else if _, ok := ownChange(q.event); ok {
		la.gate = new(gate)
		q.opens = la.gate
	}
	la.queue = append(la.queue, q)
	l.size++
}

// share returns the share of the network of a scope.
func (l *lanes) share(scope protocol.Scope) *share {
	network := protocol.RoomID(scope).Network()
	s := l.networks[network]
	if s == nil {
		s = &share{fresh: list.New(), old: list.New()}
		l.networks[network] = s
	}
	return s
}

func (la *lane) list() *list.List {
	if la.fresh {
		return la.in.fresh
	}
	return la.in.old
}

// put puts a lane at the end of the fresh ones, or of the old ones.
func (la *lane) put(fresh bool) {
	la.fresh = fresh
	la.at = la.list().PushBack(la)
}

// move puts a lane behind the old ones.
func (la *lane) move() {
	la.list().Remove(la.at)
	la.put(false)
}

// take calls handle for the events whose turn it is, until the commit has enough.
func (l *lanes) take(handle func(queued)) {
	l.commit++
	most := l.turn()
	for left := commitTurn; left > 0; {
		active := l.active()
		if len(active) == 0 {
			return
		}
		took, owing, each := 0, false, max(left/len(active), 1)
		for _, s := range active {
			if s.credit += each; s.credit <= 0 {
				owing = true
				continue
			}
			n := l.serveNetwork(s, min(s.credit, left-took), most, handle)
			took += n
			if s.credit -= n; s.empty() || s.credit > 0 { // what is not needed is not saved
				s.credit = 0
			}
		}
		if left -= took; took == 0 && !owing {
			return // all lanes have had their turn in this commit
		}
	}
}

// active returns the shares in which something waits. Each commit begins with another one.
func (l *lanes) active() (active []*share) {
	names := slices.Sorted(maps.Keys(l.networks)) // in order, so that the same history goes the same way
	for i := range names {
		if s := l.networks[names[(uint64(i)+l.commit)%uint64(len(names))]]; !s.empty() {
			active = append(active, s)
		}
	}
	return active
}

// serveNetwork handles events of one network, up to a weight, and most of each lane. It returns their weight.
func (l *lanes) serveNetwork(s *share, upTo, most int, handle func(queued)) (weight int) {
	// Those that had their turn in this commit are behind all others.
	others := s.old.Len() > 0 && s.old.Front().Value.(*lane).served != l.commit
	for n := s.fresh.Len(); n > 0 && (!others || weight < upTo/2) && weight < upTo; n-- {
		if la := s.fresh.Front().Value.(*lane); len(la.queue) > few {
			la.move()
			others = true
			continue
		}
		weight += l.serve(s.fresh, most, handle)
	}
	for n := s.old.Len(); n > 0 && weight < upTo; n-- {
		if la := s.old.Front().Value.(*lane); la.served == l.commit {
			la.move()
			continue
		}
		weight += l.serve(s.old, most, handle)
	}
	return weight
}

// serve handles the events of the first lane, up to a weight or one that must wait, and puts it behind the old ones. It returns
// their weight.
func (l *lanes) serve(from *list.List, most int, handle func(queued)) (weight int) {
	la := from.Front().Value.(*lane)
	for len(la.queue) > 0 && weight < most {
		q := la.queue[0]
		if q.after != nil && !q.after.open {
			break // its turn comes again in this commit, behind the others
		}
		la.served = l.commit
		la.queue[0] = queued{} // frees what it points to
		la.queue = la.queue[1:]
		l.size--
		switch q.event.Body.(type) {
		case protocol.MemberList:
			weight += partWeight
		case protocol.Internal:
			weight += toldWeight
		default:
			weight++
		}
		handle(q)
		if q.opens != nil {
			q.opens.open = true
			if la.gate == q.opens {
				la.gate = nil
			}
		}
	}
	if la.fresh || len(la.queue) > 0 {
		la.move()
	} else {
		from.Remove(la.at)
		delete(l.byScope, la.scope)
	}
	return weight
}

// turn returns how many events of one lane the next commit takes at most. Where a lane waits that has few, those that have
// many take less, so that the few are through sooner: a flood in one room must not make the others wait for its commits.
func (l *lanes) turn() int {
	many, short, looked := false, false, 0
	for _, s := range l.active() {
		for _, all := range []*list.List{s.fresh, s.old} {
			for e := all.Front(); e != nil && looked < commitTurn; e = e.Next() {
				n := len(e.Value.(*lane).queue)
				many = many || n > fewTurn
				short = short || n > 0 && n <= few
				looked++
			}
		}
	}
	if many && short {
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
	return l.finished(b)
}

func (l *lanes) finished(b *Batch) (out []*Batch) {
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
