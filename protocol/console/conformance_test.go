package console_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/protocoltest"
)

const (
	lobby = protocol.RoomID("console:lobby")
	ann   = protocol.UserID("console:ann")
	ben   = protocol.UserID("console:ben")
)

func TestConformance(t *testing.T) {
	for name, dir := range map[string]bool{"in memory": false, "on disk": true} {
		t.Run(name, func(t *testing.T) {
			protocoltest.Run(t, func(t testing.TB) protocoltest.Harness {
				cfg := console.Config{}
				if dir {
					cfg.Dir = t.TempDir()
				}
				return newHarness(t, cfg)
			})
		})
	}
}

// harness drives a World as people do.
type harness struct {
	testing.TB
	w       *console.World
	adapter *console.Adapter // the last one
}

func newHarness(t testing.TB, cfg console.Config) *harness {
	w, err := console.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return &harness{TB: t, w: w}
}

func (h *harness) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *harness) Adapter() protocol.Adapter {
	h.adapter = console.NewAdapter(h.w)
	return h.adapter
}

// Ready waits until the adapter has read what there is: what comes now is new to it.
func (h *harness) Ready() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	h.must(h.adapter.Admitted(ctx))
}

func (h *harness) Bot() protocol.UserID                          { return console.Bot }
func (h *harness) Room() protocol.RoomID                         { return lobby }
func (h *harness) People() (first, second protocol.UserID)       { return ann, ben }
func (h *harness) FailMembers(on bool)                           { h.must(h.w.FailMembers(on)) }
func (h *harness) Again(in protocol.RoomID, id protocol.EventID) { h.must(h.w.Again(in, id)) }
func (h *harness) Nick(user protocol.UserID, name string)        { h.must(h.w.SetNick(user, name)) }
func (h *harness) Rename(in protocol.RoomID, name string)        { h.must(h.w.RenameRoom(in, ann, name)) }
func (h *harness) Leave(in protocol.RoomID, u protocol.UserID)   { h.must(h.w.Leave(in, u)) }
func (h *harness) Join(in protocol.RoomID, u protocol.UserID)    { h.must(h.w.Join(in, u)) }
func (h *harness) KickBot(in protocol.RoomID)                    { h.must(h.w.Kick(in, ann, console.Bot, "too loud")) }
func (h *harness) InviteBot(in protocol.RoomID)                  { h.must(h.w.Invite(in, ann, console.Bot)) }

func (h *harness) Say(in protocol.RoomID, by protocol.UserID, text string) protocol.EventID {
	h.Helper()
	id, err := h.w.Say(in, by, text, "")
	h.must(err)
	return id
}

func (h *harness) Tell(by protocol.UserID, text string) protocol.Ref {
	h.Helper()
	in, err := h.w.Direct(by)
	h.must(err)
	return protocol.Ref{Room: in, Event: h.Say(in, by, text)}
}

func (h *harness) Edit(in protocol.RoomID, by protocol.UserID, target protocol.EventID, text string) {
	h.must(h.w.Edit(in, by, target, text))
}

func (h *harness) Delete(in protocol.RoomID, by protocol.UserID, target protocol.EventID) {
	h.must(h.w.Delete(in, by, target, ""))
}

func (h *harness) React(in protocol.RoomID, by protocol.UserID, target protocol.EventID, with string) {
	h.must(h.w.React(in, by, target, with))
}

func (h *harness) Unreact(in protocol.RoomID, by protocol.UserID, target protocol.EventID, with string) {
	h.must(h.w.Unreact(in, by, target, with))
}

func (h *harness) Call(in protocol.RoomID, by protocol.UserID, on bool) {
	v := protocol.VoicePresence{}
	if on {
		v.Call = "voice"
	}
	h.must(h.w.Voice(in, by, v))
}

func (h *harness) Found(by protocol.UserID, said ...string) protocol.RoomID {
	id, err := h.w.CreateRoom(by, "attic")
	h.must(err)
	for _, text := range said {
		h.Say(id, by, text)
	}
	return id
}

func (h *harness) Read(in protocol.RoomID) []protocoltest.Standing {
	var all []protocoltest.Standing
	for _, m := range h.w.Messages(in) {
		all = append(all, protocoltest.Standing{ID: m.ID, By: m.By, Text: m.Text, Reactions: m.Reactions})
	}
	return all
}

func (h *harness) ReadPrivate(user protocol.UserID) []protocoltest.Standing {
	return h.Read(protocol.RoomID("console:dm-" + user.Local()))
}

