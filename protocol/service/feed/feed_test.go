package feed

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/protocol/service/servicetest"
)

// server is one that has a feed.
type server struct {
	mu       sync.Mutex
	entries  []string // the newest first
	code     int      // instead of the feed; zero means none
	full     int      // how often it was sent
	same     int      // how often it had not changed
	body     string   // instead of the feed
	served   chan struct{}
	headless bool // it says nothing of when it has changed
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		select {
		case s.served <- struct{}{}:
		default:
		}
	}()
	tag := fmt.Sprintf(`"%d"`, len(s.entries))
	switch {
	case s.code != 0:
		w.WriteHeader(s.code)
		return
	case s.body != "":
		fmt.Fprint(w, s.body)
		return
	case !s.headless && r.Header.Get("If-None-Match") == tag:
		s.same++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	s.full++
	if !s.headless {
		w.Header().Set("ETag", tag)
	}
	fmt.Fprint(w, `<rss version="2.0"><channel><title>News</title>`)
	for _, e := range s.entries {
		fmt.Fprintf(w, `<item><guid>g-%s</guid><title>%s &amp;amp; &lt;b&gt;more&lt;/b&gt;</title><link>http://example.org/%s</link><description>&lt;p&gt;one&lt;/p&gt;&lt;script&gt;two&lt;/script&gt;</description></item>`, e, e, e)
	}
	fmt.Fprint(w, `</channel></rss>`)
}

