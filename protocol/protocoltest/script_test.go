package protocoltest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/remote/wire"
)

const (
	lobby = protocol.RoomID("console:lobby")
	ann   = protocol.UserID("console:ann")
)

// bot is the other end of a script, line by line.
type bot struct {
	t    *testing.T
	life *Life
	in   *wire.Reader
	out  *wire.Writer
	die  func()
}

func attach(t *testing.T, s *Script) *bot {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	b := &bot{t: t, in: wire.NewReader(inR), out: wire.NewWriter(outW)}
	b.die = func() { inR.Close(); outW.Close() }
	b.life = s.Attach(inW, outR)
	t.Cleanup(func() { b.die(); b.life.Wait() })
	return b
}

func (b *bot) read() (in wire.In) {
	b.t.Helper()
	line, _, err := b.in.Next()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := json.Unmarshal(line, &in); err != nil {
		b.t.Fatal(err)
	}
	return in
}

func (b *bot) write(out wire.Out) {
	b.t.Helper()
	if err := b.out.Write(out); err != nil {
		b.t.Fatal(err)
	}
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestScriptDeliversUntilAcknowledged(t *testing.T) {
	s := NewScript(ScriptConfig{Overlap: 1})
	for _, id := range []protocol.EventID{"e1", "e2", "e3"} {
		s.Deliver(Says(lobby, id, ann, "hello"))
	}
	b := attach(t, s)
	for want := int64(1); want <= 3; want++ {
		if in := b.read(); in.ID != want {
			t.Errorf("line %d came as %d", want, in.ID)
		}
	}
	b.write(wire.Out{Ack: 1})
	b.write(wire.Out{Ack: 2})
	if err := s.WaitAcked(soon(t), 2); err != nil {
		t.Fatal(err)
	}
	b.die()

	b = attach(t, s)
	for want := int64(2); want <= 3; want++ { // one that overlaps, one that was not acknowledged
		if in := b.read(); in.ID != want {
			t.Errorf("line %d came as %d", want, in.ID)
		}
	}
	b.write(wire.Out{Ack: 3})
	if err := s.WaitAcked(soon(t), 0); err != nil {
		t.Fatal(err)
	}
	if id := s.Deliver(Joins(lobby, "e4", ann, false)); id != 4 || b.read().ID != 4 {
		t.Error("what is delivered later does not come")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.WaitAcked(ended, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for an unacknowledged line gave %v", err)
	}
}

func TestScriptLetsAKeyStandOnce(t *testing.T) {
	tries := 0
	s := NewScript(ScriptConfig{Echo: true, Refuse: func(out protocol.Outgoing, attempt protocol.Attempt) error {
		if tries++; tries == 1 {
			return &protocol.SendError{RetryAfter: time.Second, Err: errors.New("slow down")}
		}
		return nil
	}})
	say := protocol.Outgoing{Key: "k1", Room: lobby, Act: protocol.Say{Text: protocol.Plain("hello")}}
	whisper := protocol.Outgoing{Key: "k2", Act: protocol.Whisper{User: ann, Text: protocol.Plain("psst")}}
	b := attach(t, s)
	b.write(wire.Out{Send: &say, Attempt: &protocol.Attempt{N: 1}})
	if in := b.read(); in.Failed != "k1" || in.RetryAfterMS != 1000 {
		t.Errorf("got %+v", in)
	}
	if len(s.Transcript()) != 0 {
		t.Error("what was refused stands")
	}
	b.write(wire.Out{Send: &say})
	first := b.read()
	if first.Sent != "k1" || first.Ref.Room != lobby {
		t.Errorf("got %+v", first)
	}
	echo := b.read()
	if r, ok := echo.Events[0].Body.(protocol.Receipt); !ok || r.Key != "k1" || echo.Events[0].ID != first.Ref.Event {
		t.Errorf("the echo is %+v", echo)
	}
	b.die()

	b = attach(t, s)
	b.read() // the echo was not acknowledged
	b.write(wire.Out{Send: &say})
	if again := b.read(); *again.Ref != *first.Ref {
		t.Errorf("the second time it stands at %v, the first at %v", again.Ref, first.Ref)
	}
	b.write(wire.Out{Send: &whisper})
	if err := s.WaitSent(soon(t), 2); err != nil {
		t.Fatal(err)
	}
	const want = "console:dm-ann\n  whispers \"psst\"\nconsole:lobby\n  says \"hello\"\n"
	if got := s.Text(); got != want {
		t.Errorf("people see\n%swant\n%s", got, want)
	}
	if e := s.Transcript()[0]; e.Key != "k1" || e.Attempts != 2 {
		t.Errorf("the first entry is %+v", e)
	}
}

func TestScriptAnswers(t *testing.T) {
	s := NewScript(ScriptConfig{})
	s.Deliver(Says(lobby, "e1", ann, "hello"))
	b := attach(t, s)
	b.read()
	b.write(wire.Out{Ask: &protocol.Ask{Key: "k1", Room: lobby, Want: protocol.AskMembers{}}})
	in := b.read()
	list, ok := in.Body.Body.(protocol.MemberList)
	if !ok || len(list.Members) != 2 || !list.Members[0].Self || list.Members[1].User != ann {
		t.Errorf("got %+v", in.Body)
	}
	b.write(wire.Out{Ask: &protocol.Ask{Key: "k2", Room: lobby, Want: protocol.AskReactions{Target: "e1"}}})
	if set, ok := b.read().Body.Body.(protocol.ReactionSet); !ok || set.Target != "e1" {
		t.Errorf("got %+v", set)
	}
	b.write(wire.Out{Ack: 99})
	b.write(wire.Out{Refused: "why"})
	b.write(wire.Out{Ack: 1})
	if err := s.WaitAcked(soon(t), 0); err != nil {
		t.Fatal(err)
	}
	if got := s.Refused(); len(got) != 2 || got[1] != "why" {
		t.Errorf("refused: %q", got)
	}
	// The bot hears the end of the network, and the network that of the bot.
	if err := b.life.Hangup(); err != nil {
		t.Error(err)
	}
	if _, _, err := b.in.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end the bot reads %v", err)
	}
}

func TestKeepNoticesABotThatEnds(t *testing.T) {
	s := NewScript(ScriptConfig{})
	s.Deliver(Says(lobby, "e1", ann, "hello"))
	err := s.Keep(soon(t), func() *exec.Cmd { return exec.Command("false") }, func(ctx context.Context) error { return s.WaitAcked(ctx, 0) })
	if err == nil {
		t.Error("a bot that ends by itself is no error")
	}
}

func TestCheckNamesAreDistinct(t *testing.T) {
	var names []string
	for _, c := range Checks() {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	if n := len(names); len(slices.Compact(names)) != n {
		t.Error("two checks have one name")
	}
}
