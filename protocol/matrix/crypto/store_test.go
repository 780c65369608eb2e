//go:build goolm

package crypto

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Keys do not pile up for ever, and what they opened is not opened once more.
func TestOldKeysAreDropped(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	old := wire(t, 1, alice, lobby, a.say("old", alice, bot))
	b.receive()
	b.reads(old, "old")
	long := time.Now().Add(-keepKeys - 48*time.Hour).UTC().Format(time.RFC3339)
	received := regexp.MustCompile(`"received":"[^"]*"`)
	b.rows(func(row string) []byte { return []byte(received.ReplaceAllString(row, `"received":"`+long+`"`)) }, "in")
	a.restart()
	recent := wire(t, 2, alice, lobby, a.say("new", alice, bot))
	b.receive()
	b.reads(recent, "new")
	b.restart()
	b.reads(recent, "new")
	if _, err := b.read(old); !errors.Is(err, ErrNoKey) {
		t.Errorf("the old one is %v", err)
	}
	if n := b.count("index"); n != 1 {
		t.Errorf("%d messages are remembered", n)
	}
}

func TestKeysOfAnotherDevice(t *testing.T) {
	f := newFake(t)
	d := start(f, bot, "BOT")
	if got := d.store.Owner(); got != (Owner{User: bot, Device: "BOT"}) {
		t.Errorf("the keys are those of %v", got)
	}
	d.close()
	d.id = "OTHER"
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	wantFault(t, d.connect(), "the keys in the data folder are those of @moot:example.org on device BOT, and the bot is logged in as @moot:example.org on device OTHER; log in as before, or run `moot matrix forget` to begin anew on the other device")
}

func TestDeviceOnTheServer(t *testing.T) {
	f := newFake(t)
	d := start(f, bot, "BOT")
	d.close()

	// The keys are lost and the login is not.
	other := newDevice(f, bot, "BOT")
	if err := other.open(); err != nil {
		t.Fatal(err)
	}
	wantFault(t, other.connect(), "device BOT has keys on the homeserver that are not in the data folder; put the data folder back from a backup, or make a new login: with a password, run `moot matrix forget`; with an access_token, take that of a new login")

	// The process ended after the upload and before that was noted.
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	d.rows(func(row string) []byte { return []byte(strings.Replace(row, `"shared":true,`, "", 1)) }, "account")
	if err := d.connect(); err != nil {
		t.Fatal(err)
	}
	if n := len(slices.DeleteFunc(slices.Clone(f.log), func(s string) bool { return s != "device" })); n != 1 {
		t.Errorf("the device was uploaded %d times", n)
	}
	d.close()

	// Somebody has deleted the device.
	f.mu.Lock()
	delete(f.keys[bot], "BOT")
	f.mu.Unlock()
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	wantFault(t, d.connect(), "the homeserver has lost the keys of device BOT, or somebody has deleted it; run `moot matrix forget` and start the bot again: it then begins on a new device")
}
