package gateway

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"moot/internal/pause"
)

// Opcodes.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-opcodes
const (
	opDispatch       = 0
	opHeartbeat      = 1
	opIdentify       = 2
	opResume         = 6
	opReconnect      = 7
	opRequestMembers = 8
	opInvalidSession = 9
	opHello          = 10
	opHeartbeatAck   = 11
)

const (
	// writePatience is how long one write may take.
	writePatience = 15 * time.Second
	// closeKeeping is the close code with which the bot leaves: after 1000 and 1001 Discord would
	// end the session. https://discord.com/developers/docs/events/gateway#initiating-a-disconnect
	closeKeeping = 4000
)

// conn is one connection of a shard. The goroutine of the shard reads it; two others send its
// heartbeats and close it.
type conn struct {
	ws       socket
	in       stream
	interval time.Duration // between heartbeats; zero before HELLO

	ctx context.Context         // ends with the connection; its cause says why
	end context.CancelCauseFunc // drops the connection without a close frame; the first reason counts

	seq     atomic.Int64 // of the last event that was read, which heartbeats tell; zero before the first
	unacked atomic.Bool  // whether the last heartbeat is not acknowledged
	idle    atomic.Int64 // since when the reader waits for Discord, in nanoseconds; zero while it does not

	writing sync.Mutex // over writes, of which a WebSocket takes one at a time
}

// newConn makes a connection that ends with the context at the latest.
func newConn(ctx context.Context, ws socket, seq int64) *conn {
	c := &conn{ws: ws, in: stream{ws: ws}}
	c.ctx, c.end = context.WithCancelCause(ctx)
	c.seq.Store(seq)
	return c
}

// closes closes the socket when the connection has ended: where the bot stops, in a way that keeps
// the session.
func (c *conn) closes(bot context.Context) {
	<-c.ctx.Done()
	if bot.Err() != nil {
		_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(closeKeeping, ""),
			time.Now().Add(time.Second))
	}
	c.ws.Close()
}

// dial connects to the gateway, by a proxy if one is to be used.
func (g *Gateway) dial(ctx context.Context, address string) (socket, error) {
	var by *url.URL
	stop := func() bool { return true }
	d := websocket.Dialer{
		TLSClientConfig: g.cfg.TLS,
		ReadBufferSize:  32 << 10,
		Proxy: func(r *http.Request) (p *url.URL, err error) {
			by, err = g.cfg.Proxy(r)
			return forDialer(by), err
		},
		NetDialContext: func(_ context.Context, network, addr string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			stop = context.AfterFunc(ctx, func() { c.Close() }) // the library does not stop when it talks to a proxy
			if by != nil && by.Scheme == "https" {
				return secure(ctx, c, by.Hostname())
			}
			return c, nil
		},
	}
	ws, resp, err := d.DialContext(ctx, withQuery(address), nil)
	switch {
	case !stop():
		if err == nil {
			ws.Close()
		}
		return nil, context.Cause(ctx)
	case err == nil:
		ws.SetReadLimit(maxPayload)
		return ws, nil
	case resp != nil:
		return nil, fmt.Errorf("the gateway answers %q: %w", resp.Status, err)
	case by != nil:
		return nil, fmt.Errorf("by the proxy %s: %w", by.Redacted(), err)
	}
	return nil, err
}

// forDialer writes the address of a proxy as the dialer wants it: with a port, and with the schemes
// that it knows. TLS to a proxy begins before the dialer talks to it; both kinds of SOCKS5 have the
// proxy look names up.
func forDialer(proxy *url.URL) *url.URL {
	if proxy == nil {
		return nil
	}
	p := *proxy
	port := "80"
	switch p.Scheme {
	case "https":
		p.Scheme, port = "http", "443"
	case "socks5", "socks5h":
		p.Scheme, port = "socks5", "1080"
	}
	if p.Port() == "" {
		p.Host = net.JoinHostPort(p.Hostname(), port)
	}
	return &p
}

func secure(ctx context.Context, raw net.Conn, host string) (net.Conn, error) {
	c := tls.Client(raw, &tls.Config{ServerName: host})
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

// withQuery gives an address the version, the encoding and the compression.
func withQuery(address string) string {
	base, query, _ := strings.Cut(address, "?")
	base = strings.TrimRight(base, "/") + "/?"
	if query != "" {
		base += query + "&"
	}
	return base + "v=10&encoding=json&compress=zlib-stream"
}

// read waits for the next payload, for two heartbeat intervals at most once there was a HELLO.
func (c *conn) read() (payload, error) {
	if c.interval > 0 {
		_ = c.ws.SetReadDeadline(time.Now().Add(2 * c.interval))
	}
	c.idle.Store(time.Now().UnixNano())
	p, err := c.in.next()
	c.idle.Store(0)
	timeout, ok := errors.AsType[net.Error](err)
	switch cause := context.Cause(c.ctx); {
	case err != nil && cause != nil:
		err = cause
	case ok && timeout.Timeout():
		err = errSilent
	}
	return p, err
}

// hello takes in the HELLO.
func (c *conn) hello(p payload) error {
	var d struct {
		Interval float64 `json:"heartbeat_interval"` // milliseconds
	}
	switch {
	case *p.Op == opReconnect:
		return errReconnect
	case *p.Op != opHello, json.Unmarshal(p.Data, &d) != nil, d.Interval < 1, d.Interval > 3600_000:
		return errGarbage
	}
	c.interval = time.Duration(d.Interval * float64(time.Millisecond))
	return nil
}

// beat sends a heartbeat. It ends the connection where the last one was not acknowledged, unless
// the acknowledgement may lie unread, because the reader is busy or has only just come back.
func (c *conn) beat() {
	since := c.idle.Load()
	if c.unacked.Load() && since > 0 && time.Now().UnixNano()-since > int64(c.interval/4) {
		c.end(errZombie)
		return
	}
	_ = c.pulse()
}

// pulse sends a heartbeat, which tells the last sequence, or null before the first event.
func (c *conn) pulse() error {
	var last any
	if n := c.seq.Load(); n > 0 {
		last = n
	}
	c.unacked.Store(true)
	return c.send(opHeartbeat, last)
}

// beats sends heartbeats until the connection ends, the first one after the part of an interval.
// https://discord.com/developers/docs/events/gateway#heartbeat-interval
func (c *conn) beats(part float64) {
	for d := time.Duration(part * float64(c.interval)); pause.Sleep(c.ctx, d) == nil; d = c.interval {
		c.beat()
	}
}

// send sends one payload. An error ends the connection too.
func (c *conn) send(op int, data any) error {
	text, err := json.Marshal(map[string]any{"op": op, "d": data})
	if err != nil {
		return fmt.Errorf("gateway payload: %w", err)
	}
	if len(text) > 4096 {
		return fmt.Errorf("gateway payload: %d bytes, of which Discord takes 4096", len(text))
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.ws.SetWriteDeadline(time.Now().Add(writePatience))
	if err := c.ws.WriteMessage(websocket.TextMessage, text); err != nil {
		c.end(err)
		return fmt.Errorf("%w: %w", ErrOffline, err)
	}
	return nil
}