// A check that cannot fail checks nothing. Each of these adapters breaks one promise, and the checks that are named
// must notice.
func TestConformanceChecksCanFail(t *testing.T) {
	type events = []protocol.Event
	for _, tc := range []struct {
		name  string
		spoil func(*spoiled)
		want  []string // beginnings of the names of checks
	}{
		{"drops each third message", func(s *spoiled) {
			n := 0
			s.admit = func(es events) events {
				return slices.DeleteFunc(es, func(e protocol.Event) bool {
					_, ok := e.Body.(protocol.Message)
					if ok {
						n++
					}
					return ok && n%3 == 0
				})
			}
		}, []string{"events of a room come in order"}},
		{"turns the order around", func(s *spoiled) {
			s.admit = func(es events) events { slices.Reverse(es); return es }
		}, []string{"what happened while it was down", "the replay after a rejoin"}},
		{"makes new ids", func(s *spoiled) {
			n := 0
			s.admit = each(func(e *protocol.Event) { n++; e.ID += protocol.EventID(fmt.Sprint("-", n)) })
		}, []string{"a message comes", "a repeated event"}},
		{"loses the text", func(s *spoiled) {
			s.admit = each(func(e *protocol.Event) {
				if m, ok := e.Body.(protocol.Message); ok {
					m.Text = ""
					e.Body = m
				}
			})
		}, []string{"a message comes", "a private message"}},
		{"marks nothing as private", func(s *spoiled) {
			s.admit = each(func(e *protocol.Event) { e.Private = false })
		}, []string{"a private message"}},
		{"never has backlog", func(s *spoiled) {
			s.admit = each(func(e *protocol.Event) { e.Backlog = false })
		}, []string{"what happened while it was down"}},
		{"has foreign ids", func(s *spoiled) {
			s.admit = each(func(e *protocol.Event) { e.Sender = "matrix:@x:y" })
		}, []string{"a message comes", "edits", "it ends"}},
		{"forgets its cursor", func(s *spoiled) {
			s.cursor = func(string) string { return "" }
			s.admit = func(es events) events {
				return slices.DeleteFunc(es, func(e protocol.Event) bool { return e.Backlog })
			}
		}, []string{"what happened while it was down"}},
		{"goes on after a refusal as if nothing was", func(s *spoiled) { s.swallow = true }, []string{"what Admit refused"}},
		{"takes edits for messages", func(s *spoiled) {
			s.admit = each(func(e *protocol.Event) {
				if ed, ok := e.Body.(protocol.Edit); ok {
					e.Body = protocol.Message{Text: ed.Text}
				}
			})
		}, []string{"edits name"}},
		{"names the wrong target", func(s *spoiled) {
			s.admit = each(func(e *protocol.Event) {
				switch b := e.Body.(type) {
				case protocol.Deletion:
					e.Body = protocol.Deletion{Target: e.ID}
				case protocol.Edit:
					b.Target = e.ID
					e.Body = b
				case protocol.ReactionAdded:
					b.Target = e.ID
					e.Body = b
				}
			})
		}, []string{"edits name", "deletions name", "reactions come"}},
		{"tells no changes of rooms and people", func(s *spoiled) {
			s.admit = func(es events) events {
				return slices.DeleteFunc(es, func(e protocol.Event) bool {
					switch e.Body.(type) {
					case protocol.RoomChange, protocol.MemberChange, protocol.VoicePresence:
						return true
					}
					return false
				})
			}
		}, []string{"a new room name", "a new display name", "people leave", "voice calls", "nothing of a room", "what was said before the first join", "the bot leaves"}},
		{"takes a change of name for a join", func(s *spoiled) {
			s.admit = each(func(e *protocol.Event) {
				if m, ok := e.Body.(protocol.MemberChange); ok {
					m.Profile = false
					e.Body = m
				}
			})
		}, []string{"a new display name"}},
		{"has no history", func(s *spoiled) {
			s.admit = each(func(e *protocol.Event) { e.History = false })
		}, []string{"what was said before the first join"}},
		{"puts the replay into another delivery", func(s *spoiled) { s.single = true }, []string{"nothing of a room"}},
		{"brings no receipts", func(s *spoiled) {
			s.admit = func(es events) events {
				return slices.DeleteFunc(es, func(e protocol.Event) bool { _, ok := e.Body.(protocol.Receipt); return ok })
			}
		}, []string{"what the bot says"}},
		{"hears itself", func(s *spoiled) {
			s.admit = func(es events) (out events) {
				for _, e := range es {
					out = append(out, e)
					if _, ok := e.Body.(protocol.Receipt); ok {
						e.ID += "x"
						e.Body = protocol.Message{Text: "good evening"}
						out = append(out, e)
					}
				}
				return out
			}
		}, []string{"what the bot says"}},
		{"sends twice", func(s *spoiled) {
			s.send = func(out protocol.Outgoing, at protocol.Attempt) (protocol.Outgoing, protocol.Attempt) {
				out.Key += protocol.Key(fmt.Sprint(at.N))
				return out, at
			}
		}, []string{"a key sent twice", "a key sent again", "a whisper"}},
		{"whispers aloud", func(s *spoiled) {
			s.send = func(out protocol.Outgoing, at protocol.Attempt) (protocol.Outgoing, protocol.Attempt) {
				if w, ok := out.Act.(protocol.Whisper); ok {
					out.Room, out.Act = lobby, protocol.Say{Text: w.Text}
				}
				return out, at
			}
		}, []string{"a whisper"}},
		{"revises by saying again", func(s *spoiled) {
			s.send = func(out protocol.Outgoing, at protocol.Attempt) (protocol.Outgoing, protocol.Attempt) {
				if r, ok := out.Act.(protocol.Revise); ok {
					out.Act = protocol.Say{Text: r.Text}
				}
				return out, at
			}
		}, []string{"a revision"}},
		{"does nothing", func(s *spoiled) {
			s.sendErr = func(error) error { return nil }
			s.send = func(out protocol.Outgoing, at protocol.Attempt) (protocol.Outgoing, protocol.Attempt) {
				out.Act = nil
				return out, at
			}
		}, []string{"what the bot says", "the bot's reaction", "a reply", "writing to nowhere", "writing to a room"}},
		{"calls nothing final", func(s *spoiled) {
			s.sendErr = func(err error) error {
				if err == nil {
					return nil
				}
				return errors.New("it did not work")
			}
		}, []string{"writing to nowhere", "writing to a room"}},
		{"lists half of the members", func(s *spoiled) {
			s.answer = func(b protocol.Body, err error) (protocol.Body, error) {
				if l, ok := b.(protocol.MemberList); ok {
					l.Members = l.Members[1:]
					return l, err
				}
				return b, err
			}
		}, []string{"the member list is whole"}},
		{"takes a failed list for an empty one", func(s *spoiled) {
			s.answer = func(b protocol.Body, err error) (protocol.Body, error) {
				if err != nil {
					return protocol.MemberList{Last: true}, nil
				}
				return b, nil
			}
		}, []string{"a member list that cannot be read"}},
		{"reads no reactions", func(s *spoiled) {
			s.answer = func(b protocol.Body, err error) (protocol.Body, error) {
				if set, ok := b.(protocol.ReactionSet); ok {
					set.Reactions = nil
					return set, err
				}
				return b, err
			}
		}, []string{"reactions are read", "the bot's reaction"}},
		{"opens a new conversation each time", func(s *spoiled) {
			n := 0
			s.send = func(out protocol.Outgoing, at protocol.Attempt) (protocol.Outgoing, protocol.Attempt) {
				if w, ok := out.Act.(protocol.Whisper); ok {
					if n++; n == 2 {
						w.User, out.Act = ann, protocol.Whisper{User: ann, Text: w.Text}
					}
				}
				return out, at
			}
		}, []string{"a private conversation is found"}},
		{"does not end", func(s *spoiled) { s.hang = true }, []string{"it ends"}},
		{"ends with an error", func(s *spoiled) { s.runErr = errors.New("boo") }, []string{"it ends"}},
		{"leaves a goroutine behind", func(s *spoiled) { s.leak = true }, []string{"it ends"}},
		{"ignores the context of a send", func(s *spoiled) { s.deaf = true }, []string{"an ended context"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, want := range tc.want {
				i := slices.IndexFunc(protocoltest.Checks(), func(c protocoltest.Check) bool { return strings.HasPrefix(c.Name, want) })
				if i < 0 {
					t.Fatalf("there is no check %q", want)
				}
				check := protocoltest.Checks()[i]
				fake := &fakeT{TB: t, name: check.Name}
				fake.run(func() {
					check.Run(fake, func(t testing.TB) protocoltest.Harness {
						s := &spoiled{harness: newHarness(t, console.Config{})}
						tc.spoil(s)
						t.Cleanup(s.release)
						return s
					})
				})
				if !fake.failed {
					t.Errorf("the check %q does not notice", check.Name)
				}
			}
		})
	}
}

