package gateway

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// script is a net.Conn whose other side has said everything, and hands it out in pieces.
type script struct {
	net.Conn
	in    io.Reader
	piece int
	out   bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)       { return s.in.Read(p[:min(len(p), s.piece)]) }
func (s *script) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (s *script) Close() error                     { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

const upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"

// plain is a whole frame from a server.
func plain(opcode byte, payload string) string {
	switch n := len(payload); {
	case n < 126:
		return string([]byte{finBit | opcode, byte(n)}) + payload
	default:
		return string([]byte{finBit | opcode, 126, byte(n >> 8), byte(n)}) + payload
	}
}

// hears reads all that comes through the wire, in pieces of a size.
func hears(said string, piece int) (through string, w *wire, cause error) {
	w = newWire(&script{in: bytes.NewReader([]byte(said)), piece: piece}, time.Second, nil, func() {}, func() int64 { return 42 })
	var got bytes.Buffer
	_, cause = io.Copy(&got, readerFunc(w.Read))
	if cause == nil {
		cause = w.err
	}
	return got.String(), w, cause
}

var (
	hello   = plain(opText, `{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}`)
	event   = plain(opText, `{"t":"X","s":1,"op":0,"d":{"text":"`+string(bytes.Repeat([]byte("x"), 300))+`"}}`)
	resumed = plain(opText, `{"t":"RESUMED","s":2,"op":0,"d":{}}`)
	ack     = plain(opText, `{"op":11}`)
	beat    = plain(opText, `{"op":1,"d":null}`)
)

// What discordgo sees, and how the connection ends, does not depend on how the network cuts it.
func TestWire(t *testing.T) {
	for name, c := range map[string]struct {
		said, through string
		is            func(error) bool
	}{
		"events pass":              {upgrade + hello + event + resumed, upgrade + hello + event + resumed, isEOF},
		"acknowledgements do not":  {upgrade + hello + ack + event + ack, upgrade + hello + event, isEOF},
		"requests are answered":    {upgrade + hello + beat + event, upgrade + hello + event, isEOF},
		"op 7 ends":                {upgrade + hello + event + plain(opText, `{"op":7,"d":null}`) + event, upgrade + hello + event, is(errReconnect)},
		"op 7 at once":             {upgrade + plain(opText, `{"op":7}`), upgrade, is(errReconnect)},
		"op 9 ends":                {upgrade + hello + plain(opText, `{"op":9,"d":true}`), upgrade + hello, is(invalidSession{true})},
		"op 9 without a word":      {upgrade + hello + plain(opText, `{"op":9}`), upgrade + hello, is(invalidSession{false})},
		"a close has its code":     {upgrade + hello + plain(opClose, "\x0f\xa4no"), upgrade + hello, isClose(4004)},
		"a close without a code":   {upgrade + hello + plain(opClose, ""), upgrade + hello, isClose(1005)},
		"no JSON":                  {upgrade + hello + plain(opText, `null`), upgrade + hello, is(errGarbage)},
		"no zlib":                  {upgrade + hello + plain(opBinary, `xxx`), upgrade + hello, is(errGarbage)},
		"no hello":                 {upgrade + resumed, upgrade, is(errGarbage)},
		"a hello without interval": {upgrade + plain(opText, `{"op":10,"d":{}}`), upgrade, is(errGarbage)},
		"no WebSocket":             {"HTTP/1.1 403 Forbidden\r\n\r\nno", "HTTP/1.1 403 Forbidden\r\n", func(err error) bool { return err != nil && !isEOF(err) }},
		"cut within a frame":       {upgrade + hello + event[:100], upgrade + hello + event[:100], isEOF},
	} {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{1, 2, 3, 7, 64, 4096} {
				through, _, cause := hears(c.said, piece)
				if through != c.through || !c.is(cause) {
					t.Errorf("in pieces of %d: %q came through, and it ended in %v", piece, through, cause)
				}
			}
		})
	}
	if _, w, _ := hears(upgrade+hello+beat, 64); !bytes.Contains(w.Conn.(*script).out.Bytes(), []byte{finBit | opText}) {
		t.Error("a request for a heartbeat was not answered")
	}
}

