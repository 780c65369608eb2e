//go:build goolm

package crypto

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// TestADeviceThatItsOwnerHasNotSigned is told from one that the owner has, and gets no keys.
func TestADeviceThatItsOwnerHasNotSigned(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	planted := start(f, alice, "PLANTED") // without the recovery key: nothing signs it
	for _, c := range []struct {
		by   *device
		want protocol.Trust
	}{{a, protocol.TrustSigned}, {planted, protocol.TrustUnsigned}} {
		ev := wire(t, 1, alice, lobby, c.by.say("hello from "+string(c.by.id), alice, bot))
		b.receive()
		if text, trust, err := b.trusts(ev); text != "hello from "+string(c.by.id) || trust != c.want {
			t.Errorf("%s says %q, which is %q, %v", c.by.id, text, trust, err)
		}
	}
	ev := wire(t, 2, bot, lobby, b.say("for those who are signed", bot, alice))
	a.receive()
	a.reads(ev, "for those who are signed")
	if n := planted.receive(); n != 0 {
		t.Errorf("the device that nobody signed was given %d keys", n)
	}
	if _, err := planted.read(ev); !errors.Is(err, ErrNoKey) || !strings.Contains(err.Error(), "verified devices only") {
		t.Errorf("it is told %v", err)
	}
}

// TestPeopleWithoutAnIdentity can read what the bot says, and nothing vouches for what they say.
func TestPeopleWithoutAnIdentity(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	f.mu.Lock()
	for _, keys := range f.cross {
		delete(keys, alice)
	}
	f.mu.Unlock()
	ev := wire(t, 1, bot, lobby, b.say("hello", bot, alice))
	a.receive()
	a.reads(ev, "hello")
	said := wire(t, 2, alice, lobby, a.say("hello back", alice, bot))
	b.receive()
	if text, trust, err := b.trusts(said); text != "hello back" || trust != protocol.TrustUnsigned {
		t.Errorf("it is %q, %q, %v", text, trust, err)
	}
	// The devices of those whom it knows are kept as they are.
	if devices, err := b.store.keys.GetDevices(t.Context(), alice); err != nil || devices["ALICE"].Trust != id.TrustStateUnset {
		t.Errorf("the device is kept as %v, %v", devices["ALICE"].Trust, err)
	}
}

// TestADeviceThatIsSignedLater counts from then on.
func TestADeviceThatIsSignedLater(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	late := start(f, alice, "LATE")
	ev := wire(t, 1, alice, lobby, late.say("too early", alice, bot))
	b.receive()
	if _, trust, err := b.trusts(ev); trust != protocol.TrustUnsigned || err != nil {
		t.Fatalf("before it is signed it is %q, %v", trust, err)
	}
	key := a.recoveryKey()
	late.c.RecoveryKey = func() (string, error) { return key, nil }
	late.restart()
	ev = wire(t, 2, alice, lobby, late.say("now", alice, bot))
	b.receive() // is told that alice's devices have changed
	if text, trust, err := b.trusts(ev); text != "now" || trust != protocol.TrustSigned || err != nil {
		t.Errorf("when it is signed it is %q, %q, %v", text, trust, err)
	}
}

