package page

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"moot/backup"
	"moot/events"
	"moot/internal/bot"
	"moot/internal/inspect"
	"moot/internal/site"
	"moot/internal/watch"
	"moot/protocol"
	"moot/rooms"
	"moot/services"
	"moot/store"
	"moot/votes"
	"moot/votes/tally"
)

// bench is a page with a bot behind it.
type bench struct {
	testing.TB
	*Page
	store   *store.Store
	dropped []uint64
	retried []uint64
	jobs    []services.JobLine // those that there are
	asked   services.JobQuery  // the last one
	ordered []string
}

func newBench(t testing.TB) *bench {
	t.Helper()
	st, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "moot.db")})
	if err != nil {
		t.Fatal(err)
	}
	bus, err := events.Open(events.Config{Store: st, Kinds: append(votes.Kinds(), rooms.Kind)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{TB: t, store: st}
	b.Page = New(Config{
		Inspector: &inspect.Inspector{Store: st, Bus: bus}, Version: "moot test", Started: time.Now(), Folder: t.TempDir(),
		Networks: func() []bot.NetworkStatus {
			return []bot.NetworkStatus{{Network: "matrix", Up: true, Since: time.Now()}, {Network: "discord", Fault: "the token was <b>reset</b>", Since: time.Now()}}
		},
		Shards:  func() []Shard { return []Shard{{0, true}, {1, false}} },
		Backups: func() ([]backup.Backup, time.Time) { return []backup.Backup{{Folder: "/backups/one"}}, time.Now() },
		Retry: func(_ context.Context, id uint64) (string, error) {
			b.retried = append(b.retried, id)
			return fmt.Sprintf("Dead letter %d failed again: pelican", id), nil
		},
		Drop: func(_ context.Context, id uint64) error {
			b.dropped = append(b.dropped, id)
			return nil
		},
		Jobs: func(q services.JobQuery) (services.JobPage, error) {
			b.asked = q
			return services.JobPage{Jobs: b.jobs, More: true}, nil
		},
		Order: func(_ context.Context, what protocol.OrderKind, job protocol.Key) (string, error) {
			switch job {
			case "gone":
				return "", fmt.Errorf("%w: gone", services.ErrNoJob)
			case "runs":
				return "", fmt.Errorf("job runs is running; %w", services.ErrNotFailed)
			}
			b.ordered = append(b.ordered, string(what)+" "+string(job))
			return "Job " + string(job) + " is seen to.", nil
		},
		Tail: &Tail{}, Log: slog.New(slog.DiscardHandler),
	})
	return b
}

// request makes a request as a browser on this machine does: of its own page, unless a header says otherwise.
func (b *bench) request(method, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	b.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, path, body)
	r.Host = "127.0.0.1:9617"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

// enter goes in by a new link and returns the cookie, as a header has it.
func (b *bench) enter() string {
	b.Helper()
	link, err := url.Parse(b.Link())
	if err != nil {
		b.Fatal(err)
	}
	w := b.request("POST", "/login", link.Query())
	if w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		b.Fatalf("the link does not let in: %d %s", w.Code, w.Body)
	}
	c := w.Result().Cookies()[0]
	return c.Name + "=" + c.Value
}

// paths are all pages, and the stream behind one of them.
var paths = []string{"/", "/rooms", "/room?id=a", "/votes", "/vote?room=a&id=1", "/outbox", "/dead", "/jobs", "/jobs?state=failed", "/events", "/networks", "/backups", "/log", "/log/stream", "/nowhere"}

