//go:build goolm

package crypto

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/store"
)

func TestTwoDevicesTalk(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	hello := wire(t, 1, bot, lobby, b.say("hello", bot, alice))
	if n := a.receive(); n != 1 {
		t.Errorf("%d keys came", n)
	}
	a.reads(hello, "hello")
	answer := wire(t, 2, alice, lobby, a.say("hello back", alice, bot))
	if _, err := b.read(answer); !errors.Is(err, ErrNoKey) {
		t.Errorf("before its key came: %v", err)
	}
	if n := b.receive(); n != 1 {
		t.Errorf("%d keys came", n)
	}
	b.reads(answer, "hello back")
	b.reads(answer, "hello back") // the same event, delivered again
	if _, err := b.read(wire(t, 3, alice, lobby, answer.Content.AsEncrypted())); err == nil || errors.Is(err, ErrNoKey) {
		t.Errorf("the same text as another event: %v", err)
	}
	other := wire(t, 2, alice, "!other:example.org", answer.Content.AsEncrypted())
	if _, err := b.read(other); err == nil {
		t.Error("it was read in another room")
	}
}

// One session serves as long as its readers stay the same, and no longer.
func TestASessionIsForThoseWhoAreThere(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	e := start(f, eve, "EVE")
	session := func(members ...id.UserID) id.SessionID { return b.say("x", members...).SessionID }
	first := session(bot, alice)
	if again := session(alice, bot, alice); again != first {
		t.Error("the same members in another order make another session")
	}
	second := session(bot, alice, eve)
	if second == first {
		t.Error("a new member is given the old session")
	}
	third := session(bot, alice)
	if third == first || third == second {
		t.Error("who has left can go on reading")
	}
	e.receive()
	if _, err := e.read(wire(t, 1, bot, lobby, b.say("secret", bot, alice))); !errors.Is(err, ErrNoKey) {
		t.Errorf("eve reads what is said behind her back: %v", err)
	}
	a.receive()
	start(f, alice, "ALICE2")
	b.receive()
	fourth := b.say("x", bot, alice)
	if fourth.SessionID == third {
		t.Error("a new device is not given a session that it can read")
	}
	now := fourth.SessionID
	for range 2 {
		if s := session(bot, alice); s != now {
			t.Error("a session ended before its time")
		}
	}
	if s := session(bot, alice); s == now {
		t.Error("the room wants a new session every three messages, and does not get it")
	}
	now = session(bot, alice)
	b.restart()
	if session(bot, alice) == now {
		t.Error("a session is used again after a start")
	}
}

