package outbox

import (
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"moot/protocol"
	"moot/store"
)

const (
	// inFlight is how many attempts to send run at once on one network, and how many to ask.
	inFlight = 32
	// endTurn is how many entries one call of Next ends at most.
	endTurn      = 256
	firstBackoff = time.Second
	maxBackoff   = 5 * time.Minute
)

// Attempt is one attempt that is to be made now: of an Outgoing or of an Ask.
type Attempt struct {
	Key     protocol.Key
	Network protocol.Network
	Out     *protocol.Outgoing
	Ask     *protocol.Ask
	Try     protocol.Attempt
}

// Dispatcher decides what is to be sent next. It belongs to the one goroutine that makes commits; a commit that it
// took part in and that failed leaves it of no use.
type Dispatcher struct {
	routes map[string]*route
	lanes  map[string]*lane
	newest map[protocol.Key]uint64 // the newest waiting edit of each message
}

// route is one of the two ways to a network, that of messages or, after askLane, that of asks: a slow answer takes the
// place of no message.
type route struct {
	network protocol.Network
	online  bool
	flying  int      // attempts that run
	ready   laneHeap // lanes that are not busy
}

// lane is one in which something waits.
type lane struct {
	name  string
	route *route
	due   time.Time // when its head is to be looked at: when it is due or expires
	order uint64    // number of the head, so that who waited longest comes first
	busy  protocol.Key
	index int // in the heap; -1 while it is not there
}

// NewDispatcher returns a Dispatcher to which all networks are offline.
func NewDispatcher() *Dispatcher {
	return &Dispatcher{
		routes: map[string]*route{}, lanes: map[string]*lane{}, newest: map[protocol.Key]uint64{},
	}
}

// Load reads what waits in the store.
func (d *Dispatcher) Load(tx *store.Tx) {
	for q := range tx.Queue("", 0) {
		d.Add(q)
	}
}

// SetOnline says whether attempts can be made on the network.
func (d *Dispatcher) SetOnline(name protocol.Network, online bool) {
	for _, way := range []string{"", askLane} {
		d.route(way, name).online = online
	}
}

func (d *Dispatcher) route(way string, network protocol.Network) *route {
	name := way + string(network)
	r := d.routes[name]
	if r == nil {
		r = &route{network: network}
		d.routes[name] = r
	}
	return r
}

// Add takes note of an entry that has been enqueued.
func (d *Dispatcher) Add(q store.Queued) {
	if q.Edit {
		d.newest[q.Message] = max(d.newest[q.Message], q.Number)
	}
	if d.lanes[q.Lane] != nil {
		return // its head comes first
	}
	l := &lane{name: q.Lane, route: d.laneRoute(q.Lane), index: -1}
	d.lanes[q.Lane] = l
	d.ready(l, q)
}

// ready puts a lane into the heap of its route with q as its head.
func (d *Dispatcher) ready(l *lane, q store.Queued) {
	l.due, l.order = q.Due, q.Number
	if !q.Expires.IsZero() && q.Expires.Before(l.due) {
		l.due = q.Expires
	}
	heap.Push(&l.route.ready, l)
}

// laneRoute returns the route of a lane, whose name is that of a room or a person, after askLane for asks.
func (d *Dispatcher) laneRoute(name string) *route {
	if room, ok := strings.CutPrefix(name, askLane); ok {
		return d.route(askLane, protocol.RoomID(room).Network())
	}
	return d.route("", protocol.RoomID(name).Network())
}

// Waiting returns in how many lanes something waits or is being sent.
func (d *Dispatcher) Waiting() int { return len(d.lanes) }

// Busy tells whether on a network that is online anything is being sent or is due.
func (d *Dispatcher) Busy(now time.Time) bool {
	for _, r := range d.routes {
		if r.flying > 0 || r.online && len(r.ready) > 0 && !r.ready[0].due.After(now) {
			return true
		}
	}
	return false
}

// Wake returns when Next has something to do again; zero if nothing waits for a time.
func (d *Dispatcher) Wake() time.Time {
	var wake time.Time
	for _, r := range d.routes {
		if len(r.ready) == 0 || !r.online || r.flying >= inFlight {
			continue
		}
		if due := r.ready[0].due; wake.IsZero() || due.Before(wake) {
			wake = due
		}
	}
	return wake
}

