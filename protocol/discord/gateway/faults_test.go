package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"moot/protocol/discord/discordtest"
	"moot/protocol/discord/gateway"
	"moot/protocol/discord/rest"
)

var presence = map[string]any{"since": nil, "activities": []any{}, "status": "online", "afk": false}

// count says how often the word was heard.
func (b *bot) count(word string) (n int) {
	for _, w := range words(b.all()) {
		if w == word {
			n++
		}
	}
	return n
}

// A reconnect request may be the first payload after RESUME, and be longer than it need be.
func TestReconnectRequestWhileResuming(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	ann, _, general := room(srv)
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	srv.NextConnections(discordtest.Script{FirstAfterResume: []int{7}},
		discordtest.Script{FirstAfterResume: []int{7}, Padding: 1000})
	srv.Cut()
	ann.Says(general, "missed")
	b.hears("missed", "RESUMED")
	if n := srv.Identified(); n != 1 {
		t.Errorf("identified %d times", n)
	}
}

// A server that accepts and then says nothing is left in time.
func TestSilentServer(t *testing.T) {
	for name, script := range map[string]discordtest.Script{"no hello": {NoHello: true},
		"no answer to identify": {Silent: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := discordtest.New(t)
			room(srv)
			srv.NextConnections(script)
			b := start(t, srv, func(c *gateway.Config) { c.OpenTimeout = 300 * time.Millisecond }, nil)
			b.hears("READY", "GUILD_CREATE")
			srv.NextConnections(script)
			srv.Cut()
			b.hears("DISCONNECTED", "RESUMED")
		})
	}
}

// What ends for good must end, whether it comes at once or in the middle; and it must be tried once
// only.
func TestFatalCloseCodes(t *testing.T) {
	for _, code := range []int{4004, 4010, 4011, 4012, 4013, 4014} {
		for _, middle := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d middle %v", code, middle), func(t *testing.T) {
				t.Parallel()
				srv := discordtest.New(t)
				room(srv)
				if !middle {
					srv.NextConnections(discordtest.Script{Close: code})
				}
				b := start(t, srv, nil, nil)
				if middle {
					b.hears("READY", "GUILD_CREATE")
					srv.CloseGateway(code, "because")
				}
				err := b.ends()
				if f, ok := errors.AsType[*gateway.FatalError](err); !ok || f.Code != code {
					t.Errorf("Run: %v", err)
				}
				if n := srv.Identified(); n != 1 {
					t.Errorf("identified %d times", n)
				}
			})
		}
	}
}

func TestOtherCloseCodes(t *testing.T) {
	for code, resumes := range map[int]bool{4000: true, 4001: true, 4002: true, 4003: false, 4005: true, 4007: false,
		4008: true, 4009: false, 1000: true, 1001: true, 1011: true} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			srv := discordtest.New(t)
			room(srv)
			b := start(t, srv, nil, nil)
			b.hears("READY", "GUILD_CREATE")
			srv.CloseGateway(code, "")
			if resumes {
				b.hears("DISCONNECTED", "RESUMED")
			} else {
				b.hears("DISCONNECTED", "READY", "GUILD_CREATE")
			}
			d := b.all()[2].Lost
			if c, ok := errors.AsType[*websocket.CloseError](d.Err); !ok || c.Code != code || d.Resumable != resumes {
				t.Errorf("disconnected by %v, resumable %v", d.Err, d.Resumable)
			}
		})
	}
}

// A dead connection is noticed within two heartbeat intervals, and dropped so that Discord keeps
// the session.
func TestDeadConnections(t *testing.T) {
	for name, kill := range map[string]func(*discordtest.Server){"zombie": (*discordtest.Server).Zombie,
		"no acknowledgements": (*discordtest.Server).StopAcks} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := discordtest.New(t)
			srv.Heartbeat = 500 * time.Millisecond
			ann, _, general := room(srv)
			b := start(t, srv, nil, nil)
			b.hears("READY", "GUILD_CREATE")
			kill(srv)
			began := time.Now()
			ann.Says(general, "missed")
			b.hears("RESUMED")
			t.Logf("noticed after %v", time.Since(began))
			if n := b.count("missed"); n != 1 {
				t.Errorf("the message came %d times", n)
			}
			if n := srv.Identified(); n != 1 {
				t.Errorf("identified %d times: the session was not kept", n)
			}
		})
	}
}

