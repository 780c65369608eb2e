package rooms

import (
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

// TestWhoIsPutOutAndComesBack has been a member all the while; who leaves by themselves has not, nor who is out for too long.
func TestWhoIsPutOutAndComesBack(t *testing.T) {
	const ann, ben = protocol.UserID("console:ann"), protocol.UserID("console:ben")
	for name, test := range map[string]struct {
		how   protocol.Membership
		out   time.Duration
		again protocol.Membership // how they leave once more, and come back
		stays bool
		list  bool // whether their return is seen by the list alone
	}{
		"kicked":                  {how: protocol.Kicked, out: time.Minute, stays: true},
		"banned":                  {how: protocol.Banned, out: 9 * 24 * time.Hour, stays: true},
		"seen by the list":        {how: protocol.Kicked, out: time.Hour, stays: true, list: true},
		"for too long":            {how: protocol.Kicked, out: PutOutFor + time.Minute},
		"left":                    {how: protocol.Left, out: time.Minute},
		"kicked twice":            {how: protocol.Kicked, out: time.Minute, again: protocol.Kicked, stays: true},
		"kicked, back, then left": {how: protocol.Kicked, out: time.Minute, again: protocol.Left},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(lobby, ownJoin())
			w.apply(lobby, list(ann))
			w.now = w.now.Add(time.Hour)
			w.apply(lobby, change(ben, protocol.Joined))
			since, _ := w.since(ben)
			goes := func(how protocol.Membership) {
				w.now = w.now.Add(time.Hour)
				w.apply(lobby, change(ben, how))
				w.now = w.now.Add(test.out)
				w.timers(time.Second)
				if test.list {
					w.commit(protocol.Scope(lobby), func(tx *store.Tx) error { return Await(tx, lobby, "answer/1") })
					l := list(ann, ben)
					l.List = "answer/1"
					w.apply(lobby, l)
				} else {
					w.apply(lobby, change(ben, protocol.Joined))
				}
			}
			goes(test.how)
			if test.again != "" {
				goes(test.again)
			}
			if now, in := w.since(ben); !in || now.Equal(since) != test.stays {
				t.Errorf("a member since %s, and before since %s", now, since)
			}
			if n := w.rows(putOut); n != 0 {
				t.Errorf("%d rows are left", n)
			}
		})
	}
}

// TestPutOutIsForgotten when they ask for it, and after ten days.
func TestPutOutIsForgotten(t *testing.T) {
	const ann, ben = protocol.UserID("console:ann"), protocol.UserID("console:ben")
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.apply(lobby, list(ann, ben))
	w.apply(lobby, change(ann, protocol.Kicked))
	w.apply(lobby, change(ben, protocol.Banned))
	w.commit(protocol.Scope(ann), func(tx *store.Tx) error {
		for room := range PutOut(tx, ann) {
			if room != lobby {
				t.Errorf("put out of %s", room)
			}
		}
		if !ForgetPutOut(tx, ann) || ForgetPutOut(tx, ann) {
			t.Error("it is not forgotten once")
		}
		return nil
	})
	if n := w.rows(putOut); n != 1 {
		t.Fatalf("%d rows", n)
	}
	w.timers(PutOutFor + time.Minute)
	if n := w.rows(putOut); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

// since returns since when somebody has been a member of the lobby, and whether they are one.
func (w *world) since(user protocol.UserID) (at time.Time, in bool) {
	w.view(func(tx *store.Tx) {
		var m Member
		m, in = Lookup(tx, lobby, user)
		at = m.Since
	})
	return at, in
}
