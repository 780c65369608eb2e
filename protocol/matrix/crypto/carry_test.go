//go:build goolm

package crypto

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"
	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/keys"
	"moot/store"
)

const notAPair = "the keys in matrix-keys.db and moot.db do not belong together: one of the two was lost, or put back alone; " + restore

// setPair gives the database of a device a pair id.
func (d *device) setPair(pair string) {
	d.t.Helper()
	if err := d.data().Commit(time.Time{}, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			keys.SetPair(tx, pair)
			return nil
		})
	}); err != nil {
		d.t.Fatal(err)
	}
}

// older makes the data folder of a device, which is closed then, one that a version before 0.2 has left: by mautrix's own store, and
// with the tables that moot had beside its own.
func older(d *device) (file string) {
	d.t.Helper()
	t, ctx := d.t, context.Background()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	d.commit()
	file = filepath.Join(d.dir, File)
	raw, err := sql.Open("sqlite", dsn(file))
	ok(err)
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	ok(err)
	old := mcrypto.NewSQLCryptoStore(db, nil, "", d.id, secret)
	ok(old.DB.Upgrade(ctx))
	now := d.store.keys
	acct, err := now.GetAccount(ctx)
	ok(err)
	ok(old.PutAccount(ctx, acct))
	all, err := now.GetAllGroupSessions(ctx).AsList()
	ok(err)
	for _, session := range all {
		ok(old.PutGroupSession(ctx, session))
	}
	ok(old.PutWithheldGroupSession(ctx, event.RoomKeyWithheldEventContent{RoomID: lobby, SessionID: "withheld", SenderKey: "somebody", Code: event.RoomKeyWithheldUnverified, Reason: "no"}))
	for _, user := range []id.UserID{bot, alice, eve} {
		devices, err := now.GetDevices(ctx, user)
		ok(err)
		if devices != nil {
			ok(old.PutDevices(ctx, user, devices))
		}
		identity, err := now.GetCrossSigningKeys(ctx, user)
		ok(err)
		for usage, key := range identity {
			ok(old.PutCrossSigningKey(ctx, user, usage, key.First))
			ok(old.PutCrossSigningKey(ctx, user, usage, key.Key))
		}
		for _, device := range devices {
			sessions, err := now.GetSessions(ctx, device.IdentityKey)
			ok(err)
			for _, session := range sessions {
				ok(old.AddSession(ctx, device.IdentityKey, session))
			}
		}
	}
	ok(old.MarkTrackedUsersOutdated(ctx, []id.UserID{eve}))
	ok(old.PutSignature(ctx, alice, "her key", bot, "my key", "a signature"))
	ok(old.PutOlmHash(ctx, [32]byte{31, 31, 31}, time.UnixMilli(1_700_000_000_000)))
	_, err = old.ValidateMessageIndex(ctx, "a session", "$event", 7, 1000)
	ok(err)
	ok(old.MarkOutboundGroupSessionShared(ctx, alice, "her key", "a session"))
	ok(old.PutSecret(ctx, id.SecretMegolmBackupV1, "a secret"))
	_, err = raw.Exec(`CREATE TABLE moot_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL); CREATE TABLE moot_shared (room TEXT PRIMARY KEY, members TEXT NOT NULL);
		INSERT INTO moot_meta VALUES ('pair', 'OLD'), ('user', $1), ('device', $2)`, string(d.user), string(d.id))
	ok(err)
	ok(raw.Close())
	d.rows(none)
	d.setPair("OLD")
	d.close()
	return file
}