// After an invalid session, at the beginning, at a RESUME or later, a new one begins, and no
// identify goes out unasked.
func TestInvalidSessions(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	ann, _, general := room(srv)
	srv.NextConnections(discordtest.Script{Invalid: true}) // the first IDENTIFY
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	srv.NextConnections(discordtest.Script{Invalid: true}) // the RESUME
	srv.Cut()
	b.hears("DISCONNECTED", "READY", "GUILD_CREATE")
	srv.Invalidate(false)
	b.hears("DISCONNECTED", "READY", "GUILD_CREATE", "DISCONNECTED", "READY", "GUILD_CREATE")
	ann.Says(general, "after")
	b.hears("after")
	if n, asked := srv.Identified(), len(srv.Requests("GET", "/gateway/bot")); n != 4 || asked < n {
		t.Errorf("identified %d times, asked for the budget %d times", n, asked)
	}
}

// A handler may send something on READY, or on anything else.
func TestHandlersMaySend(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	_, lab, _ := room(srv)
	var b *bot
	ready := make(chan struct{})
	b = start(t, srv, nil, func(ctx context.Context, e gateway.Event) error {
		<-ready
		switch e.Type {
		case "READY":
			if err := b.g.Send(ctx, 3, presence); err != nil {
				t.Error(err)
			}
			return b.g.RequestMembers(ctx, lab.ID, "n1")
		}
		return nil
	})
	close(ready)
	b.hears("GUILD_MEMBERS_CHUNK")
	var c struct {
		Nonce   string
		Members []any
		Count   int `json:"chunk_count"`
	}
	if err := json.Unmarshal(b.all()[2].Raw, &c); err != nil || c.Nonce != "n1" || len(c.Members) != 3 || c.Count != 1 {
		t.Errorf("chunk %+v", c)
	}
}

