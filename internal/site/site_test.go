package site

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
)

func newSite(take func(context.Context, Hash) bool) *Site {
	pages := fstest.MapFS{"home.html": {Data: []byte(`{{define "content"}}<p>{{.}}</p>{{end}}`)}}
	p := New(Config{Places: []Place{{"/", "Home"}}, Version: "moot test", Command: "moot let in", Cookie: "a-cookie", Header: "X-Session", Take: take, Templates: pages, Log: slog.New(slog.DiscardHandler)})
	p.Handle("GET /{$}", func(w http.ResponseWriter, _ *http.Request, s *Session) {
		p.Write(w, http.StatusOK, s, View{Title: "Home", Template: "home.html", Data: "<b>welcome</b>"})
	})
	return p
}

func request(p *Site, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	if method == "POST" { // of a form
		r = httptest.NewRequest(method, r.URL.Path, strings.NewReader(r.URL.RawQuery))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

// enter logs in by a link, and returns the cookie.
func enter(t *testing.T, p *Site, link string) *http.Cookie {
	t.Helper()
	w := request(p, "POST", link)
	if w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		t.Fatalf("%s does not let in: %d", link, w.Code)
	}
	return w.Result().Cookies()[0]
}

// TestMany: however many links and sessions are made, some are kept, and the newest work.
func TestMany(t *testing.T) {
	p := newSite(nil)
	for range 3 * mostLinks {
		p.Link()
	}
	var cookie *http.Cookie
	for range 3 * mostSessions {
		cookie = enter(t, p, p.Link())
	}
	if n, m := len(p.sessions.all), len(p.sessions.links); n > mostSessions || m > mostLinks {
		t.Errorf("there are %d sessions and %d links", n, m)
	}
	w := request(p, "GET", "/", "Cookie", cookie.String())
	if w.Code != 200 || !strings.Contains(w.Body.String(), "&lt;b&gt;welcome") {
		t.Errorf("the newest is %d: %s", w.Code, w.Body)
	}
	if w := request(p, "GET", "/"); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "moot let in") {
		t.Errorf("outside it is %d: %s", w.Code, w.Body)
	}
	if w := request(p, "GET", "/", "X-Session", cookie.Value); w.Code != 200 {
		t.Errorf("for a program it is %d", w.Code)
	}
	if w := request(p, "GET", "/", "X-Session", "other", "Cookie", cookie.String()); w.Code != http.StatusUnauthorized {
		t.Errorf("with a wrong header it is %d", w.Code)
	}
}

// TestTake: a link that another program has made lets in once, and nobody is asked of anything else.
func TestTake(t *testing.T) {
	there := map[Hash]bool{HashOf("made elsewhere"): true}
	p := newSite(func(_ context.Context, h Hash) bool {
		had := there[h]
		delete(there, h)
		return had
	})
	path := "/login?link=" + url.QueryEscape("made elsewhere")
	for range 2 {
		if w := request(p, "GET", path); w.Code != 200 {
			t.Errorf("to look at it is %d", w.Code)
		}
	}
	enter(t, p, path)
	for _, link := range []string{path, "/login?link=other", "/login?link=", "/login"} {
		if w := request(p, "POST", link); w.Code != http.StatusForbidden {
			t.Errorf("%s is %d", link, w.Code)
		}
	}
}
