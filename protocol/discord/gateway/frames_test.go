package gateway

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// script is a WebSocket whose other side has said everything, one frame after another, and then
// breaks.
type script struct {
	kind   int
	frames [][]byte
	after  error // what the reading ends with

	mu   sync.Mutex
	sent []payload
	done chan struct{} // closed by Close
	once sync.Once
}

func (s *script) ReadMessage() (int, []byte, error) {
	if len(s.frames) == 0 {
		return 0, nil, s.after
	}
	f := s.frames[0]
	s.frames = s.frames[1:]
	return s.kind, f, nil
}

func (s *script) WriteMessage(_ int, data []byte) error {
	var p payload
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, p)
	return nil
}

func (s *script) WriteControl(int, []byte, time.Time) error { return nil }
func (s *script) SetReadDeadline(time.Time) error           { return nil }
func (s *script) SetWriteDeadline(time.Time) error          { return nil }

func (s *script) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// converse has a shard with a session hear the frames, and returns what it handed over and how it
// ended.
func converse(t testing.TB, session Session, kind int, frames ...[]byte) (got []Event, s *shard,
	sent []payload, err error) {
	t.Helper()
	g := New(Config{Token: "t"})
	s = &shard{g: g, count: 1, session: session, sent: make(chan struct{}, sendsPerMinute),
		handle: func(_ context.Context, e Event) error { got = append(got, e); return nil }}
	ws := &script{kind: kind, frames: frames, after: io.ErrUnexpectedEOF, done: make(chan struct{})}
	var p *permit
	if session.ID == "" {
		g.budget.turn <- struct{}{}
		p = &permit{b: g.budget}
		defer p.release()
	}
	err = s.converse(t.Context(), ws, p)
	<-ws.done // an ended connection is closed
	return got, s, ws.sent, err
}

func compressed(frames ...string) (out [][]byte) {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	for _, f := range frames {
		_, _ = w.Write([]byte(f))
		_ = w.Flush()
		out = append(out, bytes.Clone(b.Bytes()))
		b.Reset()
	}
	return out
}

func plain(frames ...string) (out [][]byte) {
	for _, f := range frames {
		out = append(out, []byte(f))
	}
	return out
}

const (
	hello   = `{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}`
	ready   = `{"t":"READY","s":1,"op":0,"d":{"session_id":"one","resume_gateway_url":"wss://resume"}}`
	resumed = `{"t":"RESUMED","s":4,"op":0,"d":{}}`
	ack     = `{"op":11}`
	beat    = `{"op":1,"d":null}`
)

var event = `{"t":"X","s":3,"op":0,"d":{"text":"` + strings.Repeat("x", 3000) + `"}}`

