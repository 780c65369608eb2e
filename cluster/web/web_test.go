package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"moot/cluster/fleet"
	"moot/internal/site"
)

// bench is a page with a fleet behind it that does nothing.
type bench struct {
	testing.TB
	*Page
	view    fleet.View
	ordered []string
	says    string
	sent    []string
	fails   error
}

func newBench(t testing.TB) *bench {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	b := &bench{TB: t, says: "ok"}
	b.view = fleet.View{
		Gateway: fleet.Gateway{URL: "wss://gateway", Shards: 4, Total: 1000, Remaining: 900, ResetAfter: 3 * time.Hour, MaxConcurrency: 16}, Generation: 2, Shards: 4,
		LastStart: now.Add(-time.Hour), FullyUp: true, Operation: &fleet.Progress{Kind: fleet.RollingRestart, Began: now, Done: 1, All: 2},
		Clusters: []fleet.ClusterView{
			{Key: fleet.Key{Generation: 2}, Name: "Pika <b>", Shards: []int{0, 1}, State: fleet.Up, Alive: true, Launched: true, Run: 7, PID: 4711, StartedAt: now.Add(-time.Hour), Checked: now, Health: []fleet.Health{
				{Shard: 0, Up: true, Latency: 10, Guilds: 7, Users: 70}, {Shard: 1, Up: false, Latency: 999, Guilds: 3, Users: 30},
			}},
			{Key: fleet.Key{Generation: 2, ID: 1}, Name: "Eevee", Shards: []int{2, 3}, State: fleet.BackingOff, Why: "its process ended: exit status 1"},
		},
		Others: []fleet.ClusterView{{Key: fleet.Key{Generation: 1}, Name: "Pika", Shards: []int{0}, State: fleet.Stopping, Alive: true, PID: 4710, StartedAt: now}},
	}
	b.Page = New(Config{
		Version: "moot test", Channel: "bots", Folder: "/srv/bot", Started: now, Reshard: true, View: func() fleet.View { return b.view },
		Command: func(_ context.Context, a fleet.Action, id int) (string, error) {
			b.ordered = append(b.ordered, string(a)+" "+string(rune('0'+id)))
			return b.says, nil
		},
		Actions: func(context.Context) ([]map[string]any, error) {
			return []map[string]any{{"event": "ping_failure", "id": 1.0, "ts": 1.7e15}, {"event": "<i>odd", "ts": "never"}}, b.fails
		},
		Publish: func(text []byte) { b.sent = append(b.sent, string(text)) }, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
	})
	return b
}

func (b *bench) request(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:1293"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

func (b *bench) enter() string {
	b.Helper()
	link, err := url.Parse(b.Link())
	if err != nil {
		b.Fatal(err)
	}
	w := b.request("POST", "/login", link.RawQuery)
	if len(w.Result().Cookies()) != 1 {
		b.Fatalf("the link does not let in: %d", w.Code)
	}
	return w.Result().Cookies()[0].String()
}

var paths = []string{"/", "/cluster?id=0", "/cluster?id=1", "/actions", "/ping", "/instance-list", "/action-logs", "/cluster-health"}

// TestClosed: who is outside, or of another site, is told nothing and changes nothing, and nobody's origin is let in.
func TestClosed(t *testing.T) {
	b := newBench(t)
	cookie := b.enter()
	for _, path := range paths {
		for _, header := range [][]string{nil, {"X-Session", "guess"}, {"Cookie", cookieName + "=guess"}} {
			if w := b.request("GET", path, "", header...); w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), "Pika") {
				t.Errorf("%s from outside is %d", path, w.Code)
			}
		}
		if w := b.request("GET", path, "", "Cookie", cookie, "Host", "evil.example:1293"); w.Code != http.StatusForbidden {
			t.Errorf("%s by a foreign name is %d", path, w.Code)
		}
		w := b.request("GET", path, "", "Cookie", cookie, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
		for name := range w.Header() {
			if strings.HasPrefix(name, "Access-Control") {
				t.Errorf("%s has %s", path, name)
			}
		}
		if w := b.request("GET", path, "", "Cookie", cookie); w.Code != http.StatusOK || w.Header().Get("Content-Security-Policy") != site.Policy {
			t.Errorf("%s inside is %d, with %q", path, w.Code, w.Header().Get("Content-Security-Policy"))
		}
	}
	for _, path := range []string{"/do", "/redis/pub"} {
		if w := b.request("POST", path, "do=stop&id=0"); w.Code != http.StatusUnauthorized {
			t.Errorf("%s from outside is %d", path, w.Code)
		}
		if w := b.request("POST", path, "do=stop&id=0", "Cookie", cookie, "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
			t.Errorf("%s from another site is %d", path, w.Code)
		}
	}
	if w := b.request("GET", "/do?do=stop&id=0", "", "Cookie", cookie); w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
		t.Errorf("to look at an order is %d", w.Code)
	}
	if b.ordered != nil || b.sent != nil {
		t.Errorf("%v was ordered, %v sent", b.ordered, b.sent)
	}
}

