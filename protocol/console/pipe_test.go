package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/protocoltest"
	"moot/protocol/remote/wire"
)

// network is the other end of a Pipe, line by line.
type network struct {
	t    testing.TB
	pipe *console.Pipe
	w    *os.File // to the pipe
	out  *bufio.Reader
	done chan error
	stop context.CancelFunc
}

func newNetwork(t testing.TB, to protocol.Admitter) *network {
	t.Helper()
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &network{t, console.NewPipe(in, out), w, bufio.NewReader(r), make(chan error, 1), stop}
	go func() {
		n.done <- n.pipe.Run(ctx, to)
		out.Close()
	}()
	t.Cleanup(func() {
		stop()
		for _, f := range []*os.File{in, w, r, out} {
			f.Close()
		}
	})
	return n
}

func (n *network) write(lines ...string) {
	n.t.Helper()
	for _, l := range lines {
		if _, err := io.WriteString(n.w, l+"\n"); err != nil {
			n.t.Fatal(err)
		}
	}
}

func (n *network) read() (out wire.Out) {
	n.t.Helper()
	text, err := n.out.ReadBytes('\n')
	if err != nil {
		n.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		n.t.Fatalf("%s: %v", text, err)
	}
	return out
}

func eventLine(t testing.TB, id int64, events ...protocol.Event) string {
	t.Helper()
	text, err := json.Marshal(wire.In{ID: id, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The network says what time it is: the clock stands there when the line is acknowledged, and never goes back.
func TestPipeClock(t *testing.T) {
	in, network := io.Pipe()
	p := console.NewPipe(in, io.Discard)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(t.Context(), nowhere{}) }()
	if d := time.Since(p.Clock().Now()); d < -time.Minute || d > time.Minute {
		t.Fatalf("the clock is %s late", d)
	}
	at := time.Date(2040, 1, 1, 8, 0, 0, 0, time.UTC)
	jumped := p.Clock().Jumped()
	for i, now := range []time.Time{at, at.Add(time.Hour), at} {
		if err := wire.NewWriter(network).Write(wire.In{ID: int64(i + 1), Now: now}); err != nil {
			t.Fatal(err)
		}
	}
	network.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := p.Clock().Now(); !got.Equal(at.Add(time.Hour)) {
		t.Errorf("it is %s", got)
	}
	select {
	case <-jumped:
	default:
		t.Error("nobody who sleeps was told")
	}
}

// nowhere admits everything and keeps nothing.
type nowhere struct{}

func (nowhere) Admit(context.Context, []protocol.Event, protocol.Cursor) error { return nil }
func (nowhere) Cursor(string) (string, error)                                  { return "", nil }

func TestPipeAcknowledgesWhatIsAdmitted(t *testing.T) {
	rec := &protocoltest.Recorder{}
	n := newNetwork(t, rec)
	hello := protocoltest.Says(lobby, "e1", ann, "hello")
	n.write(eventLine(t, 7, hello, protocoltest.Says(lobby, "e2", ben, "hello, ann")))
	if out := n.read(); out.Ack != 7 {
		t.Errorf("got %+v", out)
	}
	one, _ := json.Marshal(wire.In{ID: 8, Event: &hello})
	n.write(string(one))
	if out := n.read(); out.Ack != 8 {
		t.Errorf("got %+v", out)
	}
	got := rec.Events()
	if len(got) != 3 {
		t.Fatalf("%d events were admitted", len(got))
	}
	if d := cmp.Diff([]protocol.Event{hello, hello}, []protocol.Event{got[0], got[2]}); d != "" {
		t.Error(d)
	}
	n.w.Close()
	if err := <-n.done; err != nil {
		t.Errorf("the end of the input gave %v", err)
	}
	if _, err := n.pipe.Send(t.Context(), protocol.Outgoing{Key: "k"}, protocol.Attempt{}); !errors.Is(err, console.ErrClosed) {
		t.Errorf("a send after the end gave %v", err)
	}
}

func TestPipeDoesNotAcknowledgeWhatWasRefused(t *testing.T) {
	rec := &protocoltest.Recorder{}
	rec.RefuseOnce(func([]protocol.Event) bool { return true })
	n := newNetwork(t, rec)
	n.write(eventLine(t, 7, protocoltest.Says(lobby, "e1", ann, "hello")))
	if err := <-n.done; !errors.Is(err, protocoltest.ErrRefused) {
		t.Errorf("Run returned %v", err)
	}
	if rest, _ := io.ReadAll(n.out); len(rest) > 0 {
		t.Errorf("it said %s", rest)
	}
}

func TestPipeSurvivesHostileInput(t *testing.T) {
	rec := &protocoltest.Recorder{}
	n := newNetwork(t, rec)
	good := eventLine(t, 1, protocoltest.Says(lobby, "e1", ann, "hello"))
	bad := []string{
		"garbage", "{", "[]", "7", "null", `"x"`, "{}", `{"id":1}`, `{"event":null}`,
		`{"event":{"Room":"console:lobby","ID":"e1","Body":{"Message":{"Text":"no id"}}}}`,
		`{"id":0,"event":{"Room":"r","ID":"e","Body":{"Message":{}}}}`,
		`{"id":99999999999999999999,"events":[{}]}`, `{"id":1.5,"events":[{}]}`,
		`{"id":1,"events":[]}`, `{"id":1,"events":[7]}`, `{"id":1,"event":{"Body":{"Nonsense":{}}}}`,
		`{"id":1,"event":{"Body":{"Message":{},"Edit":{}}}}`,
		`{"id":1,"event":{"Time":"yesterday"}}`,
		`{"sent":"nobody asked","ref":{}}`, `{"answer":"nobody asked"}`, `{"failed":"nobody asked","error":"x"}`,
		`{"failed":"k","retry_after_ms":-5}`, `{"failed":"k","retry_after_ms":99999999999}`,
		`{"sent":"a","failed":"b"}`, `{"answer":"k","body":{"Nonsense":{}}}`,
		"\x00\xff\xfe", strings.Repeat("[", 100_000), `{"id":1,"event":` + strings.Repeat("x", 1000) + "}",
	}
	for i, line := range bad {
		n.write(line)
		out := n.read()
		if out.Refused == "" || out.Line != int64(2*i+1) || len(out.Refused) > 1000 {
			t.Errorf("%.80q gave %+v", line, out)
		}
		n.write(good)
		if out := n.read(); out.Ack != 1 {
			t.Errorf("after %.80q a good line gave %+v", line, out)
		}
	}
	n.write("", "  ", "\t") // blank lines mean nothing
	go n.write(strings.Repeat("x", 3*wire.MaxLine), good)
	if out := n.read(); !strings.Contains(out.Refused, "longer than") {
		t.Errorf("a huge line gave %+v", out)
	}
	if out := n.read(); out.Ack != 1 {
		t.Errorf("after a huge line a good one gave %+v", out)
	}
	// An event that only the core can judge is its to judge.
	n.write(`{"id":5,"event":{"Room":"console:\u001f","ID":"","Sender":"x","Body":{"Timer":{}}}}`)
	if out := n.read(); out.Ack != 5 {
		t.Errorf("a bad event gave %+v", out)
	}
	// What has no newline was cut short.
	if _, err := io.WriteString(n.w, good); err != nil {
		t.Fatal(err)
	}
	n.w.Close()
	if err := <-n.done; err != nil {
		t.Error(err)
	}
	if got := len(rec.Events()); got != len(bad)+2 {
		t.Errorf("%d events were admitted, not %d", got, len(bad)+2)
	}
}

// slowly admits nothing before it is told to.
type slowly struct {
	nowhere
	now chan struct{}
}

func (s slowly) Admit(ctx context.Context, _ []protocol.Event, _ protocol.Cursor) error {
	select {
	case <-s.now:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// An answer that stands behind events is there although these wait.
func TestPipeReadsAnswersBehindEventsThatWait(t *testing.T) {
	to := slowly{now: make(chan struct{})}
	n := newNetwork(t, to)
	const lines = 100
	for i := range lines {
		n.write(eventLine(t, int64(i+1), protocoltest.Says(lobby, protocol.EventID(fmt.Sprint("e", i)), ann, "hello")))
	}
	sent := make(chan error, 1)
	go func() {
		_, err := n.pipe.Send(t.Context(), protocol.Outgoing{Key: "k"}, protocol.Attempt{})
		sent <- err
	}()
	if out := n.read(); out.Send == nil || out.Send.Key != "k" {
		t.Fatalf("it asks for %+v", out)
	}
	n.write(`{"sent":"k"}`)
	select {
	case err := <-sent:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the answer is not read")
	}
	close(to.now)
	for i := range lines {
		if out := n.read(); out.Ack != int64(i+1) {
			t.Fatalf("got %+v, want an acknowledgement of %d", out, i+1)
		}
	}
}

func TestPipeAsksAndIsAnswered(t *testing.T) {
	n := newNetwork(t, &protocoltest.Recorder{})
	list := protocol.MemberList{Last: true, Members: []protocol.Member{{User: ann, Name: "ann", Since: start}}}
	ref := protocol.Ref{Room: lobby, Event: "e9"}
	text := func(v any) string {
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	retry := &protocol.SendError{RetryAfter: 500 * time.Millisecond, Err: errors.New("slow down")}
	gone := &protocol.SendError{Final: true, Err: fmt.Errorf("%w: kicked", protocol.ErrGone)}
	unknown := &protocol.SendError{Ambiguous: true, Err: errors.New("timeout")}
	type result struct {
		ref  protocol.Ref
		body protocol.Body
		err  error
	}
	for name, tc := range map[string]struct {
		ask    bool
		answer string
		check  func(r result) bool
	}{
		"sent":    {false, text(wire.In{Sent: "k", Ref: &ref}), func(r result) bool { return r.err == nil && r.ref == ref }},
		"nothing": {false, `{"sent":"k"}`, func(r result) bool { return r.err == nil && r.ref == protocol.Ref{} }},
		"retry": {false, text(wire.Failure("k", retry)), func(r result) bool {
			return cmp.Equal(asSend(r.err), sendError{false, false, retry.RetryAfter, "slow down"})
		}},
		"gone":      {false, text(wire.Failure("k", gone)), func(r result) bool { return asSend(r.err).Final && errors.Is(r.err, protocol.ErrGone) }},
		"ambiguous": {false, text(wire.Failure("k", unknown)), func(r result) bool { return asSend(r.err).Ambiguous && !errors.Is(r.err, protocol.ErrGone) }},
		"plain":     {true, text(wire.Failure("k", errors.New("boo"))), func(r result) bool { return r.err != nil && r.err.Error() == "boo" && asSend(r.err) == sendError{} }},
		"answer":    {true, text(wire.In{Answer: "k", Body: &wire.Body{Body: list}}), func(r result) bool { return r.err == nil && cmp.Equal(r.body, protocol.Body(list)) }},
		"no body":   {true, `{"answer":"k"}`, func(r result) bool { return r.err == nil && r.body == nil }},
		"gone ask":  {true, text(wire.Failure("k", gone)), func(r result) bool { return asSend(r.err).Final && errors.Is(r.err, protocol.ErrGone) }},
	} {
		got := make(chan result, 1)
		go func() {
			var r result
			if tc.ask {
				r.body, r.err = n.pipe.Ask(t.Context(), protocol.Ask{Key: "k", Room: lobby, Want: protocol.AskMembers{}}, protocol.Attempt{N: 2})
			} else {
				r.ref, r.err = n.pipe.Send(t.Context(), protocol.Outgoing{Key: "k", Room: lobby, Act: protocol.Say{Text: protocol.Plain("x")}}, protocol.Attempt{N: 2, Original: ref})
			}
			got <- r
		}()
		out := n.read()
		if tc.ask != (out.Ask != nil) || tc.ask == (out.Send != nil) || out.Attempt.N != 2 {
			t.Errorf("%s: the bot wrote %+v", name, out)
		}
		n.write(tc.answer)
		if r := <-got; !tc.check(r) {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

type sendError struct {
	Final, Ambiguous bool
	RetryAfter       time.Duration
	Cause            string
}

func asSend(err error) sendError {
	var se *protocol.SendError
	if !errors.As(err, &se) {
		return sendError{}
	}
	return sendError{se.Final, se.Ambiguous, se.RetryAfter, se.Err.Error()}
}

func TestPipeContexts(t *testing.T) {
	n := newNetwork(t, &protocoltest.Recorder{})
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 2)
	send := func(ctx context.Context) {
		_, err := n.pipe.Send(ctx, protocol.Outgoing{Key: "k", Room: lobby, Act: protocol.Say{}}, protocol.Attempt{})
		got <- err
	}
	go send(ctx)
	n.read()
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("a send whose context ended gave %v", err)
	}
	n.write(`{"sent":"k"}`) // too late for anybody
	if out := n.read(); out.Refused == "" {
		t.Errorf("got %+v", out)
	}
	go send(t.Context())
	n.read()
	n.stop() // while a read blocks and a send waits
	if err := <-n.done; err != nil {
		t.Errorf("Run gave %v", err)
	}
	if err := <-got; !errors.Is(err, console.ErrClosed) {
		t.Errorf("a send that waited gave %v", err)
	}
}

// The whole conformance suite once more, with the world in the "parent process" and the bot at a pipe.
func TestPipeConformance(t *testing.T) {
	protocoltest.Run(t, func(t testing.TB) protocoltest.Harness {
		return &piped{harness: newHarness(t, console.Config{})}
	})
}

// piped is a harness whose adapter is a Pipe to an adapter of the world.
type piped struct{ *harness }

func (p *piped) Adapter() protocol.Adapter {
	a := &pipedAdapter{parent: p.harness.Adapter()}
	a.in, a.toBot = io.Pipe()
	a.fromBot, a.out = io.Pipe()
	a.Pipe = console.NewPipe(a.in, a.out)
	return a
}

type pipedAdapter struct {
	*console.Pipe
	parent      protocol.Adapter
	in, fromBot *io.PipeReader
	out, toBot  *io.PipeWriter
}

func (a *pipedAdapter) Run(ctx context.Context, to protocol.Admitter) error {
	parent := &parent{to: to, w: wire.NewWriter(a.toBot), acks: make(chan int64, 1)}
	pctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- a.parent.Run(pctx, parent) }()
	go func() { done <- parent.read(pctx, a.fromBot, a.parent) }()
	err := a.Pipe.Run(ctx, to)
	cancel()
	for _, c := range []io.Closer{a.in, a.toBot, a.fromBot, a.out} {
		c.Close()
	}
	<-done
	<-done
	return err
}

// parent hands what an adapter admits to the bot at the other end of the pipe.
type parent struct {
	to   protocol.Admitter // for its cursor
	w    *wire.Writer
	acks chan int64
	n    int64
}

func (p *parent) Cursor(name string) (string, error) { return p.to.Cursor(name) }

func (p *parent) Admit(ctx context.Context, events []protocol.Event, cursor protocol.Cursor) error {
	p.n++
	if err := p.w.Write(wire.In{ID: p.n, Events: events}); err != nil {
		return err
	}
	select {
	case <-p.acks:
		return p.to.Admit(ctx, nil, cursor)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *parent) read(ctx context.Context, from io.Reader, a protocol.Adapter) error {
	r := wire.NewReader(from)
	for {
		text, _, err := r.Next()
		if err != nil {
			return err
		}
		var out wire.Out
		if err := json.Unmarshal(text, &out); err != nil {
			return err
		}
		var in wire.In
		switch {
		case out.Ack != 0:
			p.acks <- out.Ack
			continue
		case out.Send != nil:
			if ref, err := a.Send(ctx, *out.Send, *out.Attempt); err != nil {
				in = wire.Failure(out.Send.Key, err)
			} else {
				in = wire.In{Sent: out.Send.Key, Ref: &ref}
			}
		case out.Ask != nil:
			if body, err := a.Ask(ctx, *out.Ask, *out.Attempt); err != nil {
				in = wire.Failure(out.Ask.Key, err)
			} else {
				in = wire.In{Answer: out.Ask.Key, Body: &wire.Body{Body: body}}
			}
		}
		if err := p.w.Write(in); err != nil {
			return err
		}
	}
}

// Whatever line comes, the next one is read.
func FuzzPipe(f *testing.F) {
	f.Add([]byte(`{"id":1,"event":{"Room":"console:lobby","ID":"e1","Body":{"Message":{"Text":"hi"}}}}`))
	f.Add([]byte(`{"sent":"k","ref":{"Room":"r","Event":"e"}}`))
	f.Add([]byte(`{"answer":"k","body":{"MemberList":{"Last":true,"Members":[{"User":"console:ann"}]}}}`))
	f.Add([]byte(`{"failed":"k","error":"x","final":true,"gone":true,"retry_after_ms":5}`))
	f.Add([]byte("\x00{\n\n[[["))
	f.Fuzz(func(t *testing.T, line []byte) {
		last := eventLine(t, 1<<40, protocoltest.Says(lobby, "last", ann, "still here"))
		var out strings.Builder
		p := console.NewPipe(strings.NewReader(string(line)+"\n"+last+"\n"), &out)
		if err := p.Run(t.Context(), &protocoltest.Recorder{}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if got := lines[len(lines)-1]; got != fmt.Sprintf(`{"ack":%d}`, int64(1)<<40) {
			t.Errorf("the last line was answered by %s", got)
		}
	})
}
