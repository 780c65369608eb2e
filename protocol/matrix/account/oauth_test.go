package account

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// withOAuth lets the fake offer nothing but a login by browser. The answers of the token endpoint come one after another.
func (f *fake) withOAuth(tokens ...string) (forms *[]url.Values) {
	f.says("/_matrix/client/v3/login", 404, `{"errcode": "M_UNRECOGNIZED", "error": "no"}`)
	f.says("/_matrix/client/v1/auth_metadata", 200, `{"issuer": "https://auth.example.org/", "registration_endpoint": "https://auth.example.org/register",
		"device_authorization_endpoint": "https://auth.example.org/device", "token_endpoint": "https://auth.example.org/token",
		"revocation_endpoint": "https://auth.example.org/revoke"}`)
	f.says("POST /register", 200, `{"client_id": "CLIENT", "client_uri": "https://example.org"}`)
	f.says("POST /device", 200, `{"device_code": "DC", "user_code": "AB-CD", "verification_uri": "https://auth.example.org/link",
		"verification_uri_complete": "https://auth.example.org/link?code=AB-CD", "expires_in": 60, "interval": 3}`)
	forms = new([]url.Values)
	f.answers["POST /token"] = func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			f.t.Error(err)
		}
		*forms = append(*forms, r.PostForm)
		if len(tokens) == 0 {
			answer(w, 400, `{"error": "authorization_pending"}`)
			return
		}
		next := tokens[0]
		tokens = tokens[1:]
		if strings.Contains(next, `"error"`) {
			answer(w, 400, next)
			return
		}
		answer(w, 200, next)
	}
	return forms
}

func TestBrowser(t *testing.T) {
	f := newFake(t)
	forms := f.withOAuth(`{"error": "authorization_pending"}`, `{"error": "slow_down"}`,
		`{"access_token": "A1", "refresh_token": "R1", "token_type": "Bearer", "expires_in": 300}`)
	f.tokens["Bearer A1"] = [2]string{"@moot:example.org", "DEV"}
	var waits []time.Duration
	c := f.config(&waits)
	var shown []Grant
	c.Show = func(g Grant) { shown = append(shown, g) }
	a, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if len(shown) != 1 || shown[0].Link != "https://auth.example.org/link?code=AB-CD" || shown[0].Page != "https://auth.example.org/link" || shown[0].Code != "AB-CD" {
		t.Errorf("showed %+v", shown)
	}
	if got := fmt.Sprint(waits); got != "[3s 3s 8s]" {
		t.Errorf("asked after %s", got)
	}
	if got := (*forms)[0]; got.Get("device_code") != "DC" || got.Get("client_id") != "CLIENT" {
		t.Errorf("asked with %v", got)
	}
	if l := readLogin(t, c.Folder); l.AccessToken != "A1" || l.RefreshToken != "R1" || l.ClientID != "CLIENT" || l.Device != "DEV" || l.Expires.IsZero() {
		t.Errorf("kept %s", l)
	}
	if a.Client.DeviceID != "DEV" || a.Client.UserID != "@moot:example.org" {
		t.Errorf("logged in as %s on %s", a.Client.UserID, a.Client.DeviceID)
	}
}