// changeFile changes a file of keys.
func changeFile(t *testing.T, file string, queries ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(file))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range queries {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCarry: what a version before 0.2 kept in a file of its own is in the database after the first start, once, and the bot goes
// on with it: it reads what was said before, and others read what it says by the sessions of then.
func TestCarry(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	before := wire(t, 1, alice, lobby, a.say("before", alice, bot))
	b.receive()
	b.reads(before, "before")
	file := older(b)
	if will, err := Examine(t.Context(), b.dir, b.kept(), Owner{User: bot, Device: "BOT"}); err != nil || !strings.Contains(will, "carries the keys of "+file+" over") {
		t.Errorf("check says %q, %v", will, err)
	}
	claims := 0
	f.mu.Lock()
	f.fail = func(path string) int {
		if strings.HasPrefix(path, "keys/claim") {
			claims++
		}
		return 0
	}
	f.mu.Unlock()
	b.start()
	if left, _ := filepath.Glob(file + "*"); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	if kept := b.kept(); kept.Owner != (Owner{User: bot, Device: "BOT"}) || kept.Carried != "OLD" || kept.Pair != "" {
		t.Errorf("the database says %+v", kept)
	}
	b.reads(before, "before")
	b.reads(wire(t, 2, alice, lobby, a.say("after", alice, bot)), "after") // by the session of then
	said := wire(t, 3, bot, lobby, b.say("and so do I", bot, alice))
	a.receive()
	a.reads(said, "and so do I")
	f.mu.Lock()
	if claims > 0 {
		t.Errorf("a new session was begun with alice")
	}
	f.mu.Unlock()
	ctx, now := t.Context(), b.store.keys
	if _, err := now.GetGroupSession(ctx, lobby, "withheld"); !errors.Is(err, mcrypto.ErrGroupSessionWithheld) {
		t.Errorf("what was withheld is %v", err)
	}
	if is, err := now.IsKeySignedBy(ctx, alice, "her key", bot, "my key"); !is || err != nil {
		t.Errorf("the signature: %v, %v", is, err)
	}
	if at, err := now.GetOlmHash(ctx, [32]byte{31, 31, 31}); at.UnixMilli() != 1_700_000_000_000 || err != nil {
		t.Errorf("the hash: %v, %v", at, err)
	}
	if valid, err := now.ValidateMessageIndex(ctx, "a session", "$other", 7, 1000); valid || err != nil {
		t.Errorf("another event for the same index: %v, %v", valid, err)
	}
	if is, err := now.IsOutboundGroupSessionShared(ctx, alice, "her key", "a session"); !is || err != nil {
		t.Errorf("whom a key was given: %v, %v", is, err)
	}
	if secret, err := now.GetSecret(ctx, id.SecretMegolmBackupV1); secret != "a secret" || err != nil {
		t.Errorf("the secret: %q, %v", secret, err)
	}
	b.restart()
	b.reads(before, "before")
	if will, err := Examine(t.Context(), b.dir, b.kept(), Owner{User: bot, Device: "BOT"}); err != nil || will != "" {
		t.Errorf("afterwards check says %q, %v", will, err)
	}
}

// TestCarryIsCutShort: a start that carries over ends anywhere, and the next one does the rest.
func TestCarryIsCutShort(t *testing.T) {
	for name, cut := range map[string]func(d *device, file string){
		"some rows are there": func(d *device, _ string) {
			if err := d.data().Commit(time.Time{}, func(c *store.Commit) error {
				return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
					tx.Put(store.SharedBucket("matrix-keys"), "index"+store.Sep+"of nothing"+store.Sep+"1", []byte("1 $x"))
					return nil
				})
			}); err != nil {
				d.t.Fatal(err)
			}
		},
		"all is there, and the file too": func(d *device, file string) {
			data, err := os.ReadFile(file)
			if err != nil {
				d.t.Fatal(err)
			}
			d.start()
			d.close()
			if err := os.WriteFile(file, data, 0o600); err != nil {
				d.t.Fatal(err)
			}
			if will, err := Examine(d.t.Context(), d.dir, d.kept(), Owner{}); err != nil || !strings.Contains(will, "the next start deletes the file") {
				d.t.Errorf("check says %q, %v", will, err)
			}
		},
		"all is there, and what is beside the file too": func(d *device, file string) {
			d.start()
			d.close()
			if err := os.WriteFile(file+"-wal", []byte("keys"), 0o600); err != nil {
				d.t.Fatal(err)
			}
		},
		"its pair id was being changed by the older version": func(_ *device, file string) {
			changeFile(t, file, `UPDATE moot_meta SET value='NEW' WHERE key='pair'`, `INSERT INTO moot_meta VALUES ('pair-before', 'OLD')`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
			ev := wire(t, 1, alice, lobby, a.say("before", alice, bot))
			b.receive()
			b.reads(ev, "before")
			file := older(b)
			cut(b, file)
			b.start()
			b.reads(ev, "before")
			if left, _ := filepath.Glob(file + "*"); len(left) > 0 {
				t.Errorf("left are %q", left)
			}
			if n := b.count("index", "of nothing"); n != 0 {
				t.Errorf("%d rows are of nothing", n)
			}
		})
	}
}

