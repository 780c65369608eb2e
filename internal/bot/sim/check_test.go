package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"moot/activity"
	"moot/events"
	"moot/internal/bot"
	"moot/invites"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// checks is what is remembered in order to hold the bot to its promises.
type checks struct {
	pings   []ping
	missed  []protocol.Ref        // what happened in rooms while the bot was not there
	history map[protocol.Ref]bool // what a delivery brought in front of an own join: it may be history
	first   map[protocol.Ref]store.Seen
	cursors map[protocol.Network]int
	facts   uint64            // how many there were after the last commit that returned
	fault   error             // of what the network was shown
	log     map[uint64]string // facts that are kept for ever, as they were when they were first seen
}

// ping is a command that has one answer, by somebody whom nothing keeps from asking.
type ping struct {
	ref  protocol.Ref
	net  *network
	time time.Time
	live bool // whether the bot was in the room
}

func newChecks() checks {
	return checks{
		history: map[protocol.Ref]bool{}, first: map[protocol.Ref]store.Seen{}, cursors: map[protocol.Network]int{}, log: map[uint64]string{},
	}
}

// delivered looks at a delivery.
func (h *history) delivered(evs []protocol.Event) {
	last := map[protocol.RoomID]int{}
	for i, ev := range evs {
		if c, ok := ev.Body.(protocol.MemberChange); ok && c.Self && c.Membership == protocol.Joined {
			last[ev.Room] = i
		}
	}
	for i, ev := range evs {
		if i < last[ev.Room] {
			h.history[ev.Ref()] = true
		}
	}
}

// shows looks at what people see, the moment when they do.
func (h *history) shows(n *network, m *shown) {
	fail := func(format string, args ...any) {
		if h.fault == nil {
			h.fault = fmt.Errorf("%s shows %s in %s: %s", n.name, m.out.Key, m.ref.Room, fmt.Sprintf(format, args...))
		}
	}
	if m.times > 1 {
		fail("it stands there %d times", m.times)
	}
	var text string
	switch act := m.out.Act.(type) {
	case protocol.Say:
		text = act.Text.Plain()
	case protocol.Whisper:
		text = act.Text.Plain()
	case protocol.StartPoll:
		text = act.Question
	}
	private := isDM(m.ref.Room)
	if isDM(m.out.Cause.Room) && !private && !strings.Contains(text, "ote") { // a vote may be opened in private and stand in a room
		fail("the answer to something private stands in a room: %.200q", text)
	}
	if !private {
		return
	}
	who := protocol.UserID(n.id("", strings.TrimPrefix(m.ref.Room.Local(), "dm-")))
	for _, p := range n.places {
		if !p.ever[who] && strings.Contains(text, p.secret) {
			fail("%s learns of %s, where they never were: %.200q", who, p.id, text)
		}
	}
}

// stepped checks what is quick to check after each commit that returned.
func (h *history) stepped(fx bot.Effects) error {
	if h.fault != nil {
		return h.fault
	}
	return h.life.store.View(func(tx *store.Tx) error {
		for _, b := range fx.Done {
			t, ok := h.batches[b]
			if !ok {
				return errors.New("a delivery is taken twice")
			}
			for _, piece := range t.net.log[t.batch.from:t.batch.to] {
				for _, ev := range piece {
					if err := h.recorded(tx, ev.Ref()); err != nil {
						return err
					}
					if r, ok := ev.Body.(protocol.Receipt); ok && tx.Delivery(r.Key).State == store.StateQueued {
						return fmt.Errorf("%s stands there, as the network says, and waits to be sent", r.Key)
					}
				}
			}
		}
		for _, f := range h.flying {
			if f.list != nil && f.a.Try.N == 1 {
				if info, _ := rooms.Get(tx, f.a.Ask.Room); info.Members == rooms.Known && info.Joined() && string(info.Floor) == string(tx.Delivery(f.a.Key).Cause.Event) {
					return fmt.Errorf("%s: members are known, and the first list of this generation is still being read", info.ID)
				}
			}
		}
		for _, n := range h.nets {
			if err := h.cursor(tx, n); err != nil {
				return err
			}
		}
		lanes := map[string]bool{}
		for _, f := range h.flying {
			if f.a.Out != nil {
				lanes[tx.Delivery(f.a.Key).Lane] = true
			}
		}
		for _, a := range fx.Attempts {
			s := tx.Delivery(a.Key)
			switch {
			case s.State != store.StateQueued:
				return fmt.Errorf("%s is attempted, and is %s", a.Key, s.State)
			case a.Out == nil:
				continue
			case lanes[s.Lane]:
				return fmt.Errorf("%s overtakes what is being sent to %s", a.Key, s.Lane)
			case a.Out.Room != "" && !isDM(a.Out.Room):
				if info, _ := rooms.Get(tx, a.Out.Room); !info.Joined() {
					return fmt.Errorf("%s (%s) is sent to %s, where the bot is not", a.Key, describe(a), a.Out.Room)
				}
			}
			lanes[s.Lane] = true
		}
		if n := tx.NextFact(); n < h.facts {
			return fmt.Errorf("there were %d facts, and now %d", h.facts, n)
		}
		for seq := max(h.facts, 1); seq < tx.NextFact(); seq++ {
			if _, ok, err := h.life.bus.Get(tx, seq); err != nil || !ok {
				return fmt.Errorf("a commit ends with fact %d, and number %d is none (%w)", tx.NextFact()-1, seq, err)
			}
		}
		h.facts = tx.NextFact()
		return nil
	})
}

