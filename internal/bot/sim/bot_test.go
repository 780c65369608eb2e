package sim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"moot/activity"
	"moot/challenges"
	"moot/commands"
	"moot/commands/standard"
	"moot/enforce"
	"moot/events"
	"moot/internal/bot"
	"moot/invites"
	"moot/protocol"
	"moot/rooms"
	"moot/services"
	"moot/store"
	"moot/votes"
)

// life is the bot between two starts: everything that a crash loses.
type life struct {
	store    *store.Store
	bus      *events.Bus
	machine  *bot.Machine
	features []bot.Feature

	sanctions *challenges.Feature
	guests    *invites.Feature
	services  *services.Feature
}

// features are the real ones, wired as the program does, and a fuse.
func (h *history) wire(st *store.Store, bus *events.Bus, l *life) ([]bot.Feature, error) {
	var operators, named []protocol.UserID
	networks := []protocol.Network{}
	for _, n := range h.nets {
		operators, named, networks = append(operators, n.users[0]), append(named, n.users[1]), append(networks, n.name)
	}
	active, err := activity.New(activity.Config{Bus: bus, Window: 10 * day})
	if err != nil {
		return nil, err
	}
	settings, err := votes.NewSettings(votes.SettingsConfig{Bus: bus})
	if err != nil {
		return nil, err
	}
	var enforcer *enforce.Feature
	sanctions, err := challenges.New(challenges.Config{
		Bus: bus, Operators: operators, Max: settings.ChallengeMax, Channel: settings.Channel, Line: func(_ protocol.Network, line string) string { return "!m " + line },
		Changed: func(tx *store.Tx, user protocol.UserID) { enforcer.Changed(tx, user) },
	})
	if err != nil {
		return nil, err
	}
	if enforcer, err = enforce.New(enforce.Config{Sanctions: sanctions, Networks: networks, Channel: settings.Channel}); err != nil {
		return nil, err
	}
	guests, err := invites.New(invites.Config{Bus: bus, Networks: networks[:1], Operators: operators, People: named, Greet: true})
	if err != nil {
		return nil, err
	}
	l.sanctions, l.guests = sanctions, guests
	random := byte(0)
	ballots, err := votes.New(votes.Config{
		Bus: bus, Settings: settings, Activity: active, Sanctions: sanctions, Operators: operators, Line: func(_ protocol.Network, line string) string { return "!m " + line },
		Random: func(b []byte) {
			for i := range b {
				random++
				b[i] = random
			}
		},
	})
	if err != nil {
		return nil, err
	}
	list := standard.Commands(standard.Config{
		Bus: bus, Version: "simulated", RoomCommands: ballots.RoomCommands(),
		Personal: []standard.Personal{{
			Name: "activity",
			Export: func(tx *store.Tx, u protocol.UserID) iter.Seq[protocol.Text] {
				return slices.Values(active.Export(tx, u))
			},
			Forget: func(tx *store.Tx, u protocol.UserID) (gone, stays protocol.Text) {
				active.Forget(tx, u)
				return nil, nil
			},
		},
			{Name: "votes", Export: ballots.Export, Forget: ballots.Forget},
			{Name: "challenges", Export: sanctions.Export, Forget: sanctions.Forget},
			{Name: "networks", Export: enforcer.Export, Forget: enforcer.Forget},
			{Name: "invitations", Export: guests.Export, Forget: guests.Forget},
		},
	})
	list = append(list, ballots.Commands()...)
	list = append(list, sanctions.Commands()...)
	list = append(list, guests.Commands()...)
	var tree *commands.Commands
	helpers, err := services.New(services.Config{
		Services: serviceSpecs(), Operators: operators, Challenged: sanctions.Challenged,
		Meant: func(ev protocol.Event, m protocol.Message) bool { return tree.Meant(ev, m) },
		Behalf: func(tx *store.Tx, ev protocol.Event, line string, allowed []string) error {
			return tree.Behalf(tx, ev, line, allowed)
		},
	})
	if err != nil {
		return nil, err
	}
	l.services = helpers
	list = append(list, helpers.Commands()...)
	tree, err = commands.New(commands.Config{
		Prefixes: []string{"!m"}, Operators: operators, MaxAge: 15 * time.Minute, Burst: 1_000_000, Every: time.Microsecond, Challenged: sanctions.Challenged,
		Reaches: ballots.Reaches, Replied: ballots.Replied,
	}, list...)
	if err != nil {
		return nil, err
	}
	return []bot.Feature{
		fuse{h},
		tree, active, ballots, sanctions, enforcer, guests, helpers,
	}, nil
}

