package outbox

import (
	"container/heap"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"time"

	"moot/internal/pause"
	"moot/protocol"
	"moot/store"
)

// endTurn is how many entries one call of Next ends at most.
const endTurn = 256

// Attempt is one attempt that is to be made now: of an Outgoing or of an Ask.
type Attempt struct {
	Key     protocol.Key
	Network protocol.Network
	Out     *protocol.Outgoing
	Ask     *protocol.Ask
	Try     protocol.Attempt // First and Until are missing: whoever makes the attempt knows the time
	Age     time.Duration    // how long ago the first attempt began, in the time of the store
	Left    time.Duration    // how soon it expires, in the same time; zero means never
}

// Dispatcher decides what is to be sent next. It belongs to the one goroutine that makes commits; a commit that it
// took part in and that failed leaves it of no use.
type Dispatcher struct {
	routes  map[string]*route // by way and network
	lanes   map[string]*lane
	newest  map[protocol.Key]uint64  // the newest waiting edit of each message
	waiting map[protocol.Key][]*lane // the lanes whose heads wait for a message
	loaded  time.Time                // of the store, when it was read
}

// NewDispatcher returns a Dispatcher to which all networks are offline.
func NewDispatcher() *Dispatcher {
	return &Dispatcher{
		routes: map[string]*route{}, lanes: map[string]*lane{}, newest: map[protocol.Key]uint64{},
		waiting: map[protocol.Key][]*lane{},
	}
}

// Load reads what waits in the store.
func (d *Dispatcher) Load(tx *store.Tx) {
	d.loaded = tx.Now()
	for q := range tx.Queue("", 0) {
		d.Add(q)
	}
}

// SetOnline says whether attempts can be made on the network.
func (d *Dispatcher) SetOnline(name protocol.Network, online bool) {
	for _, way := range []string{messageWay, answerWay, editWay, askWay} {
		d.route(way, name).online = online
	}
}

// AtOnce says how many asks a network takes at the same time.
func (d *Dispatcher) AtOnce(name protocol.Network, n int) { d.route(askWay, name).most = n }

func (d *Dispatcher) route(way string, network protocol.Network) *route {
	name := way + string(network)
	r := d.routes[name]
	if r == nil {
		r = &route{network: network, way: way}
		d.routes[name] = r
	}
	return r
}

// Add takes note of an entry that has been enqueued.
func (d *Dispatcher) Add(q store.Queued) {
	if q.Edit {
		d.newest[q.Message] = max(d.newest[q.Message], q.Number)
	}
	if l := d.lanes[q.Lane]; l != nil {
		l.last = max(l.last, q.Number)
		return // its head comes first
	}
	l := &lane{name: q.Lane, route: d.route(way(q.Lane), LaneNetwork(q.Lane)), last: q.Number, index: -1}
	d.lanes[q.Lane] = l
	d.ready(l, q)
}

// Waiting returns in how many lanes something waits or is being sent.
func (d *Dispatcher) Waiting() int { return len(d.lanes) }

// Busy reports whether on a network that is online anything is being sent or is due.
func (d *Dispatcher) Busy(now time.Time) bool {
	for _, r := range d.routes {
		if r.flying > 0 || r.online && len(r.ready) > 0 && !r.wake().After(now) {
			return true
		}
	}
	return false
}

// Wake returns when Next has something to do again; zero if nothing waits for a time.
func (d *Dispatcher) Wake() time.Time {
	var wake time.Time
	for _, r := range d.routes {
		if len(r.ready) == 0 || !r.online || r.full() {
			continue
		}
		at := r.wake()
		if at.IsZero() {
			at = time.Unix(0, 0) // what was never tried is due
		}
		if wake.IsZero() || at.Before(wake) {
			wake = at
		}
	}
	return wake
}

// Backlog returns how many messages and answers wait on each network because as many as may be are being sent; nil where
// none does.
func (d *Dispatcher) Backlog() (waiting map[protocol.Network]int) {
	for _, r := range d.routes {
		if (r.way == messageWay || r.way == answerWay) && r.flying >= inFlight && len(r.ready) > 0 {
			if waiting == nil {
				waiting = map[protocol.Network]int{}
			}
			waiting[r.network] += len(r.ready)
		}
	}
	return waiting
}