// recorded checks that an event has one final disposition, the same for ever.
func (h *history) recorded(tx *store.Tx, ref protocol.Ref) error {
	now := tx.Seen(ref.Room, ref.Event)
	was, ok := h.first[ref]
	switch {
	case now.Disposition == store.Unseen:
		return fmt.Errorf("%v was taken and has no disposition", ref)
	case ok && !now.Time.Equal(was.Time):
		return fmt.Errorf("%v was recorded at %s, and is now at %s", ref, was.Time, now.Time)
	case !ok || was.Disposition == store.Failed: // which may be handled later
		h.first[ref] = now
		h.tally.events++
	case was != now:
		return fmt.Errorf("%v was %s (%s) at %s, and is now %s (%s) at %s", ref, was.Disposition, was.Reason, was.Time, now.Disposition, now.Reason, now.Time)
	}
	return nil
}

// cursor checks that what lies before the saved cursor was handled, and that it never moves back.
func (h *history) cursor(tx *store.Tx, n *network) error {
	if !n.cursor {
		return nil
	}
	at, _ := strconv.Atoi(tx.Cursor(string(n.name)))
	from := h.cursors[n.name]
	if at < from {
		return fmt.Errorf("the cursor of %s was at %d and is at %d", n.name, from, at)
	}
	for _, piece := range n.log[from:at] {
		for _, ev := range piece {
			if tx.Seen(ev.Room, ev.ID).Disposition == store.Unseen {
				return fmt.Errorf("the cursor of %s is at %d, and %v was not handled", n.name, at, ev.Ref())
			}
		}
	}
	h.cursors[n.name] = at
	return nil
}

// recovered checks what a life begins with.
func (h *history) recovered() error {
	return h.life.store.View(func(tx *store.Tx) error {
		if n := tx.NextFact(); n < h.facts {
			return fmt.Errorf("before the crash there were %d facts, and now %d", h.facts, n)
		}
		for _, n := range h.nets {
			if err := h.cursor(tx, n); err != nil {
				return fmt.Errorf("after a crash: %w", err)
			}
		}
		return nil
	})
}

// atRest checks everything, when nothing is under way; calm is whether it has been so for long, and everything is known.
func (h *history) atRest(calm bool) error {
	if n := h.life.machine.Backlog(); n != 0 {
		return fmt.Errorf("at rest %d events wait", n)
	}
	if err := h.life.store.Check(); err != nil {
		return err
	}
	if err := h.life.bus.Verify(context.Background(), ""); err != nil {
		return err
	}
	return h.life.store.View(func(tx *store.Tx) error {
		for _, n := range h.nets {
			for i, piece := range n.log {
				if !n.acked[i] {
					return fmt.Errorf("delivery %d of %s was never taken", i, n.name)
				}
				for _, ev := range piece {
					if err := h.recorded(tx, ev.Ref()); err != nil {
						return err
					}
				}
			}
			if err := errors.Join(h.answered(tx, n), h.inOrder(tx, n), h.members(tx, n, calm)); err != nil {
				return err
			}
			if calm {
				if err := errors.Join(h.enforced(tx, n), h.arrived(tx, n)); err != nil {
					return err
				}
			}
		}
		for q := range tx.Queue("", 0) {
			return fmt.Errorf("at rest %s waits in %s: %d attempts, due %s, %s", q.Key, q.Lane, q.Attempts, q.Due, q.Fault)
		}
		return errors.Join(h.pinged(tx), h.once(tx), h.fuses(tx), h.worked(tx))
	})
}

