package sim

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"moot/protocol"
	"moot/replica"
	"moot/replica/replicatest"
	"moot/store"
)

// shared is the bot on two machines, with a log that a seed breaks; zero where it is on one.
type shared struct {
	ship    *brokenLog
	nodes   []*replica.Node
	leading int            // which of them leads
	lease   *replica.Lease // of that

	// zombies are attempts that a machine which led before has begun, and makes later, until it notices.
	zombies []*flying
	until   time.Time
	haunted map[protocol.Key]bool // what people first saw so
}

// on reports whether the bot is on two machines.
func (s *shared) on() bool { return s.ship != nil }

// brokenLog is a log on a bad network.
type brokenLog struct {
	*replicatest.Memory
	h      *history
	chance *rand.Rand
	late   []func() error // appends that are still on their way
}

var errNetwork = errors.New("the network is broken")

// Append implements replica.Log.
func (b *brokenLog) Append(ctx context.Context, t replica.Term, ch store.Change) error {
	ch.Body = append([]byte{}, ch.Body...)
	do := func() error { return b.Memory.Append(ctx, t, ch) }
	if b.chance.IntN(4) == 0 {
		b.arrive()
	}
	switch i := b.chance.IntN(400); {
	case i < 4: // nothing has happened
		b.h.tally.shipLost++
		return errNetwork
	case i < 8: // it has happened, and nobody hears of it
		b.h.tally.shipUnheard++
		if err := do(); err != nil {
			return err
		}
		return errNetwork
	case i < 12: // it happens later
		b.h.tally.shipDelayed++
		b.late = append(b.late, do)
		return errNetwork
	case i < 14: // and before it does another one leads
		b.late = append(b.late, do)
		return b.taken()
	case i < 16: // it has happened, nobody hears of it, and another one leads
		if err := do(); err != nil {
			return err
		}
		return b.taken()
	}
	return do()
}

// taken has another machine lead for a moment.
func (b *brokenLog) taken() error {
	b.Expire()
	_, err := b.Memory.Lead(context.Background(), "another", 0)
	return errors.Join(errNetwork, err)
}

// arrive lets what is on its way arrive.
func (b *brokenLog) arrive() {
	for _, do := range b.late {
		if err := do(); errors.Is(err, replica.ErrFenced) {
			b.h.tally.shipFenced++
		}
	}
	b.late = nil
}

// share puts the bot of some histories on two machines: of those whose clock is right, and that tell nothing late.
func (h *history) share(dir string) error {
	if h.seed%3 != 0 {
		return nil
	}
	h.haunted = map[protocol.Key]bool{}
	h.ship = &brokenLog{Memory: replicatest.NewMemory(), h: h, chance: rand.New(rand.NewPCG(h.seed, 0x736861726564))}
	for _, name := range []string{"left", "right"} {
		n := &replica.Node{Log: h.ship, TTL: time.Hour, Name: name, Folder: filepath.Join(dir, name), Version: "simulated", Logger: slog.New(slog.DiscardHandler)}
		if err := os.Mkdir(n.Folder, 0o700); err != nil {
			return err
		}
		h.nodes = append(h.nodes, n)
	}
	return nil
}

// lead opens the store of the machine that is to lead, and has it lead.
func (h *history) lead(c store.Config) (*store.Store, error) {
	ctx, n := context.Background(), h.nodes[h.leading]
	c.Path = filepath.Join(n.Folder, "moot.db")
	for {
		l, err := n.Prepare(ctx)
		if err != nil {
			return nil, err
		}
		st, err := store.Open(c)
		if err != nil {
			return nil, err
		}
		l, err = n.Stand(ctx, st, l)
		switch {
		case errors.Is(err, store.ErrGone): // it was away while the log was trimmed
			h.tally.based++
			if err := errors.Join(st.Close(), n.TakeBase(ctx)); err != nil {
				return nil, err
			}
			continue
		case err != nil:
			return nil, errors.Join(err, st.Close())
		}
		h.lease = l
		st.Ship(l.Ship)
		return st, nil
	}
}

// fallOver lets the machine that leads fall, and one of the two lead next. What it had begun may still be sent.
func (h *history) fallOver() error {
	if h.ship.chance.IntN(6) == 0 && h.lease.Context().Err() == nil {
		ctx, n := context.Background(), h.nodes[h.leading]
		number, err := n.MakeBase(ctx, h.life.store, h.lease)
		if err == nil {
			err = h.ship.Trim(ctx, h.lease.Term, number)
		}
		if err != nil && !errors.Is(err, replica.ErrFenced) && !errors.Is(err, store.ErrBroken) && !errors.Is(err, fs.ErrClosed) {
			return err
		}
	}
	if h.ship.chance.IntN(2) == 0 {
		if err := h.lease.Release(context.Background()); err != nil {
			return err
		}
	} else { // it is not there to do so; only the memory of it is let go of
		h.ship.Expire()
		defer h.lease.Release(context.Background()) //nolint:errcheck // another one has led since
	}
	if h.ship.chance.IntN(4) > 0 {
		h.leading = 1 - h.leading
		h.tally.failedOver++
		for _, f := range h.flying {
			if f.a.Out != nil && !f.done && h.now.Sub(f.net.began[f.a.Key]) < 30*time.Second { // no request takes longer
				h.zombies = append(h.zombies, f)
			}
		}
		h.until = h.now.Add(4 * time.Second) // after which it has noticed, and has stopped
		h.note("the other machine leads, and the one before may still send %d messages", len(h.zombies))
	}
	return nil
}

// haunt lets the machine that led before send some of what it had begun.
func (h *history) haunt() {
	if len(h.zombies) == 0 || h.ship.chance.IntN(3) > 0 {
		return
	}
	f := h.zombies[0]
	if h.zombies = h.zombies[1:]; h.now.Before(h.until) {
		h.tally.haunted++
		if f.net.keys[f.a.Key] == nil {
			h.haunted[f.a.Key] = true // and stays so when it sends that once more
		}
		h.note("a machine that led before sends %s", f.a.Key)
		_, _ = f.net.send(f.a)
	}
}
