//go:build goolm

package crypto

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/protocol/matrix/account"
)

const notAPair = "the keys in matrix-keys.db and moot.db do not belong together: one of the two was lost, or put back alone; " + restore

// copyFiles copies a closed database of keys.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whichever of the two files is put back or lost alone, it is noticed, and nothing is changed by that.
func TestThePair(t *testing.T) {
	f := newFake(t)
	d := start(f, bot, "BOT")
	file, backup := filepath.Join(d.dir, File), filepath.Join(t.TempDir(), "backup")
	d.close()
	oldPair := d.pair
	copyFile(t, file, backup)
	d.start()
	d.close()
	newPair, last := d.pair, filepath.Join(t.TempDir(), "last")
	copyFile(t, file, last)
	if oldPair == newPair || newPair == "" {
		t.Fatalf("pair ids %q, %q", oldPair, newPair)
	}

	d.pair = oldPair
	wantFault(t, d.open(), notAPair)
	d.pair = ""
	wantFault(t, d.open(), notAPair)
	d.pair = newPair
	copyFile(t, backup, file)
	wantFault(t, d.open(), notAPair)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	wantFault(t, d.open(), file+" is missing, and the bot has used it; "+restore)
	if _, err := os.Stat(file); err == nil {
		t.Error("a refused start made the file anew")
	}
	copyFile(t, last, file)
	d.start()
	d.close()

	copyFile(t, backup, file) // both, from one backup
	d.pair = oldPair
	if err := d.open(); err != nil {
		t.Errorf("both put back: %v", err)
	}
}

// The change of the pair id may end anywhere.
func TestThePairChangesSafely(t *testing.T) {
	f := newFake(t)
	d := newDevice(f, bot, "BOT")
	gone := errors.New("the power is gone")
	for range 3 { // the very first change too
		before := d.pair
		_, err := Open(t.Context(), Config{Folder: d.dir, Pair: d.pair, Secret: []byte("0123456789abcdef"), SetPair: func(string) error { return gone }})
		if !errors.Is(err, gone) {
			t.Fatal(err)
		}
		if d.pair != before {
			t.Fatal("the pair id has changed")
		}
		// It is set in the other database, and the process ends before that is noted here.
		_, err = Open(t.Context(), Config{Folder: d.dir, Pair: d.pair, Secret: []byte("0123456789abcdef"), SetPair: func(p string) error { d.pair = p; return gone }})
		if !errors.Is(err, gone) {
			t.Fatal(err)
		}
		if err := d.open(); err != nil {
			t.Fatalf("after a start that was cut short: %v", err)
		}
		d.close()
	}
}

// Keys do not pile up for ever, and what they opened is not opened once more.
func TestOldKeysAreDropped(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	old := wire(t, 1, alice, lobby, a.say("old", alice, bot))
	b.receive()
	b.reads(old, "old")
	b.exec(`UPDATE crypto_megolm_inbound_session SET received_at='` + time.Now().Add(-keepKeys-48*time.Hour).UTC().String() + `'`)
	a.restart()
	recent := wire(t, 2, alice, lobby, a.say("new", alice, bot))
	b.receive()
	b.reads(recent, "new")
	b.restart()
	b.reads(recent, "new")
	if _, err := b.read(old); !errors.Is(err, ErrNoKey) {
		t.Errorf("the old one is %v", err)
	}
	var n int
	if err := b.store.raw.QueryRow(`SELECT count(*) FROM crypto_message_index`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d messages are remembered, %v", n, err)
	}
}

func TestDamagedFile(t *testing.T) {
	f := newFake(t)
	d := start(f, bot, "BOT")
	d.close()
	if err := os.WriteFile(filepath.Join(d.dir, File), []byte("this is no database, but it is long enough to look like one to somebody in a hurry"), 0o600); err != nil {
		t.Fatal(err)
	}
	var fault *account.Fault
	if err := d.open(); !errors.As(err, &fault) {
		t.Errorf("a damaged file is %v", err)
	}
}

