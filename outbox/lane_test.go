package outbox

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

func TestAnAskOfNobodyIsRefused(t *testing.T) {
	r := newRig(t)
	for _, a := range []protocol.Ask{{Want: protocol.AskMembers{}}, {Want: protocol.AskDirectRoom{}}} {
		r.commit(func(c *store.Commit) {
			err := c.Run(protocol.Scope(lobby), protocol.Ref{}, func(tx *store.Tx) error {
				_, err := Ask(tx, a)
				return err
			})
			if err == nil {
				t.Errorf("%+v was enqueued and would wait for ever", a)
			}
		})
	}
}

func TestAnEntryExpiresAlsoWhileTheNetworkWantsToBeLeftAlone(t *testing.T) {
	r := newRig(t)
	key := r.ask(protocol.Ask{Room: lobby, Want: protocol.AskMembers{}, Expires: r.now.Add(time.Minute)})
	r.only()
	r.done(key, &protocol.SendError{RetryAfter: time.Hour, Err: errors.New("slow down")})
	if wake := r.d.Wake(); wake.After(r.now.Add(time.Minute)) {
		t.Errorf("wakes only at %v", wake)
	}
	r.now = r.now.Add(time.Minute)
	if _, answers := r.next(); len(answers) != 1 {
		t.Errorf("answers %+v", answers)
	}
	r.expect(key, store.StateExpired)
}

func TestSlowAsksHoldUpNoMessages(t *testing.T) {
	r := newRig(t)
	for i := range 2 * inFlight {
		r.ask(protocol.Ask{Room: protocol.RoomID(fmt.Sprintf("console:%d", i)), Want: protocol.AskMembers{}})
	}
	attempts, _ := r.next()
	if len(attempts) != inFlight {
		t.Fatalf("%d asks at once", len(attempts))
	}
	r.send(say(lobby, "hi"))
	if a := r.only(); a.Out == nil || a.Network != protocol.Console {
		t.Errorf("%+v", a)
	}
}

func TestAnAskAboutAMessageWaitsUntilThatIsSent(t *testing.T) {
	r := newRig(t)
	m := r.send(say(lobby, "vote"))[0]
	ask := r.ask(protocol.Ask{Room: lobby, Want: protocol.AskReactions{Original: m}})
	if a := r.only(); a.Key != m {
		t.Fatalf("%+v", a)
	}
	r.expect(ask, store.StateQueued)
	r.done(m, nil)
	r.now = r.now.Add(firstBackoff)
	if a := r.only(); a.Key != ask || a.Try.Original.Event == "" {
		t.Errorf("%+v", a)
	}
}

func TestWhatEndsWithoutAnAttemptEndsInSlices(t *testing.T) {
	r := newRig(t)
	var outs []protocol.Outgoing
	for range 2*endTurn + 1 {
		outs = append(outs, say(lobby, "x"))
	}
	r.send(outs...)
	r.now = r.now.Add(time.Hour)
	fresh := r.send(say(lobby, "fresh"))[0]
	left := func() (n int) {
		_ = r.store.View(func(tx *store.Tx) error {
			for range tx.Queue("", 0) {
				n++
			}
			return nil
		})
		return n
	}
	r.none()
	if n := left(); n != endTurn+2 {
		t.Errorf("after one commit %d entries are left", n)
	}
	if r.d.Wake().After(r.now) {
		t.Error("nothing is due although work is left")
	}
	r.none()
	if a := r.only(); a.Key != fresh {
		t.Errorf("%+v", a)
	}
}
