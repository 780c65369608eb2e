package account

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"
)

// A password makes one login, which is taken up at every start from then on.
func TestPasswordIsUsedOnce(t *testing.T) {
	f := newFake(t)
	c := f.config(nil)
	for range 3 {
		a, err := Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if a.Client.UserID != "@moot:example.org" || a.Client.DeviceID != "DEVICE1" || a.Client.AccessToken != secretToken {
			t.Errorf("logged in as %s on %s", a.Client.UserID, a.Client.DeviceID)
		}
		c.Password = func() (string, error) { t.Error("the password was read again"); return "", nil }
	}
	if len(f.logins) != 1 {
		t.Fatalf("%d logins were made", len(f.logins))
	}
	if got := fmt.Sprint(f.logins[0]["identifier"], f.logins[0]["type"], f.logins[0]["initial_device_display_name"]); got != "map[type:m.id.user user:@moot:example.org]m.login.passwordmoot" {
		t.Errorf("asked with %s", got)
	}
	l := readLogin(t, c.Folder)
	if l.Homeserver != "https://example.org" || l.User != "@moot:example.org" || l.Device != "DEVICE1" || l.AccessToken != secretToken {
		t.Errorf("kept %+v", *l)
	}
	f.says("POST /_matrix/client/v3/logout", 200, `{}`)
	if err := Forget(t.Context(), c.Folder, c.HTTP); err != nil {
		t.Fatal(err)
	}
	if f.count("POST /_matrix/client/v3/logout") != 1 {
		t.Error("the server was not told")
	}
	c.Password = func() (string, error) { return secretPassword, nil }
	c.Device = "DEVICE1"
	if _, err := Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if len(f.logins) != 2 || f.logins[1]["device_id"] != "DEVICE1" {
		t.Errorf("after forgetting: %v", f.logins)
	}
}

func TestToken(t *testing.T) {
	f := newFake(t)
	f.tokens["Bearer "+secretToken] = [2]string{"@moot:example.org", "GIVEN"}
	c := f.config(nil)
	c.Password, c.AccessToken = nil, func() (string, error) { return secretToken, nil }
	for _, user := range []string{"", "moot", "@moot", "@moot:example.org"} {
		c.User, c.Homeserver = user, "https://matrix.example.org"
		a, err := Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if a.Client.UserID != "@moot:example.org" || a.Client.DeviceID != "GIVEN" {
			t.Errorf("user %q: logged in as %s on %s", user, a.Client.UserID, a.Client.DeviceID)
		}
	}
	data, err := os.ReadFile(filepath.Join(c.Folder, LoginFile))
	if err != nil || strings.Contains(string(data), secretToken) {
		t.Errorf("the token of the configuration was written down: %s, %v", data, err)
	}
}

