//go:build goolm

package crypto

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"

	"moot/protocol/matrix/account"
)

func look(d *device) Identity {
	d.t.Helper()
	is, err := Look(d.t.Context(), d.f.client(d.user, d.id))
	if err != nil {
		d.t.Fatal(err)
	}
	return is
}

// The recovery key is on the disk before anything of the identity reaches the server.
func TestAnIdentityIsMade(t *testing.T) {
	f := newFake(t)
	d := newDevice(f, bot, "BOT")
	f.fail = func(path string) int {
		if _, err := os.Stat(filepath.Join(d.dir, RecoveryFile)); err != nil && (strings.Contains(path, "secret_storage.key.") || strings.HasPrefix(path, "keys/device_signing")) {
			t.Errorf("%s before the recovery key was kept", path)
		}
		return 0
	}
	d.start()
	if is := look(d); is != (Identity{Keys: true, Exists: true, Verified: true}) {
		t.Errorf("the identity is %+v", is)
	}
	if want := []string{"device", "identity", "signature", "signature"}; !slices.Equal(f.log, want) {
		t.Errorf("uploaded %v, want %v", f.log, want)
	}
	d.restart()
	if f.count("keys/device_signing/upload") != 1 || f.count("keys/signatures/upload") != 2 {
		t.Error("it was made a second time")
	}
}

// A start that is cut short anywhere is completed by the next.
func TestAnIdentityIsCompleted(t *testing.T) {
	for _, path := range []string{"account_data/m.secret_storage.key.", "account_data/m.secret_storage.default_key", "account_data/m.cross_signing.master", "account_data/m.cross_signing.user_signing", "keys/device_signing/upload", "keys/signatures/upload"} {
		t.Run(path, func(t *testing.T) {
			f := newFake(t)
			d := newDevice(f, bot, "BOT")
			calls := 0
			f.fail = func(p string) int {
				if !strings.Contains(p, path) {
					return 0
				}
				if calls++; path == "account_data/m.secret_storage.default_key" && calls == 1 {
					return 0 // reading, which finds nothing
				}
				return 500
			}
			if err := d.open(); err != nil {
				t.Fatal(err)
			}
			if err := d.connect(); err == nil {
				t.Fatal("it did not fail")
			}
			d.close()
			f.mu.Lock()
			f.fail = nil
			f.mu.Unlock()
			d.start()
			if is := look(d); !is.Verified {
				t.Errorf("the identity is %+v", is)
			}
			if n := f.count("keys/device_signing/upload"); path == "keys/signatures/upload" && n != 1 {
				t.Errorf("an identity that exists was made anew: %d times", n)
			}
			// And the recovery key is the one that opens it.
			second := newDevice(f, bot, "SECOND")
			second.c.RecoveryKey = func() (string, error) { return d.recoveryKey(), nil }
			second.start()
			if is := look(second); !is.Verified {
				t.Errorf("with the recovery key it is %+v", is)
			}
		})
	}
}

// An identity that exists is never made anew without being asked to.
func TestAnIdentityIsKept(t *testing.T) {
	f := newFake(t)
	first := start(f, bot, "FIRST")
	key := first.recoveryKey()
	master := func() id.Ed25519 {
		k := f.cross["master_keys"][bot].(map[string]any)["keys"].(map[string]any)
		for _, v := range k {
			return id.Ed25519(v.(string))
		}
		return ""
	}
	was := master()

	none := start(f, bot, "NONE")
	if is := look(none); !is.Exists || is.Verified {
		t.Errorf("without a recovery key: %+v", is)
	}
	if !strings.Contains(none.log.String(), "reset-identity") {
		t.Error("nobody is told what to do")
	}

	wrong := newDevice(f, bot, "WRONG")
	wrong.c.RecoveryKey = func() (string, error) { return "EsTc wrong", nil }
	if err := wrong.open(); err != nil {
		t.Fatal(err)
	}
	wantFault(t, wrong.connect(), "recovery_key in [matrix] does not open the identity of the account; write the newest one there; it is shown when the identity is made")
	wrong.c.RecoveryKey = func() (string, error) { return "", errors.New("the environment variable K is not set") }
	wantFault(t, wrong.connect(), "recovery_key in [matrix]: the environment variable K is not set; put it where recovery_key says that it is")

	given := newDevice(f, bot, "GIVEN")
	given.c.RecoveryKey = func() (string, error) { return " " + key + "\n", nil }
	given.start()
	if is := look(given); !is.Verified {
		t.Errorf("with the recovery key: %+v", is)
	}
	if master() != was || f.count("keys/device_signing/upload") != 1 {
		t.Fatal("the identity was made anew")
	}

	if err := none.machine.ResetIdentity(t.Context()); err != nil {
		t.Fatal(err)
	}
	if is := look(none); !is.Verified || master() == was {
		t.Errorf("after a reset: %+v, another identity: %v", is, master() != was)
	}
	if is := look(given); is.Verified {
		t.Error("the new identity vouches for a device that it has not signed")
	}
	// The bot whose key has become an old one goes on, and says so.
	first.restart()
	if is := look(first); is.Verified || !strings.Contains(first.log.String(), "made anew") && !strings.Contains(first.log.String(), "does not open") {
		t.Errorf("with an old recovery key: %+v", is)
	}
}

func TestAnIdentityIsConfirmed(t *testing.T) {
	f := newFake(t)
	f.uia = "s3cr3t-password"
	d := newDevice(f, bot, "BOT")
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	wantFault(t, d.connect(), "the homeserver wants the password of the account before it takes the identity of the bot; name the password in [matrix], for this start at least; or make the identity with another program, and name its recovery_key in [matrix]")
	d.c.Password = func() (string, error) { return "another", nil }
	wantFault(t, d.connect(), "the homeserver does not take the password of the account as a confirmation; correct it where password in [matrix] says that it is")
	d.c.Password = func() (string, error) { return "", errors.New("the file p is empty") }
	wantFault(t, d.connect(), "password in [matrix]: the file p is empty; put it where password says that it is")
	d.c.Password = func() (string, error) { return f.uia, nil }
	if err := d.connect(); err != nil {
		t.Fatal(err)
	}
	if is := look(d); !is.Verified {
		t.Errorf("the identity is %+v", is)
	}
	if strings.Contains(d.log.String(), f.uia) {
		t.Error("the password is in the log")
	}
}

// A recovery key that is there is put aside, never overwritten; and one that cannot be kept makes no identity.
func TestARecoveryKeyIsNotLost(t *testing.T) {
	f := newFake(t)
	d := newDevice(f, bot, "BOT")
	path := filepath.Join(d.dir, RecoveryFile)
	if err := os.WriteFile(path, []byte("an old key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	if data, err := os.ReadFile(path + ".old"); err != nil || string(data) != "an old key\n" {
		t.Errorf("the old key: %q, %v", data, err)
	}

	f = newFake(t)
	d = newDevice(f, bot, "BOT")
	path = filepath.Join(d.dir, RecoveryFile)
	if err := os.MkdirAll(filepath.Join(path+".old", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	var fault *account.Fault
	if err := d.connect(); !errors.As(err, &fault) || !strings.Contains(fault.What, "the recovery key cannot be kept") {
		t.Errorf("got %v", err)
	}
	if f.count("keys/device_signing/upload") != 0 {
		t.Error("an identity was made to which nobody has the key")
	}
}
