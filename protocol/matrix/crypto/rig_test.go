//go:build goolm

package crypto

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/keys"
	"moot/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	bot   id.UserID = "@moot:example.org"
	alice id.UserID = "@alice:example.org"
	eve   id.UserID = "@eve:example.org"
	lobby id.RoomID = "!lobby:example.org"
)

// device is a device, with the database in which its keys are.
type device struct {
	t       testing.TB
	f       *fake
	dir     string
	user    id.UserID
	id      id.DeviceID
	db      *store.Store
	c       ConnectConfig
	store   *Store
	machine *Machine
	log     *logged
	shared  []protocol.RoomID // with everybody
}

// logged is what was logged, for looking through it.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Shared implements Rooms.
func (d *device) Shared(protocol.UserID) ([]protocol.RoomID, error) { return d.shared, nil }

// newDevice is a device that is not opened yet.
func newDevice(f *fake, user id.UserID, name id.DeviceID) *device {
	d := &device{t: f.t, f: f, dir: f.t.TempDir(), user: user, id: name, log: &logged{}, shared: []protocol.RoomID{"matrix:!lobby:example.org"}}
	d.c.Rooms = d
	f.t.Cleanup(d.close)
	return d
}

// start is a device that is ready.
func start(f *fake, user id.UserID, name id.DeviceID) *device {
	f.t.Helper()
	d := newDevice(f, user, name)
	d.start()
	return d
}

// startSigned is another device of somebody, signed by the identity that the first has made.
func startSigned(first *device, name id.DeviceID) *device {
	d := newDevice(first.f, first.user, name)
	key := first.recoveryKey()
	d.c.RecoveryKey = func() (string, error) { return key, nil }
	d.start()
	return d
}

func (d *device) start() {
	d.t.Helper()
	if err := d.open(); err != nil {
		d.t.Fatal(err)
	}
	if err := d.connect(); err != nil {
		d.t.Fatal(err)
	}
}

// secret encrypts the keys.
var secret = []byte("0123456789abcdef")

// data opens the database, if it is not open.
func (d *device) data() *store.Store {
	d.t.Helper()
	if d.db == nil {
		db, err := store.Open(store.Config{Path: filepath.Join(d.dir, "moot.db")})
		if err != nil {
			d.t.Fatal(err)
		}
		d.db = db
	}
	return d.db
}

func (d *device) open() (err error) {
	d.t.Helper()
	d.store, err = Open(context.Background(), Config{
		Folder: d.dir, Store: d.data(), Secret: secret,
		Log: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	return err
}

// commit is the next commit of the bot.
func (d *device) commit() {
	d.t.Helper()
	if err := d.data().Commit(time.Time{}, func(*store.Commit) error { return nil }); err != nil {
		d.t.Fatal(err)
	}
}

func (d *device) connect() (err error) {
	d.machine, err = d.store.Connect(context.Background(), d.f.client(d.user, d.id), d.c)
	return err
}

// close closes what is open, as a crash does: what no commit has had is lost.
func (d *device) close() {
	if d.machine != nil {
		if err := d.machine.Close(); err != nil {
			d.t.Error(err)
		}
	}
	if d.db != nil {
		d.db.Along(nil)
		if err := d.db.Close(); err != nil {
			d.t.Error(err)
		}
	}
	d.machine, d.store, d.db = nil, nil, nil
}

func (d *device) restart() {
	d.t.Helper()
	d.close()
	d.start()
}

// receive takes in what waits on the server, and lets the server forget it.
func (d *device) receive() (keys int) {
	d.t.Helper()
	resp, done := d.f.sync(d.user, d.id)
	keys, err := d.machine.Receive(context.Background(), resp, "")
	if err != nil {
		d.t.Fatal(err)
	}
	d.commit()
	done()
	return keys
}

// say seals a text for members.
func (d *device) say(text string, members ...id.UserID) *event.EncryptedEventContent {
	d.t.Helper()
	c, err := d.machine.Encrypt(context.Background(), lobby, members, event.EventMessage, map[string]any{"msgtype": "m.text", "body": text})
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// read opens an event and returns its text, when the devices of its sender have been asked for.
func (d *device) read(ev *event.Event) (string, error) {
	text, _, err := d.trusts(ev)
	return text, err
}

// trusts opens an event and returns how far its sender is vouched for as well.
func (d *device) trusts(ev *event.Event) (string, protocol.Trust, error) {
	d.t.Helper()
	for {
		opened, trust, err := d.machine.Decrypt(context.Background(), ev)
		switch {
		case err == nil:
			return opened.Content.AsMessage().Body, trust, nil
		case err != matrix.ErrAsking:
			return "", "", err
		}
		select {
		case <-d.machine.News():
		case <-time.After(5 * time.Second):
			return "", "", err
		}
	}
}

// reads checks that an event has a text.
func (d *device) reads(ev *event.Event, want string) {
	d.t.Helper()
	if got, err := d.read(ev); err != nil || got != want {
		d.t.Errorf("%s reads %q, %v; want %q", d.user, got, err, want)
	}
}

func (d *device) recoveryKey() string {
	d.t.Helper()
	data, err := os.ReadFile(filepath.Join(d.dir, RecoveryFile))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(bytes.TrimSpace(data))
}

// rows changes rows behind the back of the program: those whose keys begin with the parts. A nil value deletes one.
func (d *device) rows(change func(value string) []byte, parts ...string) {
	d.t.Helper()
	d.commit()
	bucket := store.SharedBucket("matrix-keys")
	if err := d.db.Commit(time.Time{}, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			for key, value := range tx.Prefix(bucket, strings.Join(parts, store.Sep)) {
				if value := change(string(value)); value != nil {
					tx.Put(bucket, key, value)
				} else {
					tx.Delete(bucket, key)
				}
			}
			return nil
		})
	}); err != nil {
		d.t.Fatal(err)
	}
}

// none deletes a row.
func none(string) []byte { return nil }

// count returns how many rows there are whose keys begin with the parts.
func (d *device) count(parts ...string) (n int) {
	d.t.Helper()
	d.commit()
	if err := d.db.View(func(tx *store.Tx) error {
		for range tx.Prefix(store.SharedBucket("matrix-keys"), strings.Join(parts, store.Sep)) {
			n++
		}
		return nil
	}); err != nil {
		d.t.Fatal(err)
	}
	return n
}

// kept is what the database says of the keys.
func (d *device) kept() *keys.Kept {
	d.t.Helper()
	was := d.db
	var kept keys.Kept
	if err := d.data().View(func(tx *store.Tx) (err error) {
		kept, err = keys.Look(tx)
		return err
	}); err != nil {
		d.t.Fatal(err)
	}
	if was == nil {
		d.close()
	}
	return &kept
}

func wantFault(t *testing.T, err error, want string) {
	t.Helper()
	var f *account.Fault
	if !errors.As(err, &f) {
		t.Errorf("got %v, want a fault: %s", err, want)
	} else if f.Error() != want {
		t.Errorf("got  %s\nwant %s", f.Error(), want)
	}
}