func each(f func(*protocol.Event)) func([]protocol.Event) []protocol.Event {
	return func(es []protocol.Event) []protocol.Event {
		for i := range es {
			f(&es[i])
		}
		return es
	}
}

// spoiled is a harness whose adapter breaks a promise.
type spoiled struct {
	*harness
	admit   func([]protocol.Event) []protocol.Event
	cursor  func(string) string
	swallow bool // errors of Admit
	single  bool // hands over event by event
	send    func(protocol.Outgoing, protocol.Attempt) (protocol.Outgoing, protocol.Attempt)
	sendErr func(error) error
	answer  func(protocol.Body, error) (protocol.Body, error)
	hang    bool
	leak    bool
	runErr  error
	deaf    bool

	once sync.Once
	stop chan struct{}
}

func (s *spoiled) Patience() time.Duration { return 100 * time.Millisecond }

func (s *spoiled) Adapter() protocol.Adapter {
	s.once.Do(func() { s.stop = make(chan struct{}) })
	s.adapter = console.NewAdapter(s.w)
	return &spoiledAdapter{s, s.adapter}
}

// release ends what a spoiled adapter has left behind.
func (s *spoiled) release() {
	if s.stop != nil {
		close(s.stop)
	}
}

type spoiledAdapter struct {
	s *spoiled
	*console.Adapter
}

