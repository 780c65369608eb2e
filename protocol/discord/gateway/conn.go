package gateway

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/gorilla/websocket"
)

// conn is one connection of a shard, from dialing to its end.
//
// Each has a discordgo session of its own: one that has been used holds locks that may never be released. discordgo
// believes that every connection is its first; whether it identifies or resumes is for opening to say.
type conn struct {
	ctx     context.Context // of Run
	s       *shard
	session *discordgo.Session
	permit  *permit // to identify; nil where the connection is to resume
	resume  string  // the session to resume

	ended    chan struct{} // closed when the wire has ended
	detached chan struct{} // closed when discordgo says that it has let go
	once     sync.Once     // over closing detached
	opened   chan struct{} // closed when Open has returned
	openErr  error         // of Open; set before opened is closed

	mu      sync.Mutex
	wire    *wire // nil before the network was reached
	stopped error // why there is to be no wire any more
}

// connect makes one connection and returns when it has ended, with the reason.
func (s *shard) connect(ctx context.Context) (*conn, error) {
	c := &conn{ctx: ctx, s: s, ended: make(chan struct{}), detached: make(chan struct{}), opened: make(chan struct{})}
	s.mu.Lock()
	c.resume = s.session
	address := s.resumeURL
	s.mu.Unlock()
	if c.resume == "" {
		p, err := s.g.budget.acquire(ctx, s.id)
		if err != nil {
			return nil, err
		}
		defer p.release()
		c.permit, address = p, p.info.URL
	}
	if address == "" && s.g.cfg.URL == "" {
		info, err := s.g.budget.lookUp(ctx)
		if err != nil {
			return nil, err
		}
		address = info.URL
	}
	s.mu.Lock()
	s.live = c
	s.mu.Unlock()

	c.session = c.newSession(cmp.Or(s.g.cfg.URL, address))
	go func() {
		c.openErr = c.session.Open()
		close(c.opened)
	}()
	err := c.watch()
	s.conns.Go(c.wind)
	return c, err
}

// watch waits for the end of the connection and returns the reason.
func (c *conn) watch() error {
	timer := time.NewTimer(c.s.g.cfg.OpenTimeout)
	defer timer.Stop()
	select {
	case <-c.ctx.Done():
		c.leave()
		return c.ctx.Err()
	case <-timer.C:
		// The session is stuck. It may hold its own lock for ever, so nothing is asked of it any more.
		return c.end(errStuck)
	case <-c.ended:
		return c.end(nil)
	case <-c.opened:
		if c.openErr != nil {
			return c.end(c.openErr)
		}
	}
	c.permit.release()
	select {
	case <-c.ctx.Done():
		c.leave()
		return c.ctx.Err()
	case <-c.ended:
		return c.end(nil)
	}
}

// wind waits until discordgo's goroutines have gone after the end of the connection, which takes them a second. One that
// is stuck is left behind.
func (c *conn) wind() {
	timer := time.NewTimer(4 * time.Second)
	defer timer.Stop()
	opened := c.opened
	for {
		select {
		case <-opened:
			if c.openErr != nil {
				return
			}
			opened = nil
		case <-c.detached:
			return
		case <-timer.C:
			c.s.g.cfg.Log.Warn("discord: left a session of discordgo behind that is stuck", "shard", c.s.id)
			return
		}
	}
}

// end ends the connection if it has not ended, and returns the first reason.
func (c *conn) end(cause error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wire != nil {
		return c.wire.end(cause)
	}
	c.stopped = cmp.Or(c.stopped, cause)
	return c.stopped
}

// dialed is whether the network was reached.
func (c *conn) dialed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wire != nil
}

// leave ends the connection with a goodbye.
func (c *conn) leave() {
	c.mu.Lock()
	w := c.wire
	c.stopped = cmp.Or(c.stopped, errStopped)
	c.mu.Unlock()
	if w != nil {
		w.leave()
	}
}

// stall says that nothing is read while the queue is full, or that reading goes on. Acknowledgements of heartbeats that
// lie unread are then not counted as missing.
func (c *conn) stall(on bool) {
	c.mu.Lock()
	w := c.wire
	c.mu.Unlock()
	w.stalled.Store(on)
	w.unacked.Store(0)
}

func (c *conn) latency() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wire == nil {
		return 0
	}
	return time.Duration(c.wire.latency.Load())
}

