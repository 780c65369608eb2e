//go:build goolm

package crypto

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/internal/effort"
	"moot/protocol/matrix/matrixtest"
)

// hostile has the fake change its answers to one kind of request; nil has it answer as usual again.
func (f *fake) hostile(path string, change func([]byte) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.twisted, f.change = path, change
}

// soon is the time that something gets here: whoever waits for longer hangs.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// twists are some of the ways to answer, others from path to path, since each takes devices with keys of their own; all of them
// with MOOT_LONG.
func twists(path string) (all []matrixtest.Twist) {
	each := 3
	switch {
	case effort.Quick():
		each = 6
	case effort.Long():
		each = 1
	}
	for i, twist := range matrixtest.Twists() {
		if i%each == len(path)%each {
			all = append(all, twist)
		}
	}
	return all
}

// TestAStartOnAServerThatAnswersAnything: whatever a server answers about keys while a device and its identity come into being, that
// start fails, or does not; it neither panics nor hangs, and the next one stands on what is there.
func TestAStartOnAServerThatAnswersAnything(t *testing.T) {
	for _, path := range []string{"keys/query", "keys/upload", "keys/device_signing/upload", "keys/signatures/upload", "user/"} {
		t.Run(path, func(t *testing.T) {
			f := newFake(t)
			f.whole = true
			a := start(f, alice, "ALICE")
			for i, twist := range twists(path) {
				user := id.UserID(fmt.Sprintf("@moot%d:example.org", i))
				b := newDevice(f, user, "BOT")
				if err := b.open(); err != nil {
					t.Fatal(err)
				}
				before := f.count(path)
				f.hostile(path, twist.Change)
				began := time.Now()
				m, err := b.store.Connect(soon(t), f.client(user, b.id), b.c)
				f.hostile("", nil)
				if b.machine = m; time.Since(began) > 15*time.Second {
					t.Errorf("%s: the start hangs: %v", twist.Name, err)
				}
				if err != nil && (strings.Contains(err.Error(), "panic") || strings.Contains(err.Error(), errPanic.Error())) {
					t.Errorf("%s: %v", twist.Name, err)
				}
				if f.count(path) == before {
					t.Fatalf("%s is not asked for", path)
				}
				b.restart()
				ev := wire(t, i, user, lobby, b.say(twist.Name, user, alice))
				a.receive()
				a.reads(ev, twist.Name)
				b.close()
			}
		})
	}
}

// TestSealingOnAServerThatAnswersAnything: whatever a server answers while a message is sealed for somebody with a new device, the
// message is sealed or is not; whoever is known reads the next one, and the new device the one after it.
func TestSealingOnAServerThatAnswersAnything(t *testing.T) {
	for _, path := range []string{"keys/query", "keys/claim", "keys/upload", "sendToDevice/"} {
		t.Run(path, func(t *testing.T) {
			f := newFake(t)
			f.whole = true
			b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
			b.say("hello", bot, alice)
			a.receive()
			for i, twist := range twists(path) {
				user := id.UserID(fmt.Sprintf("@new%d:example.org", i))
				n := start(f, user, "NEW")
				b.machine.counted = time.Time{} // asks for the one-time keys on the server
				before := f.count(path)
				f.hostile(path, twist.Change)
				began := time.Now()
				resp, done := f.sync(bot, b.id)
				resp.DeviceOTKCount.SignedCurve25519 = 0
				if _, err := b.machine.Receive(soon(t), resp, ""); err != nil {
					t.Errorf("%s: it takes nothing in: %v", twist.Name, err)
				}
				done()
				_, err := b.machine.Encrypt(soon(t), lobby, []id.UserID{bot, alice, user}, event.EventMessage, map[string]any{"msgtype": "m.text", "body": "x"})
				f.hostile("", nil)
				if err != nil && (strings.Contains(err.Error(), "panic") || strings.Contains(err.Error(), errPanic.Error())) {
					t.Errorf("%s: %v", twist.Name, err)
				}
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("%s: it takes %s: %v", twist.Name, took, err)
				}
				if f.count(path) == before {
					t.Fatalf("%s is not asked for", path)
				}
				b.machine.lists.mu.Lock()
				clear(b.machine.lists.rests) // of who is said to have no device, as after its time
				b.machine.lists.mu.Unlock()
				b.machine.keyless.mu.Lock()
				clear(b.machine.keyless.rests)
				b.machine.keyless.mu.Unlock()
				ev := wire(t, 2*i, bot, lobby, b.say(twist.Name, bot, alice))
				a.receive()
				a.reads(ev, twist.Name)
				ev = wire(t, 2*i+1, bot, lobby, b.say("to all", bot, alice, user))
				n.receive()
				n.reads(ev, "to all")
				n.close()
			}
			if log := b.log.String(); strings.Contains(log, "panic") || strings.Contains(log, errPanic.Error()) {
				t.Errorf("the log tells of a panic:\n%s", log)
			}
		})
	}
}
