package matrix_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/matrixtest"
)

// What a homeserver answers is its own affair: whatever it is, it costs an attempt.

// hostile is an adapter and a server that answers one kind of request with what nobody expects.
type hostile struct {
	*harness
	log     *logbook
	adapter protocol.Adapter
	rec     *recorder
	number  int
}

func newHostile(t *testing.T) *hostile {
	w := &hostile{harness: newHarness(t), log: &logbook{}}
	w.State(w.town, w.ann, "m.room.power_levels", "", map[string]any{"users": map[string]any{w.ann: 100, w.bot: 100}, "kick": 50})
	w.start()
	return w
}

func (w *hostile) start() {
	w.adapter = adapter{matrix.New(matrix.Config{
		Connect: w.connect, Rooms: w.ledger, Log: slog.New(w.log), Timeline: 5, Enforce: true, Name: "Moot",
		Commands: map[string][]matrix.Command{"": {{Path: []string{"ping"}, Summary: "answers"}}},
	}), w.ledger}
	w.rec = newRecorder(w.TB, w.adapter)
}

func (w *hostile) again() {
	w.rec.stop()
	w.start()
}

// within is the time that a request gets here.
func (w *hostile) within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), w.Patience())
	w.Cleanup(cancel)
	return ctx
}

func (w *hostile) key() protocol.Key {
	w.number++
	return protocol.DeriveKey(w.Name(), string(rune(w.number)))
}

func (w *hostile) send(act protocol.Act) error {
	out := protocol.Outgoing{Key: w.key(), Room: w.Room(), Act: act}
	if _, private := act.(protocol.Whisper); private {
		out.Room = ""
	}
	_, err := w.adapter.Send(w.within(), out, protocol.Attempt{N: 1})
	return err
}

func (w *hostile) ask(room protocol.RoomID, want protocol.Want) error {
	_, err := w.adapter.Ask(w.within(), protocol.Ask{Key: w.key(), Room: room, Want: want}, protocol.Attempt{N: 2})
	return err
}

// asked returns when a request has come once more.
func (w *hostile) asked(path string, act func()) {
	w.Helper()
	n := w.Count(path)
	act()
	if !w.Asked(path, n+1, w.within().Done()) {
		w.Errorf("%s is not asked for", path)
	}
}