// fuse is a feature that fails on some messages, until it is mended. It leaves a trace of what it did, in its own bucket.
type fuse struct{ h *history }

var fused = store.ScopedBucket("fused")

// Handle implements bot.Feature.
func (f fuse) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	m, ok := ev.Body.(protocol.Message)
	if !ok || m.Text != "boom" && m.Text != "bang" {
		return store.Outcome{}, nil
	}
	key := store.Key(tx.Scope(), string(ev.ID))
	n, _ := strconv.Atoi(string(tx.Get(fused, key)))
	tx.Put(fused, key, []byte(strconv.Itoa(n+1)))
	switch {
	case f.h.mended:
		return store.WasHandled("mended"), nil
	case m.Text == "bang":
		panic("as told")
	}
	return store.Outcome{}, errors.New("as told")
}

// Told implements bot.Feature.
func (fuse) Told(*store.Tx, protocol.Internal) (bool, error) { return false, nil }

// Timed implements bot.Feature.
func (fuse) Timed(*store.Tx, protocol.Timer) (bool, error) { return false, nil }

// open starts a life.
func (h *history) open() error {
	var l life
	var err error
	room := func() error {
		if h.full {
			return fmt.Errorf("%w: as told", store.ErrFull)
		}
		return nil
	}
	if c := (store.Config{Path: h.path, Space: room}); h.on() {
		l.store, err = h.lead(c)
	} else {
		l.store, err = store.Open(c)
	}
	if err != nil {
		return err
	}
	if l.bus, err = events.Open(events.Config{
		Store: l.store, Kinds: slices.Concat([]events.Kind{rooms.Kind, activity.Kind(), invites.Kind()}, votes.Kinds(), challenges.Kinds()),
		Secret: []byte("the same in every history"), Window: 10 * day,
	}); err != nil {
		return errors.Join(err, l.store.Close())
	}
	if l.features, err = h.wire(l.store, l.bus, &l); err == nil {
		l.machine, err = bot.NewMachine(bot.MachineConfig{Store: l.store, Bus: l.bus, Features: l.features, Late: h.late(), Log: slog.New(slog.DiscardHandler)})
	}
	h.life = l
	for _, n := range h.work.nets {
		h.waiting = append(h.waiting, bot.Online{Network: n.name, Up: true})
	}
	return errors.Join(err, h.wind())
}

// late says of some histories what is told late in them, by chances of their own, so that the others stay as they are.
func (h *history) late() func() bool {
	if *lateness == 0 || h.seed%3 != 2 && !*allLate {
		return nil
	}
	return func() bool {
		if h.chances.Float64() >= *lateness {
			return false
		}
		h.tally.late++
		return true
	}
}

func (h *history) close() error {
	err := errors.Join(h.life.bus.Close(), h.life.store.Close())
	if h.on() && errors.Is(err, store.ErrBroken) { // by a change of which nobody knows whether it is in the log
		err = nil
	}
	return err
}