// TestPages: what is to be seen is there, and nothing of it is markup.
func TestPages(t *testing.T) {
	b := newBench(t)
	cookie := b.enter()
	for path, all := range map[string][]string{
		"/":             {"1 of 2", "900 of 1000", "Pika &lt;b&gt;", "backing off", "1 of 2", "10 ms", "60 min", "4711", "rolling restart", `max="2"`, "generation 2", "Other generation", "stopping", "/srv/bot"},
		"/cluster?id=0": {"Cluster 0, Pika &lt;b&gt;", "999 ms", "Restart cluster 0 now", "Stop cluster 0 now"},
		"/cluster?id=1": {"its process ended: exit status 1", "Start cluster 1"},
		"/actions":      {"ping_failure", `{&#34;id&#34;:1}`, "2023-11-14", "&lt;i&gt;odd"},
	} {
		text := b.request("GET", path, "", "Cookie", cookie).Body.String()
		for _, one := range all {
			if !strings.Contains(text, one) {
				t.Errorf("%s has no %q:\n%s", path, one, text)
			}
		}
		if strings.Contains(text, "<script") || strings.Contains(text, " style=") {
			t.Errorf("%s has a script or a style of its own", path)
		}
	}
	for _, path := range []string{"/cluster?id=2", "/cluster?id=-1", "/cluster", "/nowhere"} {
		if w := b.request("GET", path, "", "Cookie", cookie); w.Code != http.StatusNotFound {
			t.Errorf("%s is %d", path, w.Code)
		}
	}
	b.fails = errors.New("Redis is away")
	for path, want := range map[string]int{"/actions": http.StatusBadGateway, "/action-logs": http.StatusInternalServerError} {
		if w := b.request("GET", path, "", "Cookie", cookie); w.Code != want {
			t.Errorf("without Redis %s is %d", path, w.Code)
		}
	}
}

// TestOrders: an order is carried out once, and what came of it said.
func TestOrders(t *testing.T) {
	b := newBench(t)
	cookie := b.enter()
	for _, body := range []string{"do=stop&id=1", "do=start&id=1", "do=restart&id=0", "do=rollingrestart", "do=reshard"} {
		if w := b.request("POST", "/do", body, "Cookie", cookie); w.Code != http.StatusSeeOther {
			t.Errorf("%s is %d", body, w.Code)
		}
	}
	if got := strings.Join(b.ordered, ", "); got != "stop 1, start 1, restart 0, rollingrestart 0, reshard 0" {
		t.Errorf("ordered were %s", got)
	}
	if text := b.request("GET", "/", "", "Cookie", cookie).Body.String(); !strings.Contains(text, "work on until the next ones are up") {
		t.Error("what came of it is not said")
	}
	b.says = "not all clusters are up"
	b.request("POST", "/do", "do=rollingrestart", "Cookie", cookie)
	if text := b.request("GET", "/", "", "Cookie", cookie).Body.String(); !strings.Contains(text, "Not all clusters are up.") {
		t.Error("why it was refused is not said")
	}
	for _, body := range []string{"do=stop", "do=stop&id=7", "do=shutdown", "do=burn&id=0", ""} {
		if w := b.request("POST", "/do", body, "Cookie", cookie); w.Code != http.StatusBadRequest {
			t.Errorf("%q is %d", body, w.Code)
		}
	}
}

// TestRoutes: the routes of mewld answer in its shapes.
func TestRoutes(t *testing.T) {
	b := newBench(t)
	_, value, _ := strings.Cut(b.enter(), "=")
	value, _, _ = strings.Cut(value, ";")
	get := func(path string, status int) string {
		t.Helper()
		w := b.request("GET", path, "", "X-Session", value, "Sec-Fetch-Site", "")
		if w.Code != status {
			t.Errorf("%s is %d: %s", path, w.Code, w.Body)
		}
		text, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if text := get("/ping", 200); text != "pong" {
		t.Errorf("/ping says %q", text)
	}
	var list map[string]any
	if err := json.Unmarshal([]byte(get("/instance-list", 200)), &list); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"LastClusterStartedAt", "Map", "Instances", "ShardCount", "GetGatewayBot", "Dir", "RollRestarting", "FullyUp"} {
		if _, has := list[name]; !has {
			t.Errorf("/instance-list has no %s", name)
		}
	}
	one := list["Instances"].([]any)[0].(map[string]any)
	for _, name := range []string{"StartedAt", "SessionID", "ClusterID", "Shards", "Active", "ClusterHealth", "CurrentlyKilling", "LockClusterTime", "LaunchedFully", "LastChecked"} {
		if _, has := one[name]; !has {
			t.Errorf("an instance has no %s", name)
		}
	}
	if list["RollRestarting"] != true || one["Active"] != true || list["GetGatewayBot"].(map[string]any)["session_start_limit"].(map[string]any)["reset_after"] != 10_800_000.0 {
		t.Errorf("/instance-list says %v", list)
	}
	if text := get("/action-logs", 200); !strings.HasPrefix(text, `[{"event":"ping_failure","id":1,"ts":`) {
		t.Errorf("/action-logs says %s", text)
	}
	if text := get("/cluster-health", 200); !strings.HasPrefix(text, `{"locked":false,"health":[{"shard_id":0,"up":true,"latency":10,"guilds":7,"users":70}`) {
		t.Errorf("/cluster-health says %s", text)
	}
	for query, says := range map[string]string{"?cid=1": "not fully launched", "?cid=9": "no such instance", "?cid=x": "could not parse"} {
		if text := get("/cluster-health"+query, 400); !strings.Contains(text, says) {
			t.Errorf("of %s it says %s", query, text)
		}
	}
	for body, status := range map[string]int{`{"scope":"launcher","action":"statuses"}`: 200, "no JSON": 400, `"` + strings.Repeat("x", 8<<10) + `"`: 400} {
		if w := b.request("POST", "/redis/pub", body, "X-Session", value, "Sec-Fetch-Site", ""); w.Code != status {
			t.Errorf("to publish %.50s is %d", body, w.Code)
		}
	}
	if len(b.sent) != 1 || b.sent[0] != `{"scope":"launcher","action":"statuses"}` {
		t.Errorf("published was %q", b.sent)
	}
}