func TestMembershipEndsASession(t *testing.T) {
	f := newFake(t)
	b := start(f, bot, "BOT")
	start(f, alice, "ALICE")
	member := func(now, before string) {
		t.Helper()
		ev := &event.Event{Type: event.StateMember, RoomID: lobby}
		ev.Content.Parsed = &event.MemberEventContent{Membership: event.Membership(now)}
		if before != "" {
			ev.Unsigned.PrevContent = &event.Content{Parsed: &event.MemberEventContent{Membership: event.Membership(before)}}
		}
		if err := b.machine.Member(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		now, before string
		ends        bool
	}{{"leave", "join", true}, {"join", "leave", true}, {"invite", "leave", true}, {"join", "", true}, {"join", "join", false}, {"join", "invite", false}, {"ban", "leave", false}, {"ban", "join", true}} {
		before := b.say("x", bot, alice).SessionID
		member(c.now, c.before)
		if ended := b.say("x", bot, alice).SessionID != before; ended != c.ends {
			t.Errorf("from %q to %q: a new session is %v, want %v", c.before, c.now, ended, c.ends)
		}
		if err := b.machine.Member(t.Context(), &event.Event{Type: event.StateMember, RoomID: lobby}); err != nil { // begin the next with a new one
			t.Fatal(err)
		}
	}
}

// What comes a second time, because the process ended before the server was told, changes nothing and loses nothing.
func TestTakenTwice(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	ev := wire(t, 1, alice, lobby, a.say("hello", alice, bot))
	resp, _ := f.sync(bot, "BOT")
	if _, err := b.machine.Receive(t.Context(), resp, ""); err != nil {
		t.Fatal(err)
	}
	b.restart()
	b.receive()
	b.reads(ev, "hello")
	b.reads(wire(t, 2, alice, lobby, a.say("again", alice, bot)), "again")
}

// A commit that fails ends everything: nothing goes out that rests on what is lost, and the key comes again and is taken then.
func TestAFailedWriteLosesNoKey(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	ev := wire(t, 1, alice, lobby, a.say("hello", alice, bot))
	b.commit()
	b.db.Ship(func(store.Change) error { return errors.New("the disk is gone") })
	resp, _ := f.sync(bot, "BOT")
	if _, err := b.machine.Receive(t.Context(), resp, ""); err != nil && !errors.Is(err, ErrBroken) {
		t.Fatalf("the key is not taken: %v", err)
	}
	var asked []string
	f.mu.Lock()
	f.fail = func(path string) int { asked = append(asked, path); return 0 }
	f.mu.Unlock()
	if _, err := b.machine.Encrypt(t.Context(), lobby, []id.UserID{bot, alice}, event.EventMessage, map[string]any{}); !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "the disk is gone") {
		t.Errorf("it goes on to speak: %v", err)
	}
	if _, err := b.machine.client.Whoami(t.Context()); !errors.Is(err, ErrBroken) {
		t.Errorf("it goes on to ask the server: %v", err)
	}
	f.mu.Lock()
	if f.fail = nil; len(asked) > 0 {
		t.Errorf("the server was asked for %q", asked)
	}
	f.mu.Unlock()
	if _, err := b.machine.Receive(t.Context(), resp, ""); !errors.Is(err, ErrBroken) {
		t.Errorf("it goes on to receive: %v", err)
	}
	if _, err := b.read(ev); !errors.Is(err, ErrBroken) {
		t.Errorf("it goes on to read: %v", err)
	}
	b.restart()
	b.receive()
	b.reads(ev, "hello")
}

// A stop in the middle is no fault of the file, and what it interrupts is as if it had not begun.
func TestAStopInTheMiddle(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	var events []*event.Event
	for n := range 20 {
		a.restart() // a session of its own for each
		events = append(events, wire(t, n, alice, lobby, a.say("hello", alice, bot)))
	}
	resp, _ := f.sync(bot, "BOT")
	ctx, cancel := context.WithCancel(t.Context())
	b.machine.olm.SessionReceived = func(context.Context, id.RoomID, id.SessionID, uint32) {
		if b.machine.keys.Add(1) == 7 {
			cancel()
		}
	}
	if _, err := b.machine.Receive(ctx, resp, ""); !errors.Is(err, context.Canceled) || errors.Is(err, ErrBroken) {
		t.Errorf("a stop is %v", err)
	}
	if err := b.store.check(nil); err != nil {
		t.Errorf("the file is at fault: %v", err)
	}
	b.restart()
	b.receive()
	for _, ev := range events {
		b.reads(ev, "hello")
	}
}