func (a *spoiledAdapter) Run(ctx context.Context, to protocol.Admitter) error {
	if a.s.leak {
		go func() { <-a.s.stop }()
	}
	err := a.Adapter.Run(ctx, spoiledAdmitter{a.s, to})
	if a.s.hang {
		<-a.s.stop
	}
	return errors.Join(err, a.s.runErr)
}

func (a *spoiledAdapter) Send(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt) (protocol.Ref, error) {
	if a.s.deaf {
		ctx = context.WithoutCancel(ctx)
	}
	if a.s.send != nil {
		out, attempt = a.s.send(out, attempt)
	}
	ref, err := a.Adapter.Send(ctx, out, attempt)
	if a.s.sendErr != nil {
		err = a.s.sendErr(err)
	}
	return ref, err
}

func (a *spoiledAdapter) Ask(ctx context.Context, ask protocol.Ask, attempt protocol.Attempt) (protocol.Body, error) {
	body, err := a.Adapter.Ask(ctx, ask, attempt)
	if a.s.answer != nil {
		body, err = a.s.answer(body, err)
	}
	return body, err
}

type spoiledAdmitter struct {
	s  *spoiled
	to protocol.Admitter
}

func (a spoiledAdmitter) Cursor(name string) (string, error) {
	if a.s.cursor != nil {
		return a.s.cursor(name), nil
	}
	return a.to.Cursor(name)
}

func (a spoiledAdmitter) Admit(ctx context.Context, events []protocol.Event, cursor protocol.Cursor) error {
	if a.s.admit != nil {
		events = a.s.admit(events)
	}
	if a.s.single {
		for _, e := range events {
			if err := a.to.Admit(ctx, []protocol.Event{e}, cursor); err != nil {
				return err
			}
		}
		return nil
	}
	err := a.to.Admit(ctx, events, cursor)
	if a.s.swallow {
		return nil
	}
	return err
}

// fakeT takes the failures of a check.
type fakeT struct {
	testing.TB
	name     string
	mu       sync.Mutex
	failed   bool
	cleanups []func()
}

// run runs a check as a test of its own, with its cleanups.
func (f *fakeT) run(check func()) {
	for next := check; next != nil; next = f.cleanup() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			next()
		}()
		<-done
	}
}

func (f *fakeT) cleanup() func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.cleanups)
	if n == 0 {
		return nil
	}
	last := f.cleanups[n-1]
	f.cleanups = f.cleanups[:n-1]
	return last
}

func (f *fakeT) Cleanup(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cleanups = append(f.cleanups, do)
}

func (f *fakeT) Name() string          { return f.name }
func (f *fakeT) Error(...any)          { f.fail() }
func (f *fakeT) Errorf(string, ...any) { f.fail() }
func (f *fakeT) Fatal(...any)          { f.fail(); runtime.Goexit() }
func (f *fakeT) Fatalf(string, ...any) { f.fail(); runtime.Goexit() }

func (f *fakeT) fail() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = true
}
