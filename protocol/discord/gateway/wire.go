package gateway

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Gateway opcodes. https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-opcodes
const (
	opDispatch       = 0
	opHeartbeat      = 1
	opIdentify       = 2
	opPresence       = 3
	opResume         = 6
	opReconnect      = 7
	opRequestMembers = 8
	opInvalidSession = 9
	opHello          = 10
	opHeartbeatAck   = 11
)

// maxPeek is the longest message that the wire looks into, in bytes. All that are no events are shorter.
const maxPeek = 256

// maxHello is the longest first message.
const maxHello = 16 << 10

// wire is the network connection below one discordgo session. It speaks just enough WebSocket to see the frames go by,
// keeps from discordgo what it handles badly, and ends at the first fault, which it remembers.
//
// Read is called by one goroutine, which also decodes what it read; so when Read fails, all that was read before is
// through.
type wire struct {
	net.Conn
	in *bufio.Reader // of Conn, with a deadline for each read

	// opening returns the payload with which the connection begins, in the place of discordgo's own.
	opening func() ([]byte, error)
	// beat is called at each heartbeat that discordgo sends.
	beat func()
	// seq is the number of the last event that was received.
	seq func() int64
	// hello is how long the first message may take.
	hello time.Duration

	// Of the reader.
	status   string // the first line of the HTTP answer
	upgraded bool   // whether the HTTP answer is through
	greeted  bool   // whether hello is through
	out      []byte // to be handed out next
	pass     int64  // bytes of the current frame to be handed out after that
	// Of the writer.
	asked  bool // whether the HTTP request is out
	opened bool // whether opening was sent

	reading  atomic.Int64 // since when a read waits for the network, in Unix nanoseconds; zero while none does
	stalled  atomic.Bool  // whether nothing is read because the queue is full
	interval atomic.Int64 // of heartbeats, in nanoseconds; zero before hello
	unacked  atomic.Int32 // heartbeats sent since the last acknowledgement
	sentAt   atomic.Int64 // when the last heartbeat went, in Unix nanoseconds
	latency  atomic.Int64 // nanoseconds from the last heartbeat to its acknowledgement

	writing sync.Mutex // over writes to Conn
	once    sync.Once
	done    chan struct{} // closed when the wire has ended
	err     error         // why; set before done is closed
}