// TestClosed: without a session nothing is told, and nothing is changed.
func TestClosed(t *testing.T) {
	b := newBench(t)
	inside := b.enter()
	for _, cookie := range []string{"", cookieName + "=", cookieName + "=ABCDEFGHIJKLMNOPQRSTUVWXYZ", "other" + inside} {
		for _, path := range paths {
			if w := b.request("GET", path, nil, "Cookie", cookie); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "moot web") || strings.Contains(w.Body.String(), "Networks") {
				t.Errorf("with the cookie %q, %s is %d: %s", cookie, path, w.Code, w.Body)
			}
		}
		for _, do := range []string{"retry", "drop"} {
			if w := b.request("POST", "/dead", url.Values{"id": {"1"}, "do": {do}}, "Cookie", cookie); w.Code != http.StatusUnauthorized {
				t.Errorf("%s without a session is %d", do, w.Code)
			}
		}
	}
	if b.dropped != nil || b.retried != nil {
		t.Errorf("%v and %v were changed", b.dropped, b.retried)
	}
}

// TestLink: a link lets in once, for a while, and only where somebody presses the button.
func TestLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		path := b.Link()
		link, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if w := b.request("GET", path, nil, "Sec-Fetch-Site", "none"); w.Code != 200 || len(w.Result().Cookies()) > 0 {
				t.Errorf("to look at a link is %d, and sets %v", w.Code, w.Result().Cookies())
			}
		}
		w := b.request("POST", "/login", link.Query())
		cookies := w.Result().Cookies()
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" || len(cookies) != 1 {
			t.Fatalf("it is %d, with %v", w.Code, cookies)
		}
		if c := cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Domain != "" || c.Path != "/" || c.MaxAge != 12*60*60 || len(c.Value) < 26 {
			t.Errorf("the cookie is %s", c)
		}
		for _, method := range []string{"GET", "POST"} {
			if w := b.request(method, path, link.Query()); w.Code != http.StatusForbidden || len(w.Result().Cookies()) > 0 {
				t.Errorf("once more, %s is %d", method, w.Code)
			}
		}
		late, err := url.Parse(b.Link())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(site.LinkLasts)
		if w := b.request("POST", "/login", late.Query()); w.Code != http.StatusForbidden {
			t.Errorf("a late link is %d", w.Code)
		}
		cookie := cookies[0].Name + "=" + cookies[0].Value
		if w := b.request("GET", "/", nil, "Cookie", cookie); w.Code != 200 {
			t.Errorf("inside it is %d", w.Code)
		}
		time.Sleep(site.SessionLasts)
		if w := b.request("GET", "/", nil, "Cookie", cookie); w.Code != http.StatusUnauthorized {
			t.Errorf("after its end it is %d", w.Code)
		}
	})
}

// TestLogout: who has logged out is outside.
func TestLogout(t *testing.T) {
	b := newBench(t)
	cookie := b.enter()
	if w := b.request("POST", "/logout", url.Values{}, "Cookie", cookie); w.Code != http.StatusSeeOther {
		t.Errorf("to log out is %d", w.Code)
	}
	if w := b.request("GET", "/", nil, "Cookie", cookie); w.Code != http.StatusUnauthorized {
		t.Errorf("after logging out it is %d", w.Code)
	}
}

// TestOtherSites: no other site can have anything changed, not even with the cookie.
func TestOtherSites(t *testing.T) {
	b := newBench(t)
	cookie := b.enter()
	change := url.Values{"id": {"7"}, "do": {"drop"}}
	for _, from := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, // another port of this machine
		{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, {"Sec-Fetch-Site", "", "Origin", "null"}, {"Sec-Fetch-Site", "", "Origin", "http://127.0.0.1:8080"},
	} {
		for _, path := range []string{"/dead", "/jobs", "/logout", "/login"} {
			if w := b.request("POST", path, change, append([]string{"Cookie", cookie}, from...)...); w.Code != http.StatusForbidden {
				t.Errorf("%s from %v is %d", path, from, w.Code)
			}
		}
	}
	if w := b.request("GET", "/dead?id=7&do=drop", nil, "Cookie", cookie); w.Code != 200 {
		t.Errorf("it is %d", w.Code)
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH"} {
		if w := b.request(method, "/dead", change, "Cookie", cookie); w.Code < 400 {
			t.Errorf("%s is %d", method, w.Code)
		}
	}
	if b.dropped != nil {
		t.Errorf("%v were dropped", b.dropped)
	}
	if w := b.request("POST", "/dead", change, "Cookie", cookie); w.Code != http.StatusSeeOther || len(b.dropped) != 1 {
		t.Errorf("from the page itself it is %d, and %v were dropped", w.Code, b.dropped)
	}
	if w := b.request("GET", "/", nil, "Cookie", cookie); !strings.Contains(w.Body.String(), "Dead letter 7 is gone") {
		t.Error("what was done is not said")
	}
	if w := b.request("GET", "/", nil, "Cookie", cookie); strings.Contains(w.Body.String(), "Dead letter 7 is gone") {
		t.Error("it is said twice")
	}
	if w := b.request("POST", "/dead", url.Values{"id": {"7"}, "do": {"burn"}}, "Cookie", cookie); w.Code != http.StatusBadRequest {
		t.Errorf("an unknown order is %d", w.Code)
	}
	if w := b.request("POST", "/dead", url.Values{"id": {strings.Repeat("7", 10<<10)}, "do": {"drop"}}, "Cookie", cookie); w.Code != http.StatusBadRequest {
		t.Errorf("a long one is %d", w.Code)
	}
}

