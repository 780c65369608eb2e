package account

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/matrix/matrixtest"
)

// TestAnAnswerOfAnotherKind: whatever a server answers to what a login asks, it is a fault or may pass, and nothing panics.
func TestAnAnswerOfAnotherKind(t *testing.T) {
	for _, path := range []string{
		"/.well-known/matrix/client", "/_matrix/client/versions", "/_matrix/client/v3/login", "POST /_matrix/client/v3/login",
		"/_matrix/client/v3/account/whoami", "/_matrix/client/v1/auth_metadata",
	} {
		for _, twist := range matrixtest.Twists() {
			f := newFake(t)
			f.says("POST /_matrix/client/v3/logout", 200, `{}`) // of a login as somebody else
			c := f.config(nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if _, err := Open(ctx, c); err != nil {
				t.Fatal(err)
			}
			f.mu.Lock()
			as := f.answers[path]
			f.answers[path] = func(w http.ResponseWriter, r *http.Request) {
				rec := httptest.NewRecorder()
				as(rec, r)
				answer(w, http.StatusOK, string(twist.Change(rec.Body.Bytes())))
			}
			f.mu.Unlock()
			for name, look := range map[string]func() error{
				"a login":       func() error { c.Folder = t.TempDir(); _, err := Open(ctx, c); return err },
				"one that is":   func() error { _, err := Open(ctx, c); return err },
				"a look":        func() error { _, err := Look(ctx, c); return err },
				"looking there": func() error { _, err := Find(ctx, c); return err },
			} {
				err := protocol.Guard(look)
				var fault *Fault
				if err != nil && !errors.As(err, &fault) && !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrNoLogin) {
					t.Errorf("%s, %s of %s: %v", name, twist.Name, path, err)
				}
			}
			cancel()
			f.server.Close()
		}
	}
}

// TestANullIsNoAnswer: it reads as an error, also behind white space, and whatever else comes is not touched.
func TestANullIsNoAnswer(t *testing.T) {
	var body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
	defer s.Close()
	hc := &http.Client{Transport: NoNull(nil)}
	for text, bad := range map[string]bool{"null": true, " \r\n\tnull ": true, "nul": true, "": true, `{"a": null}`: false, " {} ": false} {
		body = text
		resp, err := hc.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		v := new(struct{ A *int })
		if err := json.NewDecoder(resp.Body).Decode(&v); (err != nil) != bad || v == nil {
			t.Errorf("%q is read as %v, %v", text, v, err)
		}
		resp.Body.Close()
	}
}