// Next returns the attempts that are to be made now, at most limit, and notes in the commit that they begin. What has
// expired, is superseded or can never be sent it ends; the answers of asks among it are to be handled in the same
// commit.
func (d *Dispatcher) Next(c *store.Commit, limit int) (attempts []Attempt, answers []protocol.Event) {
	ends := endTurn
	for _, name := range slices.Sorted(maps.Keys(d.routes)) { // in order, so that the same history goes the same way
		r := d.routes[name]
		for r.online && r.flying < inFlight && len(attempts) < limit && ends > 0 && len(r.ready) > 0 && !r.ready[0].due.After(c.Now()) {
			l := heap.Pop(&r.ready).(*lane)
			a, ended, ok := d.head(c, l, &ends)
			answers = append(answers, ended...)
			if !ok {
				continue
			}
			a.Network = r.network
			l.busy = a.Key
			r.flying++
			attempts = append(attempts, a)
		}
	}
	return attempts, answers
}

// head begins an attempt with the first entry of a lane that can be sent. It puts the lane back where that one is not due
// yet, and where as many entries were ended before it as may be.
func (d *Dispatcher) head(c *store.Commit, l *lane, ends *int) (a Attempt, answers []protocol.Event, ok bool) {
	for q := range c.Read().Queue(l.name, 0) {
		if *ends == 0 || q.Due.After(c.Now()) && (q.Expires.IsZero() || q.Expires.After(c.Now())) {
			d.ready(l, q)
			return a, answers, false
		}
		var e envelope
		state, reason := store.StateFailed, ""
		switch err := json.Unmarshal(q.Payload, &e); {
		case err != nil:
			reason = fmt.Sprintf("cannot be read: %v", err)
		case !q.Expires.IsZero() && !q.Expires.After(c.Now()):
			state, reason = store.StateExpired, q.Fault
		case q.Edit && d.newest[q.Message] > q.Number:
			state = store.StateSuperseded
		default:
			var original store.Sent
			if q.Message != "" && q.Message != q.Key {
				original = c.Read().Sent(q.Message)
				if original.State == store.StateQueued && original.Lane != l.name { // in its own lane it would come first
					q.Due = c.Now().Add(firstBackoff)
					d.ready(l, q)
					return a, answers, false
				}
				if original.State != store.StateSent {
					reason = "the message that it belongs to was not sent"
					break
				}
			}
			q = c.Begin(q)
			try := protocol.Attempt{N: q.Attempts, Original: original.Ref, First: q.First}
			return Attempt{Key: q.Key, Out: e.Out, Ask: e.Ask, Try: try}, answers, true
		}
		answers = append(answers, d.end(c, q, state, protocol.Ref{}, reason)...)
		*ends--
	}
	delete(d.lanes, l.name)
	return a, answers, false
}

// Done says how an attempt ended: where the message stands, or why it was not sent. The success of an ask is said by
// Answered instead, when its answer is handled.
func (d *Dispatcher) Done(c *store.Commit, key protocol.Key, ref protocol.Ref, err error) (answers []protocol.Event) {
	q, waits := c.Queued(key)
	if !waits { // it ended meanwhile: its echo came first, or the bot left the room
		d.release(c, c.Read().Sent(key).Lane, key)
		return nil
	}
	var se *protocol.SendError
	words := fmt.Sprint(err) // unlike err.Error it survives an error that wraps nothing
	switch errors.As(err, &se); {
	case err == nil:
		d.end(c, q, store.StateSent, ref, "")
	case se != nil && se.Ambiguous:
		answers = d.end(c, q, store.StateAmbiguous, protocol.Ref{}, words)
	case se != nil && se.Final:
		answers = d.end(c, q, store.StateFailed, protocol.Ref{}, words)
	default:
		wait := backoff(q)
		if se != nil && se.RetryAfter > 0 {
			wait = se.RetryAfter
		}
		c.Postpone(q, c.Now().Add(wait), words)
	}
	d.release(c, q.Lane, key)
	return answers
}

// Answered says that the answer of an ask is being handled in this commit.
func (d *Dispatcher) Answered(c *store.Commit, key protocol.Key, fault string) {
	q, waits := c.Queued(key)
	if !waits {
		d.release(c, c.Read().Sent(key).Lane, key)
		return
	}
	if fault == "" {
		d.end(c, q, store.StateSent, protocol.Ref{}, "")
	} else {
		d.end(c, q, store.StateFailed, protocol.Ref{}, fault)
	}
	d.release(c, q.Lane, key)
}