// TestASlowServerHoldsUpItsOwnRoomOnly: neither a sync nor another room waits for the devices or the one-time keys of people
// on a server that does not answer.
func TestASlowServerHoldsUpItsOwnRoomOnly(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	const far id.UserID = "@far:slow.example"
	start(f, far, "FAR")
	b.say("y", bot, alice)
	hold := make(chan struct{})
	held := make(chan string, 10)
	f.hold = func(path, body string) {
		if (path == "keys/query" || path == "keys/claim") && strings.Contains(body, string(far)) {
			held <- path
			<-hold
		}
	}
	said := make(chan error, 1)
	go func() {
		_, err := b.machine.Encrypt(t.Context(), "!far:slow.example", []id.UserID{bot, far}, event.EventMessage, map[string]any{"body": "x"})
		said <- err
	}()
	for _, want := range []string{"keys/query", "keys/claim"} {
		select {
		case got := <-held:
			if got != want {
				t.Fatalf("%s is asked, and not %s", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s was never asked", want)
		}
		ev := wire(t, 1, alice, lobby, a.say("hello "+want, alice, bot))
		took := time.Hour
		for range 3 { // one may be slow because the machine is; all of them would wait for the server
			f.mu.Lock()
			f.changed[far] = true
			f.mu.Unlock()
			began := time.Now()
			b.receive()
			took = min(took, time.Since(began))
		}
		t.Logf("while %s hangs a sync took %s", want, took)
		if took > 50*time.Millisecond {
			t.Errorf("while %s hangs a sync took %s", want, took)
		}
		b.reads(ev, "hello "+want)
		b.say("to another room", bot, alice)
		hold <- struct{}{}
	}
	close(hold)
	if err := <-said; err != nil {
		t.Errorf("the slow room: %v", err)
	}
}

// TestWhoHadNoDeviceIsRemembered: people without devices, such as those whom a bridge has made, are not asked for again at
// each new session.
func TestWhoHadNoDeviceIsRemembered(t *testing.T) {
	f := newFake(t)
	b, _ := start(f, bot, "BOT"), start(f, alice, "ALICE")
	members := []id.UserID{bot, alice, "@ghost1:example.org", "@ghost2:example.org"} // who have no devices
	b.say("first", members...)
	before := f.count("keys/query")
	for range 3 {
		if err := b.machine.Member(t.Context(), &event.Event{Type: event.StateMember, RoomID: lobby}); err != nil { // ends the session
			t.Fatal(err)
		}
		b.say("again", members...)
	}
	if n := f.count("keys/query") - before; n != 0 {
		t.Errorf("they were asked for %d times more", n)
	}
}

// TestAKeyThatNobodyAskedFor is not taken: somebody could pass on one of theirs in the name of another.
func TestAKeyThatNobodyAskedFor(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	e := start(f, eve, "EVE")
	ev := wire(t, 1, alice, lobby, a.say("hello", alice, bot, eve))
	f.mu.Lock()
	direct := f.queue[bot]["BOT"]
	f.queue[bot]["BOT"] = nil
	f.mu.Unlock()
	e.receive()
	session, err := e.store.keys.GetGroupSession(t.Context(), lobby, ev.Content.AsEncrypted().SessionID)
	if err != nil || session == nil {
		t.Fatal(session, err)
	}
	exported, err := session.Internal.Export(0)
	if err != nil {
		t.Fatal(err)
	}
	to, err := e.machine.olm.GetOrFetchDevice(t.Context(), bot, "BOT")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.machine.begin(t.Context(), []*id.Device{to}); err != nil {
		t.Fatal(err)
	}
	passed := event.Content{Parsed: &event.ForwardedRoomKeyEventContent{
		RoomKeyEventContent: event.RoomKeyEventContent{
			Algorithm: id.AlgorithmMegolmV1, RoomID: lobby, SessionID: session.ID(), SessionKey: string(exported),
		},
		SenderKey: session.SenderKey, SenderClaimedKey: session.SigningKey,
	}}
	if err := e.machine.olm.SendEncryptedToDevice(t.Context(), to, event.ToDeviceForwardedRoomKey, passed); err != nil {
		t.Fatal(err)
	}
	b.receive()
	if text, err := b.read(ev); !errors.Is(err, ErrNoKey) {
		t.Errorf("with a key that eve passed on it is %q, %v", text, err)
	}
	f.mu.Lock()
	sub(f.queue, bot)["BOT"] = direct
	f.mu.Unlock()
	b.receive()
	b.reads(ev, "hello")
}

// A device that its owner does not have seals nothing that is believed.
func TestUnknownDevices(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "GHOST")
	content := a.say("hello", alice, bot)
	f.mu.Lock()
	keys := f.keys[alice]
	f.keys[alice] = map[id.DeviceID]map[string]any{}
	f.mu.Unlock()
	b.receive()
	b.rows(none, "device", "@alice:example.org")
	if _, err := b.read(wire(t, 1, alice, lobby, content)); err == nil || err.Error() != "its sender has no such device" {
		t.Errorf("of a device that is not there: %v", err)
	}
	f.mu.Lock()
	f.fail = func(path string) int {
		if path == "keys/query" {
			return 500
		}
		return 0
	}
	f.mu.Unlock()
	b.machine.lists.asked = map[claim]time.Time{} // as a while later
	if _, err := b.read(wire(t, 1, alice, lobby, content)); !errors.Is(err, ErrNoKey) {
		t.Errorf("while nobody can be asked: %v", err)
	}
	f.mu.Lock()
	b.machine.lists.rests = map[id.UserID]rest{}
	f.keys[alice], f.fail = keys, nil
	f.mu.Unlock()
	b.machine.wake() // as it does by itself a while after
	b.reads(wire(t, 1, alice, lobby, content), "hello")
}

// sent waits until something of a kind was sent to somebody's devices, and returns the first.
func (f *fake) sent(user id.UserID, kind string) map[string]any {
	f.t.Helper()
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		f.mu.Lock()
		for _, queue := range f.queue[user] {
			for _, ev := range queue {
				if ev["type"] == kind {
					f.mu.Unlock()
					return ev["content"].(map[string]any)
				}
			}
		}
		f.mu.Unlock()
	}
	f.t.Fatalf("%s was never sent a %s", user, kind)
	return nil
}