// TestAnAnswerOfAnotherKind: for each request that the adapter makes, an answer that is no object, not the expected one, or deep
// without end ends neither the adapter nor what it does next.
func TestAnAnswerOfAnotherKind(t *testing.T) {
	t.Parallel()
	say := protocol.Say{Text: protocol.Plain("hello")}
	for path, act := range map[string]func(w *hostile, path string) error{
		"/sync": func(w *hostile, path string) error {
			w.asked(path, func() { w.Server.Say(w.town, w.ann, "hello") })
			return nil
		},
		"GET /_matrix/client/v3/profile/": func(w *hostile, path string) error { w.asked(path, w.again); return nil },
		"/account_data/":                  func(w *hostile, path string) error { w.asked(path, w.again); return nil },
		"/pushrules/":                     func(w *hostile, path string) error { w.asked(path, w.again); return nil },
		"/joined_rooms":                   func(w *hostile, path string) error { w.asked(path, w.again); return nil },
		"PUT /_matrix/client/v3/profile/": func(w *hostile, path string) error {
			w.asked(path, func() {
				w.rec.stop() // so that the run before does not give it its name in the meantime
				w.Server.Rename(w.bot, "Somebody")
				w.start()
			})
			return nil
		},
		"/state/m.room.member/": func(w *hostile, path string) error {
			room := w.Create(w.ann, "Hall", nil)
			w.EarlyJoin()
			w.asked(path, func() { w.enter(room) })
			return nil
		},
		"/joined_members": func(w *hostile, path string) error {
			w.HideCounts(true)
			room := w.Create(w.ann, "", nil)
			w.asked(path, func() { w.enter(room) })
			return nil
		},
		"/messages": func(w *hostile, path string) error {
			w.asked(path, func() {
				ready := make(chan struct{})
				w.Break("/sync", -1, matrixtest.Fault{Hold: ready})
				for range 20 {
					w.Server.Say(w.town, w.ann, "chat")
				}
				close(ready)
			})
			return nil
		},
		"/members":                  func(w *hostile, _ string) error { return w.ask(w.Room(), protocol.AskMembers{}) },
		"/state/m.room.power_level": func(w *hostile, _ string) error { return w.ask(w.Room(), protocol.AskMembers{}) },
		"/power_levels": func(w *hostile, _ string) error {
			return w.ask(w.Room(), protocol.AskRestrain{User: mx(w.ben), On: w.number%2 == 0})
		},
		"/relations/": func(w *hostile, _ string) error {
			target := w.Server.Say(w.town, w.ann, "vote")
			w.Send(w.town, w.ann, "m.reaction", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": target, "key": "x"}})
			return w.ask(w.Room(), protocol.AskReactions{Target: protocol.EventID(target)})
		},
		"/send/": func(w *hostile, _ string) error { return w.send(say) },
		"/receipt/": func(w *hostile, path string) error {
			w.asked(path, func() { w.Server.Say(w.town, w.ann, "hello") })
			return nil
		},
		"/state/m.room.encryption": func(w *hostile, _ string) error {
			room := w.Create(w.ann, "Hall", nil)
			w.enter(room)
			_, err := w.adapter.Send(w.within(), protocol.Outgoing{Key: w.key(), Room: mxRoom(room), Act: say}, protocol.Attempt{N: 1})
			return err
		},
		"/join/": func(w *hostile, _ string) error {
			room := w.Create(w.ann, "Hall", map[string]map[string]any{"m.room.join_rules": {"join_rule": "public"}})
			return w.ask(mxRoom(room), protocol.AskJoin{})
		},
		"/leave": func(w *hostile, _ string) error {
			room := w.Create(w.ann, "Hall", nil)
			w.enter(room)
			return w.ask(mxRoom(room), protocol.AskLeave{})
		},
		"/createRoom": func(w *hostile, _ string) error {
			return w.send(protocol.Whisper{User: mx(w.ben), Asked: true, Text: protocol.Plain("psst")})
		},
		"/state": func(w *hostile, path string) error {
			room := w.Create(w.ann, "Hall", nil)
			w.Member(room, w.ben, w.ben, "join", nil)
			w.asked("/state", func() { w.enter(room) })
			return nil
		},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := newHostile(t)
			w.Ready()
			for i, twist := range matrixtest.Twists() {
				few := effort.Quick() || path == "/receipt/" // which come some seconds later
				if few && i%6 != len(path)%6 || path == "/sync" && twist.Name == `at depth 1 all is "x"` {
					continue // from a token that it does not know the server goes on only after a while
				}
				w.Break(path, -1, matrixtest.Fault{Change: twist.Change})
				if err := act(w, path); err != nil && strings.Contains(err.Error(), "panic") {
					t.Errorf("%s: %v", twist.Name, err)
				}
				w.Heal()
				w.Ready() // or its pauses between attempts add up
				if n := w.log.count("panic"); n > 0 {
					t.Fatalf("%s: %d lines of the log tell of a panic:\n%s", twist.Name, n, w.log)
				}
				select {
				case err := <-w.rec.done:
					t.Fatalf("%s: the adapter has ended with %v", twist.Name, err)
				default:
				}
			}
			w.Ready()
			said := time.Now()
			if err := w.send(say); err != nil {
				t.Errorf("afterwards it says nothing: %v, after %s", err, time.Since(said))
			}
		})
	}
}

// TestWhatStandsOnTheAccountCannotBeRead: the bot comes to its rooms without it, and says so once.
func TestWhatStandsOnTheAccountCannotBeRead(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	for _, c := range []struct {
		path   string
		status int
	}{{"GET /_matrix/client/v3/profile/", 200}, {"/account_data/m.direct", 200}, {"/account_data/m.direct", 404}} {
		w := newTown(t)
		w.Break(c.path, -1, matrixtest.Fault{Status: c.status, Body: "[]"})
		w.start()
		w.Server.Say(w.town, w.ann, "ping 1")
		w.settle()
		w.expect(w.town, "pong 1")
		if n := w.log.count("the bot goes on without"); n != 1 {
			t.Errorf("%v: that is logged %d times\n%s", c, n, w.log)
		}
	}
}

// TestASendThatIsNotAcknowledged is none: only an id says that there is an event.
func TestASendThatIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	w := newHostile(t)
	w.Ready()
	w.Break("/send/", 1, matrixtest.Fault{Change: func([]byte) []byte { return []byte("{}") }})
	var said *protocol.SendError
	if err := w.send(protocol.Say{Text: protocol.Plain("hello")}); err == nil || errors.As(err, &said) && said.Final {
		t.Errorf("it ends with %v", err)
	}
	w.rec.stop()
}
