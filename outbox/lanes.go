package outbox

import (
	"cmp"
	"iter"
	"strings"
	"time"

	"moot/protocol"
	"moot/store"
)

// inFlight is how many attempts run at once by each way to a network, where it takes no other number of asks.
const inFlight = 32

// The ways to a network, which begin the names of lanes; no room or person begins with one of them. Each has attempts of its
// own, so that slow answers to asks take the place of no message, and edits that of no answer.
const (
	messageWay = ""
	answerWay  = "!" // answers in the network's own manner, which have limits of their own
	editWay    = "~" // what is done to what stands: edits, reactions, removals, the ends of polls
	askWay     = "?"
	ways       = answerWay + editWay + askWay
)

// laneSep stands in the name of a lane between the room, or the person, and what else it is for. No identifier holds it.
const laneSep = "\x1e"

// sendLane returns the lane of an outgoing. A room has one, and so has each channel or thread of it; each message to which
// something is done; each person; and each interaction.
func sendLane(o protocol.Outgoing) string {
	to, about := string(o.Room), string(o.Place)
	way, message := messageWay, ""
	switch act := o.Act.(type) {
	case protocol.Whisper:
		to = cmp.Or(to, string(act.User))
	case protocol.Revise:
		way, message = editWay, string(act.Original)
	case protocol.React:
		way, message = editWay, cmp.Or(string(act.Original), string(act.Target))
	case protocol.EndPoll:
		way, message = editWay, string(act.Original)
	}
	switch {
	case to == "":
		return "" // Enqueue refuses what goes nowhere
	case message != "":
		about = message
	case o.Handle != "" && o.Cause.Event != "":
		way, about = answerWay, string(o.Cause.Event)
	}
	if about != "" {
		to += laneSep + about
	}
	return way + to
}

// LaneRoom returns the room of a lane, or the person.
func LaneRoom(lane string) protocol.RoomID {
	to, _, _ := strings.Cut(strings.TrimLeft(lane, ways), laneSep)
	return protocol.RoomID(to)
}

// LaneNetwork returns the network of a lane.
func LaneNetwork(lane string) protocol.Network { return LaneRoom(lane).Network() }

// way returns by which way a lane goes.
func way(lane string) string {
	if lane != "" && strings.Contains(ways, lane[:1]) {
		return lane[:1]
	}
	return messageWay
}

// route is one of the ways to a network.
type route struct {
	network protocol.Network
	way     string
	online  bool
	until   time.Time // when the network wants to be left alone
	most    int       // attempts that run at once; zero means inFlight
	flying  int       // attempts that run
	ready   laneHeap  // lanes that are not busy
}

// wake returns when there is something to do by the route, of which a lane is ready.
func (r *route) wake() time.Time {
	if due := r.ready[0].due; due.After(r.until) {
		return due
	}
	return r.until
}

// full reports whether no attempt may begin by the route, of which a lane is ready. What somebody waits for finds a place still.
func (r *route) full() bool {
	most := cmp.Or(r.most, inFlight)
	if r.ready[0].hurry {
		most += inFlight
	}
	return r.flying >= most
}

// lane is one in which something waits.
type lane struct {
	name   string
	route  *route
	due    time.Time // when its head is to be looked at: when it is due or expires
	order  uint64    // number of the head, or of the last one: who waited longest comes first, and nothing stands before it
	last   uint64    // number of the last entry that was added: behind it nothing has to be looked for
	busy   protocol.Key
	behind protocol.Key // the message that its head waits for; zero means none
	hurry  bool         // whether somebody waits for its head
	index  int          // in the heap; -1 while it is not there
}

// waiting goes through what waits in the lane and was added. Its head, which is nearly always all that is wanted, is read by its key.
func (l *lane) waiting(c *store.Commit) iter.Seq[store.Queued] {
	return func(yield func(store.Queued) bool) {
		if q, ok := c.QueuedAt(l.name, l.order); ok && !yield(q) || l.last <= l.order {
			return
		}
		for q := range c.Read().Queue(l.name, l.order+1) {
			if !yield(q) {
				return
			}
		}
	}
}

// laneHeap has the lane that is to be looked at first at the top.
type laneHeap []*lane

func (h laneHeap) Len() int { return len(h) }

func (h laneHeap) Less(i, j int) bool {
	if h[i].hurry != h[j].hurry {
		return h[i].hurry
	}
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
