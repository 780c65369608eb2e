package account

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// fake is a homeserver for logins. Each path has an answer that a test may replace; what was asked is counted.
type fake struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	asked   map[string]int
	tokens  map[string][2]string // user and device by access token
	logins  []map[string]any
}

const (
	secretToken    = "syt_s3cr3t-token"
	secretPassword = "s3cr3t-password"
)

// newFake starts a homeserver with TLS, for which every name is its own.
func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, answers: map[string]http.HandlerFunc{}, asked: map[string]int{}, tokens: map[string][2]string{}}
	f.server = httptest.NewTLSServer(f)
	t.Cleanup(f.server.Close)
	f.says("/.well-known/matrix/client", 404, `not here`)
	f.says("/_matrix/client/versions", 200, `{"versions": ["v1.11"]}`)
	f.says("/_matrix/client/v3/login", 200, `{"flows": [{"type": "m.login.password"}]}`)
	f.says("/_matrix/client/v1/auth_metadata", 404, `{"errcode": "M_UNRECOGNIZED", "error": "no"}`)
	f.answers["/_matrix/client/v3/account/whoami"] = func(w http.ResponseWriter, r *http.Request) {
		who, ok := f.tokens[r.Header.Get("Authorization")]
		if !ok {
			answer(w, 401, `{"errcode": "M_UNKNOWN_TOKEN", "error": "unknown or expired"}`)
			return
		}
		answer(w, 200, fmt.Sprintf(`{"user_id": %q, "device_id": %q}`, who[0], who[1]))
	}
	f.answers["POST /_matrix/client/v3/login"] = func(w http.ResponseWriter, r *http.Request) {
		var req map[string]any
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		f.logins = append(f.logins, req)
		if req["password"] != secretPassword {
			answer(w, 403, `{"errcode": "M_FORBIDDEN", "error": "Invalid username or password"}`)
			return
		}
		f.tokens["Bearer "+secretToken] = [2]string{"@moot:example.org", "DEVICE1"}
		answer(w, 200, fmt.Sprintf(`{"access_token": %q, "user_id": "@moot:example.org", "device_id": "DEVICE1"}`, secretToken))
	}
	return f
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// says lets a path have an answer: "/path", or "METHOD /path" for one method only.
func (f *fake) says(path string, status int, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[path] = func(w http.ResponseWriter, _ *http.Request) { answer(w, status, body) }
}

// once lets a path have another answer the next time it is asked.
func (f *fake) once(path string, status int, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	then := f.answers[path]
	f.answers[path] = func(w http.ResponseWriter, _ *http.Request) {
		f.answers[path] = then // which asking happens under the lock
		answer(w, status, body)
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := r.Method + " " + r.URL.Path
	f.asked[key]++
	h, ok := f.answers[key]
	if !ok {
		if h, ok = f.answers[r.URL.Path]; !ok {
			f.t.Errorf("nobody expected %s", key)
			h = http.NotFound
		}
	}
	h(w, r)
}

func (f *fake) count(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[key]
}

// client reaches the fake under every name, and nothing else.
func (f *fake) client() *http.Client {
	to := f.server.Listener.Addr().String()
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, to)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // its certificate names only example.com
	}}
}

// config is that of an account with a password, whose waits end at once and are counted.
func (f *fake) config(waits *[]time.Duration) Config {
	return Config{
		User: "@moot:example.org", Folder: f.t.TempDir(), HTTP: f.client(), DeviceName: "moot", Patient: true,
		Password: func() (string, error) { return secretPassword, nil },
		wait: func(ctx context.Context, d time.Duration) error {
			if waits != nil {
				*waits = append(*waits, d)
			}
			return ctx.Err()
		},
	}
}

func readLogin(t *testing.T, folder string) *login {
	t.Helper()
	l, err := load(folder)
	if err != nil {
		t.Fatal(err)
	}
	if l == nil {
		t.Fatal("no login was kept")
	}
	info, err := os.Stat(filepath.Join(folder, LoginFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the login file has mode %v, %v", info.Mode(), err)
	}
	return l
}