// TestAMissingKeyIsAskedFor of its sender, and one that could not be sent leads to a new olm session.
func TestAMissingKeyIsAskedFor(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	ev := wire(t, 1, alice, lobby, a.say("hello", alice, bot))
	f.mu.Lock()
	f.queue[bot]["BOT"] = nil // the key is lost
	f.mu.Unlock()
	if _, err := b.read(ev); !errors.Is(err, ErrNoKey) {
		t.Fatal(err)
	}
	asked := f.sent(alice, "m.room_key_request")
	if body := asked["body"].(map[string]any); body["session_id"] != string(ev.Content.AsEncrypted().SessionID) || asked["action"] != "request" {
		t.Errorf("it asks for %v", asked)
	}
	b.rows(none, "olm")
	b.restart()
	f.mu.Lock()
	sub(f.queue, bot)["BOT"] = []map[string]any{{"type": "m.room_key.withheld", "sender": alice, "content": map[string]any{
		"algorithm": "m.megolm.v1.aes-sha2", "room_id": lobby, "session_id": ev.Content.AsEncrypted().SessionID,
		"sender_key": a.machine.olm.OwnIdentity().IdentityKey, "code": "m.no_olm",
	}}}
	f.mu.Unlock()
	b.receive()
	f.sent(alice, "m.room.encrypted") // m.dummy, in a session of its own
}

// TestARequestToVerifyTheBotIsAnswered with a cancel: nobody is there to compare emoji.
func TestARequestToVerifyTheBotIsAnswered(t *testing.T) {
	f := newFake(t)
	b := start(f, bot, "BOT")
	f.mu.Lock()
	sub(f.queue, bot)["BOT"] = []map[string]any{{"type": "m.key.verification.request", "sender": alice, "content": map[string]any{
		"from_device": "ALICE", "transaction_id": "t1", "methods": []string{"m.sas.v1"}, "timestamp": 1,
	}}}
	f.mu.Unlock()
	b.receive()
	if c := f.sent(alice, "m.key.verification.cancel"); c["transaction_id"] != "t1" || c["code"] != "m.user" || c["reason"] == "" {
		t.Errorf("it answers %v", c)
	}
}

// TestAnIdentityThatIsResetElsewhere vouches for the bot again, by the recovery key, without a restart.
func TestAnIdentityThatIsResetElsewhere(t *testing.T) {
	f := newFake(t)
	b := start(f, bot, "BOT")
	verified := func() bool {
		is, err := Look(t.Context(), f.client(bot, "BOT"))
		if err != nil {
			t.Fatal(err)
		}
		return is.Verified
	}
	f.mu.Lock()
	device := f.keys[bot]["BOT"] // without the signature of the identity
	own := device["signatures"].(map[string]any)[string(bot)].(map[string]any)
	for name := range own {
		if name != "ed25519:BOT" {
			delete(own, name)
		}
	}
	f.changed[bot] = true
	f.mu.Unlock()
	if verified() {
		t.Fatal("the device is still signed")
	}
	b.receive()
	for until := time.Now().Add(10 * time.Second); !verified(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("nothing vouches for the bot\n%s", b.log)
		}
	}
}

// TestAnIdentityThatTheBotHasNoKeyToIsSaidLoudly, when it is made while the bot runs.
func TestAnIdentityThatTheBotHasNoKeyToIsSaidLoudly(t *testing.T) {
	f := newFake(t)
	b := start(f, bot, "BOT")
	if err := os.Remove(filepath.Join(b.dir, RecoveryFile)); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	own := f.keys[bot]["BOT"]["signatures"].(map[string]any)[string(bot)].(map[string]any)
	for name := range own {
		if name != "ed25519:BOT" {
			delete(own, name)
		}
	}
	f.changed[bot] = true
	f.mu.Unlock()
	b.receive()
	const said = "was made anew elsewhere, and does not vouch for the bot"
	for until := time.Now().Add(time.Minute); !strings.Contains(b.log.String(), said); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("nothing says so\n%s", b.log)
		}
	}
}