// TestTheFileDoesNotFit: whichever of the two was lost, put back alone, cut short or damaged, it is noticed, and nothing is changed.
func TestTheFileDoesNotFit(t *testing.T) {
	refused := func(d *device, want string, then ...string) {
		d.t.Helper()
		before, _ := os.ReadFile(filepath.Join(d.dir, File))
		_, checked := Examine(d.t.Context(), d.dir, d.kept(), Owner{})
		for of, err := range map[string]error{"check": checked, "run": d.open()} {
			var fault *account.Fault
			if !errors.As(err, &fault) || !strings.Contains(fault.Error(), want) {
				d.t.Errorf("%s says %v, want %s", of, err, want)
			}
		}
		if after, _ := os.ReadFile(filepath.Join(d.dir, File)); !bytes.Equal(before, after) && len(then) == 0 {
			d.t.Error("the file was changed")
		}
		d.close()
	}
	made := func() (*device, string) {
		d := start(newFake(t), bot, "BOT")
		return d, older(d)
	}
	d, file := made()
	d.setPair("ANOTHER")
	refused(d, notAPair)
	d.setPair("")
	d.close()
	d.setPair("OLD")
	changeFile(t, file, `UPDATE crypto_version SET version=99, compat=99`)
	refused(d, "written by a newer version")
	changeFile(t, file, `UPDATE crypto_version SET version=2, compat=2`)
	refused(d, "too old")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string][]byte{"emptied": {}, "cut short": data[:len(data)/2], "of another kind": []byte(strings.Repeat("moot", 2000))} {
		t.Log(what)
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(d, restore)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	refused(d, file+" is missing, and the bot has used it; "+restore)

	d, file = made() // and one put back beside a database that has keys
	if data, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	d.start()
	d.close()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	changeFile(t, file, `UPDATE moot_meta SET value='ANOTHER' WHERE key='pair'`)
	refused(d, notAPair)
}

// TestCarryOfAnOlderSchema: the file is brought to the latest one first. Examine says so.
func TestCarryOfAnOlderSchema(t *testing.T) {
	d := start(newFake(t), bot, "BOT")
	file := older(d)
	changeFile(t, file, // what the last upgrade has added (mautrix, sql_store_upgrade/21-megolm-history-sharing.sql)
		`ALTER TABLE crypto_megolm_inbound_session DROP COLUMN shared_history`, `ALTER TABLE crypto_megolm_outbound_session DROP COLUMN shared_history`,
		`ALTER TABLE crypto_megolm_inbound_session DROP COLUMN source_user`, `UPDATE crypto_version SET version=20, compat=20`)
	if will, err := Examine(t.Context(), d.dir, d.kept(), Owner{}); err != nil || !strings.Contains(will, "has schema 20; it is brought to 21 first") {
		t.Errorf("check says %q, %v", will, err)
	}
	d.start()
	if left, _ := filepath.Glob(file + "*"); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	if !strings.Contains(d.log.String(), "brought to another schema") {
		t.Errorf("the log does not say so:\n%s", d.log)
	}

	d = start(newFake(t), bot, "BOT")
	file = older(d)
	changeFile(t, file, `UPDATE crypto_version SET version=20, compat=20`) // the columns are there already
	var fault *account.Fault
	if err := d.open(); !errors.As(err, &fault) || !strings.Contains(fault.Do, file+spareSuffix) {
		t.Errorf("an upgrade that fails: %v", err)
	}
	if info, err := os.Stat(file + spareSuffix); err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info, err)
	}
}

// TestCopy: a file that was not carried over yet is copied as it is, for nobody else to read. Where there is none there is nothing
// to copy.
func TestCopy(t *testing.T) {
	d := start(newFake(t), bot, "BOT")
	older(d)
	to := t.TempDir()
	copied := filepath.Join(to, File)
	if err := Copy(context.Background(), d.dir, copied); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read it: %v, %v", info.Mode(), err)
	}
	if _, err := Examine(t.Context(), to, d.kept(), Owner{}); err != nil {
		t.Errorf("the copy: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(to, "*")); len(left) != 1 {
		t.Errorf("beside it are %q", left)
	}
	none := filepath.Join(t.TempDir(), File)
	if err := Copy(context.Background(), t.TempDir(), none); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("there is a copy of nothing")
	}
}