// Each way to fail is one sentence that says what to do, at once.
func TestFaults(t *testing.T) {
	token := func(c *Config) {
		c.Password, c.AccessToken = nil, func() (string, error) { return secretToken, nil }
	}
	tests := []struct {
		name  string
		setup func(*fake, *Config)
		want  string
	}{
		{"wrong password", func(f *fake, c *Config) {
			c.Password = func() (string, error) { return "another", nil }
		}, "the homeserver does not let @moot:example.org in: there is no such account, or its password is another; correct user in [matrix], or the password where password says that it is"},
		{"another name", func(f *fake, c *Config) {
			f.says("POST /_matrix/client/v3/login", 200, `{"user_id": "@moot:example.org", "device_id": "D", "access_token": "t"}`)
			f.says("POST /_matrix/client/v3/logout", 200, `{}`)
			c.User = "@Moot:example.org"
		}, `the homeserver has let @Moot:example.org in as @moot:example.org; write user = "@moot:example.org" in [matrix] if that is the bot`},
		{"no password there", func(f *fake, c *Config) {
			c.Password = func() (string, error) { return "", errors.New("the environment variable P is not set") }
		}, "password in [matrix]: the environment variable P is not set; put it where password says that it is"},
		{"deactivated", func(f *fake, c *Config) {
			f.says("POST /_matrix/client/v3/login", 403, `{"errcode": "M_USER_DEACTIVATED", "error": "gone"}`)
		}, "the homeserver has closed the account of the bot: M_USER_DEACTIVATED gone (403); ask those who run it, or take another account"},
		{"nothing to log in with", func(f *fake, c *Config) { c.Password = nil },
			`the bot is not logged in; name in [matrix] where its password is: password = { file = "matrix-password.txt" }`},
		{"no way in", func(f *fake, c *Config) {
			f.says("/_matrix/client/v3/login", 200, `{"flows": [{"type": "m.login.sso"}]}`)
		}, "the homeserver lets nobody log in by password, and offers no login by browser for programs like this; make a login with another program, or have those who run the server make one, and name in [matrix] where its access_token is"},
		{"dead token", func(f *fake, c *Config) { token(c) },
			"the homeserver does not know the access token of the configuration; make a new one: log in with a program for Matrix, take the token of that login, and do not log out there"},
		{"leads to another port", func(f *fake, c *Config) {
			token(c)
			f.answers["/_matrix/client/v3/account/whoami"] = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://example.org:8443/thief", http.StatusTemporaryRedirect)
			}
			f.answers["/thief"] = func(w http.ResponseWriter, r *http.Request) {
				f.t.Errorf("the token was handed on: %q", r.Header.Get("Authorization"))
				answer(w, 200, `{}`)
			}
		}, "https://example.org leads on to «https://example.org:8443»; name that as homeserver in [matrix], if it is the server of the account"},
		{"token of another", func(f *fake, c *Config) {
			token(c)
			f.tokens["Bearer "+secretToken] = [2]string{"@eve:example.org", "X"}
		}, "the access token belongs to @eve:example.org and not to @moot:example.org; correct user or access_token in [matrix]"},
		{"token without a device", func(f *fake, c *Config) {
			token(c)
			f.tokens["Bearer "+secretToken] = [2]string{"@moot:example.org", ""}
		}, "the access token of @moot:example.org belongs to no device; take one from an ordinary login"},
		{"not a Matrix server", func(f *fake, c *Config) { f.says("/_matrix/client/versions", 200, `<html>`) },
			"https://example.org is no Matrix homeserver: it does not say which versions of the protocol it speaks, and example.org names no other; name the address of the homeserver itself, as in homeserver = \"https://matrix.example.org\" in [matrix]"},
		{"another server", func(f *fake, c *Config) { f.says("/_matrix/client/versions", 404, `not found`) },
			"https://example.org is no Matrix homeserver: it answers 404 Not Found, and example.org names no other; name the address of the homeserver itself, as in homeserver = \"https://matrix.example.org\" in [matrix]"},
		{"well-known without JSON", func(f *fake, c *Config) { f.says("/.well-known/matrix/client", 200, `<html>`) },
			`example.org does not tell its homeserver: in https://example.org/.well-known/matrix/client there is no JSON; name the address of the homeserver itself, as in homeserver = "https://matrix.example.org" in [matrix]`},
		{"well-known without an address", func(f *fake, c *Config) { f.says("/.well-known/matrix/client", 200, `{"m.homeserver": {}}`) },
			`example.org does not tell its homeserver: in https://example.org/.well-known/matrix/client there is no m.homeserver with a base_url; name the address of the homeserver itself, as in homeserver = "https://matrix.example.org" in [matrix]`},
		{"well-known refused", func(f *fake, c *Config) { f.says("/.well-known/matrix/client", 403, `no`) },
			`example.org does not tell its homeserver: https://example.org/.well-known/matrix/client answers 403 Forbidden; name the address of the homeserver itself, as in homeserver = "https://matrix.example.org" in [matrix]`},
		{"damaged login file", func(f *fake, c *Config) {
			if err := os.WriteFile(filepath.Join(c.Folder, LoginFile), []byte(`{"access_token": "`+secretToken), 0o600); err != nil {
				f.t.Fatal(err)
			}
		}, "FOLDER/matrix-login.json does not hold a login: it is not JSON of the right form; put the file back from a backup of the data folder, or run `moot matrix forget` to log in anew"},
		{"login of another account", func(f *fake, c *Config) { keepLogin(f, c, "@eve:example.org", "https://example.org") },
			"the login in matrix-login.json is that of @eve:example.org, and the configuration names @moot:example.org; correct user in [matrix], give the other account another data folder, or run `moot matrix forget`"},
		{"login on another server", func(f *fake, c *Config) {
			keepLogin(f, c, "@moot:example.org", "https://example.org")
			c.Homeserver = "https://evil.example.net"
		}, "the login in matrix-login.json is one on https://example.org, and the configuration leads to https://evil.example.net; correct homeserver and user in [matrix], or run `moot matrix forget` to log in there anew"},
		{"login that was ended", func(f *fake, c *Config) { keepLogin(f, c, "@moot:example.org", "https://example.org") },
			"the homeserver does not know the login in matrix-login.json any more: somebody has logged @moot:example.org on device D out; run `moot matrix forget`, and start the bot to log in anew"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			c := f.config(nil)
			waited := 0
			c.wait = func(context.Context, time.Duration) error {
				if waited++; waited > 1 {
					t.Error("it waits, and not only to look a second time")
				}
				return nil
			}
			tt.setup(f, &c)
			_, err := Open(t.Context(), c)
			var fault *Fault
			if !errors.As(err, &fault) {
				t.Fatalf("error %v is a %T", err, err)
			}
			if got := strings.ReplaceAll(fault.Error(), c.Folder, "FOLDER"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			for _, text := range []string{fmt.Sprintf("%v", err), fmt.Sprintf("%+v %#v", err, fault)} {
				if strings.Contains(text, secretToken) || strings.Contains(text, secretPassword) {
					t.Errorf("a secret is in the error: %s", text)
				}
			}
		})
	}
}