// TestHeaders: each answer holds browsers to the policy, and no page holds what the policy forbids.
func TestHeaders(t *testing.T) {
	b := newBench(t)
	cookie := b.enter()
	for _, path := range append(paths, "/login", "/style.css", "/live.js", "/icon.svg") {
		if path == "/log/stream" {
			continue
		}
		w := b.request("GET", path, nil, "Cookie", cookie)
		want := site.Policy
		if path == "/log" {
			want = site.ScriptPolicy
		}
		for name, value := range map[string]string{
			"Content-Security-Policy": want, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
			"Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s of %s is %q", name, path, got)
			}
		}
		text := w.Body.String()
		text = strings.Replace(text, `xmlns="http://www.w3.org/2000/svg"`, "", 1) // a name, not an address
		for _, forbidden := range []string{" style=", "<style", " onclick", " onload", "javascript:", "http://", "https://", "<script>", "<b>reset"} {
			if strings.Contains(text, forbidden) {
				t.Errorf("%s has %q", path, forbidden)
			}
		}
		if strings.Contains(text, "<script") != (path == "/log") {
			t.Errorf("%s: scripts belong to the log alone", path)
		}
	}
}

// TestNames: a name that leads to this machine, but is not its own, is told nothing.
func TestNames(t *testing.T) {
	b := newBench(t)
	m := watch.NewMetrics()
	m.Watch(watch.Sources{Store: b.store, Folder: b.Folder, Networks: b.Networks})
	h := m.Handler(b)
	cookie := b.enter()
	for host, want := range map[string]int{"127.0.0.1:9617": 200, "localhost:9617": 200, "[::1]:9617": 200, "evil.example": 403, "evil.example:9617": 403, "127.0.0.1.evil.example:9617": 403, "": 403} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("for %q it is %d", host, w.Code)
		}
	}
}

