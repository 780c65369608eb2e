package watch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"moot/internal/bot"
	"moot/protocol"
	"moot/store"
)

// bench is a bot as it is watched.
type bench struct {
	*Metrics
	networks []bot.NetworkStatus
	held     error
	live     error
}

func newBench(t testing.TB) *bench {
	t.Helper()
	dir := t.TempDir()
	st, err := store.Open(store.Config{Path: filepath.Join(dir, "moot.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	b := &bench{Metrics: NewMetrics()}
	b.Watch(Sources{
		Store: st, Folder: dir, Version: "test", Networks: func() []bot.NetworkStatus { return b.networks },
		Live:   func(context.Context) (error, error) { return b.held, b.live },
		Votes:  func(*store.Tx, int) int { return 3 },
		Jobs:   func(*store.Tx) uint64 { return 4 },
		Stuck:  func(*store.Tx) uint64 { return 2 },
		Backup: func() time.Time { return time.Unix(1_800_000_000, 0) },
	})
	return b
}

// full has each network, and of each every disposition.
func (b *bench) full() {
	did := bot.Counts{Events: map[bot.EventCount]int{}, Attempts: map[bot.Result]int{bot.ResultFailed: 2}}
	for _, n := range []protocol.Network{"console", "matrix", "discord"} {
		b.networks = append(b.networks, bot.NetworkStatus{Network: n, Up: n != "matrix", Since: time.Now()})
		for d := store.Unseen; d <= store.Duplicate; d++ {
			did.Events[bot.EventCount{Network: n, Disposition: d}]++
		}
	}
	b.Stepped(3*time.Millisecond, did)
}

func get(t *testing.T, h http.Handler, path, host string) (int, string) {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestMetrics: the metrics are as the linter of Prometheus wants them, all there, and not more than there may be.
func TestMetrics(t *testing.T) {
	b := newBench(t)
	b.full()
	problems, err := testutil.GatherAndLint(b.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	code, text := get(t, b.Handler(nil), "/metrics", "127.0.0.1:9617")
	series := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			series++
		}
	}
	if code != 200 || series > MaxSeries || series < 40 {
		t.Errorf("%d with %d series of at most %d:\n%s", code, series, MaxSeries, text)
	}
	for _, want := range []string{
		`moot_events_total{disposition="handled",network="discord"} 1`, `moot_attempts_total{result="failed"} 2`, `moot_attempts_total{result="done"} 0`,
		`moot_network_up{network="matrix"} 0`, `moot_network_up{network="discord"} 1`, `moot_votes_open 3`, `moot_jobs_unfinished 4`, `moot_jobs_stuck 2`, `moot_step_seconds_count 1`,
		`moot_backup_timestamp_seconds 1.8e+09`, `moot_build_info{version="test"} 1`, `moot_outbox_waiting 0`, "moot_disk_free_bytes",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not there", want)
		}
	}
	if tool, err := exec.LookPath("promtool"); err == nil {
		cmd := exec.Command(tool, "check", "metrics")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("promtool says %s, %v", out, err)
		}
	}
}

// TestStandby: a machine that stands by makes no steps, and is ready as long as it sees the log.
func TestStandby(t *testing.T) {
	b := newBench(t)
	now := Standby{Leader: "left", Behind: 7}
	b.sources.Standby = func() Standby { return now }
	_, text := get(t, b.Handler(nil), "/metrics", "localhost")
	if !strings.Contains(text, "moot_standby 1\n") || !strings.Contains(text, "moot_standby_behind 7\n") || strings.Contains(text, "moot_last_step_timestamp_seconds") {
		t.Errorf("a standby says\n%s", text)
	}
	for at, want := range map[time.Duration]string{
		0: `"ok":true,"text":"left leads, and this machine is 7 changes behind"`, time.Minute: `"ok":false,"text":"has not seen the log since `,
	} {
		now.Seen = time.Now().Add(-at)
		code, text := get(t, b.Handler(nil), "/readyz", "localhost")
		if !strings.Contains(text, `{"check":"standby",`+want) || (code == 200) != (at == 0) || strings.Contains(text, `"loop"`) {
			t.Errorf("when it saw the log %s ago: %d, %s", at, code, text)
		}
	}
}

// TestWaiting: what waits is counted, and its age is that of the oldest; beyond a limit nothing is counted.
func TestWaiting(t *testing.T) {
	b := newBench(t)
	for _, n := range []int{3, MaxCount + 5} {
		err := b.sources.Store.Commit(time.Now().Add(-time.Hour), func(c *store.Commit) error {
			return c.Run("console:lobby", protocol.Ref{}, func(tx *store.Tx) error {
				for i := range n {
					tx.Enqueue(store.Entry{Key: protocol.Key(fmt.Sprintf("key%d of %d", i, n)), Lane: "console:lobby", Payload: []byte("{}")})
				}
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		_, text := get(t, b.Handler(nil), "/metrics", "localhost")
		if want := fmt.Sprintf("moot_outbox_waiting %d\n", min(n, MaxCount)); !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
		if !strings.Contains(text, "moot_outbox_oldest_seconds 36") { // an hour, and what passed since
			t.Errorf("the age is wrong in\n%s", text)
		}
	}
}

// TestScrape: with all that can wait a scrape takes less than 5 ms. The shortest of some is what it takes where nothing else is under way.
func TestScrape(t *testing.T) {
	b := newBench(t)
	b.full()
	err := b.sources.Store.Commit(time.Now().Add(-time.Hour), func(c *store.Commit) error {
		return c.Run("console:lobby", protocol.Ref{}, func(tx *store.Tx) error {
			for i := range 2 * MaxCount {
				tx.Enqueue(store.Entry{Key: protocol.Key(fmt.Sprint("key", i)), Lane: "console:lobby", Payload: []byte("{}")})
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	for range 100 {
		began := time.Now()
		if code, _ := get(t, b.Handler(nil), "/metrics", "localhost"); code != 200 {
			t.Fatal(code)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("a scrape takes %s at the least, %s as a rule, and %s at the most", took[0], took[len(took)/2], took[len(took)-1])
	if took[0] > 5*time.Millisecond {
		t.Errorf("a scrape takes %s", took[0])
	}
}

// TestHealth: what lives and is ready is said, and why something is not.
func TestHealth(t *testing.T) {
	for name, c := range map[string]struct {
		change       func(*bench)
		livez, ready int
		text         string
	}{
		"all is well":      {func(*bench) {}, 200, 200, `{"check":"network matrix","ok":true,"text":"can be reached"}`},
		"the loop hangs":   {func(b *bench) { b.live = context.DeadlineExceeded }, 503, 503, "does not come to a step"},
		"the disk is full": {func(b *bench) { b.held = errors.New("the disk is full") }, 200, 503, "holds still: the disk is full"},
		"it stops":         {func(b *bench) { b.live = bot.ErrStopping }, 503, 503, "is stopping"},
		"a moment away":    {func(b *bench) { b.networks[0].Up = false }, 200, 200, "cannot be reached since"},
		"away for long": {func(b *bench) {
			b.networks[0] = bot.NetworkStatus{Network: "matrix", Since: time.Now().Add(-time.Hour)}
		}, 200, 503, "cannot be reached since"},
		"a token was reset": {func(b *bench) { b.networks[0].Up, b.networks[0].Fault = false, "the token was reset" }, 200, 503, "the token was reset"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.networks = []bot.NetworkStatus{{Network: "matrix", Up: true, Since: time.Now()}}
			c.change(b)
			for _, path := range []string{"/livez", "/healthz"} {
				if code, text := get(t, b.Handler(nil), path, "[::1]:9617"); code != c.livez {
					t.Errorf("%s is %d: %s", path, code, text)
				}
			}
			code, text := get(t, b.Handler(nil), "/readyz", "localhost:9617")
			if code != c.ready || !strings.Contains(text, c.text) {
				t.Errorf("/readyz is %d: %s", code, text)
			}
			for line := range strings.Lines(text) {
				var check Check
				if err := json.Unmarshal([]byte(line), &check); err != nil || check.Check == "" {
					t.Errorf("%q: %v", line, err)
				}
			}
		})
	}
}

// TestHosts: whoever asks for another name than one of this machine gets nothing, but for a socket, where names
// mean nothing.
func TestHosts(t *testing.T) {
	b := newBench(t)
	for host, want := range map[string]int{
		"localhost:9617": 200, "127.0.0.1": 200, "127.0.0.2:1": 200, "[::1]:9617": 200, "[::1]": 200,
		"example.org": 403, "example.org:9617": 403, "localhost.example.org": 403, "192.168.1.1:9617": 403, "": 403,
	} {
		if code, _ := get(t, b.Handler(nil), "/livez", host); code != want {
			t.Errorf("%q is %d", host, code)
		}
	}
	if code, _ := get(t, b.Handler(nil), "/", "localhost"); code != 404 {
		t.Errorf("something is there: %d", code)
	}
	socket := filepath.Join(t.TempDir(), "http.sock")
	for range 2 { // the second finds what the first has left
		l, err := Listen("unix:" + socket)
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Serve(ctx, l, nil, slog.New(slog.DiscardHandler)) }()
		client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}}}
		resp, err := client.Get("http://moot/livez")
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "ok\n" {
			t.Errorf("it says %q, %v", text, err)
		}
		resp.Body.Close()
		client.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkScrape is to stay below 5 ms, with as much waiting as is counted.
func BenchmarkScrape(b *testing.B) {
	w := newBench(b)
	w.full()
	err := w.sources.Store.Commit(time.Now(), func(c *store.Commit) error {
		return c.Run("console:lobby", protocol.Ref{}, func(tx *store.Tx) error {
			for i := range 2 * MaxCount {
				tx.Enqueue(store.Entry{Key: protocol.Key(fmt.Sprintf("key%d", i)), Lane: "console:lobby", Payload: []byte(`{"Out":{"Room":"console:lobby"}}`)})
			}
			return nil
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	h := w.Handler(nil)
	var body bytes.Buffer
	for b.Loop() {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.Host = "localhost"
		body.Reset()
		h.ServeHTTP(&httptest.ResponseRecorder{Body: &body}, r)
	}
}

// A webhook with headers beyond measure is refused before anybody reads them; large ones that are within it reach the one who takes it.
func TestLargeHeadersOfWebhooks(t *testing.T) {
	b := newBench(t)
	got := make(chan int, 10)
	b.Hooks(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- len(r.Header.Get("X-Large")) }))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx, l, nil, slog.New(slog.DiscardHandler)) }()
	for size, want := range map[int]int{10 << 10: http.StatusOK, 64 << 10: http.StatusRequestHeaderFieldsTooLarge, 256 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		go func() { // the server may stop reading
			_, _ = fmt.Fprintf(conn, "POST /hook/news HTTP/1.1\r\nHost: %s\r\nX-Large: %s\r\nContent-Length: 2\r\n\r\n{}", l.Addr(), strings.Repeat("x", size))
		}()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("headers of %d bytes: %v", size, err)
			continue
		}
		resp.Body.Close()
		conn.Close()
		if resp.StatusCode != want {
			t.Errorf("headers of %d bytes are answered with %d", size, resp.StatusCode)
		}
	}
	if n := len(got); n != 1 || <-got != 10<<10 {
		t.Errorf("%d came through", n)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