func TestALateKeyAndAWithheldOne(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	ev := wire(t, 1, alice, lobby, a.say("hello", alice, bot))
	f.mu.Lock()
	key := f.queue[bot]["BOT"]
	sub(f.queue, bot)["BOT"] = []map[string]any{{"type": "m.room_key.withheld", "sender": alice, "content": map[string]any{
		"algorithm": "m.megolm.v1.aes-sha2", "room_id": lobby, "session_id": ev.Content.AsEncrypted().SessionID, "sender_key": "x", "code": "m.unverified",
	}}}
	f.mu.Unlock()
	if _, err := b.read(ev); !errors.Is(err, ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
	if n := b.receive(); n != 0 {
		t.Errorf("a refusal counts as %d keys", n)
	}
	if _, err := b.read(ev); !errors.Is(err, ErrNoKey) || !strings.Contains(err.Error(), "verified devices only") {
		t.Errorf("with a withheld key: %v", err)
	}
	b.restart()
	f.mu.Lock()
	sub(f.queue, bot)["BOT"] = key
	f.mu.Unlock()
	if n := b.receive(); n != 1 {
		t.Errorf("%d keys came", n)
	}
	b.reads(ev, "hello")
}

// The key of later messages does not open an earlier one, and does not stand in the way of the right one.
func TestALaterKey(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	first := wire(t, 1, alice, lobby, a.say("first", alice, bot))
	f.mu.Lock()
	key := f.queue[bot]["BOT"]
	f.queue[bot]["BOT"] = nil
	f.mu.Unlock()
	session, err := a.store.keys.GetOutboundGroupSession(t.Context(), lobby)
	if err != nil {
		t.Fatal(err)
	}
	device, err := a.machine.olm.GetOrFetchDevice(t.Context(), bot, "BOT")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.machine.olm.SendEncryptedToDevice(t.Context(), device, event.ToDeviceRoomKey, session.ShareContent()); err != nil {
		t.Fatal(err)
	}
	second := wire(t, 2, alice, lobby, a.say("second", alice, bot))
	if n := b.receive(); n != 1 {
		t.Errorf("%d keys came", n)
	}
	b.reads(second, "second")
	if _, err := b.read(first); !errors.Is(err, ErrNoKey) || !strings.Contains(err.Error(), "only that of later messages") {
		t.Errorf("the first is %v", err)
	}
	f.mu.Lock()
	f.queue[bot]["BOT"] = key
	f.mu.Unlock()
	b.receive()
	b.reads(first, "first")
}

// Nobody is believed to have said what another has sealed, whatever the server says.
func TestForgedSenders(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	start(f, eve, "EVE")
	content := a.say("hello", alice, bot)
	b.receive()
	if _, err := b.read(wire(t, 1, eve, lobby, content)); err == nil || errors.Is(err, ErrNoKey) || err.Error() != "it is sealed with a key of @alice:example.org" {
		t.Errorf("alice's words in eve's mouth: %v", err)
	}
	b.reads(wire(t, 1, alice, lobby, content), "hello")
}

// A device list that could not be fetched is fetched later; nobody is left without keys.
func TestADeviceListIsNotForgotten(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	b.say("x", bot, alice)
	b.receive()
	a2 := startSigned(a, "ALICE2")
	f.mu.Lock()
	f.fail = func(path string) int {
		if path == "keys/query" {
			return 502
		}
		return 0
	}
	f.mu.Unlock()
	b.receive() // is told of the new device, and cannot ask
	f.mu.Lock()
	f.fail, f.changed = nil, map[id.UserID]bool{}
	f.mu.Unlock()
	b.restart()
	ev := wire(t, 1, bot, lobby, b.say("for both", bot, alice))
	if n := a2.receive(); n == 0 {
		t.Fatal("the new device got no key")
	}
	a2.reads(ev, "for both")
}

// Who had no device is asked for once more before something is sealed for them.
func TestALateFirstDevice(t *testing.T) {
	f := newFake(t)
	b := start(f, bot, "BOT")
	f.mu.Lock()
	f.keys[alice] = map[id.DeviceID]map[string]any{}
	f.mu.Unlock()
	b.say("to nobody yet", bot, alice)
	a := start(f, alice, "ALICE")
	b.restart() // a session of its own; the change of devices is not told yet
	ev := wire(t, 1, bot, lobby, b.say("hello", bot, alice))
	a.receive()
	a.reads(ev, "hello")
}

// Whatever cannot be done, nothing is sealed for too few or sent in clear.
func TestEncryptFails(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	for _, path := range []string{"keys/query", "keys/claim", "sendToDevice/", "rooms/"} {
		f.mu.Lock()
		f.fail = func(p string) int {
			if strings.HasPrefix(p, path) {
				return 500
			}
			return 0
		}
		f.mu.Unlock()
		if c, err := b.machine.Encrypt(t.Context(), lobby, []id.UserID{bot, alice}, event.EventMessage, map[string]any{}); err == nil {
			t.Errorf("%s fails, and it was sealed: %v", path, c.SessionID)
		} else if errors.Is(err, ErrBroken) {
			t.Errorf("%s fails: %v", path, err)
		}
	}
	f.mu.Lock()
	f.fail = nil
	f.mu.Unlock()
	if _, err := b.machine.Encrypt(t.Context(), lobby, nil, event.EventMessage, map[string]any{}); err == nil {
		t.Error("sealed for nobody")
	}
	ev := wire(t, 1, bot, lobby, b.say("at last", bot, alice))
	a.receive()
	a.reads(ev, "at last")
}

// Rooms are served at once while keys come in.
func TestManyAtOnce(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			room := id.RoomID(fmt.Sprintf("!r%d:example.org", i))
			for n := range 5 {
				if _, err := b.machine.Encrypt(context.Background(), room, []id.UserID{bot, alice}, event.EventMessage, map[string]any{"body": n}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 10 {
		ev := wire(t, i, alice, lobby, a.say("hello", alice, bot))
		b.receive()
		b.reads(ev, "hello")
	}
	wg.Wait()
}

// With a device whose messages cannot be read a new session is begun, but only with one that the sender has.
func TestASessionIsMended(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	a.say("x", alice, bot)
	b.receive()
	b.say("y", bot, alice)
	a.receive() // from here on alice takes it that the bot has their session
	b.rows(none, "olm")
	b.restart()
	a.restart()
	a.say("lost", alice, bot)
	sent := make(chan struct{}, 100)
	f.mu.Lock()
	f.fail = func(path string) int {
		if strings.HasPrefix(path, "sendToDevice/m.room.encrypted") {
			sent <- struct{}{}
		}
		return 0
	}
	claimed := maps.Clone(f.queue[bot]["BOT"][0]) // eve says that it was her
	claimed["sender"] = eve
	sub(f.queue, bot)["BOT"] = append([]map[string]any{claimed}, f.queue[bot]["BOT"]...)
	f.mu.Unlock()
	if n := b.receive(); n != 0 {
		t.Fatalf("%d keys came in a session that is gone", n)
	}
	select {
	case <-sent:
	case <-time.After(30 * time.Second):
		t.Fatal("no new session was begun")
	}
	f.mu.Lock()
	if len(f.queue[eve]) != 0 {
		t.Error("it was begun with eve")
	}
	f.mu.Unlock()
	a.receive()
	a.restart()
	ev := wire(t, 9, alice, lobby, a.say("found", alice, bot))
	b.receive()
	b.reads(ev, "found")
}

// No secret is logged, even at the most talkative level.
func TestSecretsAreNotLogged(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	b.say("a very private text", bot, alice)
	a.say("another private text", alice, bot)
	f.mu.Lock()
	sub(f.queue, bot)["BOT"] = append(f.queue[bot]["BOT"], map[string]any{"type": "m.room.encrypted", "sender": alice, "content": map[string]any{
		"algorithm": "m.olm.v1.curve25519-aes-sha2", "sender_key": a.machine.olm.OwnIdentity().IdentityKey,
		"ciphertext": map[string]any{string(b.machine.olm.OwnIdentity().IdentityKey): map[string]any{"type": 1, "body": "AwogAAAA"}},
	}})
	f.mu.Unlock()
	b.receive()
	b.restart()
	text := b.log.String()
	for _, secret := range []string{b.recoveryKey(), "private text", f.client(bot, "BOT").AccessToken, "AwogAAAA"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the log:\n%s", secret, text)
		}
	}
	for _, name := range []string{"moot.db", RecoveryFile} {
		if info, err := os.Stat(filepath.Join(b.dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
}

// One-time keys are uploaded when they run out, and not where the server does not count them.
func TestOneTimeKeys(t *testing.T) {
	f := newFake(t)
	b := start(f, bot, "BOT")
	left := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.onetime[bot]["BOT"])
	}
	full := left()
	if full < 40 {
		t.Fatalf("only %d were uploaded at the start", full)
	}
	for range 5 {
		b.machine.counted = time.Time{} // a minute has passed
		if _, err := b.machine.Receive(t.Context(), &mautrix.RespSync{}, ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := left(); n != full {
		t.Errorf("from %d they became %d without need", full, n)
	}
	for _, keep := range []int{3, 0} {
		f.mu.Lock()
		for name := range f.onetime[bot]["BOT"] {
			if len(f.onetime[bot]["BOT"]) > keep {
				delete(f.onetime[bot]["BOT"], name)
			}
		}
		f.mu.Unlock()
		b.machine.counted = time.Time{}
		b.receive()
		if n := left(); n < 40 {
			t.Errorf("of %d there were %d made", keep, n)
		}
	}
}

// Whoever begins to write when all one-time keys are gone is read too, and each fallback key serves only until it is
// replaced.
func TestFallbackKeys(t *testing.T) {
	f := newFake(t)
	b := start(f, bot, "BOT")
	b.receive() // makes the first
	made := func() (n int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, l := range f.log {
			if l == "fallback" {
				n++
			}
		}
		return n
	}
	if n := made(); n != 1 {
		t.Fatalf("%d fallback keys at the start", n)
	}
	b.machine.fallAfter = time.Time{}
	if b.receive(); made() != 1 {
		t.Error("one that was not used is replaced")
	}
	b.restart() // it is kept
	f.mu.Lock()
	clear(f.onetime[bot]["BOT"])
	f.mu.Unlock()
	for n := range 2 {
		a := start(f, alice, id.DeviceID(fmt.Sprintf("ALICE%d", n)))
		ev := wire(t, n, alice, lobby, a.say("hello", alice, bot))
		f.mu.Lock()
		if !f.used["BOT"] {
			t.Error("the fallback key was not used")
		}
		f.mu.Unlock()
		resp, done := f.sync(bot, "BOT")
		resp.DeviceOTKCount.SignedCurve25519 = 50 // so that none are made
		b.machine.fallAfter = time.Time{}
		if _, err := b.machine.Receive(t.Context(), resp, ""); err != nil {
			t.Fatal(err)
		}
		done()
		b.reads(ev, "hello")
		if got := made(); got != n+2 {
			t.Errorf("%d fallback keys after the %dth use", got, n+1)
		}
	}
	if _, err := b.machine.Receive(t.Context(), &mautrix.RespSync{}, ""); err != nil || made() != 3 {
		t.Errorf("a server that knows of none is given one: %v", err)
	}
	var pauses []time.Duration
	for range 13 {
		b.machine.fallAfter = time.Time{}
		if _, err := b.machine.Receive(t.Context(), &mautrix.RespSync{FallbackKeys: []id.KeyAlgorithm{}}, ""); err != nil {
			t.Fatal(err)
		}
		pauses = append(pauses, b.machine.fallPause)
	}
	if last := pauses[len(pauses)-1]; last != 24*time.Hour || pauses[0] >= pauses[1] {
		t.Errorf("a server that never has one is given another after %v", pauses)
	}
	b.receive()
	if b.machine.fallPause != 0 {
		t.Error("a server that has one is given the next too late")
	}
}

// Hostile to-device events are let go of.
func TestHostileEvents(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	own := string(b.machine.olm.OwnIdentity().IdentityKey)
	f.mu.Lock()
	for _, content := range []any{
		map[string]any{}, nil, map[string]any{"algorithm": 3}, map[string]any{"algorithm": "m.olm.v1.curve25519-aes-sha2"},
		map[string]any{"algorithm": "m.olm.v1.curve25519-aes-sha2", "sender_key": "x", "ciphertext": map[string]any{own: map[string]any{"type": 0, "body": "!!"}}},
		map[string]any{"algorithm": "m.olm.v1.curve25519-aes-sha2", "sender_key": "x", "ciphertext": map[string]any{own: map[string]any{"type": 0, "body": ""}}},
		map[string]any{"algorithm": "m.olm.v1.curve25519-aes-sha2", "sender_key": own, "ciphertext": map[string]any{own: map[string]any{"type": 0, "body": strings.Repeat("A", 1<<16)}}},
		map[string]any{"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AAAA", "session_id": "x"},
	} {
		for _, kind := range []string{"m.room.encrypted", "m.room_key_request", "m.room_key.withheld", "m.forwarded_room_key", "m.room_key", "m.secret.send", "m.dummy", ""} {
			sub(f.queue, bot)["BOT"] = append(f.queue[bot]["BOT"], map[string]any{"type": kind, "sender": eve, "content": content})
		}
	}
	f.mu.Unlock()
	if n := b.receive(); n != 0 {
		t.Errorf("%d keys came of it", n)
	}
	ev := wire(t, 1, alice, lobby, a.say("hello", alice, bot))
	b.receive()
	b.reads(ev, "hello")
}
