package discordtest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"moot/protocol/discord/discordtest/schema"
)

// OpenAPIVariable names the environment variable with the place of Discord's OpenAPI document.
const OpenAPIVariable = "MOOT_DISCORD_OPENAPI"

// epoch is the first second of 2015, from which snowflakes count.
const epoch = 1420070400000

// patience is how long the methods that wait do so, unless the Server says otherwise.
const patience = 30 * time.Second

type obj = map[string]any

// Server is one Discord. Its exported fields are set before the bot connects.
type Server struct {
	Token string // that the bot must show, without "Bot "
	AppID string
	Bot   *User

	// Flags are those of the application: which privileged intents are switched on in the portal.
	// https://discord.com/developers/docs/resources/application#application-object-application-flags
	Flags int
	// Heartbeat is the interval that the gateway asks for; zero means 41.25 seconds.
	Heartbeat time.Duration
	// CompressAll has every frame compressed where the bot asks for compression; otherwise only
	// those above 1 kB are.
	CompressAll bool
	// NoCompression has the gateway compress nothing as one stream, though the bot asks for it.
	NoCompression bool
	// IdentifyGap is how far apart identifies of one concurrency bucket must be; zero does not
	// care. Discord: 5 seconds.
	IdentifyGap time.Duration
	// Shards is the number that GET /gateway/bot advises; zero means 1.
	Shards int
	// MaxConcurrency is how many may identify at once; zero means 1.
	MaxConcurrency int
	// ResumeURL is where sessions are to be resumed; zero means GatewayURL.
	ResumeURL string
	// Identifies is how many the bot has left; each takes one.
	Identifies int
	// AnswerWithin is how long an interaction may wait for its first answer; zero means 3 seconds.
	AnswerWithin time.Duration
	// Bucket is how many requests one route takes within BucketWindow; zero means 200 within one
	// second.
	Bucket       int
	BucketWindow time.Duration

	// ChannelLimits has each channel take five messages in five seconds, and as many edits, as
	// Discord does.
	ChannelLimits bool

	// Patience is how long the methods that wait do so before they fail the test; zero means 30
	// seconds.
	Patience time.Duration

	// CheckAnswers has the server's own answers checked against Discord's OpenAPI document as well.
	CheckAnswers bool

	tb   testing.TB
	http *httptest.Server
	rest *http.ServeMux
	up   websocket.Upgrader
	spec *schema.Document // nil checks nothing

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at each change of the model
	closed   bool
	offset   time.Duration
	held     time.Time // where the clock stands still; zero where it goes
	lastMS   int64
	serial   int64
	users    map[string]*User
	guilds   []*Guild
	channels map[string]*Channel
	commands []obj            // global
	metadata []obj            // role connection metadata records
	local    map[string][]obj // of guilds

	sessions     map[string]*session
	conns        map[*gatewayConn]bool
	scripts      []Script
	lastID       map[int]time.Time
	identified   int
	lastReady    time.Time
	connected    int // gateway connections so far
	replayed     int // events that were sent because a session was resumed
	shows        string
	memberAsks   int // op 8 so far
	chunkAsked   map[string]time.Time
	interactions map[string]*Interaction // by token
	nonces       map[string]*message     // channel, nonce → message

	requests []Request
	asked    int
	faults   []*fault
	buckets  map[string]*rateBucket
	global   []time.Time
	wait     sync.WaitGroup
}

// New starts a server, which the cleanup of the test stops.
func New(tb testing.TB) *Server {
	s := &Server{
		Token: "token-of-the-bot", Flags: FlagMembersLimited | FlagMessageContentLimited, Identifies: 1000,
		tb: tb, changed: make(chan struct{}), users: map[string]*User{}, channels: map[string]*Channel{},
		local: map[string][]obj{}, sessions: map[string]*session{}, conns: map[*gatewayConn]bool{},
		lastID:     map[int]time.Time{},
		chunkAsked: map[string]time.Time{}, interactions: map[string]*Interaction{}, nonces: map[string]*message{},
		buckets: map[string]*rateBucket{},
	}
	s.Bot = s.NewUser("moot")
	s.Bot.bot = true
	s.AppID = s.Bot.ID
	if path := os.Getenv(OpenAPIVariable); path == "" {
		tb.Logf("discordtest: $%s is not set: requests are not checked against Discord's OpenAPI document",
			OpenAPIVariable)
	} else {
		spec, err := schema.Load(path)
		if err != nil {
			tb.Fatalf("discordtest: %v", err)
		}
		s.spec = spec
	}
	s.rest = s.mux()
	mux := http.NewServeMux()
	mux.HandleFunc("/api/", s.serveREST)
	mux.HandleFunc("/", s.serveGateway)
	s.http = httptest.NewServer(mux)
	tb.Cleanup(s.Close)
	return s
}

