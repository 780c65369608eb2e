package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moot/internal/effort"
	"moot/protocol/discord/discordtest"
	"moot/protocol/discord/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type obj = map[string]any

// setUp makes a Discord with a channel that the bot may write in, and a client for it.
func setUp(t *testing.T) (*discordtest.Server, *discordtest.Channel, *rest.Client) {
	t.Helper()
	srv := discordtest.New(t)
	lab := srv.NewGuild("lab")
	general := lab.NewChannel("general")
	lab.Invite()
	c := rest.New(rest.Config{Token: srv.Token, URL: srv.APIURL(), Version: "1.2"})
	t.Cleanup(c.Close)
	return srv, general, c
}

func say(ch *discordtest.Channel, text string) rest.Request {
	return rest.Request{Method: "POST", Path: "/channels/" + ch.ID + "/messages",
		Body: obj{"content": text, "allowed_mentions": obj{"parse": []string{}}}}
}

func me() rest.Request { return rest.Request{Method: "GET", Path: "/users/@me"} }

func TestAnswersAreDecoded(t *testing.T) {
	t.Parallel()
	srv, general, c := setUp(t)
	var m struct{ ID, Content string }
	r := say(general, "hi")
	r.Into, r.Reason = &m, strings.Repeat("ü", 600)
	if err := c.Do(t.Context(), r); err != nil || m.Content != "hi" || m.ID == "" {
		t.Errorf("%v, %+v", err, m)
	}
	if got := srv.Requests("POST", "")[0].Reason; !strings.HasPrefix(got, "üüü") || strings.Trim(got, "ü") != "" {
		t.Errorf("the reason for the audit log is %q", got)
	}
	err := c.Do(t.Context(), rest.Request{Method: "GET", Path: "/channels/1/messages"})
	if rest.CodeOf(err) != rest.CodeUnknownChannel || rest.StatusOf(err) != 404 ||
		!strings.Contains(err.Error(), "Unknown Channel") {
		t.Errorf("%v", err)
	}
	if rest.CodeOf(nil) != 0 || rest.StatusOf(errors.New("x")) != 0 {
		t.Error("a code out of nothing")
	}
}