func keepLogin(f *fake, c *Config, user, server string) {
	f.t.Helper()
	l := login{Homeserver: server, User: id.UserID(user), Device: "D", AccessToken: "dead"}
	if err := l.save(c.Folder); err != nil {
		f.t.Fatal(err)
	}
}

func TestUnreachable(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	// Node and others hang up on who speaks to them in clear, where Go and nginx say so.
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = conn.Close()
		}
	}))
	defer silent.Close()
	half := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"versions": `))
	}))
	defer half.Close()
	for server, want := range map[string]string{
		half.URL: " breaks off in the middle of an answer: unexpected EOF; see whether it runs",
		strings.Replace(plain.URL, "http:", "https:", 1): "does not speak TLS; correct the address of the homeserver: one without TLS begins with http://",
		tls.URL: "signed by unknown authority; correct the address of the homeserver, or have its certificate mended; if an authority of your own has signed it, name the file with that in the environment variable SSL_CERT_FILE",
		strings.Replace(tls.URL, "https:", "http:", 1): " speaks TLS, or is no Matrix homeserver: it answers 400 Bad Request; correct the address of the homeserver: one with TLS begins with https://",
		silent.URL: " hangs up, as a server does that speaks TLS, whose address begins with https://; see whether it runs",
		gone.URL:   "connection refused; see whether it runs, and correct homeserver in [matrix] if that is not it",
	} {
		_, err := Open(t.Context(), Config{User: "moot", Homeserver: server, Folder: t.TempDir()})
		var f *Fault
		if !errors.As(err, &f) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), server) {
			t.Errorf("%s: %v", server, err)
		}
	}
}

// A server that has worked is waited for; one that has not is not.
func TestPatience(t *testing.T) {
	f := newFake(t)
	var waits []time.Duration
	c := f.config(&waits)
	if _, err := Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	f.says("/_matrix/client/versions", 502, "bad gateway")
	really := c.wait
	c.wait = func(ctx context.Context, d time.Duration) error {
		if len(waits) == 8 {
			f.says("/_matrix/client/versions", 200, `{"versions": ["v1.11"]}`)
		}
		return really(ctx, d)
	}
	if _, err := Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if want := "[1s 2s 4s 8s 16s 32s 1m0s 1m0s 1m0s]"; fmt.Sprint(waits) != want {
		t.Errorf("waited %v, want %s", waits, want)
	}
	f.says("/_matrix/client/versions", 502, "bad gateway")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	c.Patient = false
	if _, err := Open(t.Context(), c); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("without patience: %v", err)
	}
}

// A first login outlasts a server that is busy for a moment, and no longer.
func TestBusyAtFirst(t *testing.T) {
	for _, busy := range []struct {
		path   string
		status int
	}{
		{"/.well-known/matrix/client", 503},
		{"/_matrix/client/versions", 502},
		{"POST /_matrix/client/v3/login", 429},
		{"POST /_matrix/client/v3/login", 500},
	} {
		f := newFake(t)
		let := f.answers[busy.path]
		f.says(busy.path, busy.status, `{"errcode": "M_UNKNOWN", "error": "database is locked"}`)
		var waits []time.Duration
		c := f.config(&waits)
		_, err := Open(t.Context(), c)
		var fault *Fault
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), "; see whether it runs, and correct homeserver") || fmt.Sprint(waits) != "[1s 2s 4s 8s]" {
			t.Errorf("%s answers %d: waited %v, then %v", busy.path, busy.status, waits, err)
		}
		waits = nil
		really := c.wait
		c.wait = func(ctx context.Context, d time.Duration) error {
			f.mu.Lock()
			f.answers[busy.path] = let
			f.mu.Unlock()
			return really(ctx, d)
		}
		if _, err := Open(t.Context(), c); err != nil || fmt.Sprint(waits) != "[1s]" {
			t.Errorf("%s answers %d once: waited %v, then %v", busy.path, busy.status, waits, err)
		}
	}
}

// TestWellKnownLeadsNoPasswordToClearText: what a server tells about itself may not take the encryption away.
func TestWellKnownLeadsNoPasswordToClearText(t *testing.T) {
	f := newFake(t)
	f.says("/.well-known/matrix/client", 200, `{"m.homeserver": {"base_url": "http://matrix.example.org"}}`)
	_, err := Open(t.Context(), f.config(nil))
	if err == nil || !strings.Contains(err.Error(), "base_url begins with http://, over which the bot gives no password") {
		t.Errorf("it says %v", err)
	}
}

// Where a server tells that its homeserver is elsewhere, that is believed, also when it moves; but a login is not carried
// to where only the configuration leads.
func TestDiscovery(t *testing.T) {
	f := newFake(t)
	f.says("/.well-known/matrix/client", 200, `{"m.homeserver": {"base_url": "https://matrix.example.org/"}}`)
	c := f.config(nil)
	a, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Client.HomeserverURL.String(); got != "https://matrix.example.org" {
		t.Errorf("homeserver is %s", got)
	}
	f.says("/.well-known/matrix/client", 200, `{"m.homeserver": {"base_url": "https://new.example.org/base"}}`)
	f.says("/base/_matrix/client/versions", 404, `the base counts`)
	if a, err = Open(t.Context(), c); err == nil {
		t.Errorf("the whole base was lost: %s", a.Client.HomeserverURL)
	}
	f.says("/.well-known/matrix/client", 200, `{"m.homeserver": {"base_url": "https://new.example.org"}}`)
	if a, err = Open(t.Context(), c); err != nil || a.Client.HomeserverURL.Host != "new.example.org" {
		t.Errorf("after it has moved: %v", err)
	}
	f.says("/.well-known/matrix/client", 500, `down`)
	if a, err = Open(t.Context(), c); err != nil || a.Client.HomeserverURL.Host != "matrix.example.org" {
		t.Errorf("while the server that tells is down: %v", err)
	}
	c.Homeserver = "matrix.example.org"
	f.says("/.well-known/matrix/client", 404, ``)
	if _, err = Open(t.Context(), c); err != nil {
		t.Errorf("the same server in other words: %v", err)
	}
}

// Looking changes nothing, neither here nor there.
func TestLook(t *testing.T) {
	f := newFake(t)
	c := f.config(nil)
	if _, err := Look(t.Context(), c); !errors.Is(err, ErrNoLogin) {
		t.Errorf("without a login: %v", err)
	}
	if _, err := Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if a, err := Look(t.Context(), c); err != nil || a.Client.DeviceID != "DEVICE1" {
		t.Errorf("with one: %v", err)
	}
	kept := login{Homeserver: "https://example.org", User: "@moot:example.org", Device: "DEV", AccessToken: "A1", RefreshToken: "R1", ClientID: "C", Expires: time.Now().Add(-time.Minute)}
	if err := kept.save(c.Folder); err != nil {
		t.Fatal(err)
	}
	if _, err := Look(t.Context(), c); err == nil || err.Error() != "the access token in matrix-login.json has run out; only a running bot may renew it; start the bot, and check again" {
		t.Errorf("with one that has run out: %v", err)
	}
	other := f.config(nil)
	f.tokens["Bearer "+secretToken] = [2]string{"@moot:example.org", "GIVEN"}
	other.AccessToken = func() (string, error) { return secretToken, nil }
	if _, err := Look(t.Context(), other); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(other.Folder); err != nil || len(entries) > 0 {
		t.Errorf("looking left %v, %v", entries, err)
	}
	f.says("/_matrix/client/versions", 502, "bad gateway")
	if _, err := Look(t.Context(), c); err == nil {
		t.Error("a server that is down is no fault")
	}
}

func TestFaultOfAClient(t *testing.T) {
	f := newFake(t)
	a, err := Open(t.Context(), f.config(nil))
	if err != nil {
		t.Fatal(err)
	}
	clear(f.tokens)
	_, err = a.Client.Whoami(t.Context())
	if got := a.Fault(err); got == nil || got.Error() != "the homeserver does not know the login in matrix-login.json any more: somebody has logged @moot:example.org on device DEVICE1 out; run `moot matrix forget`, and start the bot to log in anew" {
		t.Errorf("a dead token is %v", got)
	}
	f.says("/_matrix/client/v3/account/whoami", 429, `{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 100}`)
	_, err = a.Client.Whoami(t.Context())
	if got := a.Fault(err); got != nil {
		t.Errorf("too many requests are %v", got)
	}
}

// TestASingleRefusalIsLookedAtTwice: of the login that is kept, of a token, and of the server itself.
func TestASingleRefusalIsLookedAtTwice(t *testing.T) {
	for path, first := range map[string]struct {
		status int
		body   string
	}{
		"/_matrix/client/v3/account/whoami": {401, `{"errcode": "M_UNKNOWN_TOKEN", "error": "unknown", "soft_logout": true}`},
		"/_matrix/client/versions":          {404, `not here yet`},
	} {
		f := newFake(t)
		var waits []time.Duration
		c := f.config(&waits)
		keepLogin(f, &c, "@moot:example.org", "https://example.org")
		f.tokens["Bearer dead"] = [2]string{"@moot:example.org", "D"}
		f.once(path, first.status, first.body)
		a, err := Open(t.Context(), c)
		if err != nil || a.Client.DeviceID != "D" || len(waits) != 1 || len(f.logins) != 0 {
			t.Errorf("%s answers %d once: %v, after %d waits and %d logins", path, first.status, err, len(waits), len(f.logins))
		}
	}
}

// TestASoftLogoutIsFollowedByALogin with the password, on the same device; where there is none it is said what to do.
func TestASoftLogoutIsFollowedByALogin(t *testing.T) {
	f := newFake(t)
	c := f.config(nil)
	keepLogin(f, &c, "@moot:example.org", "https://example.org")
	whoami := f.answers["/_matrix/client/v3/account/whoami"]
	f.answers["/_matrix/client/v3/account/whoami"] = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer dead" {
			answer(w, 401, `{"errcode": "M_UNKNOWN_TOKEN", "error": "unknown", "soft_logout": true}`)
			return
		}
		whoami(w, r)
	}
	a, err := Open(t.Context(), c)
	if err != nil || len(f.logins) != 1 || f.logins[0]["device_id"] != "D" || a.Client.AccessToken != secretToken {
		t.Fatalf("%v, after the logins %v", err, f.logins)
	}
	c.Password = nil
	keepLogin(f, &c, "@moot:example.org", "https://example.org")
	if _, err := Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "run `moot matrix forget`") {
		t.Errorf("without a password: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version": 1, "homeserver": "https://a", "user": "@a:b", "device": "D", "access_token": "s3cr3t"}`))
	f.Add([]byte(`{"version": 1, "homeserver": 3, "access_token": "s3cr3t"}`))
	f.Add([]byte(`{"m.homeserver": {"base_url": "https://matrix.example.org/x?y"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parse(data)
		if (l == nil) == (err == nil) {
			t.Fatalf("login %v, error %v", l, err)
		}
		if l != nil && l.AccessToken != "" && len(l.AccessToken) > 8 && !strings.Contains(string(l.User)+string(l.Device), l.AccessToken) && strings.Contains(fmt.Sprintf("%v %+v %#v", l, l, l), l.AccessToken) {
			t.Error("a login prints its token")
		}
		base, err := parseWellKnown(data)
		if (base == "") == (err == nil) {
			t.Fatalf("address %q, error %v", base, err)
		}
		if base != "" && !strings.HasPrefix(base, "http://") && !strings.HasPrefix(base, "https://") {
			t.Errorf("address %q", base)
		}
	})
}
