package gateway

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"moot/internal/pause"
	"moot/protocol/discord/dial"
)

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
	writePatience = 15 * time.Second // how long one write may take
	maxPayload    = 64 << 20         // the longest that is read; GUILD_CREATE, the largest, is under 10 MB
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
	beat    atomic.Int64 // when that was sent, in nanoseconds
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
		goodbye := websocket.FormatCloseMessage(closeKeeping, "")
		_ = c.ws.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Second))
	}
	c.ws.Close()
}

// dial connects to the gateway, by a proxy if one is to be used.
func (g *Gateway) dial(ctx context.Context, address string) (socket, error) {
	ws, err := dial.WebSocket(ctx, withQuery(address), g.cfg.TLS, g.cfg.Proxy)
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(maxPayload)
	// The library would send Discord's close code back, and 1000 or 1001 end the session.
	ws.SetCloseHandler(func(int, string) error { return nil })
	return ws, nil
}

// withQuery gives an address the version, the encoding and the compression.
func withQuery(address string) string {
	base, query, _ := strings.Cut(address, "?")
	return strings.TrimRight(base, "/") + "/?" + strings.TrimLeft(query+"&v=10&encoding=json&compress=zlib-stream", "&")
}

// read waits for the next payload, for two heartbeat intervals at most once there was a HELLO.
func (c *conn) read() (payload, error) {
	if c.interval > 0 {
		_ = c.ws.SetReadDeadline(time.Now().Add(2 * c.interval))
	}
	c.idle.Store(time.Now().UnixNano())
	p, err := c.in.next()
	c.idle.Store(0)
	if cause := context.Cause(c.ctx); err != nil && cause != nil {
		err = cause
	} else if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		err = errSilent
	}
	return p, err
}

// hello waits for the HELLO.
func (c *conn) hello() error {
	var d struct {
		Interval float64 `json:"heartbeat_interval"` // milliseconds
	}
	switch p, err := c.read(); {
	case err != nil:
		return err
	case *p.Op == opReconnect:
		return errReconnect
	case *p.Op != opHello, json.Unmarshal(p.Data, &d) != nil, d.Interval < 1, d.Interval > 3600_000:
		return errGarbage
	}
	c.interval = time.Duration(d.Interval * float64(time.Millisecond))
	return nil
}

// pulse sends a heartbeat, which tells the last sequence, or null before the first event.
func (c *conn) pulse() error {
	var last any
	if n := c.seq.Load(); n > 0 {
		last = n
	}
	c.unacked.Store(true)
	c.beat.Store(time.Now().UnixNano())
	return c.send(opHeartbeat, last)
}

// beats sends heartbeats, the first one after the part of an interval. It ends the connection where
// the last one was not acknowledged, unless that may lie unread, as while the reader is busy.
// https://discord.com/developers/docs/events/gateway#heartbeat-interval
func (c *conn) beats(part float64) {
	for d := time.Duration(part * float64(c.interval)); pause.Sleep(c.ctx, d) == nil; d = c.interval {
		since := c.idle.Load()
		if c.unacked.Load() && since > 0 && time.Now().UnixNano()-since > int64(c.interval/4) {
			c.end(errZombie)
			return
		}
		_ = c.pulse()
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

// socket is what a connection needs of a WebSocket.
type socket interface {
	ReadMessage() (kind int, data []byte, err error)
	WriteMessage(kind int, data []byte) error
	WriteControl(kind int, data []byte, deadline time.Time) error
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	Close() error
}

// payload is one message of the gateway.
// https://discord.com/developers/docs/events/gateway-events#payload-structure
type payload struct {
	Op   *int            `json:"op"`
	Data json.RawMessage `json:"d"`
	Seq  int64           `json:"s"`
	Type string          `json:"t"`
}

// flushed ends a payload in a zlib stream, and with it a message, or the last of several.
// https://discord.com/developers/docs/events/gateway#transport-compression
var flushed = []byte{0, 0, 0xff, 0xff}

// stream reads payloads from a WebSocket. Binary messages are one zlib stream for all of a
// connection; text is not compressed. zlib rather than zstd: the standard library has it.
type stream struct {
	ws   socket
	in   bytes.Buffer // what has come and is not decoded
	text io.Reader    // the text of a binary message; nil before the first
}

// next reads one payload. Its error is a *websocket.CloseError, another of the network, or wraps
// errGarbage.
func (s *stream) next() (p payload, err error) {
	from := io.Reader(&s.in)
	for whole := false; !whole; {
		kind, data, err := s.ws.ReadMessage()
		if err != nil {
			return p, err
		}
		s.in.Write(data)
		if whole = true; kind == websocket.BinaryMessage {
			if s.text == nil {
				if s.text, err = zlib.NewReader(&s.in); err != nil {
					return p, fmt.Errorf("%w: %w", errGarbage, err)
				}
			}
			from, whole = s.text, bytes.HasSuffix(data, flushed) || s.in.Len() > maxPayload
		}
	}
	d := json.NewDecoder(&io.LimitedReader{R: from, N: maxPayload})
	if err = d.Decode(&p); err == nil {
		switch more, _ := io.ReadAll(d.Buffered()); {
		case len(bytes.TrimSpace(more)) > 0:
			err = errors.New("more than one payload in a message")
		case p.Op == nil:
			err = errors.New("no opcode")
		}
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", errGarbage, err)
	}
	return p, err
}