// TestAFolderThatWasPutBackHealsItself: it is recognised by a message of the bot's own device to which it has no key. Everybody
// can read what the bot says from then on, and check tells what happened.
func TestAFolderThatWasPutBackHealsItself(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	said := func(text string) {
		t.Helper()
		ev := wire(t, 1, bot, lobby, b.say(text, bot, alice))
		a.receive()
		a.reads(ev, text)
	}
	said("before the backup")
	b.close()
	backup := t.TempDir()
	if err := os.CopyFS(backup, os.DirFS(b.dir)); err != nil {
		t.Fatal(err)
	}
	b.start()
	if will, err := Examine(t.Context(), b.dir, b.kept(), Owner{}); will != "" || err != nil || b.kept().Restored != "" {
		t.Errorf("of a folder that was not put back check says %q, %v", will, err)
	}
	b.rows(none, "out") // its time is over, and the next key goes out by the session with Alice
	later := wire(t, 2, bot, lobby, b.say("after the backup", bot, alice))
	a.receive()
	a.reads(later, "after the backup")
	b.close()
	b.dir = backup
	b.start()
	for range 2 {
		if _, err := b.read(later); !errors.Is(err, ErrNoKey) {
			t.Errorf("it is read: %v", err)
		}
	}
	if n := strings.Count(b.log.String(), "put back from a backup"); n != 1 || !strings.Contains(b.log.String(), "moot matrix forget") {
		t.Errorf("it says so %d times:\n%s", n, b.log)
	}
	said("after the folder was put back")
	if b.kept().Restored == "" { // which check tells
		t.Error("it is not noted")
	}
}

// A server refuses other one-time keys under names that it knows from after the backup: a folder that was put back starts, knows
// by that what it is, and gives it keys under other names.
func TestOneTimeKeysFromAfterTheBackup(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	b.close()
	backup := t.TempDir()
	if err := os.CopyFS(backup, os.DirFS(b.dir)); err != nil {
		t.Fatal(err)
	}
	useUp := func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		clear(f.onetime[bot]["BOT"])
	}
	for range 2 { // all are used up, and made again
		useUp()
		b.start()
		b.close()
	}
	useUp()
	b.dir = backup
	b.start()
	if n := strings.Count(b.log.String(), "put back from a backup"); n != 1 {
		t.Errorf("it says %d times what it is:\n%s", n, b.log)
	}
	f.mu.Lock()
	n := len(f.onetime[bot]["BOT"])
	f.mu.Unlock()
	if n < 40 {
		t.Errorf("the server has %d one-time keys", n)
	}
	ev := wire(t, 1, alice, lobby, a.say("hello", alice, bot))
	b.receive()
	b.reads(ev, "hello")
}

// After a long absence from large rooms a server tells of more changed devices than one query of the database can name.
func TestDevicesOfManyPeopleHaveChanged(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	b.say("hello", bot, alice) // whose devices are known from here on
	resp := &mautrix.RespSync{}
	for i := range 40_000 {
		resp.DeviceLists.Changed = append(resp.DeviceLists.Changed, id.UserID(fmt.Sprintf("@u%d:example.org", i)))
	}
	resp.DeviceLists.Changed = append(resp.DeviceLists.Changed, alice)
	before := f.count("keys/query")
	if _, err := b.machine.Receive(t.Context(), resp, ""); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); f.count("keys/query") == before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the devices of who is known are not asked for")
		}
	}
	ev := wire(t, 1, alice, lobby, a.say("hello", alice, bot))
	b.receive()
	b.reads(ev, "hello")
}

// The library takes each answer for an object. One that is none ends nothing, and the next one counts.
func TestAnAnswerThatIsNone(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	null := func(path string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.null = path
	}
	null("keys/query")
	if _, err := b.machine.Encrypt(t.Context(), lobby, []id.UserID{bot, alice}, event.EventMessage, map[string]any{"body": "x"}); err == nil {
		t.Error("it is sealed for people whose devices nobody has told")
	}
	null("keys/upload")
	b.machine.counted = time.Time{}
	if _, err := b.machine.Receive(t.Context(), &mautrix.RespSync{}, ""); err != nil {
		t.Error(err)
	}
	b.close()
	null("keys/query")
	if err := errors.Join(b.open(), b.connect()); err == nil {
		t.Error("it starts without knowing its device")
	}
	b.machine = nil // it was closed when that failed
	b.close()
	null("")
	b.start()
	ev := wire(t, 1, bot, lobby, b.say("hello", bot, alice))
	a.receive()
	a.reads(ev, "hello")
}