// answered holds what people see against what the outbox says.
func (h *history) answered(tx *store.Tx, n *network) error {
	for _, key := range n.order {
		m, s := n.keys[key], tx.Delivery(key)
		switch {
		case s.State == "" || s.State == store.StateQueued:
			return fmt.Errorf("%s stands in %s, and the outbox says %q", key, n.name, s.State)
		case s.State == store.StateSent && s.Ref != m.ref:
			return fmt.Errorf("%s stands at %v, and the outbox says %v", key, m.ref, s.Ref)
		case s.State == store.StateAmbiguous && n.window == 0:
			return fmt.Errorf("%s is ambiguous where every key is known again", key)
		}
	}
	for s := range tx.RecentDeliveries() {
		if s.State == store.StateAmbiguous {
			h.tally.ambiguous[s.Key] = true
		}
		if protocol.RoomID(s.Lane).Network() == n.name && s.State == store.StateSent && s.Ref.Event != "" && n.keys[s.Key] == nil && n.at(s.Ref) == nil &&
			!strings.HasPrefix(string(s.Ref.Event), "$") {
			return fmt.Errorf("%s is said to be sent, and nobody sees it", s.Key)
		}
	}
	return nil
}

// inOrder checks that messages stand in a room in the order in which they were decided.
func (h *history) inOrder(tx *store.Tx, n *network) error {
	last := map[protocol.RoomID]uint64{}
	for _, key := range n.order {
		m, s := n.keys[key], tx.Delivery(key)
		if h.haunted[key] { // it may have been given up before a machine that led before has sent it after all
			continue
		}
		if s.Number < last[m.ref.Room] && string(m.ref.Room) == s.Lane {
			return fmt.Errorf("in %s, %s stands behind what was decided after it", m.ref.Room, key)
		}
		if string(m.ref.Room) == s.Lane {
			last[m.ref.Room] = s.Number
		}
	}
	return nil
}

// pinged checks that each ping has the one answer that it should have.
func (h *history) pinged(tx *store.Tx) error {
	for _, p := range h.pings {
		seen := tx.Seen(p.ref.Room, p.ref.Event)
		key := store.CauseKey(p.ref, 1)
		s, m := tx.Delivery(key), p.net.keys[key]
		switch {
		case !p.live && seen.Disposition == store.Handled:
			return fmt.Errorf("%v was acted on although the bot was not there", p.ref)
		case !p.live:
			continue
		case seen.Disposition == store.Ignored && (h.history[p.ref] || p.time.Before(h.since)):
			continue
		case seen.Disposition != store.Handled || seen.Reason != "command ping":
			return fmt.Errorf("%v should have been answered, and is %s: %s", p.ref, seen.Disposition, seen.Reason)
		}
		h.tally.pings++
		switch s.State {
		case store.StateSent:
			if m == nil || m.times != 1 {
				return fmt.Errorf("the answer to %v was sent, and nobody sees it", p.ref)
			}
		case store.StateEnded, store.StateExpired, store.StateAmbiguous, store.StateFailed:
			if s.Reason == "" && s.State != store.StateExpired {
				return fmt.Errorf("the answer to %v is %s without a reason", p.ref, s.State)
			}
		default:
			return fmt.Errorf("the answer to %v is %q", p.ref, s.State)
		}
	}
	return nil
}

