package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/internal/bot"
	"moot/outbox"
	"moot/protocol"
)

// history is one history.
type history struct {
	*rand.Rand
	chances *rand.Rand // of what is told late

	seed  uint64
	now   time.Time
	path  string
	life  life
	nets  []*network
	work  *workshop
	full  bool // whether the disk is
	trace []string
	tally tally

	waiting []bot.Input // what the machine gets with the next step
	batches map[*bot.Batch]taken
	flying  []*flying
	mended  bool // whether the fuse does not fail any more
	more    bool
	wake    time.Time
	undo    bool // whether the last commit is to be lost

	machine
	shared
	checks
	broken error
}

// taken says which delivery a batch is.
type taken struct {
	net   *network
	batch *sentBatch
}

// flying is an attempt that has not ended.
type flying struct {
	net  *network
	a    outbox.Attempt
	done bool                 // whether the network has done it, though the bot does not know
	ref  protocol.Ref         // what it then says
	err  error                // or this
	list *protocol.MemberList // what it was when the attempt began
}

func describe(a outbox.Attempt) string {
	if a.Ask != nil {
		return fmt.Sprintf("asks %s %s", a.Ask.Room, protocol.KindOf(a.Ask.Want))
	}
	text := ""
	if s, ok := a.Out.Act.(protocol.Say); ok {
		text = protocol.OneLine(s.Text.Plain())
	}
	return fmt.Sprintf("to %s: %s %.60s, because of %v", a.Out.Room, protocol.KindOf(a.Out.Act), text, a.Out.Cause)
}

func (h *history) network(name protocol.Network) *network {
	all := slices.Concat(h.nets, h.work.nets)
	return all[slices.IndexFunc(all, func(n *network) bool { return n.name == name })]
}

func (h *history) note(format string, args ...any) {
	h.trace = append(h.trace, h.now.Format("02 15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// tail returns the last lines of what happened.
func (h *history) tail(n int) string {
	return strings.Join(h.trace[max(0, len(h.trace)-n):], "\n")
}

// play plays one history to its end, or until it breaks a promise.
func play(t *testing.T, dir string, seed uint64, steps int) *history {
	t.Helper()
	h := &history{
		Rand: rand.New(rand.NewPCG(seed, 0x6d6f6f74)), chances: rand.New(rand.NewPCG(seed, 0x6c617465)), seed: seed, now: time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC),
		batches: map[*bot.Batch]taken{}, checks: newChecks(), tally: tally{ambiguous: map[protocol.Key]bool{}},
	}
	h.clocked()
	own, err := os.MkdirTemp(dir, "history-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(own)
	h.path = storePath(own)
	if err := h.share(own); err != nil {
		t.Fatal(err)
	}
	h.nets = []*network{h.newNetwork("matrix", true, 0), h.newNetwork("discord", false, 4*time.Minute)}
	h.work = h.newWorkshop()
	if err := h.open(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.close(); err != nil && h.broken == nil {
			h.broken = err
		}
	}()
	defer func() {
		if p := recover(); p != nil {
			h.broken = fmt.Errorf("panic: %v", p)
			panic(fmt.Sprintf("seed %d: %v\n%s", seed, p, h.tail(20)))
		}
	}()
	h.broken = h.whole(steps)
	h.tally.histories++
	return h
}

// whole is a history from its beginning to its rest.
func (h *history) whole(steps int) error {
	for _, n := range h.nets {
		for _, p := range n.places {
			h.rejoin(n, p)
		}
	}
	if err := h.rest(); err != nil {
		return fmt.Errorf("at the beginning: %w", err)
	}
	h.elapse(8 * day) // after which people may vote
	for range steps {
		if err := h.tick(); err != nil {
			return err
		}
		if err := h.something(); err != nil {
			return err
		}
	}
	if err := h.rest(); err != nil {
		return fmt.Errorf("coming to rest: %w", err)
	}
	if err := h.atRest(false); err != nil {
		return err
	}
	// Whoever starts at rest finds it as it was, and the time that votes take passes.
	h.note("a last crash")
	if err := h.crash(); err != nil {
		return err
	}
	for range 6 {
		h.elapse(day)
		if err := errors.Join(h.rest(), h.archive()); err != nil {
			return fmt.Errorf("the days after: %w", err)
		}
	}
	if err := h.atRest(true); err != nil {
		return fmt.Errorf("days later: %w", err)
	}
	return h.atEnd()
}

func (h *history) newNetwork(name protocol.Network, cursor bool, window time.Duration) *network {
	n := &network{
		h: h, name: name, self: protocol.UserID(name + ":moot"), cursor: cursor, window: window,
		dms: map[protocol.UserID]protocol.RoomID{}, keys: map[protocol.Key]*shown{}, began: map[protocol.Key]time.Time{},
	}
	for _, u := range []string{"ann", "bob", "cem", "dan", "eve", "ned"} {
		n.users = append(n.users, protocol.UserID(n.id("", u)))
	}
	for i, words := range []string{"Quagga", "Thylacine", "Aurochs"} {
		p := &place{
			id: protocol.RoomID(n.id("", fmt.Sprintf("r%d", i))), secret: fmt.Sprintf("%s of %s", words, name),
			members: map[protocol.UserID]bool{}, ever: map[protocol.UserID]bool{}, held: map[protocol.UserID]bool{},
		}
		for j, u := range n.users {
			if i == 0 || i == 1 && j != 3 || i == 2 && j < 2 { // some share more rooms with the bot than others
				p.members[u], p.ever[u] = true, true
			}
		}
		n.places = append(n.places, p)
	}
	return n
}

// rejoin lets the bot into a room, with some of its timeline, as servers do, and its name.
func (h *history) rejoin(n *network, p *place) {
	from := max(0, len(p.timeline)-h.IntN(12))
	replayed := slices.Clone(p.timeline[from:])
	p.bot, p.inviter = true, ""
	join := n.event(p, n.self, protocol.MemberChange{User: n.self, Self: true, Bot: true, Membership: protocol.Joined})
	name := n.event(p, n.self, protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: p.secret}}})
	n.tell(append(replayed, join, name)...)
	h.note("%s: the bot joins, %d events are replayed", p.id, len(replayed))
}

// rest lets the networks be friendly and everything come to its end, without much time passing.
func (h *history) rest() error {
	h.full, h.mended = false, true
	h.right()
	for _, n := range h.nets {
		for _, p := range n.places {
			if p.strict { // the bot would ask again for ever
				h.empower(n, p)
			}
		}
	}
	idle := 0
	for range 5000 {
		for _, n := range h.nets {
			if !n.up {
				h.online(n, true)
			}
			if n.adapter < len(n.log) {
				h.deliver(n, 8)
			}
		}
		for len(h.flying) > 0 {
			h.reply(0, ok)
		}
		if err := h.step(false); err != nil {
			return err
		}
		if h.more || h.held { // it may be the hourly sweep, which does not make anything happen
			continue
		}
		busy := len(h.waiting) > 0 || len(h.flying) > 0
		for _, n := range h.nets {
			busy = busy || n.adapter < len(n.log) || len(n.batches) > 0
		}
		if busy {
			idle = 0
			continue
		}
		// What waits for a retry, or to be edited, has its turn soon; what waits for days does not.
		if idle++; idle > 40 {
			return nil
		}
		h.elapse(min(max(h.wake.Sub(h.flow.Now()), time.Second), 10*time.Minute))
	}
	return fmt.Errorf("it never comes to rest: %d inputs, %d attempts, %d and %d deliveries, more: %v", len(h.waiting), len(h.flying), len(h.nets[0].batches), len(h.nets[1].batches), h.more)
}