// send sends a payload beside discordgo, which would hold its lock while it does.
func (c *conn) send(payload []byte) error {
	c.mu.Lock()
	w := c.wire
	c.mu.Unlock()
	if w == nil {
		return ErrOffline
	}
	if err := w.send(opText, payload); err != nil {
		return fmt.Errorf("%w: %w", ErrOffline, err)
	}
	return nil
}

func (c *conn) newSession(address string) *discordgo.Session {
	d, _ := discordgo.New("Bot " + c.s.g.cfg.Token) // has no error
	d.ShouldReconnectOnError = false
	d.ShouldReconnectVoiceOnSessionError = false
	d.StateEnabled = false
	d.SyncEvents = true
	d.LogLevel = -1
	d.Client = &http.Client{Transport: knownGateway(gatewayURL(address))}
	d.Dialer = &websocket.Dialer{
		HandshakeTimeout: c.s.g.cfg.OpenTimeout,
		ReadBufferSize:   32 << 10,
		WriteBufferSize:  8 << 10, // so that each message is one write
		NetDialContext:   func(ctx context.Context, _, addr string) (net.Conn, error) { return c.dial(ctx, addr, nil) },
		NetDialTLSContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return c.dial(ctx, addr, c.s.g.cfg.TLS)
		},
	}
	d.AddHandler(func(_ *discordgo.Session, e *discordgo.Event) {
		c.s.put(c, Event{Shard: c.s.id, Seq: e.Sequence, Type: e.Type, Data: e.Struct, Raw: e.RawData})
	})
	d.AddHandler(func(*discordgo.Session, *discordgo.Disconnect) {
		c.once.Do(func() { close(c.detached) })
	})
	return d
}

// dial makes the network connection, in clear where conf is nil.
func (c *conn) dial(ctx context.Context, addr string, conf *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)() // discordgo dials to the end, whoever has stopped waiting
	raw, err := c.s.g.dialNetwork(ctx, addr, conf)
	if err != nil {
		return nil, err
	}
	w := newWire(raw, c.s.g.cfg.OpenTimeout, c.opening, c.beat, c.lastSeq)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped != nil {
		raw.Close()
		return nil, c.stopped
	}
	c.wire = w
	go func() { <-w.done; close(c.ended) }()
	return w, nil
}

// opening is the first thing that is sent on a connection: RESUME where there is a session, IDENTIFY where not.
func (c *conn) opening() ([]byte, error) {
	if c.permit == nil {
		return json.Marshal(map[string]any{"op": opResume, "d": map[string]any{
			"token": c.s.g.cfg.Token, "session_id": c.resume, "seq": c.lastSeq()}})
	}
	if err := c.permit.spend(c.ctx); err != nil {
		return nil, err
	}
	c.s.mu.Lock()
	c.s.status.Identifies++
	c.s.mu.Unlock()
	return json.Marshal(map[string]any{"op": opIdentify, "d": map[string]any{
		"token":           c.s.g.cfg.Token,
		"intents":         c.s.g.cfg.Intents,
		"shard":           [2]int{c.s.id, c.s.count},
		"compress":        true,
		"large_threshold": 250,
		"properties":      map[string]string{"os": runtime.GOOS, "browser": "moot", "device": "moot"},
	}})
}

// beat tells discordgo that its heartbeats are acknowledged. That they are is watched by the wire, which also knows when
// an acknowledgement lies unread because the queue is full; discordgo would close such a connection.
func (c *conn) beat() {
	// The lock may be held by a Close that waits for this very heartbeat to be written.
	if c.session.TryLock() {
		c.session.LastHeartbeatAck = time.Now().UTC()
		c.session.Unlock()
	}
}

func (c *conn) lastSeq() int64 {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.seq
}

// readySession reads of a READY event what a resume needs.
func (c *conn) readySession(raw []byte) (session, resumeURL string) {
	var ready struct {
		SessionID string `json:"session_id"`
		ResumeURL string `json:"resume_gateway_url"`
	}
	_ = json.Unmarshal(raw, &ready)
	return ready.SessionID, ready.ResumeURL
}

// gatewayURL gives an address the version and encoding. discordgo appends its own "?v=9&encoding=json", which as part of
// the fragment stays at home.
func gatewayURL(address string) string {
	base, query, _ := strings.Cut(address, "?")
	base = strings.TrimRight(base, "/") + "/?"
	if query != "" {
		base += query + "&"
	}
	return base + "v=10&encoding=json#"
}

// knownGateway is the only thing that a session gets to hear from the REST API: which gateway to connect to.
type knownGateway string

func (k knownGateway) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := json.Marshal(map[string]string{"url": string(k)})
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Request: req, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body))}, nil
}
