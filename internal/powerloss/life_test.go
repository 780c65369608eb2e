package powerloss_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/store"
)

// A life is what a program does with a data folder, in steps that depend on nothing but their number: whoever has made
// the first n of them knows the same, whatever has happened to the disk meanwhile. It uses everything that writes, through
// what the packages offer to everyone, and knows nothing of the files.

// lifeSteps are the steps of a whole life.
const lifeSteps = 72

var (
	lifeBegins = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	lifeScopes = []protocol.Scope{"power:lobby", "power:garden", "power:attic"}
	lifePeople = []protocol.UserID{"power:ann", "power:ben", "power:cem", "power:dot"}

	pages   = store.SharedBucket("power-pages")
	notes   = store.ScopedBucket("power-notes")
	ballots = store.ScopedBucket("power-ballots")
	active  = store.ScopedBucket("power-active")
)

// lifeKinds are a lasting kind and a disposable one, both with projections, and a lasting one without.
func lifeKinds() []events.Kind {
	return []events.Kind{
		{
			Name: "ballot", Version: 1, Buckets: []store.Bucket{ballots},
			Apply: func(tx *store.Tx, f events.Fact) error {
				key := store.Key(f.Scope, f.Keys["vote"], f.People["voter"].String())
				tx.Put(ballots, key, fmt.Appendf(nil, "%d %s %s", len(tx.Get(ballots, key)), f.Time, f.Payload))
				return nil
			},
		},
		{
			Name: "active", Version: 1, Disposable: true, Buckets: []store.Bucket{active},
			Apply: func(tx *store.Tx, f events.Fact) error { return countActive(tx, f, 1) },
			Drop:  func(tx *store.Tx, f events.Fact) error { return countActive(tx, f, -1) },
		},
		{Name: "note", Version: 1},
	}
}

func countActive(tx *store.Tx, f events.Fact, by int) error {
	key := store.Key(f.Scope, f.People["who"].String())
	if n := int(store.ParseNumber(string(tx.Get(active, key)))) + by; n > 0 {
		tx.Put(active, key, []byte(store.Number(uint64(n))))
	} else {
		tx.Delete(active, key)
	}
	return nil
}

// world is an open data folder.
type world struct {
	dir   string
	store *store.Store
	bus   *events.Bus
}

func (w *world) config() store.Config {
	return store.Config{Path: filepath.Join(w.dir, "moot.db"), LockTimeout: time.Second}
}

// openWorld opens a folder, without the log of facts: see openBus.
func openWorld(dir string) (w *world, err error) {
	w = &world{dir: dir}
	w.store, err = store.Open(w.config())
	return w, err
}

func (w *world) openBus() (err error) {
	w.bus, err = events.Open(events.Config{Store: w.store, Kinds: lifeKinds(), Window: 60 * time.Hour, Secret: []byte("power loss, power loss")})
	return err
}

func (w *world) close() (err error) {
	if w.bus != nil {
		err = w.bus.Close()
	}
	err = errors.Join(err, w.store.Close())
	w.bus, w.store = nil, nil
	return err
}

// reopen closes the folder and opens it anew, as it was opened or with the log of facts.
func (w *world) reopen() error {
	if err := w.close(); err != nil {
		return err
	}
	fresh, err := openWorld(w.dir)
	if err == nil {
		*w = *fresh
		err = w.openBus()
	}
	return err
}