// once checks that nothing in the log of facts is there twice, and nothing came of what the bot was not there for.
func (h *history) once(tx *store.Tx) error {
	missed := map[protocol.Ref]bool{}
	for _, ref := range h.missed {
		missed[ref] = true
	}
	seen, present := map[string]uint64{}, map[uint64]bool{}
	for f, err := range h.life.bus.All(tx, 1) {
		if err != nil {
			return err
		}
		if missed[f.Cause] {
			return fmt.Errorf("fact %d, a %s, came of %v, for which the bot was not there", f.Seq, f.Kind, f.Cause)
		}
		present[f.Seq] = true
		whole := fmt.Sprint(f.Time, f.Kind, f.Version, f.Cause, f.Scope, f.People, f.Keys, string(f.Payload))
		if was, ok := h.log[f.Seq]; ok && was != whole {
			return fmt.Errorf("fact %d was %s, and is now %s", f.Seq, was, whole)
		}
		if f.Kind != activity.Kind().Name && f.Kind != invites.Kind().Name { // which are dropped after a while
			h.log[f.Seq] = whole
		}
		if f.Cause.Event == "" {
			continue
		}
		same := fmt.Sprint(f.Kind, f.Scope, f.Cause, f.Keys, f.People, string(f.Payload))
		if n := seen[same]; n != 0 {
			return fmt.Errorf("facts %d and %d are the same: %s", n, f.Seq, same)
		}
		seen[same] = f.Seq
	}
	for seq, was := range h.log {
		if !present[seq] {
			return fmt.Errorf("fact %d is no longer there: %s", seq, was)
		}
	}
	for s := range tx.RecentDeliveries() {
		if missed[s.Cause] {
			return fmt.Errorf("%s answers %v, for which the bot was not there", s.Key, s.Cause)
		}
	}
	return nil
}

// fuses checks that a handler that failed left nothing, and one that was tried again did its work once.
func (h *history) fuses(tx *store.Tx) error {
	for k, v := range tx.Range(fused, "", "") {
		if string(v) != "1" {
			return fmt.Errorf("%q was handled %s times", k, v)
		}
	}
	return nil
}

// members holds what the bot knows of rooms against the truth.
func (h *history) members(tx *store.Tx, n *network, calm bool) error {
	for _, p := range n.places {
		info, _ := rooms.Get(tx, p.id)
		if info.Joined() != p.bot {
			return fmt.Errorf("in %s the bot is %v and thinks %q", p.id, p.bot, info.Own)
		}
		got := map[protocol.UserID]bool{}
		for m := range rooms.Members(tx, p.id) {
			if !m.Self {
				got[m.User] = true
			}
		}
		want := map[protocol.UserID]bool{}
		for u, in := range p.members {
			if in && p.bot {
				want[u] = true
			}
		}
		if p.bot && info.Members != rooms.Known {
			if calm {
				return fmt.Errorf("%s: nobody knows who is there", p.id)
			}
			continue
		}
		if !maps.Equal(got, want) {
			return fmt.Errorf("%s: members %v, want %v", p.id, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
		for _, u := range n.users {
			in := false
			for i := range rooms.Of(tx, u) {
				in = in || i.ID == p.id
			}
			if in != want[u] {
				return fmt.Errorf("%s: %s is there: %v, and by their rooms: %v", p.id, u, want[u], in)
			}
		}
	}
	return nil
}

// atEnd checks that all votes have ended, each once, where the bot could hold them.
func (h *history) atEnd() error {
	return h.life.store.View(func(tx *store.Tx) error {
		opened, closed := map[string]int{}, map[string]int{}
		for f, err := range h.life.bus.Matching(tx, events.Query{Kind: "vote"}) {
			if err != nil {
				return err
			}
			id := fmt.Sprint(f.Scope, " vote ", f.Keys["vote"])
			switch f.Keys["what"] {
			case "opened":
				opened[id]++
			case "closed":
				closed[id]++
			}
			h.tally.ballots++
		}
		h.tally.votes += len(opened)
		for id, n := range opened {
			room, _, _ := strings.Cut(id, " ")
			p := h.network(protocol.RoomID(room).Network()).place(protocol.RoomID(room))
			switch {
			case n != 1 || closed[id] > 1:
				return fmt.Errorf("%s was opened %d times and closed %d times", id, n, closed[id])
			case closed[id] == 0 && p.bot:
				return fmt.Errorf("%s never ended", id)
			}
		}
		return h.referee(tx)
	})
}