// What is handed over, what is sent, and how the connection ends.
func TestFrames(t *testing.T) {
	old := Session{ID: "old", URL: "wss://old", Seq: 2}
	for name, c := range map[string]struct {
		session Session
		said    []string
		heard   string
		sent    string
		seq     int64 // of the session afterwards
		is      error
	}{
		"a new session":         {Session{}, []string{hello, ready, event}, "READY X", "2", 3, io.ErrUnexpectedEOF},
		"a resume":              {old, []string{hello, event, resumed}, "X RESUMED", "6", 4, io.ErrUnexpectedEOF},
		"nothing after all":     {old, []string{hello}, "", "6", 2, io.ErrUnexpectedEOF},
		"acknowledgements":      {old, []string{hello, ack, event, ack}, "X", "6", 3, io.ErrUnexpectedEOF},
		"a request for a beat":  {old, []string{hello, beat, event}, "X", "6 1", 3, io.ErrUnexpectedEOF},
		"op 7":                  {old, []string{hello, event, `{"op":7,"d":null}`, event}, "X", "6", 3, errReconnect},
		"op 7 at once":          {old, []string{`{"op":7}`, event}, "", "", 2, errReconnect},
		"op 9, resumable":       {old, []string{hello, `{"op":9,"d":true}`}, "", "6", 2, invalidSession{true}},
		"op 9":                  {old, []string{hello, `{"op":9}`}, "", "6", 2, invalidSession{false}},
		"no HELLO":              {old, []string{event}, "", "", 2, errGarbage},
		"a HELLO without pace":  {old, []string{`{"op":10,"d":{}}`}, "", "", 2, errGarbage},
		"a HELLO with no pace":  {old, []string{`{"op":10,"d":{"heartbeat_interval":0}}`}, "", "", 2, errGarbage},
		"no JSON":               {old, []string{hello, `{`}, "", "6", 2, io.ErrUnexpectedEOF},
		"no opcode":             {old, []string{hello, `{"op":null}`}, "", "6", 2, errGarbage},
		"an unknown opcode":     {old, []string{hello, `{"op":99}`, event}, "X", "6", 3, io.ErrUnexpectedEOF},
		"an event before READY": {Session{}, []string{hello, event}, "", "2", 0, errGarbage},
		"READY without session": {Session{}, []string{hello, `{"t":"READY","s":1,"op":0,"d":{}}`}, "",
			"2", 0, errGarbage},
		"an old sequence again": {old, []string{hello, `{"t":"X","s":1,"op":0,"d":{}}`}, "X", "6", 2,
			io.ErrUnexpectedEOF},
	} {
		for way, frames := range map[string][][]byte{"plain": plain(c.said...), "compressed": compressed(c.said...)} {
			t.Run(name+", "+way, func(t *testing.T) {
				kind := websocket.TextMessage
				if way == "compressed" {
					kind = websocket.BinaryMessage
				}
				got, s, sent, err := converse(t, c.session, kind, frames...)
				var heard, ops []string
				for _, e := range got {
					heard = append(heard, e.Type)
				}
				for _, p := range sent {
					ops = append(ops, fmt.Sprint(*p.Op))
				}
				if h, o := strings.Join(heard, " "), strings.Join(ops, " "); h != c.heard || o != c.sent ||
					s.session.Seq != c.seq || !errors.Is(err, c.is) {
					t.Errorf("heard %q, want %q; sent %q, want %q; up to %d, want %d; ended by %v", h, c.heard, o,
						c.sent, s.session.Seq, c.seq, err)
				}
			})
		}
	}
}

// Bytes that are no zlib stream, and a payload that is longer than any, end the connection and cost
// no memory.
func TestFramesThatAreNone(t *testing.T) {
	old := Session{ID: "old", Seq: 2}
	if _, _, _, err := converse(t, old, websocket.BinaryMessage, []byte("xxx")); !errors.Is(err, errGarbage) {
		t.Errorf("ended by %v", err)
	}
	bomb := compressed(hello, `{"op":0,"t":"X","s":3,"d":"`+strings.Repeat(" ", maxPayload)+`"}`)
	if got, _, _, err := converse(t, old, websocket.BinaryMessage, bomb...); !errors.Is(err,
		errGarbage) || len(got) > 0 {
		t.Errorf("%d events, ended by %v", len(got), err)
	}
}

// FuzzFrames: whatever comes, in frames cut at each 0xFF, nothing panics; a connection sends one
// IDENTIFY or RESUME at most, and before it nothing; the sequence never falls and is that of an
// event that was handed over.
func FuzzFrames(f *testing.F) {
	for _, said := range [][]string{{hello, ready, event, ack, beat}, {hello, `{"op":9,"d":true}`}, {`{"op":7}`},
		{hello, resumed}} {
		f.Add(false, false, []byte(strings.Join(said, "\xff")))
		f.Add(true, false, []byte(strings.Join(said, "\xff")))
		f.Add(true, true, bytes.Join(compressed(said...), []byte("\xff")))
	}
	f.Fuzz(func(t *testing.T, has, binary bool, data []byte) {
		session, kind := Session{}, websocket.TextMessage
		if has {
			session = Session{ID: "old", Seq: 2}
		}
		if binary {
			kind = websocket.BinaryMessage
		}
		frames := bytes.Split(data, []byte("\xff"))
		if binary {
			frames = [][]byte{data} // in a compressed stream every byte may be 0xFF
		}
		got, s, sent, err := converse(t, session, kind, frames...)
		if err == nil {
			t.Error("it ended without a reason")
		}
		for i, p := range sent {
			if opening := *p.Op == opIdentify || *p.Op == opResume; opening != (i == 0) {
				t.Errorf("payload %d that was sent has op %d", i, *p.Op)
			}
		}
		newest := session.Seq
		for _, e := range got {
			if e.Type == "READY" {
				newest = 0
			}
			newest = max(newest, e.Seq)
		}
		if s.session.Seq != newest {
			t.Errorf("the session is at %d, the last event at %d", s.session.Seq, newest)
		}
	})
}