// A connection on which nothing comes ends by itself, before hello and after it.
func TestSilence(t *testing.T) {
	for name, said := range map[string]string{
		"before hello": upgrade,
		"after hello":  upgrade + plain(opText, `{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":10}}`),
	} {
		t.Run(name, func(t *testing.T) {
			us, them := net.Pipe()
			defer them.Close()
			patience := 20 * time.Millisecond
			if name == "after hello" {
				patience = time.Hour
			}
			w := newWire(us, patience, nil, func() {}, func() int64 { return 0 })
			go func() { _, _ = io.WriteString(them, said) }()
			if _, err := io.Copy(io.Discard, readerFunc(w.Read)); !errors.Is(err, errSilent) {
				t.Errorf("it ended in %v", err)
			}
		})
	}
}

// Fault H5: heartbeats that are not acknowledged end a connection on which events still come: after two where nothing lies
// unread, after five in any case, and never while nothing is read because the queue is full.
func TestUnacknowledgedHeartbeats(t *testing.T) {
	for name, c := range map[string]struct {
		idle, stalled bool
		goOut         int // of ten
	}{"idle": {true, false, 2}, "busy": {false, false, 5}, "stalled": {true, true, 10}} {
		t.Run(name, func(t *testing.T) {
			s := &script{in: bytes.NewReader(nil), piece: 1}
			w := newWire(s, time.Second, nil, func() {}, func() int64 { return 0 })
			w.asked = true
			w.interval.Store(int64(time.Hour))
			w.stalled.Store(c.stalled)
			if c.idle {
				w.reading.Store(time.Now().Add(-time.Hour).UnixNano())
			}
			out := 0
			for ; out < 10; out++ {
				if _, err := w.Write(maskedFrame(opText, []byte(`{"op":1,"d":1}`))); err != nil {
					if !errors.Is(err, errZombie) {
						t.Errorf("it ended in %v", err)
					}
					break
				}
			}
			if out != c.goOut {
				t.Errorf("%d heartbeats went out", out)
			}
			if !c.stalled {
				return
			}
			// What acknowledges those lies unread when reading goes on.
			(&conn{wire: w}).stall(false)
			if _, err := w.Write(maskedFrame(opText, []byte(`{"op":1,"d":1}`))); err != nil {
				t.Errorf("afterwards it ends in %v", err)
			}
		})
	}
}

// Discord forgets a session that is closed with code 1000, which is the one that discordgo knows.
func TestDiscordgosGoodbyeStaysAtHome(t *testing.T) {
	s := &script{in: bytes.NewReader(nil), piece: 1}
	w := newWire(s, time.Second, nil, func() {}, func() int64 { return 0 })
	w.asked = true
	if _, err := w.Write(maskedFrame(opClose, []byte{3, 232})); !errors.Is(err, errSelfClose) || s.out.Len() > 0 {
		t.Errorf("%d bytes went out, and it ended in %v", s.out.Len(), err)
	}
}

func isEOF(err error) bool {
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

func isClose(code int) func(error) bool {
	return func(err error) bool {
		c, ok := errors.AsType[*CloseError](err)
		return ok && c.Code == code
	}
}

// FuzzWire lets a server say anything. Whatever it is, it must end, and come out the same however the network cuts it.
func FuzzWire(f *testing.F) {
	for _, s := range []string{hello + event + resumed, hello + ack + beat, event, hello + plain(opClose, "\x0f\xa4"), hello + plain(9, "ping"), hello + "\x81\xff"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, said []byte, piece int) {
		piece = max(piece%4096, 1)
		whole, _, cause1 := hears(upgrade+string(said), 1<<20)
		pieces, _, cause2 := hears(upgrade+string(said), piece)
		if whole != pieces || (cause1 == nil) != (cause2 == nil) {
			t.Errorf("whole: %q, %v\nin pieces of %d: %q, %v", whole, cause1, piece, pieces, cause2)
		}
	})
}