// Fault H9 of discordgo: it sleeps through a 429 whatever the context says.
func TestWaitsEndWithTheContext(t *testing.T) {
	t.Parallel()
	srv, general, c := setUp(t)
	if err := c.Do(t.Context(), say(general, "hi")); err != nil { // the first of a kind, which takes long to be checked
		t.Fatal(err)
	}
	srv.Fail(1, "POST", "/messages", discordtest.Fault{Status: 429, After: 9 * time.Second})
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	began := time.Now()
	err := c.Do(ctx, say(general, "hi"))
	e, ok := errors.AsType[*rest.Error](err)
	if !ok || e.Status != 429 || e.RetryAfter < 8*time.Second || e.Ambiguous {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 8500*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	// Now the bucket is known to be closed: the next one is not even sent.
	if err := c.Do(ctx, say(general, "hi")); rest.StatusOf(err) != 429 {
		t.Errorf("%v", err)
	}
	if n := len(srv.Requests("POST", "/messages")); n != 2 {
		t.Errorf("%d requests were sent", n)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if err := c.Do(ctx, me()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// lineWriter is called with each line of a log.
type lineWriter func(line string)

func (f lineWriter) Write(p []byte) (int, error) { f(string(p)); return len(p), nil }

// A wait that would fit ends with the context all the same.
func TestWaitsEndWhenTheContextDoes(t *testing.T) {
	t.Parallel()
	srv, general, _ := setUp(t)
	srv.Fail(1, "POST", "/messages", discordtest.Fault{Status: 429, After: 9 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	waits := lineWriter(func(line string) {
		if strings.Contains(line, "making a request again") {
			time.AfterFunc(time.Millisecond, cancel) // by when it waits, as a rule
		}
	})
	log := slog.New(slog.NewTextHandler(waits, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := rest.New(rest.Config{Token: srv.Token, URL: srv.APIURL(), Log: log})
	defer c.Close()
	began := time.Now()
	if err := c.Do(ctx, say(general, "hi")); err == nil || time.Since(began) > 8*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	if n := len(srv.Requests("POST", "/messages")); n != 1 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestShortWaitsAreSatThrough(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]discordtest.Fault{
		"bucket": {Status: 429, After: 100 * time.Millisecond}, "shared": {Status: 429, After: 100 * time.Millisecond,
			Scope: "shared"},
		"global": {Status: 429, After: 100 * time.Millisecond, Global: true, Scope: "global"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, general, c := setUp(t)
			srv.Fail(2, "POST", "/messages", f)
			if err := c.Do(t.Context(), say(general, "hi")); err != nil {
				t.Error(err)
			}
			if got := srv.Bot.Sees(general); len(got) != 1 {
				t.Errorf("%d messages", len(got))
			}
		})
	}
}

func TestLongWaitsComeBack(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]discordtest.Fault{
		"JSON": {Status: 429, After: time.Minute, Global: true}, "Cloudflare": {Status: 429,
			After: time.Minute, HTML: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, general, c := setUp(t)
			srv.Fail(1, "POST", "/messages", f)
			err := c.Do(t.Context(), say(general, "hi"))
			e, ok := errors.AsType[*rest.Error](err)
			if !ok || e.RetryAfter != time.Minute || !e.Global {
				t.Fatalf("%v", err)
			}
			// It holds for everything.
			if err := c.Do(t.Context(), me()); rest.StatusOf(err) != 429 || len(srv.Requests("GET", "/users")) != 0 {
				t.Errorf("%v", err)
			}
			// To interactions the limit of the bot does not apply; being shut out does.
			err = c.Do(t.Context(), rest.Request{Method: "POST", Path: "/interactions/1/token/callback",
				Body: obj{"type": 5}})
			if asked := len(srv.Requests("POST", "/callback")) == 1; asked == f.HTML ||
				f.HTML != (rest.StatusOf(err) == 429) {
				t.Errorf("an interaction: asked %v, %v", asked, err)
			}
		})
	}
}

// A bucket is kept to without a single 429, and those of two channels do not hold each other up.
func TestBucketsAreKept(t *testing.T) {
	t.Parallel()
	srv, general, c := setUp(t)
	srv.Bucket, srv.BucketWindow = 3, 400*time.Millisecond
	other := general.Guild.NewChannel("other")
	var group sync.WaitGroup
	for i := range 10 {
		group.Go(func() {
			if err := c.Do(t.Context(), say(general, fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Go(func() {
		if err := c.Do(t.Context(), say(other, "hi")); err != nil {
			t.Error(err)
		}
	})
	group.Wait()
	for _, r := range srv.Requests("POST", "") {
		if r.Status != 200 {
			t.Errorf("%s: %d", r.Path, r.Status)
		}
	}
	if n := len(srv.Bot.Sees(general)); n != 10 {
		t.Errorf("%d messages", n)
	}
}

func TestGlobalLimit(t *testing.T) {
	t.Parallel()
	srv, general, c := setUp(t)
	channels := []*discordtest.Channel{general}
	for i := range 24 {
		channels = append(channels, general.Guild.NewChannel(fmt.Sprint("c", i)))
	}
	var group sync.WaitGroup
	began := time.Now()
	for _, ch := range channels {
		group.Go(func() {
			for range 5 {
				if err := c.Do(t.Context(), say(ch, "hi")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("125 requests took %v", took)
	}
	for _, r := range srv.Requests("", "") {
		if r.Status != 200 {
			t.Errorf("%s was answered by %d", r.Path, r.Status)
		}
	}
}

// Fault H9: a POST is repeated only where that is harmless, and what may have happened is said.
func TestRepeats(t *testing.T) {
	for name, c := range map[string]struct {
		fault     discordtest.Fault
		repeat    bool // of the request
		method    string
		tries     int
		fine      bool
		ambiguous bool
	}{
		"POST, 502":                 {discordtest.Fault{Status: 502}, false, "POST", 1, false, true},
		"POST, 502, done":           {discordtest.Fault{Status: 502, Done: true}, false, "POST", 1, false, true},
		"POST, broken":              {discordtest.Fault{Drop: true}, false, "POST", 1, false, true},
		"POST with nonce, 502":      {discordtest.Fault{Status: 502}, true, "POST", 2, true, false},
		"POST with nonce, done":     {discordtest.Fault{Status: 502, Done: true}, true, "POST", 2, true, false},
		"POST with nonce, broken":   {discordtest.Fault{Drop: true, Done: true}, true, "POST", 2, true, false},
		"POST, 400":                 {discordtest.Fault{Status: 400}, true, "POST", 1, false, false},
		"GET, 503":                  {discordtest.Fault{Status: 503}, false, "GET", 2, true, false},
		"GET, broken":               {discordtest.Fault{Drop: true}, false, "GET", 2, true, false},
		"GET, 500 with some HTML":   {discordtest.Fault{Status: 500, Body: "<html>"}, false, "GET", 2, true, false},
		"GET, 200 that is not JSON": {discordtest.Fault{Status: 200, Body: "<html>"}, false, "GET", 2, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, general, client := setUp(t)
			srv.Fail(1, c.method, "", c.fault)
			var into any
			r := rest.Request{Method: "GET", Path: "/users/@me", Into: &into}
			if c.method == "POST" {
				r = say(general, "hi")
				if r.Repeat = c.repeat; c.repeat {
					r.Body.(obj)["nonce"], r.Body.(obj)["enforce_nonce"] = "n1", true
				}
			}
			err := client.Do(t.Context(), r)
			e, _ := errors.AsType[*rest.Error](err)
			if (err == nil) != c.fine || c.ambiguous != (e != nil && e.Ambiguous) {
				t.Errorf("%v (ambiguous: %v)", err, e != nil && e.Ambiguous)
			}
			if n := srv.Asked(); n != c.tries {
				t.Errorf("%d tries, want %d", n, c.tries)
			}
			if n := len(srv.Bot.Sees(general)); c.fine && c.method == "POST" && n != 1 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

// TestShare: several processes of a bot keep together to what Discord allows it in a second.
func TestShare(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	var pace rest.Pace
	var group sync.WaitGroup
	for range 3 {
		c := rest.New(rest.Config{Token: srv.Token, URL: srv.APIURL(), Share: func(_ context.Context, most time.Duration) (time.Duration, error) {
			return pace.Take(time.Now(), most), nil
		}})
		t.Cleanup(c.Close)
		for range 10 {
			group.Go(func() {
				for range 4 {
					if err := c.Do(t.Context(), me()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	group.Wait()
	for _, r := range srv.Requests("", "") {
		if r.Status == http.StatusTooManyRequests {
			t.Fatal("a request was one too many")
		}
	}

	// A place that is too far away is not waited for, and one that nobody gives fails.
	far := rest.New(rest.Config{Token: srv.Token, URL: srv.APIURL(), Share: func(context.Context, time.Duration) (time.Duration, error) { return time.Minute, nil }})
	if err := far.Do(t.Context(), me()); rest.StatusOf(err) != http.StatusTooManyRequests {
		t.Errorf("a place in a minute: %v", err)
	}
	lost := errors.New("lost")
	none := rest.New(rest.Config{Token: srv.Token, URL: srv.APIURL(), Share: func(context.Context, time.Duration) (time.Duration, error) { return 0, lost }})
	if err := none.Do(t.Context(), me()); !errors.Is(err, lost) {
		t.Errorf("no place: %v", err)
	}
	if n := srv.Asked(); n != 120 {
		t.Errorf("%d requests went out", n)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	c := rest.New(rest.Config{Token: "t", URL: down.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := c.Do(ctx, rest.Request{Method: "POST", Path: "/channels/1/messages", Body: obj{}})
	if e, ok := errors.AsType[*rest.Error](err); !ok || e.Ambiguous || e.Status != 0 {
		t.Errorf("%v", err)
	}
}

func TestDeadTokensStopEverything(t *testing.T) {
	t.Parallel()
	srv, general, c := setUp(t)
	srv.Token = "another"
	for range 10 {
		if err := c.Do(t.Context(), say(general, "hi")); !errors.Is(err, rest.ErrToken) {
			t.Errorf("%v", err)
		}
	}
	if n := srv.Asked(); n != 2 { // the second a second later
		t.Errorf("%d requests went out", n)
	}
}

// A single refusal of the token may be a mistake: the request is made once more, and the token
// lives.
func TestASingleRefusalOfTheTokenIsLookedAtTwice(t *testing.T) {
	t.Parallel()
	srv, general, c := setUp(t)
	srv.Fail(1, "POST", "/messages", discordtest.Fault{Status: 401})
	if err := c.Do(t.Context(), say(general, "hi")); err != nil {
		t.Errorf("%v", err)
	}
	if err := c.Do(t.Context(), me()); err != nil {
		t.Error(err)
	}
	if n := len(srv.Requests("POST", "/messages")); n != 2 {
		t.Errorf("%d requests went out", n)
	}
}

// A token of an interaction that is over answers 401 as well, which says nothing of the bot's.
func TestDeadInteractionsStopNothing(t *testing.T) {
	t.Parallel()
	srv, _, c := setUp(t)
	srv.Fail(1, "POST", "/webhooks/", discordtest.Fault{Status: 401,
		Body: `{"code": 50027, "message": "Invalid Webhook Token"}`})
	err := c.Do(t.Context(), rest.Request{Method: "POST", Path: "/webhooks/1/secret-token", Body: obj{"content": "x"}})
	if rest.CodeOf(err) != rest.CodeInvalidWebhookToken || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	if err := c.Do(t.Context(), me()); err != nil {
		t.Error(err)
	}
}

func TestRefusedRequestsAreHeldBack(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(403)
	}))
	defer srv.Close()
	c := rest.New(rest.Config{Token: "t", URL: srv.URL})
	defer c.Close()
	var group sync.WaitGroup
	var held atomic.Int32
	for range 8 {
		group.Go(func() {
			for range 1200 { // interactions, which the global limit leaves alone
				if err := c.Do(t.Context(), rest.Request{Method: "POST", Path: "/interactions/1/t/callback"}); errors.Is(err, rest.ErrRefused) {
					held.Add(1)
				}
			}
		})
	}
	group.Wait()
	if got := n.Load(); got > 9010 || held.Load() == 0 {
		t.Errorf("%d refused requests went out, %d were held back", got, held.Load())
	}
}

// Fault H10: discordgo keeps 767 bytes for each interaction for ever.
func TestInteractionsLeaveNothingBehind(t *testing.T) {
	transport := answers{}
	c := rest.New(rest.Config{Token: "t", Transport: transport})
	ask := func(i int) {
		for _, path := range []string{fmt.Sprintf("/interactions/%d/token%d/callback", i, i),
			fmt.Sprintf("/webhooks/1/token%d/messages/@original", i)} {
			if err := c.Do(t.Context(), rest.Request{Method: "POST", Path: path}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 1000 {
		ask(i)
	}
	before := heap()
	n := 20_000
	if effort.Long() {
		n = 100_000
	}
	for i := range n {
		ask(1000 + i)
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("%d interactions left %d bytes behind", n, grown)
	}
	runtime.KeepAlive(c)
}

// answers is a Discord that says yes to all, with a bucket for each.
type answers struct{}

func (answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") != "" && strings.Contains(r.URL.Path, "/interactions/") {
		return nil, errors.New("the bot's token goes where it is not wanted")
	}
	h := http.Header{}
	h.Set("X-RateLimit-Limit", "5")
	h.Set("X-RateLimit-Remaining", "4")
	h.Set("X-RateLimit-Reset-After", "1")
	h.Set("X-RateLimit-Bucket", r.URL.Path)
	return &http.Response{StatusCode: 204, Header: h, Body: http.NoBody, Request: r}, nil
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
