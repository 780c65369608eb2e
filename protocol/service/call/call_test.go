package call

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"moot/protocol/service/result"
)

// What becomes of a call, by what is answered.
func TestWhatBecomesOfACall(t *testing.T) {
	for name, tc := range map[string]struct {
		code int
		body string
		text bool
		want string
		err  error
	}{
		"an object":       {200, "{\n  \"answer\": \"yes\"\n}\n", false, `{"answer":"yes"}`, nil},
		"several lines":   {200, "{\"a\":1}\n{\"b\":2}", false, `{"a":1,"b":2}`, nil},
		"text":            {201, " yes\n", true, `{"answer":"yes"}`, nil},
		"nothing":         {204, "", false, `{}`, nil},
		"no object":       {200, "yes", false, "", result.ErrFailed},
		"a fault":         {200, `{"error":"no"}`, false, "", result.ErrFailed},
		"too much":        {200, strings.Repeat("x", result.MaxOutput+1), true, "", result.ErrOutput},
		"elsewhere":       {302, "", false, "", result.ErrRefused},
		"refused":         {403, "not you", false, "", result.ErrRefused},
		"later":           {429, "", false, "", result.ErrFailed},
		"failed":          {500, "", false, "", result.ErrFailed},
		"behind a proxy":  {502, "", false, "", result.ErrDied},
		"cut off":         {-1, "", false, "", result.ErrDied},
		"takes very long": {-2, "", false, "", result.ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != `{"key":"K"}` || r.Header.Get("Idempotency-Key") != "K" || r.Header.Get("Authorization") != "Bearer secret" {
					t.Errorf("it was sent %s, %v, with %v", body, err, r.Header)
				}
				switch tc.code {
				case -1:
					panic(http.ErrAbortHandler)
				case -2:
					<-r.Context().Done()
					return
				}
				if tc.code == 302 {
					w.Header().Set("Location", "/elsewhere")
				}
				w.WriteHeader(tc.code)
				_, _ = io.WriteString(w, tc.body)
			}))
			defer web.Close()
			timeout := time.Minute
			if tc.code == -2 {
				timeout = 50 * time.Millisecond
			}
			c, err := New(Config{URL: web.URL, Token: "secret", Timeout: timeout, Text: tc.text, Max: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			out, err := c.Do(t.Context(), []byte(`{"key":"K"}`))
			if string(out) != tc.want || !errors.Is(err, tc.err) || calls.Load() > 1 {
				t.Errorf("it returned %s, %v after %d calls", out, err, calls.Load())
			}
		})
	}
}

// What cannot be reached was not begun, and what is stopped by the bot says so.
func TestCallThatIsNotAnswered(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	web.Close()
	c, err := New(Config{URL: web.URL, Timeout: time.Minute, Max: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Do(t.Context(), []byte(`{"key":"K"}`)); !errors.Is(err, result.ErrFailed) || result.Open(err) {
		t.Errorf("where nobody listens the error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Do(ctx, []byte(`{"key":"K"}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("where the bot stops the error is %v", err)
	}
}

// An address may have a secret: it is not in an error, which goes into dead letters.
func TestAddressIsNotSaid(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }))
	defer web.Close()
	c, err := New(Config{URL: web.URL + "/hook?token=hunter2", Timeout: time.Minute, Max: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Do(t.Context(), []byte(`{"key":"K"}`)); !errors.Is(err, result.ErrDied) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error is %v", err)
	}
}