// Next returns the attempts that are to be made now, at most limit, and notes in the commit that they begin. What has
// expired, is superseded or can never be sent it ends; the answers of asks among it are to be handled in the same
// commit.
func (d *Dispatcher) Next(c *store.Commit, limit int) (attempts []Attempt, answers []protocol.Event) {
	ends := endTurn
	for _, name := range slices.Sorted(maps.Keys(d.routes)) { // in order, so that the same history goes the same way
		r := d.routes[name]
		for r.online && len(attempts) < limit && ends > 0 && len(r.ready) > 0 && !r.full() && !r.wake().After(c.Now()) {
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
	for q := range l.waiting(c) {
		if *ends == 0 || q.Due.After(c.Now()) && (q.Expires.IsZero() || q.Expires.After(c.Now())) {
			d.ready(l, q)
			return a, answers, false
		}
		state, reason := store.StateFailed, ""
		switch e, err := open(q); {
		case err != nil:
			reason = fmt.Sprintf("cannot be read: %v", err)
		case !q.Expires.IsZero() && !q.Expires.After(c.Now()):
			state, reason = store.StateExpired, q.Fault
		case q.Edit && d.newest[q.Message] > q.Number:
			state = store.StateSuperseded
		default:
			var original store.Delivery
			if q.Message != "" && q.Message != q.Key {
				original = c.Read().Delivery(q.Message)
				if original.State == store.StateQueued && original.Lane != l.name { // in its own lane it would come first
					d.wait(l, q, q.Message)
					return a, answers, false
				}
				if original.State != store.StateSent {
					reason = "the message that it belongs to was not sent"
					break
				}
			}
			q = c.Begin(q)
			n, first := q.Attempts, q.First
			if !q.Doubt.IsZero() && (e.Out != nil || onlyOnce(e.Ask)) { // as if an attempt had begun then; most can be asked again
				n, first = n+1, q.Doubt
			}
			try := protocol.Attempt{N: n, Original: original.Ref, Earlier: !first.After(d.loaded)}
			a = Attempt{Key: q.Key, Out: e.Out, Ask: e.Ask, Try: try, Age: c.Now().Sub(first)}
			if !q.Expires.IsZero() {
				a.Left = q.Expires.Sub(c.Now())
			}
			return a, answers, true
		}
		answers = append(answers, d.end(c, q, state, protocol.Ref{}, reason)...)
		*ends--
	}
	delete(d.lanes, l.name)
	return a, answers, false
}

// onlyOnce reports whether it does harm to ask twice.
func onlyOnce(a *protocol.Ask) bool {
	if a == nil {
		return false
	}
	want, ok := a.Want.(protocol.AskTask)
	return ok && want.Once
}

// wait puts a lane back whose head waits until a message has ended, or until it expires itself.
func (d *Dispatcher) wait(l *lane, q store.Queued, message protocol.Key) {
	l.behind = message
	if !slices.Contains(d.waiting[message], l) {
		d.waiting[message] = append(d.waiting[message], l)
	}
	q.Due = Never
	d.ready(l, q)
}

// ready puts a lane into the heap of its route with q as its head.
func (d *Dispatcher) ready(l *lane, q store.Queued) {
	l.due, l.order, l.hurry = q.Due, q.Number, false
	if !q.Expires.IsZero() && q.Expires.Before(l.due) {
		l.due = q.Expires
	}
	heap.Push(&l.route.ready, l)
}

// wake lets the lanes go on whose heads wait for a message.
func (d *Dispatcher) wake(c *store.Commit, message protocol.Key) {
	lanes := d.waiting[message]
	delete(d.waiting, message)
	for _, l := range lanes {
		if l.behind == message && l.index >= 0 && d.lanes[l.name] == l {
			heap.Remove(&l.route.ready, l.index)
			d.next(c, l)
		}
	}
}

// Hurry lets what is due to be asked about a room be asked before what is due about others, since somebody there waits for it.
func (d *Dispatcher) Hurry(room protocol.RoomID, now time.Time) {
	l := d.lanes[askWay+string(room)]
	if l != nil && l.index >= 0 && !l.hurry && !l.due.After(now) {
		l.hurry = true
		heap.Fix(&l.route.ready, l.index)
	}
}

// Done says how an attempt ended: where the message stands, or why it was not sent. The success of an ask is said by
// Answered instead, when its answer is handled.
func (d *Dispatcher) Done(c *store.Commit, key protocol.Key, ref protocol.Ref, err error) (answers []protocol.Event) {
	q, waits := c.Queued(key)
	if !waits { // it ended meanwhile: its echo came first, or the bot left the room
		d.release(c, c.Read().Delivery(key).Lane, key)
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
		due := c.Now().Add(wait)
		if se != nil && se.Limits == protocol.LimitAccount {
			d.leaveAlone(LaneNetwork(q.Lane), due)
		}
		c.Postpone(q, due, words)
	}
	d.release(c, q.Lane, key)
	return answers
}

// leaveAlone lets nothing begin on a network until a time, but for the answers that have limits of their own. What waits
// meanwhile keeps its order; it does not find out one by one.
func (d *Dispatcher) leaveAlone(network protocol.Network, until time.Time) {
	for _, way := range []string{messageWay, editWay, askWay} {
		if r := d.route(way, network); r.until.Before(until) {
			r.until = until
		}
	}
}

// Answered says that the answer of an ask is being handled in this commit.
func (d *Dispatcher) Answered(c *store.Commit, key protocol.Key, fault string) {
	q, waits := c.Queued(key)
	if !waits {
		d.release(c, c.Read().Delivery(key).Lane, key)
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
		c.Echoed(key, ref)
		return
	}
	d.end(c, q, store.StateSent, ref, "")
	d.again(c, q.Lane) // it may not have been tried again since a restart
}

// Stranded returns the lanes in which something waits for a network that is out of reach, by their names.
func (d *Dispatcher) Stranded() (lanes []string) {
	for name, l := range d.lanes {
		if !l.route.online && l.busy == "" {
			lanes = append(lanes, name)
		}
	}
	slices.Sort(lanes)
	return lanes
}

// Expire ends what has expired in a lane that is stranded, and also what never does but was enqueued before oldest (zero means
// nothing). It ends a few hundred at most, and reports whether there may be more.
func (d *Dispatcher) Expire(c *store.Commit, lane string, oldest time.Time) (answers []protocol.Event, more bool) {
	l := d.lanes[lane]
	if l == nil || l.route.online || l.busy != "" {
		return nil, false
	}
	ends := endTurn
	for q := range c.Read().Queue(lane, 0) {
		expired := !q.Expires.IsZero() && !q.Expires.After(c.Now()) || q.Expires.IsZero() && q.Created.Before(oldest)
		if !expired {
			continue
		}
		if ends--; ends < 0 {
			break
		}
		// The same words as where it is due: which of the two comes first is chance after a crash.
		answers = append(answers, d.end(c, q, store.StateExpired, protocol.Ref{}, q.Fault)...)
	}
	if ends < endTurn {
		d.again(c, lane)
	}
	return answers, ends < 0
}

// LeaveRoom ends everything that waits to be sent to the room, since the bot has left it, or was out of it. What the event
// that says so has itself caused stays.
func (d *Dispatcher) LeaveRoom(c *store.Commit, room protocol.RoomID, event protocol.Ref) (answers []protocol.Event) {
	var names []string
	for name := range d.lanes {
		if LaneRoom(name) == room {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for q := range c.Read().Queue(name, 0) {
			if q.Cause != event {
				answers = append(answers, d.end(c, q, store.StateEnded, protocol.Ref{}, "the bot is no longer in the room")...)
			}
		}
		d.again(c, name)
	}
	return answers
}

// again looks anew at a lane of which something was ended that was not being sent.
func (d *Dispatcher) again(c *store.Commit, name string) {
	if l := d.lanes[name]; l != nil && l.busy == "" && l.index >= 0 {
		heap.Remove(&l.route.ready, l.index)
		d.next(c, l)
	}
}

// end ends an entry, and returns the answer of an ask that got none.
func (d *Dispatcher) end(c *store.Commit, q store.Queued, state store.State, ref protocol.Ref, reason string) []protocol.Event {
	if q.Edit && d.newest[q.Message] == q.Number {
		delete(d.newest, q.Message)
	}
	var e envelope
	readable := false
	if state != store.StateSent {
		read, err := open(q)
		e, readable = read, err == nil
	}
	replaced := e.Out != nil && state == store.StateFailed && len(e.Out.Else) > 0
	if replaced {
		state = store.StateReplaced // whether that failed is to be seen at what takes its place
	}
	c.Finish(q, state, ref, reason)
	d.wake(c, q.Key)
	if replaced {
		instead(c, q, e.Out.Else)
	}
	if !readable || e.Ask == nil {
		return nil
	}
	if reason == "" {
		reason = string(state)
	}
	return []protocol.Event{AnswerEvent(*e.Ask, q.Attempts, protocol.Answer{Fault: reason})}
}

// instead enqueues what is sent where an entry could not be. What cannot be encoded was never enqueued.
func instead(c *store.Commit, q store.Queued, all []protocol.Outgoing) {
	for i, o := range all {
		o.Key, o.Cause = protocol.DeriveKey(string(q.Key), "else", strconv.Itoa(i)), q.Cause
		if q.Expires.IsZero() {
			o.Expires = Never
		}
		_ = c.Run(protocol.Scope(LaneRoom(q.Lane)), q.Cause, func(tx *store.Tx) error {
			_, err := Send(tx, o)
			return err
		})
	}
}

// AnswerEvent makes the event that brings the answer of an ask. Members that could not be asked for are a list with a fault.
func AnswerEvent(a protocol.Ask, attempt int, answer protocol.Answer) protocol.Event {
	answer.Ask = a.Key
	if _, ok := a.Want.(protocol.AskMembers); ok && answer.Fault != "" {
		answer.Result = protocol.MemberList{Last: true, Fault: answer.Fault}
	}
	return protocol.Event{Room: a.Room, ID: protocol.EventID(fmt.Sprintf("answer/%s/%d", a.Key, attempt)), Body: answer}
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
	l.behind = ""
	for q := range l.waiting(c) {
		d.ready(l, q)
		return
	}
	delete(d.lanes, l.name)
}

// retries are the pauses after attempts that failed. They are jittered by the key, so that the same history gives the same
// times.
var retries = pause.Backoff{First: time.Second, Most: 5 * time.Minute}

func backoff(q store.Queued) time.Duration {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s%d", q.Key, q.Attempts)
	return retries.Part(q.Attempts-1, float64(h.Sum32()%1000)/1000)
}