// step makes the step of that number.
func (w *world) step(n int) error {
	now := lifeBegins.Add(time.Duration(n) * 6 * time.Hour)
	switch {
	case n == 37:
		if err := w.close(); err != nil {
			return err
		}
		if _, _, err := store.Compact(w.config()); err != nil {
			return err
		}
		fresh, err := openWorld(w.dir)
		*w = *fresh
		return err
	case n == 1 || n >= 38 && n <= 42:
		// What is durable then is so without the help of who opens the log of facts. In time it is all that there is, since
		// checkpoints let go of the log.
		err := w.store.Commit(now, func(c *store.Commit) error {
			return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
				tx.Put(pages, "alone", []byte(strings.Repeat(fmt.Sprint(n, ","), 5000)))
				return nil
			})
		})
		return errors.Join(err, w.store.Checkpoint(context.Background()))
	}
	if w.bus == nil {
		if err := w.openBus(); err != nil {
			return err
		}
	}
	switch {
	case n%7 == 0:
		_, _, err := w.bus.ArchiveStep(now, 0)
		return err
	case n%17 == 0:
		return w.reopen()
	case n == 26 || n == 58:
		return w.store.Checkpoint(context.Background())
	}
	return w.store.Commit(now, func(c *store.Commit) error { return w.commit(c, n) })
}

// commit does a bit of everything that a commit can do.
func (w *world) commit(c *store.Commit, n int) error {
	r := rand.New(rand.NewPCG(uint64(n), 0))
	scope := lifeScopes[n%len(lifeScopes)]
	room := protocol.RoomID(scope)
	for i := range 1 + r.IntN(6) {
		c.Record(room, lifeEvent(n, i), store.Handled, strings.Repeat("because ", r.IntN(8)))
	}
	if n%11 == 0 {
		c.SweepSeen(c.Now().Add(-10 * 24 * time.Hour))
		c.SweepSent(c.Now().Add(-10*24*time.Hour), "", 100)
	}
	err := c.Run(scope, protocol.Ref{Room: room, Event: lifeEvent(n, 0)}, func(tx *store.Tx) error {
		who := lifePeople[r.IntN(len(lifePeople))]
		drafts := []events.Draft{
			{Kind: "active", People: map[string]protocol.UserID{"who": who}},
			{Kind: "ballot", People: map[string]protocol.UserID{"voter": who}, Keys: map[string]string{"vote": fmt.Sprint(n % 3)}, Payload: n},
			{Kind: "note", Payload: strings.Repeat(fmt.Sprintf("note %d. ", n), 1+r.IntN(60))},
		}
		for range 1 + r.IntN(3) {
			if err := w.bus.Publish(tx, drafts[r.IntN(len(drafts))]); err != nil {
				return err
			}
		}
		if n%9 == 0 {
			w.bus.KeepText(tx, who, fmt.Sprint("text ", n))
		}
		if n == 45 {
			w.bus.Forget(tx, lifePeople[3], true)
		}
		// Pages are written, written over and given back, some of them several pages long.
		for range 1 + r.IntN(5) {
			key := fmt.Sprint(r.IntN(12))
			if r.IntN(4) == 0 {
				tx.Delete(pages, key)
			} else {
				tx.Put(pages, key, []byte(strings.Repeat(fmt.Sprintf("%d-%s;", n, key), r.IntN(1+r.IntN(3000)))))
			}
		}
		tx.Put(notes, store.Key(scope, fmt.Sprint(r.IntN(6))), fmt.Appendf(nil, "written by %d", n))
		tx.SetTimer(fmt.Sprint("bell ", n%5), c.Now().Add(time.Duration(r.IntN(60))*time.Hour), fmt.Appendf(nil, "%d", n))
		tx.Enqueue(store.Entry{Key: tx.NewKey(), Lane: string(room), Cause: tx.Cause(), Payload: json.RawMessage(fmt.Sprintf(`{"say":%d}`, n))})
		return nil
	})
	if err != nil {
		return err
	}
	for _, due := range c.Due(3) {
		c.EndTimer(due)
	}
	for q := range c.Read().Queue(string(lifeScopes[r.IntN(len(lifeScopes))]), 0) {
		if q.Attempts == 0 {
			c.Begin(q)
		} else {
			c.Finish(q, store.StateSent, protocol.Ref{Room: room, Event: protocol.EventID(fmt.Sprint("sent", n))}, "")
		}
		break
	}
	if n%8 == 0 {
		c.Bury(store.Letter{Scope: scope, Event: protocol.Event{Room: room, ID: lifeEvent(n, 1)}, Error: fmt.Sprint("failed at ", n)})
	}
	c.SetCursor(protocol.Cursor{Name: "power", Value: fmt.Sprint(n)})
	return nil
}

