package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"moot/protocol/discord/discordtest"
	"moot/protocol/discord/gateway"
	"moot/protocol/discord/rest"
)

// count says how often the word was heard.
func (b *bot) count(word string) (n int) {
	for _, w := range words(b.all()) {
		if w == word {
			n++
		}
	}
	return n
}

// Fault H1 of discordgo: a reconnect request as the first packet after RESUME leaves Open and Close waiting for ever.
func TestReconnectRequestWhileResuming(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	ann, _, general := room(srv)
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	srv.NextConnections(discordtest.Script{FirstAfterResume: []int{7}}, discordtest.Script{FirstAfterResume: []int{7}})
	srv.Cut()
	ann.Says(general, "missed")
	b.hears("missed", "RESUMED")
	if n := srv.Identified(); n != 1 {
		t.Errorf("identified %d times", n)
	}
}

// Fault H2: a server that accepts and then says nothing holds Open, and its lock, for ever.
func TestSilentServer(t *testing.T) {
	for name, script := range map[string]discordtest.Script{"no hello": {NoHello: true}, "no answer to identify": {Silent: true}} {
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

// TestStuckSession has discordgo truly deadlock (a reconnect request that is longer than what the wire looks into), which
// cannot be mended from the outside: the session and two goroutines are left behind. It therefore runs in a process of
// its own.
func TestStuckSession(t *testing.T) {
	const variable = "MOOT_TEST_STUCK_SESSION"
	if os.Getenv(variable) == "" {
		t.Parallel()
		cmd := exec.Command(os.Args[0], "-test.run", "^TestStuckSession$", "-test.v")
		cmd.Env = append(os.Environ(), variable+"=1")
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "--- PASS: TestStuckSession") {
			// Its own check for leaks fails, as it must: that shows that the session was stuck.
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	srv := discordtest.New(t)
	room(srv)
	b := start(t, srv, func(c *gateway.Config) { c.OpenTimeout = 500 * time.Millisecond }, nil)
	b.hears("READY", "GUILD_CREATE")
	srv.NextConnections(discordtest.Script{FirstAfterResume: []int{7}, Padding: 1000})
	srv.Cut()
	b.hears("DISCONNECTED", "RESUMED")
	srv.Cut()
	b.hears("RESUMED", "DISCONNECTED", "RESUMED")
	b.stop()
	if err := b.ends(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// Faults H3 and H4: what ends for good must end, and say what to do, whether it comes at once or in the middle; and it
// must be tried once only.
func TestFatalCloseCodes(t *testing.T) {
	for code, part := range map[int]string{4004: "token in [discord]", 4010: "shards in [discord]", 4011: "shards in [discord]", 4012: "newer", 4013: "intents",
		4014: "“Server Members Intent” or “Message Content Intent”"} {
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
				if f, ok := errors.AsType[*gateway.FatalError](err); !ok || f.Code != code || !strings.Contains(err.Error(), part) {
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
	for code, resumes := range map[int]bool{4000: true, 4001: true, 4002: true, 4003: false, 4005: true, 4007: false, 4008: true, 4009: false, 1000: true, 1001: true, 1011: true} {
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
			d := b.all()[2].Data.(gateway.Disconnection)
			if c, ok := errors.AsType[*gateway.CloseError](d.Err); !ok || c.Code != code || d.Resumable != resumes {
				t.Errorf("disconnected by %v, resumable %v", d.Err, d.Resumable)
			}
		})
	}
}

// Fault H5: discordgo notices a dead connection after five heartbeat intervals, and then closes it with code 1000, after
// which Discord forgets the session.
func TestDeadConnections(t *testing.T) {
	for name, kill := range map[string]func(*discordtest.Server){"zombie": (*discordtest.Server).Zombie, "no acknowledgements": (*discordtest.Server).StopAcks} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := discordtest.New(t)
			srv.Heartbeat = 300 * time.Millisecond
			ann, _, general := room(srv)
			b := start(t, srv, nil, nil)
			b.hears("READY", "GUILD_CREATE")
			kill(srv)
			began := time.Now()
			ann.Says(general, "missed")
			b.hears("RESUMED")
			// Four intervals on a machine that is not busy; five are what discordgo takes.
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

// Fault H7 (of discordgo's later versions), and the rule that no identify goes out unasked: discordgo answers an invalid
// session with an identify of its own.
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

// What the wire does not see, because it is longer than it need be, discordgo answers with an identify of its own, which does
// not go out: the session begins anew, on a connection with a permit.
func TestDiscordgoIdentifiesNothing(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	srv.NextConnections(discordtest.Script{FirstAfterResume: []int{9}, Padding: 1000})
	srv.Cut()
	b.hears("DISCONNECTED", "READY", "GUILD_CREATE")
	if n, asked := srv.Identified(), len(srv.Requests("GET", "/gateway/bot")); n != 2 || asked < n {
		t.Errorf("identified %d times, asked for the budget %d times", n, asked)
	}
}

// Fault H8: a handler that sends something on READY, or on anything else, must not lock itself out.
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
			if err := b.g.UpdatePresence(ctx, discordgo.UpdateStatusData{Status: "online"}); err != nil {
				t.Error(err)
			}
			return b.g.RequestMembers(ctx, lab.ID, "n1")
		}
		return nil
	})
	close(ready)
	b.hears("GUILD_MEMBERS_CHUNK")
	c := b.all()[2].Data.(*discordgo.GuildMembersChunk)
	if c.Nonce != "n1" || len(c.Members) != 3 || c.ChunkCount != 1 {
		t.Errorf("chunk %+v", c)
	}
}

// Fault H11: discordgo keeps 653 bytes of each member that it hears of, as long as its state is switched on. This test looks
// at the memory of the process, and so runs alone.
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
			srv.DispatchRaw("GUILD_MEMBERS_CHUNK", fmt.Appendf(nil, `{"guild_id":"%s","chunk_index":%d,"chunk_count":1000,"members":[%s]}`, lab.ID, n, strings.Join(members, ",")), 1)
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

// Fault H12: nothing in discordgo keeps the 120 sends a minute.
func TestSendsKeepTheLimit(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	sent, refused := 0, 0
	for range 200 {
		switch err := b.g.UpdatePresence(ctx, discordgo.UpdateStatusData{Status: "online"}); {
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
	srv.AskHeartbeat()
	srv.Until("a heartbeat", func() bool { return srv.Heartbeats() > 1 })
	if b.count("DISCONNECTED") != 0 {
		t.Error("Discord closed the connection")
	}
}

// Fault H13: discordgo lets a handler's panic end the process.
func TestPanicsAreSurvived(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	ann, _, general := room(srv)
	b := start(t, srv, nil, func(_ context.Context, e gateway.Event) error {
		if m, ok := e.Data.(*discordgo.MessageCreate); ok && m.Content == "boom" {
			panic("boom")
		}
		return nil
	})
	b.hears("READY", "GUILD_CREATE")
	ann.Says(general, "boom")
	ann.Says(general, "after")
	b.hears("boom", "after")
	if log := b.log.String(); !strings.Contains(log, "panic while handling an event") || !strings.Contains(log, "faults_test.go") {
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

// A handler that is slow fills the queue; heartbeats go on meanwhile, and in the end all is there.
func TestSlowHandlersLoseNothing(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	srv.Heartbeat = 600 * time.Millisecond // twice that is the patience with a machine that is busy
	ann, _, general := room(srv)
	open := make(chan struct{})
	b := start(t, srv, func(c *gateway.Config) { c.QueueBytes = 16 << 10 }, func(ctx context.Context, e gateway.Event) error {
		if e.Type == "MESSAGE_CREATE" {
			select {
			case <-open:
			case <-ctx.Done():
			}
		}
		return nil
	})
	b.hears("READY", "GUILD_CREATE")
	const n = 2000 // about 2 MB: more than the queue and the buffers of the socket hold
	for i := range n {
		ann.Says(general, fmt.Sprint(i, " ", strings.Repeat("x", 900)))
	}
	before := srv.Heartbeats()
	srv.Until("more heartbeats than discordgo waits for", func() bool { return srv.Heartbeats() >= before+7 })
	if waiting := b.g.Status()[0].Waiting; waiting == 0 || waiting > 100 {
		t.Errorf("%d events wait", waiting)
	}
	close(open)
	b.hears(fmt.Sprint(n-1, " ", strings.Repeat("x", 900)))
	if b.count("DISCONNECTED") != 0 {
		t.Errorf("disconnected: %v", b.g.Status()[0].LastError)
	}
	got := words(b.all())[2:]
	for i := range n {
		if !strings.HasPrefix(got[i], fmt.Sprint(i, " ")) {
			t.Fatalf("message %d is %.20s", i, got[i])
		}
	}
}

// A connection that breaks while the queue is full loses nothing either: what was not queued counts as not received.
func TestCutWhileTheQueueIsFull(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	ann, _, general := room(srv)
	open := make(chan struct{})
	b := start(t, srv, func(c *gateway.Config) { c.QueueBytes = 4 << 10 }, func(ctx context.Context, e gateway.Event) error {
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
	for deadline := time.Now().Add(patience); b.g.Status()[0].Waiting < 2; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the queue does not fill")
		}
	}
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
	srv.Until("the first heartbeat", func() bool { return srv.Heartbeats() == 1 })
	srv.AskHeartbeat()
	srv.Until("the second", func() bool { return srv.Heartbeats() == 2 })
	srv.Until("its acknowledgement", func() bool { return b.g.Status()[0].Latency > 0 })
}

// When the bot stops it says goodbye, so that people see it go.
func TestStopsWithGoodbye(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	b := start(t, srv, nil, nil)
	b.hears("READY", "GUILD_CREATE")
	if n := srv.Sessions(); n != 1 {
		t.Fatalf("%d sessions", n)
	}
	b.stop()
	if err := b.ends(); err != nil {
		t.Errorf("Run: %v", err)
	}
	srv.Until("the session is over", func() bool { return srv.Sessions() == 0 })
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
	srv.Fail(1, "GET", "/gateway/bot", discordtest.Fault{Status: http.StatusUnauthorized})
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
