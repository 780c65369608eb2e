package bot

import (
	"path/filepath"
	"testing"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/store"
)

// restoredRig is a bot of which a backup was made, and the same bot made of that backup, to which the other life is lost.
type restoredRig struct {
	*rig          // the other life
	restored *rig // opened by restore
}

func (r *restoredRig) restore(until time.Time) (doubtful int) {
	r.t.Helper()
	_, doubtful, err := Restored(r.restored.store, until)
	if err != nil {
		r.t.Fatal(err)
	}
	r.restored.crash()
	return doubtful
}

func newRestoredRig(t *testing.T, before func(*rig)) *restoredRig {
	t.Helper()
	r := newRig(t)
	r.answering()
	r.joined(lobby, garden)
	before(r)
	c := &rig{t: t, path: filepath.Join(t.TempDir(), "moot.db"), feature: &fake{}, now: r.now, next: r.next}
	c.answering()
	if _, err := r.store.Base(t.Context(), c.path, nil); err != nil {
		t.Fatal(err)
	}
	c.open()
	t.Cleanup(c.close)
	return &restoredRig{r, c}
}

// sends ends an attempt well, and returns the echo of it.
func (r *rig) sends(a outbox.Attempt) protocol.Event {
	r.t.Helper()
	ev := r.event(a.Out.Room, protocol.Receipt{Key: a.Key})
	ev.Sender = "console:moot"
	r.step(Sent{Key: a.Key, Ref: ev.Ref()})
	return ev
}

// TestRestoredEcho: an answer of the life that is lost is not sent again where its echo comes first.
func TestRestoredEcho(t *testing.T) {
	r := newRestoredRig(t, func(*rig) {})
	asked := r.say(lobby, "asked")
	echo := r.sends(r.admit(asked)[0])
	r.restore(r.now.Add(time.Hour))
	c := r.restored
	c.step(Online{protocol.Console, true})
	if got := c.admit(echo, asked); len(got) != 0 {
		t.Errorf("it is sent again: %+v", got)
	}
	if s := c.sent(echo.Body.(protocol.Receipt).Key); s.State != "sent" || s.Ref != echo.Ref() {
		t.Errorf("the answer is %+v", s)
	}
	if s := c.seen(asked); s.Disposition != store.Handled {
		t.Errorf("the question is %+v", s)
	}
}

// TestRestoredLook: what the lost life may have sent is sent like something whose first attempt was cut short when it was
// caused, under the same key; what comes later like anything else. What waited at the backup may have been sent too.
func TestRestoredLook(t *testing.T) {
	var began, waits protocol.Event
	r := newRestoredRig(t, func(r *rig) {
		began, waits = r.say(lobby, "began"), r.say(garden, "waits")
		r.admit(began)
		r.step(Online{protocol.Console, false})
		r.admit(waits)
	})
	r.now = r.now.Add(10 * time.Second)
	asked := r.say(garden, "asked")
	r.step(Online{protocol.Console, true})
	r.admit(asked)
	until := r.now.Add(time.Minute)
	if n := r.restore(until); n != 2 {
		t.Errorf("%d entries are in doubt instead of 2", n)
	}
	c := r.restored
	c.now = until.Add(10 * time.Minute)
	// tried ends all attempts well, one after another, and returns them by what they say.
	tried := func() map[string]outbox.Attempt {
		out := map[string]outbox.Attempt{}
		for len(c.flying) > 0 {
			a := c.flying[0]
			c.flying = c.flying[1:]
			out[a.Out.Act.(protocol.Say).Text.Plain()] = a
			c.sends(a)
		}
		return out
	}
	c.step(Online{protocol.Console, true})
	c.admit(asked)
	got := tried()
	for _, text := range []string{"began", "waits"} {
		if a := got[text]; a.Try.N < 2 || !a.Try.Earlier {
			t.Errorf("%s is tried as %+v", text, a.Try)
		}
	}
	if a := got["asked"]; a.Try.N != 2 || a.Age < 10*time.Minute {
		t.Errorf("what was asked in the lost life is tried as %+v, begun %s ago", a.Try, a.Age)
	}
	c.admit(c.say(lobby, "fresh"))
	if a := tried()["fresh"]; a.Try.N != 1 {
		t.Errorf("what was asked later is tried as %+v", a.Try)
	}
}

// TestRestoredTwice: a backup that was restored, backed up before it had heard everything, and restored again.
func TestRestoredTwice(t *testing.T) {
	r := newRestoredRig(t, func(*rig) {})
	first := r.restored.now
	r.restore(first.Add(time.Hour))
	r.restore(first.Add(2 * time.Hour))
	if f := r.restored.machine.lostFuture; f.from.After(first) || !f.until.Equal(first.Add(2*time.Hour)) {
		t.Errorf("the lost future is %+v", f)
	}
}