func newWire(c net.Conn, hello time.Duration, opening func() ([]byte, error), beat func(), seq func() int64) *wire {
	w := &wire{Conn: c, opening: opening, beat: beat, seq: seq, hello: hello, done: make(chan struct{})}
	w.in = bufio.NewReaderSize(readerFunc(w.receive), 32<<10)
	return w
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// receive reads from the network, but does not wait for ever.
func (w *wire) receive(p []byte) (int, error) {
	idle := w.hello
	if n := w.interval.Load(); n > 0 {
		idle = 2 * time.Duration(n)
	}
	if err := w.SetReadDeadline(time.Now().Add(idle)); err != nil {
		return 0, err
	}
	w.reading.Store(time.Now().UnixNano())
	defer w.reading.Store(0)
	return w.Conn.Read(p)
}

// end ends the connection: without a close frame, so that Discord keeps the session. The first cause counts; it is
// returned.
func (w *wire) end(cause error) error {
	w.once.Do(func() {
		if errors.Is(cause, os.ErrDeadlineExceeded) {
			cause = errSilent
		}
		w.err = cause
		close(w.done)
		w.Conn.Close()
	})
	return w.err
}

// leave ends the connection for good: with close code 1000, after which Discord shows the bot as offline.
func (w *wire) leave() {
	w.once.Do(func() {
		w.err = errStopped
		close(w.done)
	})
	_ = w.Conn.SetWriteDeadline(time.Now().Add(time.Second)) // also for a write that holds the lock
	w.writing.Lock()
	defer w.writing.Unlock()
	_, _ = w.Conn.Write(maskedFrame(opClose, binary.BigEndian.AppendUint16(nil, 1000)))
	w.Conn.Close()
}

// Close is what discordgo calls in the end.
func (w *wire) Close() error { w.end(errSelfClose); return nil }

// Read hands out what discordgo is to see.
func (w *wire) Read(p []byte) (int, error) {
	for {
		select {
		case <-w.done:
			return 0, w.err
		default:
		}
		switch {
		case len(w.out) > 0:
			n := copy(p, w.out)
			w.out = w.out[n:]
			return n, nil
		case w.pass > 0:
			n, err := w.in.Read(p[:min(int64(len(p)), w.pass)])
			w.pass -= int64(n)
			if err != nil {
				return n, w.end(err)
			}
			return n, nil
		}
		if err := w.advance(); err != nil {
			return 0, w.end(err)
		}
	}
}

// advance looks at what comes next and fills out and pass.
func (w *wire) advance() error {
	if !w.upgraded {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if w.status == "" {
			w.status = string(bytes.TrimSpace(line))
		}
		w.out = bytes.Clone(line)
		if string(line) == "\r\n" {
			if !strings.Contains(w.status, " 101 ") {
				return fmt.Errorf("the gateway answers %q", w.status)
			}
			w.upgraded = true
		}
		return nil
	}
	first, err := w.in.Peek(2)
	if err != nil {
		return err
	}
	start, err := w.in.Peek(headerSize(first[0], first[1]))
	if err != nil {
		return err
	}
	h := parseHeader(start)
	peek := int64(maxPeek)
	if !w.greeted {
		peek = maxHello
	}
	switch {
	case h.payload > peek || h.masked, h.opcode == opContinuation || !h.fin, h.opcode > opBinary && h.opcode != opClose:
		if !w.greeted {
			return errGarbage
		}
		w.pass = int64(h.size) + h.payload
		return nil
	}
	frame, err := w.in.Peek(h.size + int(h.payload))
	if err != nil {
		return err
	}
	show, err := w.examine(h, frame[h.size:])
	if err != nil {
		return err
	}
	if show {
		w.out = bytes.Clone(frame)
	}
	_, err = w.in.Discard(len(frame))
	return err
}

// examine says whether discordgo is to see the short message, and ends the connection with an error.
func (w *wire) examine(h header, payload []byte) (show bool, err error) {
	if h.opcode == opClose {
		return false, closeOf(payload)
	}
	e, err := open(h.opcode, payload)
	if err != nil {
		return false, err
	}
	if !w.greeted && *e.Op != opHello {
		if *e.Op == opReconnect {
			return false, errReconnect
		}
		return false, errGarbage
	}
	switch *e.Op {
	case opHello:
		var d struct {
			Interval float64 `json:"heartbeat_interval"` // milliseconds
		}
		if json.Unmarshal(e.Data, &d) != nil || d.Interval < 1 || d.Interval > 3600_000 {
			return false, errGarbage
		}
		w.interval.Store(int64(d.Interval * float64(time.Millisecond)))
		w.greeted = true
		return true, nil
	case opReconnect:
		return false, errReconnect
	case opInvalidSession:
		var resumable bool
		_ = json.Unmarshal(e.Data, &resumable)
		return false, invalidSession{resumable}
	case opHeartbeat:
		// discordgo would answer by a write to a connection that it may have set to nil meanwhile. The next regular
		// heartbeat would be too late, so the answer is made here.
		return false, w.send(opText, fmt.Appendf(nil, `{"op":1,"d":%d}`, w.seq()))
	case opHeartbeatAck:
		w.unacked.Store(0)
		if at := w.sentAt.Load(); at > 0 {
			w.latency.Store(time.Now().UnixNano() - at)
		}
		return false, nil
	}
	return true, nil
}

// Write takes what discordgo says: once the HTTP request is out, one frame at a time.
func (w *wire) Write(p []byte) (int, error) {
	if !w.asked {
		w.asked = bytes.HasSuffix(p, []byte("\r\n\r\n"))
		return w.forward(p)
	}
	if len(p) < 2 || len(p) < headerSize(p[0], p[1]) {
		return w.forward(p)
	}
	h := parseHeader(p)
	switch {
	case h.opcode == opClose:
		// It is for us to say goodbye. Code 1000, which discordgo uses for everything, would end the session.
		return 0, w.end(errSelfClose)
	case h.opcode != opText || int64(len(p)) != int64(h.size)+h.payload:
		return w.forward(p)
	}
	e, err := open(opText, unmasked(p, h))
	if err != nil {
		return w.forward(p)
	}
	switch *e.Op {
	case opIdentify, opResume:
		if w.opened {
			return 0, w.end(invalidSession{})
		}
		w.opened = true
		payload, err := w.opening()
		if err != nil {
			return 0, w.end(err)
		}
		if err := w.send(opText, payload); err != nil {
			return 0, w.end(err)
		}
		return len(p), nil
	case opHeartbeat:
		if w.zombie() {
			return 0, w.end(errZombie)
		}
		w.unacked.Add(1)
		w.sentAt.Store(time.Now().UnixNano())
		w.beat()
	}
	return w.forward(p)
}

// zombie is whether heartbeats go unacknowledged: two, while nothing lies unread that could acknowledge them, or five.
func (w *wire) zombie() bool {
	if w.stalled.Load() {
		return false
	}
	n := w.unacked.Load()
	since := w.reading.Load()
	idle := since > 0 && time.Now().UnixNano()-since > w.interval.Load()/4
	return n >= 5 || n >= 2 && idle
}

func (w *wire) send(opcode byte, payload []byte) error {
	_, err := w.forward(maskedFrame(opcode, payload))
	return err
}

func (w *wire) forward(p []byte) (int, error) {
	w.writing.Lock()
	_ = w.Conn.SetWriteDeadline(time.Now().Add(15 * time.Second))
	n, err := w.Conn.Write(p)
	w.writing.Unlock()
	if err != nil {
		return n, w.end(err)
	}
	return n, nil
}