func TestKeysOfAnotherDevice(t *testing.T) {
	f := newFake(t)
	d := start(f, bot, "BOT")
	if got := d.store.Owner(); got != (Owner{bot, "BOT"}) {
		t.Errorf("the keys are those of %v", got)
	}
	d.close()
	d.id = "OTHER"
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	wantFault(t, d.connect(), "the keys in matrix-keys.db are those of @moot:example.org on device BOT, and the bot is logged in as @moot:example.org on device OTHER; log in as before, or run `moot matrix forget` to begin anew on the other device")
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
	wantFault(t, other.connect(), "device BOT has keys on the homeserver that are not in matrix-keys.db; put the data folder back from a backup, or make a new login: with a password, run `moot matrix forget`; with an access_token, take that of a new login")

	// The process ended after the upload and before that was noted.
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	d.exec(`UPDATE crypto_account SET shared=0`)
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

// Examine finds nothing wrong with a file that is in use, or was closed, and says where one is damaged; it changes none.
func TestExamine(t *testing.T) {
	f := newFake(t)
	d := newDevice(f, bot, "BOT")
	if _, err := Examine(t.Context(), d.dir, &d.pair, Owner{}); err != nil {
		t.Errorf("where there is no file: %v", err)
	}
	d.start()
	if _, err := Examine(t.Context(), d.dir, &d.pair, Owner{}); err != nil {
		t.Errorf("while it is in use: %v", err)
	}
	d.close()
	path := filepath.Join(d.dir, File)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Examine(t.Context(), d.dir, &d.pair, Owner{}); err != nil {
		t.Errorf("after it was closed: %v", err)
	}
	for what, bad := range map[string][]byte{"emptied": {}, "cut short": whole[:len(whole)/2], "of another kind": []byte(strings.Repeat("moot", 2000))} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		var fault *account.Fault
		if _, err := Examine(t.Context(), d.dir, &d.pair, Owner{}); !errors.As(err, &fault) || fault.Do != restore {
			t.Errorf("%s: %v", what, err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, bad) {
			t.Errorf("%s: it was changed (%v)", what, err)
		}
	}
	if left, _ := filepath.Glob(path + "-*"); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}

// What another version has written is brought to this one, with a copy meanwhile; where that fails the copy stays. Examine
// says before what will be.
func TestUpgrade(t *testing.T) {
	f := newFake(t)
	older := func() *device {
		d := newDevice(f, bot, "BOT")
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		for _, q := range []string{ // what the last upgrade has added (mautrix, sql_store_upgrade/21-megolm-history-sharing.sql)
			`ALTER TABLE crypto_megolm_inbound_session DROP COLUMN shared_history`, `ALTER TABLE crypto_megolm_outbound_session DROP COLUMN shared_history`,
			`ALTER TABLE crypto_megolm_inbound_session DROP COLUMN source_user`, `UPDATE crypto_version SET version=20, compat=20`,
		} {
			if _, err := d.store.raw.Exec(q); err != nil {
				t.Fatal(err)
			}
		}
		d.close()
		return d
	}
	d := older()
	copied := filepath.Join(d.dir, File+spareSuffix)
	if will, err := Examine(t.Context(), d.dir, &d.pair, Owner{}); err != nil || !strings.Contains(will, "has schema 20; the next start brings it to 21") {
		t.Errorf("%q, %v", will, err)
	}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(copied); err == nil {
		t.Error("the copy is still there")
	}
	if !strings.Contains(d.log.String(), "brought to another schema") {
		t.Errorf("the log does not say so:\n%s", d.log)
	}
	d.close()
	if will, err := Examine(t.Context(), d.dir, &d.pair, Owner{}); err != nil || will != "" {
		t.Errorf("afterwards: %q, %v", will, err)
	}

	d = older()
	copied = filepath.Join(d.dir, File+spareSuffix)
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.store.raw.Exec(`UPDATE crypto_version SET version=20, compat=20`); err != nil { // the columns are there already
		t.Fatal(err)
	}
	d.close()
	var fault *account.Fault
	if err := d.open(); !errors.As(err, &fault) || !strings.Contains(fault.Do, copied) {
		t.Errorf("an upgrade that fails: %v", err)
	}
	if info, err := os.Stat(copied); err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info, err)
	}

	d = older()
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.store.raw.Exec(`UPDATE crypto_version SET version=99, compat=99`); err != nil {
		t.Fatal(err)
	}
	d.close()
	if _, err := Examine(t.Context(), d.dir, &d.pair, Owner{}); !errors.As(err, &fault) || !strings.Contains(fault.What, "newer version") {
		t.Errorf("a newer one: %v", err)
	}
	if err := d.open(); !errors.As(err, &fault) || !strings.Contains(fault.What, "newer version") {
		t.Errorf("a newer one: %v", err)
	}
}