func lifeEvent(n, i int) protocol.EventID { return protocol.EventID(fmt.Sprintf("$%d-%d", n, i)) }

// knows returns all that the world knows, as text, after it has checked that it holds together.
func (w *world) knows(ctx context.Context) (string, error) {
	if w.bus == nil {
		if err := w.openBus(); err != nil {
			return "", err
		}
		defer func() {
			_ = w.bus.Close()
			w.bus = nil
		}()
	}
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if err := w.store.Check(); err != nil {
		return "", err
	}
	done, err := w.bus.Replay(ctx, filepath.Dir(w.dir), false)
	if err != nil {
		return "", fmt.Errorf("the facts do not give what is known: %w", err)
	}
	add("%d facts, %d of them archived", done.Facts, done.Archived)
	err = w.store.View(func(tx *store.Tx) error {
		add("cursor %s, next fact %d, next timer %s", tx.Cursor("power"), tx.NextFact(), tx.NextTimer())
		for _, scope := range lifeScopes {
			for n := range lifeSteps + 1 {
				for i := range 6 {
					if s := tx.Seen(protocol.RoomID(scope), lifeEvent(n, i)); s.Disposition != store.Unseen {
						add("seen %s %s: %s %s %d", scope, lifeEvent(n, i), s.Time, s.Disposition, len(s.Reason))
					}
				}
			}
			for i := range 5 {
				name := fmt.Sprint("bell ", i)
				add("timer %s %s: %s %s", scope, name, tx.In(scope).Timer(name), tx.In(scope).TimerData(name))
			}
		}
		for f, err := range w.bus.All(tx, 1) {
			if err != nil {
				return err
			}
			add("fact %d %s %s %v %v %v %d", f.Seq, f.Kind, f.Time, f.Cause, f.People, f.Keys, crc32.ChecksumIEEE(f.Payload))
		}
		for _, kind := range []string{"active", "ballot", "note"} {
			var found []uint64
			for f, err := range w.bus.Matching(tx, events.Query{Kind: kind}) {
				if err != nil {
					return err
				}
				found = append(found, f.Seq)
			}
			add("index of %s: %v", kind, found)
		}
		for _, p := range lifePeople {
			add("person %s is %d", p, w.bus.Lookup(tx, p))
			for id, text := range w.bus.Texts(tx, p) {
				add("text %s: %s", id, text)
			}
		}
		for q := range tx.Queue("", 0) {
			add("waits %s %d, tried %d, %s", q.Lane, q.Number, q.Attempts, q.Payload)
		}
		for s := range tx.RecentDeliveries() {
			add("sent %s %d %s %v %s", s.Lane, s.Number, s.State, s.Ref, s.Time)
		}
		for l := range tx.Letters(0) {
			add("letter %d %s %s %s", l.ID, l.Time, l.Event.ID, l.Error)
		}
		for _, bucket := range []store.Bucket{pages, notes, ballots, active} {
			for k, v := range tx.Range(bucket, "", "") {
				add("%s %q: %d %d", bucket.Name(), k, len(v), crc32.ChecksumIEEE(v))
			}
		}
		return nil
	})
	return b.String(), err
}

// apart shows in what two texts differ.
func apart(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	var b strings.Builder
	for _, side := range []struct {
		mark        string
		lines, rest []string
	}{{"+", g, w}, {"-", w, g}} {
		shown := 0
		for _, l := range side.lines {
			if !slices.Contains(side.rest, l) && shown < 12 {
				fmt.Fprintf(&b, "%s %s\n", side.mark, l)
				shown++
			}
		}
	}
	return b.String()
}
