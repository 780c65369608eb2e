package rooms

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

// world is a store in which rooms are changed as the loop does it.
type world struct {
	t     testing.TB
	path  string
	store *store.Store
	now   time.Time
	asks  int // asks for members that were enqueued
	next  int
}

// keeper handles what rooms tell and time.
var keeper Feature

const lobby protocol.RoomID = "console:lobby"

func newWorld(t testing.TB) *world {
	w := &world{t: t, path: filepath.Join(t.TempDir(), "moot.db"), now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)}
	w.open()
	t.Cleanup(func() { w.store.Close() })
	return w
}

func (w *world) open() {
	var err error
	if w.store, err = store.Open(store.Config{Path: w.path}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) reopen() {
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// apply applies a body in a room as an event of its own.
func (w *world) apply(room protocol.RoomID, body protocol.Body) Result {
	w.next++
	return w.event(protocol.Event{Room: room, ID: protocol.EventID(fmt.Sprintf("e%d", w.next)), Body: body})
}

func (w *world) event(ev protocol.Event) (last Result) {
	for _, part := range Split(ev) {
		w.commit(protocol.Scope(ev.Room), func(tx *store.Tx) error {
			r, err := Apply(tx, part)
			last.Ignored = r.Ignored
			last.Notes = append(last.Notes, r.Notes...)
			return err
		})
	}
	return last
}

func (w *world) commit(scope protocol.Scope, f func(*store.Tx) error) {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	err := w.store.Commit(w.now, func(c *store.Commit) error {
		err := c.Run(scope, protocol.Ref{Room: protocol.RoomID(scope), Event: protocol.EventID(fmt.Sprint(w.now.UnixNano()))}, func(tx *store.Tx) error {
			if err := f(tx); err != nil {
				return err
			}
			for _, told := range tx.TakeTold() {
				if ok, err := keeper.Told(tx.In(told.To), told.What); !ok || err != nil {
					return fmt.Errorf("told %s: %v, %w", told.What.Kind, ok, err)
				}
			}
			return nil
		})
		w.asks += len(c.TakeQueued())
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// timers lets all timers go off that are due within d, and those that they set.
func (w *world) timers(d time.Duration) (fired int) {
	w.now = w.now.Add(d)
	for {
		var due []store.Timer
		err := w.store.Commit(w.now, func(c *store.Commit) error {
			due = c.Due(100)
			for _, t := range due {
				c.EndTimer(t)
				err := c.Run(t.Scope, protocol.Ref{Room: protocol.RoomID(t.Scope), Event: protocol.EventID(fmt.Sprint(t.Name, t.At))}, func(tx *store.Tx) error {
					ok, err := keeper.Timed(tx, protocol.Timer{Name: t.Name, Data: t.Data})
					if !ok {
						return fmt.Errorf("timer %s is of nobody", t.Name)
					}
					for _, told := range tx.TakeTold() {
						if _, err := keeper.Told(tx.In(told.To), told.What); err != nil {
							return err
						}
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			w.asks += len(c.TakeQueued())
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
		if len(due) == 0 {
			return fired
		}
		fired += len(due)
	}
}

func (w *world) view(f func(*store.Tx)) {
	w.t.Helper()
	if err := w.store.View(func(tx *store.Tx) error { f(tx); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) info(room protocol.RoomID) (info Info) {
	w.view(func(tx *store.Tx) { info, _ = Get(tx, room) })
	return info
}

func (w *world) members(room protocol.RoomID) map[protocol.UserID]string {
	out := map[protocol.UserID]string{}
	w.view(func(tx *store.Tx) {
		for m := range Members(tx, room) {
			out[m.User] = m.Name
		}
	})
	return out
}

func (w *world) of(user protocol.UserID) map[protocol.RoomID]bool {
	out := map[protocol.RoomID]bool{}
	w.view(func(tx *store.Tx) {
		for info := range Of(tx, user) {
			out[info.ID] = true
		}
	})
	return out
}

func (w *world) rows(b store.Bucket) (n int) {
	w.view(func(tx *store.Tx) {
		for range tx.Range(b, "", "") {
			n++
		}
	})
	return n
}

const self protocol.UserID = "console:moot"

func ownJoin() protocol.MemberChange {
	return protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined, Name: "moot"}
}

func ownEnd(m protocol.Membership) protocol.MemberChange {
	return protocol.MemberChange{User: self, Self: true, Membership: m}
}

func change(user protocol.UserID, m protocol.Membership) protocol.MemberChange {
	return protocol.MemberChange{User: user, Membership: m, Name: user.Local()}
}

func list(users ...protocol.UserID) protocol.MemberList {
	l := protocol.MemberList{Last: true, Members: []protocol.Member{{User: self, Self: true, Name: "moot", Bot: true}}}
	for _, u := range users {
		l.Members = append(l.Members, protocol.Member{User: u, Name: u.Local()})
	}
	return l
}