// Close stops the server and waits until all of it has ended.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	for c := range s.conns {
		c.cut()
	}
	s.touchLocked()
	s.mu.Unlock()
	s.http.CloseClientConnections()
	s.http.Close()
	s.wait.Wait()
}

// APIURL is the address of the REST API, for api_url in [discord].
func (s *Server) APIURL() string { return s.http.URL + "/api/v10" }

// GatewayURL is the address of the gateway, for gateway_url in [discord].
func (s *Server) GatewayURL() string { return "ws" + strings.TrimPrefix(s.http.URL, "http") }

// Now is the server's time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nowLocked()
}

func (s *Server) nowLocked() time.Time {
	if !s.held.IsZero() {
		return s.held.Add(s.offset)
	}
	return time.Now().Add(s.offset)
}

// Advance moves the server's clock forward: interactions age, rate limits reset.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
	s.touchLocked()
}

// HoldClock stops the server's clock, which from here on only Advance moves: a busy machine then
// costs nobody the three seconds of an interaction.
func (s *Server) HoldClock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held.IsZero() {
		s.held = time.Now()
	}
}

// Replayed returns how many events were sent because a session was resumed.
func (s *Server) Replayed() int {
	return lockedValue(s, func() int { return s.replayed })
}

// Shows returns what people read below the name of the bot, as its last identify said it.
func (s *Server) Shows() string {
	return lockedValue(s, func() string { return s.shows })
}

// snowflakeLocked makes the next id. They are in order, even within a millisecond and when the
// clock stands.
func (s *Server) snowflakeLocked() string {
	ms := max(s.nowLocked().UnixMilli()-epoch, s.lastMS)
	if s.lastMS = ms; s.serial&0xfff == 0xfff {
		s.lastMS++
	}
	s.serial++
	return strconv.FormatInt(s.lastMS<<22|s.serial&0xfff, 10)
}

// touchLocked wakes those who wait for a change.
func (s *Server) touchLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Until waits until ok holds, asking again at each change of the model. It is called without the
// server's lock.
func (s *Server) Until(what string, ok func() bool) {
	s.tb.Helper()
	s.mu.Lock()
	wait := cmp.Or(s.Patience, patience)
	s.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			if !ok() {
				s.tb.Fatalf("discordtest: waited %s in vain for: %s\nthe last requests:\n%s", wait, what, s.tail(20))
			}
			return
		}
	}
}

// Request is one REST request that the bot made.
type Request struct {
	Method, Path, Query string
	Body                string
	Reason              string // for the audit log, as it was sent
	Status              int    // that it was answered with
	Answer              string
}

// Requests returns what the bot has asked so far, of the method and with the part in the path;
// empty ones fit all.
func (s *Server) Requests(method, part string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Request
	for _, r := range s.requests {
		if (method == "" || r.Method == method) && strings.Contains(r.Path, part) {
			out = append(out, r)
		}
	}
	return out
}

func (s *Server) tail(n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, r := range s.requests[max(len(s.requests)-n, 0):] {
		fmt.Fprintf(&b, "  %s %s %s → %d %.200s\n", r.Method, r.Path, r.Body, r.Status, r.Answer)
	}
	return b.String()
}

// fail reports what a test did that cannot be, or a request that is not as Discord describes it.
func (s *Server) fail(format string, args ...any) {
	s.tb.Helper()
	s.tb.Errorf("discordtest: "+format, args...)
}

func (s *Server) guildLocked(id string) *Guild {
	i := slices.IndexFunc(s.guilds, func(g *Guild) bool { return g.ID == id })
	if i < 0 {
		return nil
	}
	return s.guilds[i]
}