// TestTail: the log is shown as it comes, whoever is slow misses lines, and it ends with the bot.
func TestTail(t *testing.T) {
	b := newBench(t)
	for i := range 2 * tailLines {
		fmt.Fprintf(b.Tail, "line %d\n", i)
	}
	srv := httptest.NewUnstartedServer(b)
	ctx, stop := context.WithCancel(t.Context())
	srv.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	srv.Start()
	defer srv.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(b.enter(), "=")
	jar.SetCookies(base, []*http.Cookie{{Name: name, Value: value}})
	client := http.Client{Jar: jar}
	resp, err := client.Get(srv.URL + "/log/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		t.Errorf("it is %s", kind)
	}
	var heard strings.Builder
	until := func(what string) {
		t.Helper()
		for buf := make([]byte, 64<<10); !strings.Contains(heard.String(), what); {
			n, err := resp.Body.Read(buf)
			heard.Write(buf[:n])
			if err != nil {
				t.Fatalf("before %q: %v", what, err)
			}
		}
	}
	until("data: line 599\n\n")
	if strings.Contains(heard.String(), "data: line 299\n") || !strings.Contains(heard.String(), "data: line 300\n") {
		t.Error("it does not begin with the last lines")
	}
	fmt.Fprintf(b.Tail, "half a ")
	fmt.Fprintf(b.Tail, "line\x1b[2J\n")
	until("data: half a line[2J\n\n")

	// Somebody who was away for a while.
	_, _, at, more := b.Tail.since(0)
	for i := range 2 * tailLines {
		fmt.Fprintf(b.Tail, "flood %d\n", i)
	}
	<-more
	if lines, gone, _, _ := b.Tail.since(at); len(lines) != tailLines || gone != tailLines || lines[tailLines-1] != fmt.Sprintf("flood %d", 2*tailLines-1) {
		t.Errorf("who was away gets %d lines, and %d are gone", len(lines), gone)
	}
	fmt.Fprintf(b.Tail, "after\n")
	until("data: after\n\n")
	for range mostTails - 1 {
		if _, ok := b.Tail.look(); !ok {
			t.Error("nobody else may look")
		}
	}
	if w := b.request("GET", "/log/stream", nil, "Cookie", name+"="+value); w.Code != http.StatusServiceUnavailable {
		t.Errorf("one too many is %d", w.Code)
	}
	stop()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("it does not end well: %v", err)
	}
}

// TestArithmetic: what is drawn is what was counted, and the sum is that of the rules.
func TestArithmetic(t *testing.T) {
	v := votes.Vote{
		ID: 3, Type: votes.Motion, Status: votes.Running, Size: 12, Turnout: 10,
		Tally: tally.Rules{Method: tally.Supermajority, Options: 3, Quorum: 3, Part: 2, Of: 3, LeastYes: 3}, Count: tally.Tally{Cast: 10, For: []int{6, 3, 1}},
	}
	bars, words := barsOf(v)
	if words != "yes 6, no 3, abstained 1" || len(bars) != 3 {
		t.Errorf("in words it is %q", words)
	}
	for i, want := range []bar{{"yes", 6, "60 %", 300, 0, true}, {"no", 3, "30 %", 150, barHigh, false}, {"abstained", 1, "10 %", 50, 2 * barHigh, false}} {
		if bars[i] != want {
			t.Errorf("bar %d is %+v", i, bars[i])
		}
	}
	if got := sumOf(v); got != "If it closed with these ballots: 6 yes, 3 no, 1 abstained of 12 who could vote; quorum 3 reached; needed 6 of 9: passed." {
		t.Errorf("the sum is %q", got)
	}
	if bars, _ := barsOf(votes.Vote{Type: votes.Poll, Options: []string{"a", "b"}}); bars[0].Wide != 0 || bars[0].Share != "–" {
		t.Errorf("without ballots it is %+v", bars)
	}
	r := tally.Rules{Method: tally.STV, Options: 3, Seats: 2, Quorum: 3}
	count := tally.Count(r, []int{1, 2, 3, 4}, map[int]tally.Ballot{1: {1, 2, 0}, 2: {1, 0, 0}, 3: {0, 1, 0}, 4: {0, 0, 1}})
	res := tally.Final(r, 9, count)
	elected := votes.Vote{Type: votes.Election, Status: votes.Closed, Options: []string{"a", "b", "c"}, Size: 9, Tally: r, Count: count,
		Outcome: res.Outcome, Election: res.Election}
	if bars, words := barsOf(elected); words != "a 2, b 1, c 1" || len(bars) != 3 {
		t.Errorf("in words it is %q", words)
	}
	if got := sumOf(elected); got != "The bars show how many ranked it first. Elected: «a». A tie between «b» and «c» for the last seat: nothing that the "+
		"ballots say puts one before the other. 4 of 9 who could vote did; quorum 3 reached. By the single transferable vote in 2 stages; 2 votes "+
		"made sure of a seat." {
		t.Errorf("the sum is %q", got)
	}
}