func (s *server) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func start(t *testing.T) (*server, *Collector) {
	t.Helper()
	s := &server{served: make(chan struct{}, 1)}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	c, err := New(Config{Name: "news", URL: web.URL, Every: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func titles(s *servicetest.Sink) (all []string) {
	for _, it := range s.Items() {
		all = append(all, strings.TrimSuffix(it.Text, " & more"))
	}
	return all
}

// What is there the first time is old; what comes then is brought once, the oldest first, however often who reads it dies.
func TestEachEntryIsBroughtOnce(t *testing.T) {
	for _, headless := range []bool{false, true} {
		s, c := start(t)
		s.entries, s.headless = []string{"b", "a"}, headless
		to := servicetest.New()
		stop := servicetest.Run(t, c, to)
		for to.Marks() == 0 {
			<-s.served
		}
		var want []string
		for n := range 12 {
			fresh := []string{fmt.Sprint("x", n), fmt.Sprint("y", n), fmt.Sprint("z", n)}
			want = append(want, fresh...)
			stop()
			slices.Reverse(fresh)
			s.set(func() {
				s.entries = append(append([]string{}, fresh...), s.entries...)
				s.entries = s.entries[:min(5, len(s.entries))] // it has only the last ones
				if n%2 == 0 {
					s.entries = append(s.entries, "a") // and one that comes and goes
				}
			})
			for died := range 4 {
				to.DieAfter(died)
				stop = servicetest.Run(t, c, to)
				to.Wait(t.Context(), min(len(want), len(want)-3+died))
				stop()
			}
			to.DieAfter(-1)
			stop = servicetest.Run(t, c, to)
			to.Wait(t.Context(), len(want))
		}
		stop()
		if got := titles(to); !slices.Equal(got, want) {
			t.Errorf("headless %v: it brought\n%q\nand should have brought\n%q", headless, got, want)
		}
		var e entry
		if err := json.Unmarshal(to.Items()[0].Data, &e); err != nil || e.Feed != "News" || e.Title != "x0 & more" || e.Link != "http://example.org/x0" || e.Summary != "one" || e.GUID != "g-x0" {
			t.Errorf("an entry is %+v, %v", e, err)
		}
	}
}

// A feed that has not changed is not sent again, and nothing is written then.
func TestUnchangedFeed(t *testing.T) {
	s, c := start(t)
	s.entries = []string{"a"}
	to := servicetest.New()
	stop := servicetest.Run(t, c, to)
	for {
		<-s.served
		s.mu.Lock()
		same, full := s.same, s.full
		s.mu.Unlock()
		if same >= 5 {
			if full != 1 || to.Marks() != 1 {
				t.Errorf("it was sent %d times, and written %d times", full, to.Marks())
			}
			break
		}
	}
	stop()
}

// What cannot be read is tried again, and nothing is taken for new or old by it.
func TestFeedThatFails(t *testing.T) {
	s, c := start(t)
	c.backoff.Most = time.Millisecond
	s.entries = []string{"a"}
	to := servicetest.New()
	stop := servicetest.Run(t, c, to)
	for to.Marks() == 0 {
		<-s.served
	}
	for _, bad := range []func(){
		func() { s.code = 500 }, func() { s.code = 404 }, func() { s.code, s.body = 0, "no feed" },
		func() { s.body = "<rss><channel><item><title>cut" }, func() { s.body = strings.Repeat("x", MaxBody+1) },
	} {
		s.set(bad)
		<-s.served
		<-s.served
	}
	s.set(func() { s.body, s.entries = "", []string{"b", "a"} })
	to.Wait(t.Context(), 1)
	stop()
	if got := titles(to); !slices.Equal(got, []string{"b"}) {
		t.Errorf("it brought %q", got)
	}
	if d := retryAfter(http.Header{"Retry-After": {"120"}}); d != 2*time.Minute {
		t.Errorf("it waits %s", d)
	}
	for in, want := range map[time.Duration]time.Duration{time.Hour: time.Hour, -time.Hour: 0, 1000 * time.Hour: 24 * time.Hour} {
		at := time.Now().Add(in).UTC().Format(http.TimeFormat)
		if d := retryAfter(http.Header{"Retry-After": {at}}); d > want || d < want-time.Minute {
			t.Errorf("until %s it waits %s", at, d)
		}
	}
	if d := retryAfter(http.Header{"Retry-After": {"99999999999"}}); d > 24*time.Hour {
		t.Errorf("it waits %s", d)
	}
}

// Another address in the configuration begins anew.
func TestAnotherAddress(t *testing.T) {
	s, c := start(t)
	s.entries = []string{"a"}
	other, second := start(t)
	other.entries = []string{"c", "b"}
	to := servicetest.New()
	stop := servicetest.Run(t, c, to)
	for to.Marks() == 0 {
		<-s.served
	}
	stop()
	stop = servicetest.Run(t, second, to)
	for to.Marks() == 1 {
		<-other.served
	}
	stop()
	if got := titles(to); len(got) != 0 {
		t.Errorf("it brought %q", got)
	}
}

// What an entry has without measure does not go into a job: a guid becomes its hash, and an address is left out, and the log says so. By
// the guid it is still known.
func TestEntryWithoutMeasure(t *testing.T) {
	s, c := start(t)
	var log strings.Builder // written to by the collector alone until it has stopped
	c.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	item := func(guid string) string {
		return "<item><title>t</title><guid>" + guid + "</guid><link>http://example.org/" + strings.Repeat("l", 1<<20) + "</link></item>"
	}
	rss := func(items ...string) func() {
		return func() { s.body = "<rss><channel><title>f</title>" + strings.Join(items, "") + "</channel></rss>" }
	}
	long := strings.Repeat("g", 1<<20)
	s.set(rss(item("old")))
	to := servicetest.New()
	stop := servicetest.Run(t, c, to)
	for to.Marks() == 0 {
		<-s.served
	}
	s.set(rss(item(long+"2"), item(long+"1"), item("old")))
	to.Wait(t.Context(), 2)
	<-s.served
	<-s.served
	stop()
	items := to.Items()
	if len(items) != 2 || items[0].ID == items[1].ID {
		t.Fatalf("it brought %d entries", len(items))
	}
	seen := map[string]bool{}
	for _, it := range items {
		var e entry
		if err := json.Unmarshal(it.Data, &e); err != nil || len(it.Data) > 1000 || !strings.HasPrefix(e.GUID, "sha256:") || e.Link != "" || e.Title != "t" {
			t.Errorf("it brought %.300s, %v", it.Data, err)
		}
		seen[e.GUID] = true
	}
	if len(seen) != 2 || !strings.Contains(log.String(), "too long to be handed on") || len(log.String()) > 1000 {
		t.Errorf("there are %d guids, and the log says %.300s", len(seen), log.String())
	}
	if mark(long) != "" || mark(`"7"`) != `"7"` {
		t.Error("what a server knows a version by is kept without measure, or not at all")
	}
}