// crash ends the life and begins the next. What was being sent may have got through or not.
func (h *history) crash() error {
	h.tally.crashes++
	if h.off > 300*day { // the first networks it hears of would come too late
		h.right()
	}
	for _, f := range h.flying {
		if f.a.Out != nil && !f.done && h.IntN(2) == 0 {
			f.done = true
			_, _ = f.net.send(f.a)
		}
		if f.a.Ask != nil && h.work.chance.IntN(2) == 0 {
			if want, ok := f.a.Ask.Want.(protocol.AskTask); ok { // it was at work when the bot died
				_, _ = h.works(f.a, want)
			}
		}
	}
	h.full = false
	if h.on() {
		if err := h.fallOver(); err != nil {
			return err
		}
	}
	h.flying, h.waiting, h.batches = nil, nil, map[*bot.Batch]taken{}
	if err := h.close(); err != nil {
		return err
	}
	if h.on() && h.ship.chance.IntN(2) == 0 { // otherwise it arrives when another one leads
		h.ship.arrive()
	}
	if h.undo { // the last commit never was
		h.tally.undone++
		if err := h.putBack(); err != nil {
			return err
		}
	}
	if h.reset {
		if err := h.turnBack(); err != nil {
			return err
		}
	}
	if err := h.open(); err != nil {
		return err
	}
	for _, n := range h.nets {
		at := 0
		if v, err := h.life.store.Cursor(string(n.name)); err != nil {
			return err
		} else if v != "" {
			if at, err = strconv.Atoi(v); err != nil {
				return err
			}
		}
		if h.on() { // a commit that its machine has not heard of has taken them
			for i := range at {
				n.acked[i] = true
			}
		}
		n.restart(at)
	}
	return h.recovered()
}

// before is where the store is kept as it was before a commit that is to be lost.
func (h *history) before() string { return filepath.Join(filepath.Dir(h.path), "before.db") }

// putBack makes the store what it was before the last commit.
func (h *history) putBack() error {
	h.undo = false
	is, was := strings.TrimSuffix(h.path, ".db"), strings.TrimSuffix(h.before(), ".db")
	return errors.Join(os.RemoveAll(is+".wal"), os.Rename(was+".db", is+".db"), os.Rename(was+".wal", is+".wal"))
}

// step gives the machine everything that waits, and does what it says. A life that is to lose this commit ends with it.
func (h *history) step(lose bool) error {
	h.elapse(time.Millisecond)
	switch may, err := h.mayStep(); {
	case err != nil || !may && !lose:
		return err
	case !may:
		return h.crash()
	}
	in, now := h.waiting, h.flow.Now()
	if h.on() {
		h.haunt()
		if lose { // what is in the log is not lost
			return h.crash()
		}
	}
	if lose {
		if _, err := h.life.store.Base(context.Background(), h.before(), nil); err != nil {
			return err
		}
		h.undo = true
	}
	fx, err := h.life.machine.Step(now, in)
	switch {
	case errors.Is(err, store.ErrFull):
		h.tally.full++
		if !h.full || len(fx.Attempts)+len(fx.Done) > 0 {
			return fmt.Errorf("a step without room had effects: %+v, %w", fx, err)
		}
		h.undo = false
		return nil // the same inputs come again
	case h.on() && errors.Is(err, store.ErrShip):
		h.tally.lostLease++
		h.note("the machine leads no more: %v", err)
		return h.crash()
	case err != nil:
		return err
	case h.full:
		return errors.New("a step was made although there was no room")
	}
	if err := h.reached(now); err != nil {
		return err
	}
	h.waiting = nil
	h.tally.steps++
	if lose {
		return h.crash()
	}
	if err := h.stepped(fx); err != nil {
		return err
	}
	for _, b := range fx.Done {
		t := h.batches[b]
		delete(h.batches, b)
		t.net.taken(t.batch)
	}
	for _, a := range fx.Attempts {
		n := h.network(a.Network)
		n.began[a.Key] = h.now
		f := &flying{net: n, a: a}
		if a.Ask != nil {
			if _, ok := a.Ask.Want.(protocol.AskMembers); ok {
				if p := n.place(a.Ask.Room); p != nil {
					l := n.list(p)
					f.list = &l
				}
			}
		}
		h.flying = append(h.flying, f)
		h.note("attempt %d of %s %s", a.Try.N, a.Key, describe(a))
	}
	h.more = fx.More
	h.wake = fx.Wake
	return nil
}

const day = 24 * time.Hour

// path of the store of a history.
func storePath(dir string) string { return filepath.Join(dir, "moot.db") }