// This test looks at the memory of the process, and so runs alone.
func TestNothingIsKeptOfMembers(t *testing.T) {
	srv := discordtest.New(t)
	_, lab, _ := room(srv)
	got := make(chan string, 100)
	c := rest.New(rest.Config{Token: srv.Token, URL: srv.APIURL()})
	defer c.Close()
	g := gateway.New(gateway.Config{Token: srv.Token, REST: c, Intents: intents})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- g.Run(ctx, func(_ context.Context, e gateway.Event) error { got <- e.Type; return nil })
	}()
	for <-got != "GUILD_CREATE" {
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	const chunks = 30
	hear := func(from int) {
		for n := from; n < from+chunks; n++ {
			members := make([]string, 1000)
			for i := range members {
				members[i] = fmt.Sprintf(`{"user":{"id":"%d","username":"somebody"},"nick":null,"roles":[],"joined_at":"2024-01-02T03:04:05.678000+00:00"}`, 1000*n+i)
			}
			srv.DispatchRaw("GUILD_MEMBERS_CHUNK", fmt.Appendf(nil,
				`{"guild_id":"%s","chunk_index":%d,"chunk_count":1000,"members":[%s]}`, lab.ID, n,
				strings.Join(members, ",")), 1)
			<-got
		}
	}
	hear(1)
	before := heap()
	hear(1 + chunks)
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("%d members left %d bytes behind", chunks*1000, grown)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestSendsKeepTheLimit(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	sent, refused := 0, 0
	for range 200 {
		switch err := b.g.Send(ctx, 3, presence); {
		case err == nil:
			sent++
		case errors.Is(err, context.DeadlineExceeded):
			refused++
		default:
			t.Fatal(err)
		}
	}
	if sent < 100 || sent > 115 || sent+refused != 200 {
		t.Errorf("sent %d, refused %d", sent, refused)
	}
	before := srv.Heartbeats()
	srv.AskHeartbeat()
	srv.Until("a heartbeat", func() bool { return srv.Heartbeats() > before })
	if b.count("DISCONNECTED") != 0 {
		t.Error("Discord closed the connection")
	}
}

func TestPanicsAreSurvived(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	ann, _, general := room(srv)
	b := start(t, srv, nil, func(_ context.Context, e gateway.Event) error {
		if words([]gateway.Event{e})[0] == "boom" {
			panic("boom")
		}
		return nil
	})
	b.hears("READY", "GUILD_CREATE")
	ann.Says(general, "boom")
	ann.Says(general, "after")
	b.hears("boom", "after")
	if log := b.log.String(); !strings.Contains(log, "panic while handling an event") ||
		!strings.Contains(log, "faults_test.go") {
		t.Errorf("the log says nothing of the panic:\n%s", log)
	}
}

func TestAnErrorOfTheHandlerEndsRun(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	enough := errors.New("enough")
	b := start(t, srv, nil, func(_ context.Context, e gateway.Event) error {
		if e.Type == "GUILD_CREATE" {
			return enough
		}
		return nil
	})
	if err := b.ends(); !errors.Is(err, enough) {
		t.Errorf("Run: %v", err)
	}
}

// While a handler is slow nothing is read; heartbeats go on meanwhile, and in the end all is there.
func TestSlowHandlersLoseNothing(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	srv.Heartbeat = time.Second
	ann, _, general := room(srv)
	open := make(chan struct{})
	b := start(t, srv, nil, func(ctx context.Context, e gateway.Event) error {
		if e.Type == "MESSAGE_CREATE" {
			select {
			case <-open:
			case <-ctx.Done():
			}
		}
		return nil
	})
	b.hears("READY", "GUILD_CREATE")
	const n = 2000 // about 2 MB, more than the buffers of the socket hold where nothing is compressed
	for i := range n {
		ann.Says(general, fmt.Sprint(i, " ", strings.Repeat("x", 900)))
	}
	before := srv.Heartbeats()
	srv.Until("heartbeats of which the acknowledgements lie unread", func() bool {
		return srv.Heartbeats() >= before+3
	})
	close(open)
	b.hears(fmt.Sprint(n-1, " ", strings.Repeat("x", 900)))
	if b.count("DISCONNECTED") != 0 {
		t.Error("it was disconnected")
	}
	got := words(b.all())[2:]
	for i := range n {
		if !strings.HasPrefix(got[i], fmt.Sprint(i, " ")) {
			t.Fatalf("message %d is %.20s", i, got[i])
		}
	}
}

// A connection that breaks while a handler is slow loses nothing either: what was not handed over
// counts as not received.
func TestCutWhileTheHandlerIsSlow(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	ann, _, general := room(srv)
	open := make(chan struct{})
	b := start(t, srv, nil, func(ctx context.Context, e gateway.Event) error {
		if e.Type == "MESSAGE_CREATE" {
			select {
			case <-open:
			case <-ctx.Done():
			}
		}
		return nil
	})
	b.hears("READY", "GUILD_CREATE")
	for i := range 50 {
		ann.Says(general, fmt.Sprint(i))
	}
	b.hears("0")
	srv.Cut()
	for i := range 50 {
		ann.Says(general, fmt.Sprint(50+i))
	}
	close(open)
	b.hears("99", "RESUMED")
	got := slices.DeleteFunc(words(b.all())[2:], func(w string) bool { return w == "DISCONNECTED" || w == "RESUMED" })
	for i := range 100 {
		if i >= len(got) || got[i] != fmt.Sprint(i) {
			t.Fatalf("heard %q", got)
		}
	}
}

func TestDuplicatesComeThrough(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	ann, _, general := room(srv)
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	ann.Says(general, "hi")
	srv.Repeat(1)
	b.hears("hi", "hi")
	if all := b.all(); all[2].Seq != all[3].Seq || all[2].Session != all[3].Session || all[2].Session == "" {
		t.Errorf("told apart: %+v %+v", all[2], all[3])
	}
}

func TestAnswersHeartbeatRequests(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	before := srv.Heartbeats()
	srv.AskHeartbeat()
	srv.Until("a heartbeat", func() bool { return srv.Heartbeats() > before })
}

// When Run ends the session stays, and the next Run resumes it: what came meanwhile is told, and no
// identify is spent.
func TestASessionOutlivesRun(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	ann, _, general := room(srv)
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	ann.Says(general, "before")
	b.hears("before")
	b.stop()
	if err := b.ends(); err != nil {
		t.Errorf("Run: %v", err)
	}
	srv.Until("the bot is gone", func() bool { return srv.Online() == 0 })
	ann.Says(general, "missed")
	last := b.all()[2]
	next := start(t, srv, func(c *gateway.Config) {
		c.Resume = func(shard, count int) gateway.Session {
			if shard != 0 || count != 1 {
				t.Errorf("asked for the session of shard %d of %d", shard, count)
			}
			return gateway.Session{ID: last.Session, URL: last.ResumeURL, Seq: last.Seq}
		}
	}, nil)
	next.hears("missed", "RESUMED")
	ann.Says(general, "after")
	next.hears("missed", "RESUMED", "after")
	if got := words(next.all()); len(got) != 3 || srv.Identified() != 1 {
		t.Errorf("heard %q, identified %d times", got, srv.Identified())
	}
	next.stop()
	next.ends()
	srv.Forget()
	again := start(t, srv, func(c *gateway.Config) {
		c.Resume = func(int, int) gateway.Session {
			return gateway.Session{ID: last.Session, URL: last.ResumeURL, Seq: last.Seq}
		}
	}, nil)
	again.hears("READY", "GUILD_CREATE")
}

// Six closes within a minute, each after a good resume: the pauses do not grow, and none keeps the
// bot away for more than two seconds.
func TestPausesDoNotGrowAfterGoodResumes(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	b := start(t, srv, func(c *gateway.Config) { c.Backoff = 0 }, nil) // as it is in the bot
	b.hears("READY", "GUILD_CREATE")
	for n := range 6 {
		srv.CloseGateway(4000, "")
		b.hearsTimes(n+1, "RESUMED")
	}
	pauses := b.pauses()
	if len(pauses) != 6 || slices.Max(pauses) > time.Second { // the rest of the two is for connecting
		t.Errorf("it paused for %v", pauses)
	}
}

// After op 9 Discord wants a pause of one to five seconds, by chance: each shard has its own.
func TestThePauseAfterAnInvalidSession(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	const second = 10 * time.Millisecond // of this test
	b := start(t, srv, func(c *gateway.Config) { c.Backoff = second }, nil)
	b.hears("READY", "GUILD_CREATE")
	for n := range 10 {
		srv.Invalidate(true)
		b.hearsTimes(n+1, "RESUMED")
	}
	pauses := b.pauses()
	if len(pauses) != 10 || slices.Min(pauses) < second || slices.Max(pauses) > 5*second ||
		slices.Max(pauses) == slices.Min(pauses) {
		t.Errorf("it paused for %v", pauses)
	}
}

// A gateway that cannot be had, and an API that cannot be asked, are tried again.
func TestOutages(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	ann, _, general := room(srv)
	srv.Fail(2, "GET", "/gateway/bot", discordtest.Fault{Status: 503})
	srv.NextConnections(discordtest.Script{HTTPStatus: 503}, discordtest.Script{HTTPStatus: 403})
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	srv.NextConnections(discordtest.Script{HTTPStatus: 503}, discordtest.Script{HTTPStatus: 503})
	srv.Cut()
	ann.Says(general, "missed")
	b.hears("missed", "RESUMED")
	if n := srv.Identified(); n != 1 {
		t.Errorf("identified %d times", n)
	}
	if log := b.log.String(); !strings.Contains(log, "503 Service Unavailable") {
		t.Errorf("the log does not say what the gateway answered:\n%s", log)
	}
}

func TestTokenIsWrong(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	srv.Fail(2, "GET", "/gateway/bot", discordtest.Fault{Status: http.StatusUnauthorized}) // one may be a mistake
	b := start(t, srv, nil, nil)
	if f, ok := errors.AsType[*gateway.FatalError](b.ends()); !ok || f.Code != 4004 {
		t.Errorf("Run: %v", b.err)
	}
	if srv.Identified() != 0 {
		t.Error("identified with a token that is known to be wrong")
	}
}

func TestGatewayURLIsUsed(t *testing.T) {
	t.Parallel()
	srv, proxy := discordtest.New(t), discordtest.New(t)
	ann, _, general := room(proxy)
	proxy.Token = srv.Token
	b := start(t, srv, func(c *gateway.Config) { c.URL = proxy.GatewayURL() + "/?proxy=1" }, nil)
	b.hears("READY", "GUILD_CREATE")
	proxy.Cut()
	ann.Says(general, "missed")
	b.hears("missed", "RESUMED")
	if srv.Identified() != 0 || proxy.Identified() != 1 {
		t.Errorf("identified %d times past the proxy, %d times by it", srv.Identified(), proxy.Identified())
	}
}
