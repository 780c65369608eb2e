package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/protocoltest"
)

// running runs an adapter until the test ends and waits until it has read what there is.
func running(t *testing.T, w *World, rec *protocoltest.Recorder) (a *Adapter, stop func()) {
	t.Helper()
	a = NewAdapter(w)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, rec) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	settle(t, a)
	return a, stop
}

func settle(t *testing.T, a *Adapter) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// Accepting an invitation adds to the log; then there is more to admit.
	for end := uint64(0); end != a.world.last(); {
		end = a.world.last()
		check(t, a.Admitted(ctx))
	}
}

// brief writes events as short lines.
func brief(events []protocol.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%s %s %s", e.Room.Local(), e.ID, protocol.KindOf(e.Body))
		switch body := e.Body.(type) {
		case protocol.Message:
			fmt.Fprintf(&b, " %q", body.Text)
		case protocol.MemberChange:
			fmt.Fprintf(&b, " %s %s", body.User.Local(), body.Membership)
		}
		if e.History {
			b.WriteString(" history")
		}
		if e.Backlog {
			b.WriteString(" backlog")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestTheFirstReading(t *testing.T) {
	w := open(t, frozen(""))
	rec := &protocoltest.Recorder{}
	running(t, w, rec)
	in := func(id protocol.RoomID) []protocol.Event {
		return slices.DeleteFunc(rec.Events(), func(e protocol.Event) bool { return e.Room != id })
	}
	want := `workshop e20 RoomChange history backlog
workshop e21 MemberChange ben joined history backlog
workshop e22 MemberChange dan joined history backlog
workshop e23 MemberChange eve joined history backlog
workshop e24 MemberChange finn joined history backlog
workshop e27 MemberChange moot joined backlog
workshop e27-state RoomChange backlog
workshop e29 Message "The lathe is repaired." backlog
workshop e35 Message "Who has the small screwdriver?" backlog
`
	if got := brief(in(workshop)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for _, e := range rec.Events() {
		if _, ok := e.Body.(protocol.Message); ok && (e.Time.After(start) || e.Time.Before(start.Add(-10*day))) {
			t.Errorf("%s has the time %s", e.ID, e.Time)
		}
	}
}

func TestAReplayComesInOneDeliveryOfItsOwn(t *testing.T) {
	w := open(t, frozen(""))
	rec := &protocoltest.Recorder{}
	_, stop := running(t, w, rec)
	stop()
	seen := len(rec.Events())

	// All of this happens while the bot is down.
	command := must[protocol.EventID](t)(w.Say(lobby, ann, "!moot do it", ""))
	check(t, w.Kick(lobby, ann, Bot, ""))
	for i := range 2 * Replay {
		must[protocol.EventID](t)(w.Say(lobby, ben, fmt.Sprint("while out ", i), ""))
	}
	check(t, w.Invite(lobby, ann, Bot))
	running(t, w, rec)

	events := rec.Events()
	at := slices.IndexFunc(events, func(e protocol.Event) bool { return e.ID == command })
	if at < seen {
		t.Fatalf("the command did not come:\n%s", brief(events[seen:]))
	}
	join := slices.IndexFunc(events, func(e protocol.Event) bool { return e.ID == eventID(w.last()) })
	batch := rec.Batch(join)
	if len(batch) != Replay+2 {
		t.Errorf("the delivery of the join has %d events:\n%s", len(batch), brief(batch))
	}
	if slices.ContainsFunc(batch, func(e protocol.Event) bool { return e.ID == command }) {
		t.Errorf("the command before the kick came with the join, where it counts as history")
	}
	outside := 0
	for _, e := range events[seen:] {
		if m, ok := e.Body.(protocol.Message); ok && strings.HasPrefix(m.Text, "while out") {
			outside++
		}
	}
	if outside != Replay-1 { // the last of the fifty is the invitation
		t.Errorf("%d messages came that were said while the bot was out", outside)
	}
}

func TestBatchesAreBounded(t *testing.T) {
	w := open(t, frozen(""))
	for i := range 3 * maxBatch {
		must[protocol.EventID](t)(w.Say(lobby, ann, fmt.Sprint(i), ""))
	}
	rec := &protocoltest.Recorder{}
	running(t, w, rec)
	for i := 0; i < len(rec.Events()); {
		n := len(rec.Batch(i))
		if n > maxBatch {
			t.Errorf("%d events were admitted at once", n)
		}
		i += n
	}
}

func TestACursorOfAnotherWorld(t *testing.T) {
	rec := &protocoltest.Recorder{}
	_, stop := running(t, open(t, Config{}), rec)
	stop()
	err := NewAdapter(open(t, Config{})).Run(t.Context(), rec)
	if !errors.Is(err, ErrOtherWorld) || !strings.Contains(err.Error(), FileName) {
		t.Errorf("got %v", err)
	}
	for _, bad := range []string{"x", "fixed-1:1", ":", "x:-1", "1"} {
		if err := NewAdapter(open(t, frozen(""))).Run(t.Context(), cursorIs(bad)); !errors.Is(err, ErrOtherWorld) {
			t.Errorf("the cursor %q gave %v", bad, err)
		}
	}
	w := open(t, frozen(""))
	beyond := NewAdapter(w).cursor(w.last() + 1).Value
	if err := NewAdapter(w).Run(t.Context(), cursorIs(beyond)); !errors.Is(err, ErrOtherWorld) {
		t.Errorf("a cursor beyond the end gave %v", err)
	}
}

type cursorIs string

func (c cursorIs) Cursor(string) (string, error) { return string(c), nil }
func (c cursorIs) Admit(context.Context, []protocol.Event, protocol.Cursor) error {
	return errors.New("nothing should be admitted")
}

func TestOneAdapterRunsAtATime(t *testing.T) {
	a, _ := running(t, open(t, frozen("")), &protocoltest.Recorder{})
	if err := a.Run(t.Context(), &protocoltest.Recorder{}); err == nil {
		t.Error("it runs twice")
	}
}

func TestMentionsAndAddress(t *testing.T) {
	w := open(t, frozen(""))
	check(t, w.SetNick(ben, "Ben the Great"))
	check(t, w.SetNick(eve, "Twin"))
	check(t, w.SetNick(dan, "Twin"))
	rec := &protocoltest.Recorder{}
	a, _ := running(t, w, rec)
	const annToken, benToken, botToken = "<@console:ann>", "<@console:ben>", "<@console:moot>"
	for typed, want := range map[string]protocol.Message{
		"hello @ann":                 {Text: "hello " + annToken},
		"@Ann, @ANN!":                {Text: annToken + ", " + annToken + "!"},
		"(@ann)":                     {Text: "(" + annToken + ")"},
		"me@ann.example":             {Text: "me@ann.example"},
		"@anna @an @":                {Text: "@anna @an @"},
		"@Ben the Great is here":     {Text: benToken + " is here"},
		"@Ben the Greatest":          {Text: benToken + " the Greatest"},
		"@ben the Great":             {Text: benToken + " the Great"},
		"@Twin":                      {Text: "@Twin"},
		"@moot help":                 {Text: "help", Addressed: true},
		"@moot":                      {Text: "", Addressed: true},
		"@moot: help":                {Text: "help", Addressed: true},
		"  Moot,  help @ann":         {Text: "help " + annToken, Addressed: true},
		"moot: help":                 {Text: "help", Addressed: true},
		"moot help":                  {Text: "moot help"},
		"I like @moot":               {Text: "I like " + botToken},
		"!moot help":                 {Text: "!moot help"},
		"//x and \x1b[31m\u202e\x1f": {Text: "//x and \x1b[31m\u202e\x1f"},
		"bad \xff utf":               {Text: "bad \uFFFD utf"},
	} {
		id := must[protocol.EventID](t)(w.Say(lobby, ann, typed, ""))
		settle(t, a)
		events := rec.Events()
		e := events[len(events)-1]
		if e.ID != id || e.Body != protocol.Body(want) {
			t.Errorf("%q came as %+v, not %+v", typed, e.Body, want)
		}
		if err := e.Check(protocol.Console); err != nil {
			t.Errorf("%q: %v", typed, err)
		}
	}
}

func TestSendingWithoutRight(t *testing.T) {
	w := open(t, frozen(""))
	a := NewAdapter(w)
	said := must[protocol.EventID](t)(w.Say(lobby, ann, "hello", ""))
	send := func(key protocol.Key, act protocol.Act, original protocol.EventID) error {
		_, err := a.Send(t.Context(), protocol.Outgoing{Key: key, Room: lobby, Act: act}, protocol.Attempt{Original: protocol.Ref{Room: lobby, Event: original}})
		return err
	}
	var se *protocol.SendError
	for name, err := range map[string]error{
		"revising what a person said": send("2", protocol.Revise{Text: protocol.Plain("x")}, said),
		"saying nothing":              send("3", protocol.Say{}, ""),
	} {
		if !errors.As(err, &se) || !se.Final || errors.Is(err, protocol.ErrGone) {
			t.Errorf("%s gave %v", name, err)
		}
	}
	check(t, w.Delete(lobby, ann, said, ""))
	if err := send("5", protocol.React{Target: said, Reaction: "x"}, ""); !errors.Is(err, protocol.ErrGone) {
		t.Errorf("reacting to what was redacted gave %v", err)
	}
}