// A token that is about to run out is renewed, and the new ones are kept before they are used.
func TestTokensAreRotated(t *testing.T) {
	f := newFake(t)
	forms := f.withOAuth(`{"access_token": "A2", "refresh_token": "R2", "token_type": "Bearer", "expires_in": 300}`,
		`{"access_token": "A3", "token_type": "Bearer", "expires_in": 1}`,
		`{"error": "invalid_grant"}`, `{"error": "invalid_grant"}`)
	f.tokens["Bearer A2"], f.tokens["Bearer A3"] = [2]string{"@moot:example.org", "DEV"}, [2]string{"@moot:example.org", "DEV"}
	c := f.config(nil)
	kept := login{Homeserver: "https://example.org", User: "@moot:example.org", Device: "DEV", AccessToken: "A1", RefreshToken: "R1", ClientID: "CLIENT", Expires: time.Now().Add(-time.Hour)}
	if err := kept.save(c.Folder); err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if l := readLogin(t, c.Folder); l.AccessToken != "A2" || l.RefreshToken != "R2" || time.Until(l.Expires) < 200*time.Second {
		t.Errorf("kept %s until %s", l, l.Expires)
	}
	if got := (*forms)[0]; got.Get("refresh_token") != "R1" || got.Get("grant_type") != "refresh_token" {
		t.Errorf("asked with %v", got)
	}
	if err := a.Client.OAuthRefreshToken(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if l := readLogin(t, c.Folder); l.AccessToken != "A3" || l.RefreshToken != "R2" {
		t.Errorf("an answer without a refresh token: kept %s", l)
	}
	_, err = a.Client.Whoami(t.Context())
	if got := a.Fault(err); got == nil || !strings.Contains(got.Error(), "somebody has logged @moot:example.org on device DEV out") {
		t.Errorf("a refused refresh token is %v", err)
	}
	if _, err := Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "login in matrix-login.json any more") {
		t.Errorf("at the next start it is %v", err)
	}
}

// A token that the server refuses before its time is tried twice, not for ever.
func TestRefusedTokenIsNotTriedForEver(t *testing.T) {
	f := newFake(t)
	f.withOAuth()
	c := f.config(nil)
	kept := login{Homeserver: "https://example.org", User: "@moot:example.org", Device: "DEV", AccessToken: "A1", RefreshToken: "R1", ClientID: "CLIENT", Expires: time.Now().Add(time.Hour)}
	if err := kept.save(c.Folder); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), c)
	var fault *Fault
	if !errors.As(err, &fault) || f.count("GET /_matrix/client/v3/account/whoami") != 2 {
		t.Errorf("asked %d times: %v", f.count("GET /_matrix/client/v3/account/whoami"), err)
	}
}

func TestBrowserFaults(t *testing.T) {
	for _, tt := range []struct {
		token, want string
		setup       func(*fake, *Config)
	}{
		{`{"error": "access_denied"}`, "somebody has followed the link and refused; start the bot again for a new link", nil},
		{`{"error": "expired_token"}`, "nobody has followed the link in time; start the bot again for a new one", nil},
		{`{"error": "authorization_pending"}`, "nobody has followed the link in time; start the bot again for a new one", nil},
		{`{"access_token": "E", "expires_in": 300}`, "somebody has followed the link as @eve:example.org, and the configuration names @moot:example.org; start the bot again, and follow the link as the account of the bot", nil},
		{``, "the homeserver lets the bot in by browser only, and there is nobody here to follow a link; start `moot run` once in a terminal", func(_ *fake, c *Config) { c.Show = nil }},
		{``, "the homeserver does not let programs like this register; make a login with another program, and name in [matrix] where its access_token is", func(f *fake, _ *Config) { f.says("POST /register", 200, `{"client_uri": "x"}`) }},
		{``, "the homeserver gives no link to log the bot in; make a login with another program, and name in [matrix] where its access_token is", func(f *fake, _ *Config) { f.says("POST /device", 200, `{"device_code": "DC"}`) }},
	} {
		f := newFake(t)
		f.withOAuth(tt.token)
		f.tokens["Bearer E"] = [2]string{"@eve:example.org", "DEV"}
		c := f.config(nil)
		c.Show = func(Grant) {}
		if tt.setup != nil {
			tt.setup(f, &c)
		}
		_, err := Open(t.Context(), c)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s:\ngot  %v\nwant %s", tt.token, err, tt.want)
		}
		if l, err := load(c.Folder); l != nil || err != nil {
			t.Errorf("%s: kept %v, %v", tt.token, l, err)
		}
	}
}
