package outbox

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

const lobby protocol.RoomID = "console:lobby"

// rig is a store with a dispatcher, and a network that a test plays.
type rig struct {
	t     *testing.T
	path  string
	store *store.Store
	d     *Dispatcher
	now   time.Time
	n     int
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "moot.db"), now: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)}
	r.open()
	t.Cleanup(func() { r.store.Close() })
	return r
}

func (r *rig) open() {
	var err error
	if r.store, err = store.Open(store.Config{Path: r.path}); err != nil {
		r.t.Fatal(err)
	}
	r.d = NewDispatcher()
	if err := r.store.View(func(tx *store.Tx) error { r.d.Load(tx); return nil }); err != nil {
		r.t.Fatal(err)
	}
	r.d.SetOnline(protocol.Console, true)
}

func (r *rig) crash() {
	if err := r.store.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.open()
}

func (r *rig) commit(f func(*store.Commit)) {
	r.t.Helper()
	r.now = r.now.Add(time.Millisecond)
	if err := r.store.Commit(r.now, func(c *store.Commit) error { f(c); return nil }); err != nil {
		r.t.Fatal(err)
	}
}

// send enqueues outgoings from one event.
func (r *rig) send(outs ...protocol.Outgoing) (keys []protocol.Key) {
	r.t.Helper()
	r.n++
	r.commit(func(c *store.Commit) {
		err := c.Run(protocol.Scope(lobby), protocol.Ref{Room: lobby, Event: protocol.EventID(fmt.Sprint(r.n))}, func(tx *store.Tx) error {
			for _, o := range outs {
				k, err := Send(tx, o)
				if err != nil {
					return err
				}
				keys = append(keys, k)
			}
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, q := range c.TakeQueued() {
			r.d.Add(q)
		}
	})
	return keys
}

func (r *rig) ask(a protocol.Ask) (key protocol.Key) {
	r.n++
	r.commit(func(c *store.Commit) {
		err := c.Run(protocol.Scope(lobby), protocol.Ref{Room: lobby, Event: protocol.EventID(fmt.Sprint(r.n))}, func(tx *store.Tx) (err error) {
			key, err = Ask(tx, a)
			return err
		})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, q := range c.TakeQueued() {
			r.d.Add(q)
		}
	})
	return key
}

func (r *rig) next() (attempts []Attempt, answers []protocol.Event) {
	r.t.Helper()
	r.commit(func(c *store.Commit) { attempts, answers = r.d.Next(c, 1000) })
	return attempts, answers
}

func (r *rig) only() Attempt {
	r.t.Helper()
	attempts, _ := r.next()
	if len(attempts) != 1 {
		r.t.Fatalf("%d attempts, want one: %+v", len(attempts), attempts)
	}
	return attempts[0]
}

func (r *rig) none() {
	r.t.Helper()
	if attempts, _ := r.next(); len(attempts) != 0 {
		r.t.Fatalf("attempts although there is nothing to try: %+v", attempts)
	}
}

func (r *rig) done(key protocol.Key, err error) (answers []protocol.Event) {
	ref := protocol.Ref{}
	if err == nil {
		ref = protocol.Ref{Room: lobby, Event: protocol.EventID("at-" + string(key))}
	}
	r.commit(func(c *store.Commit) { answers = r.d.Done(c, key, ref, err) })
	return answers
}

func (r *rig) state(key protocol.Key) (s store.Delivery) {
	if err := r.store.View(func(tx *store.Tx) error { s = tx.Delivery(key); return nil }); err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) expect(key protocol.Key, want store.State) {
	r.t.Helper()
	if s := r.state(key); s.State != want {
		r.t.Errorf("%s is %s (%s), want %s", key, s.State, s.Reason, want)
	}
}

func say(room protocol.RoomID, text string) protocol.Outgoing {
	return protocol.Outgoing{Room: room, Act: protocol.Say{Text: protocol.Plain(text)}}
}

func TestOrderIsKeptWithinAPlaceAndNotBetweenThem(t *testing.T) {
	r := newRig(t)
	keys := r.send(say(lobby, "1"), say(lobby, "2"), say("console:garden", "3"))
	attempts, _ := r.next()
	if len(attempts) != 2 || attempts[0].Key != keys[0] || attempts[1].Key != keys[2] {
		t.Fatalf("first attempts: %+v", attempts)
	}
	r.none()
	r.done(keys[0], errors.New("passing"))
	r.none() // the second waits for the first
	r.now = r.now.Add(2 * time.Second)
	if a := r.only(); a.Key != keys[0] || a.Try.N != 2 {
		t.Errorf("second attempt: %+v", a)
	}
	r.done(keys[0], nil)
	if a := r.only(); a.Key != keys[1] || a.Try.N != 1 {
		t.Errorf("after the first: %+v", a)
	}
	r.expect(keys[0], store.StateSent)
}

func TestBackoffGrowsAndTheNetworksWordCounts(t *testing.T) {
	r := newRig(t)
	o := say(lobby, "1")
	o.Expires = Never
	key := r.send(o)[0]
	var before time.Duration
	for n := 1; n <= 12; n++ {
		if a := r.only(); a.Try.N != n {
			t.Fatalf("attempt %d is numbered %d", n, a.Try.N)
		}
		r.done(key, errors.New("passing"))
		wait := r.d.Wake().Sub(r.now)
		if wait > retries.Most || wait < retries.First/2 || n > 2 && n < 8 && wait < before {
			t.Errorf("after attempt %d it waits %v, before that %v", n, wait, before)
		}
		before = wait
		r.now = r.now.Add(wait)
	}
	r.only()
	r.done(key, &protocol.SendError{RetryAfter: 90 * time.Minute, Err: errors.New("slow down")})
	r.now = r.now.Add(89 * time.Minute)
	r.none()
	r.now = r.now.Add(time.Minute)
	r.only()
}

func TestEndings(t *testing.T) {
	r := newRig(t)
	for want, err := range map[store.State]error{
		store.StateFailed:    &protocol.SendError{Final: true, Err: protocol.ErrGone},
		store.StateAmbiguous: &protocol.SendError{Ambiguous: true, Err: errors.New("cut off")},
		store.StateSent:      nil,
	} {
		key := r.send(say(lobby, "x"))[0]
		r.only()
		r.done(key, err)
		r.expect(key, want)
	}
	r.none()

	key := r.send(say(lobby, "late"))[0]
	r.now = r.now.Add(DefaultExpiry + time.Second)
	r.none()
	r.expect(key, store.StateExpired)
	o := say(lobby, "never late")
	o.Expires = Never
	r.send(o)
	r.now = r.now.Add(1000 * time.Hour)
	r.only()
}

func TestAnEchoSettlesWhatWasAmbiguousOrCutOff(t *testing.T) {
	r := newRig(t)
	ref := protocol.Ref{Room: lobby, Event: "echo"}
	keys := r.send(say(lobby, "1"), say(lobby, "2"), say(lobby, "3"))
	r.only()
	r.done(keys[0], &protocol.SendError{Ambiguous: true, Err: errors.New("cut off")})
	r.commit(func(c *store.Commit) { r.d.Received(c, keys[0], ref) })
	if s := r.state(keys[0]); s.State != store.StateSent || s.Ref != ref {
		t.Errorf("after the echo: %+v", s)
	}
	r.only()
	r.crash() // while the second is in flight
	r.commit(func(c *store.Commit) { r.d.Received(c, keys[1], ref) })
	if a := r.only(); a.Key != keys[2] {
		t.Errorf("sent again although its echo came: %+v", a)
	}
	r.commit(func(c *store.Commit) { r.d.Received(c, keys[2], ref) }) // the echo is faster than the answer
	r.done(keys[2], errors.New("passing"))
	r.expect(keys[2], store.StateSent)
	r.none()
	if r.d.Waiting() != 0 {
		t.Errorf("%d lanes are left", r.d.Waiting())
	}
}

func TestAfterACrashWhatWasInFlightGoesOutUnderTheSameKeyAndSaysSo(t *testing.T) {
	r := newRig(t)
	keys := r.send(say(lobby, "1"), say(lobby, "2"))
	r.only()
	r.crash()
	if a := r.only(); a.Key != keys[0] || a.Try.N != 2 || !a.Try.Earlier || a.Age <= 0 {
		t.Errorf("after the crash: %+v", a)
	}
	r.done(keys[0], errors.New("passing"))
	r.now = r.now.Add(time.Minute)
	if a := r.only(); a.Key != keys[0] || !a.Try.Earlier {
		t.Errorf("once more: %+v", a)
	}
	r.done(keys[0], nil)
	if a := r.only(); a.Key != keys[1] || a.Try.N != 1 || a.Try.Earlier || a.Age != 0 {
		t.Errorf("what was never tried: %+v", a)
	}
}

func TestOnlyTheNewestEditIsSent(t *testing.T) {
	r := newRig(t)
	m := r.send(say(lobby, "vote"))[0]
	edit := func(text string) protocol.Outgoing {
		return protocol.Outgoing{Room: lobby, Act: protocol.Revise{Original: m, Text: protocol.Plain(text)}}
	}
	other := r.send(say(lobby, "other"))[0]
	edits := r.send(edit("1"), edit("2"))
	r.crash() // the newest is known after a restart too
	if a := r.only(); a.Key != m {
		t.Fatalf("%+v", a)
	}
	r.done(m, nil)
	attempts, _ := r.next()
	if len(attempts) != 2 || attempts[0].Key != other {
		t.Fatalf("%+v", attempts)
	}
	r.done(other, nil)
	a := attempts[1]
	if a.Key != edits[1] || a.Try.Original.Event != protocol.EventID("at-"+m) {
		t.Errorf("%+v", a)
	}
	r.expect(edits[0], store.StateSuperseded)
	later := r.send(edit("3"))[0]
	r.done(edits[1], nil)
	if a := r.only(); a.Key != later {
		t.Errorf("%+v", a)
	}
	r.done(later, nil)
	r.expect(edits[1], store.StateSent)
	if len(r.d.newest) != 0 || len(r.d.lanes) != 0 {
		t.Errorf("%d edits and %d lanes are still in memory", len(r.d.newest), len(r.d.lanes))
	}
}

func TestWhatBelongsToAMessageThatWasNotSentFails(t *testing.T) {
	r := newRig(t)
	m := r.send(say(lobby, "vote"))[0]
	follow := r.send(
		protocol.Outgoing{Room: lobby, Act: protocol.Revise{Original: m, Text: protocol.Plain("x")}},
		protocol.Outgoing{Room: lobby, Act: protocol.React{Original: m, Reaction: "👍"}},
		protocol.Outgoing{Room: lobby, Act: protocol.React{Target: "theirs", Reaction: "👍"}},
	)
	if attempts, _ := r.next(); len(attempts) != 2 || attempts[1].Key != follow[2] {
		t.Errorf("%+v", attempts)
	}
	r.done(m, &protocol.SendError{Final: true, Err: protocol.ErrGone})
	r.none()
	for _, k := range follow[:2] {
		r.expect(k, store.StateFailed)
	}
}

func TestLeavingARoomEndsItsEntriesAndNoOthers(t *testing.T) {
	r := newRig(t)
	keys := r.send(say(lobby, "1"), say(lobby, "2"), say("console:lobby-2", "3"),
		protocol.Outgoing{Act: protocol.Whisper{User: "console:ann", Text: protocol.Plain("4")}})
	ask := r.ask(protocol.Ask{Room: lobby, Want: protocol.AskMembers{}})
	attempts, _ := r.next()
	if len(attempts) != 4 {
		t.Fatalf("%d attempts", len(attempts))
	}
	var answers []protocol.Event
	r.commit(func(c *store.Commit) { answers = r.d.LeaveRoom(c, lobby, protocol.Ref{}) })
	for _, k := range []protocol.Key{keys[0], keys[1], ask} {
		r.expect(k, store.StateEnded)
	}
	if len(answers) != 1 || answers[0].Body.(protocol.Answer).Ask != ask || answers[0].Body.(protocol.Answer).Fault == "" {
		t.Errorf("answers %+v", answers)
	}
	// What was in flight ends without effect, and the lane is free again.
	r.done(keys[0], nil)
	r.done(ask, errors.New("gone"))
	r.expect(keys[0], store.StateEnded)
	r.expect(keys[2], store.StateQueued)
	again := r.send(say(lobby, "5"))[0]
	if a := r.only(); a.Key != again {
		t.Errorf("%+v", a)
	}
}

func TestAnAskThatIsNotAnsweredIsAnsweredWithAFault(t *testing.T) {
	r := newRig(t)
	failed := r.ask(protocol.Ask{Room: lobby, Want: protocol.AskMembers{}})
	r.only()
	answers := r.done(failed, &protocol.SendError{Final: true, Err: protocol.ErrGone})
	if len(answers) != 1 {
		t.Fatalf("answers %+v", answers)
	}
	a := answers[0].Body.(protocol.Answer)
	if l, ok := a.Result.(protocol.MemberList); a.Ask != failed || a.Fault == "" || !ok || l.Fault == "" || answers[0].Room != lobby {
		t.Errorf("%+v", answers[0])
	}
	expired := r.ask(protocol.Ask{Room: "console:club", Want: protocol.AskLeave{}, Expires: r.now.Add(time.Minute)})
	r.only()
	if answers := r.done(expired, errors.New("passing")); len(answers) != 0 {
		t.Errorf("answered although it is tried again: %+v", answers)
	}
	r.now = r.now.Add(time.Hour)
	if _, answers := r.next(); len(answers) != 1 || answers[0].Room != "console:club" {
		t.Errorf("answers %+v", answers)
	}
	r.expect(expired, store.StateExpired)
}

func TestANetworkThatIsOfflineIsNotTriedAndASlowOneNotFlooded(t *testing.T) {
	r := newRig(t)
	r.send(protocol.Outgoing{Room: "matrix:!a:b", Act: protocol.Say{}})
	r.none()
	var outs []protocol.Outgoing
	for i := range 3 * inFlight {
		outs = append(outs, say(protocol.RoomID(fmt.Sprintf("console:%d", i)), "x"))
	}
	keys := r.send(outs...)
	attempts, _ := r.next()
	if len(attempts) != inFlight {
		t.Fatalf("%d attempts at once", len(attempts))
	}
	r.none()
	for _, a := range attempts {
		r.done(a.Key, nil)
	}
	if attempts, _ := r.next(); len(attempts) != inFlight || attempts[0].Key != keys[inFlight] {
		t.Errorf("then %d attempts, first %+v", len(attempts), attempts[0])
	}
	r.d.SetOnline("matrix", true)
	if a := r.only(); a.Network != "matrix" {
		t.Errorf("%+v", a)
	}
}

// A task that may run only once may have been begun by a life that was lost: its first attempt here is no first one. One that may
// be repeated is begun as ever.
func TestDoubtfulTask(t *testing.T) {
	for once, want := range map[bool]int{true: 2, false: 1} {
		r := newRig(t)
		r.ask(protocol.Ask{Room: lobby, Want: protocol.AskTask{Task: "pay", Input: []byte(`{}`), Once: once}})
		r.commit(func(c *store.Commit) { c.DoubtQueued() })
		if a := r.only(); a.Try.N != want {
			t.Errorf("once %v: it is attempt %d", once, a.Try.N)
		}
	}
}

// What is withdrawn is not tried, and what comes of an attempt that runs changes nothing; what is behind it goes on.
func TestWithdrawn(t *testing.T) {
	r := newRig(t)
	var keys []protocol.Key
	for range 3 {
		keys = append(keys, r.ask(protocol.Ask{Room: lobby, Want: protocol.AskTask{Task: "pay", Input: []byte(`{}`)}}))
	}
	first := r.only()
	r.commit(func(c *store.Commit) {
		err := c.Run(protocol.Scope(lobby), protocol.Ref{}, func(tx *store.Tx) error {
			for _, key := range []protocol.Key{keys[0], keys[1], "unknown"} {
				tx.Withdraw(key)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	r.none()
	if answers := r.done(first.Key, errors.New("too late")); len(answers) != 0 {
		t.Errorf("it was answered with %+v", answers)
	}
	if a := r.only(); a.Key != keys[2] {
		t.Errorf("%s is tried, and not %s", a.Key, keys[2])
	}
}