// Received says that the network has shown a message of ours.
func (d *Dispatcher) Received(c *store.Commit, key protocol.Key, ref protocol.Ref) {
	q, waits := c.Queued(key)
	if !waits {
		c.Settle(key, ref)
		return
	}
	d.end(c, q, store.StateSent, ref, "")
	if l := d.lanes[q.Lane]; l != nil && l.busy == "" {
		// It had not been tried again since a restart.
		heap.Remove(&l.route.ready, l.index)
		d.next(c, l)
	}
}

// LeaveRoom ends everything that waits to be sent to the room, since the bot is no longer in it.
func (d *Dispatcher) LeaveRoom(c *store.Commit, room protocol.RoomID) (answers []protocol.Event) {
	for _, name := range []string{string(room), askLane + string(room)} {
		for q := range c.Read().Queue(name, 0) {
			answers = append(answers, d.end(c, q, store.StateEnded, protocol.Ref{}, "the bot is no longer in the room")...)
		}
		if l := d.lanes[name]; l != nil && l.busy == "" {
			heap.Remove(&l.route.ready, l.index)
			delete(d.lanes, name)
		}
	}
	return answers
}

// end ends an entry, and returns the answer of an ask that got none.
func (d *Dispatcher) end(c *store.Commit, q store.Queued, state store.State, ref protocol.Ref, reason string) []protocol.Event {
	if q.Edit && d.newest[q.Message] == q.Number {
		delete(d.newest, q.Message)
	}
	c.Finish(q, state, ref, reason)
	var e envelope
	if state == store.StateSent || json.Unmarshal(q.Payload, &e) != nil || e.Ask == nil {
		return nil
	}
	if reason == "" {
		reason = string(state)
	}
	return []protocol.Event{AnswerEvent(*e.Ask, q.Attempts, protocol.Answer{Fault: reason})}
}

// AnswerEvent makes the event that brings the answer of an ask. Its room is that of the ask, or for want of one a
// private conversation's place with the person. Members that could not be asked for are a list with a fault.
func AnswerEvent(a protocol.Ask, attempt int, answer protocol.Answer) protocol.Event {
	answer.Ask = a.Key
	if _, ok := a.Want.(protocol.AskMembers); ok && answer.Fault != "" {
		answer.Result = protocol.MemberList{Last: true, Fault: answer.Fault}
	}
	room := a.Room
	if want, ok := a.Want.(protocol.AskDirectRoom); ok && room == "" {
		room = protocol.RoomID(want.User)
	}
	return protocol.Event{Room: room, ID: protocol.EventID(fmt.Sprintf("answer/%s/%d", a.Key, attempt)), Body: answer}
}

// release makes a busy lane ready for its next entry.
func (d *Dispatcher) release(c *store.Commit, name string, key protocol.Key) {
	l := d.lanes[name]
	if l == nil || l.busy != key {
		return
	}
	l.busy = ""
	l.route.flying--
	d.next(c, l)
}

func (d *Dispatcher) next(c *store.Commit, l *lane) {
	for q := range c.Read().Queue(l.name, 0) {
		d.ready(l, q)
		return
	}
	delete(d.lanes, l.name)
}

// backoff doubles with each attempt, up to maxBackoff, and is jittered by the key, so that the same history gives the
// same times.
func backoff(q store.Queued) time.Duration {
	wait := maxBackoff
	if q.Attempts < 10 {
		wait = min(firstBackoff<<max(q.Attempts-1, 0), maxBackoff)
	}
	h := fnv.New32a()
	fmt.Fprintf(h, "%s%d", q.Key, q.Attempts)
	return wait/2 + wait/2*time.Duration(h.Sum32()%1000)/1000
}

// laneHeap has the lane that is to be looked at first at the top.
type laneHeap []*lane

func (h laneHeap) Len() int { return len(h) }
func (h laneHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].order < h[j].order
}
func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *laneHeap) Push(x any) {
	l := x.(*lane)
	l.index = len(*h)
	*h = append(*h, l)
}
func (h *laneHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	l.index = -1
	*h = old[:len(old)-1]
	return l
}
