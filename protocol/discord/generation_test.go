package discord_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/internal/generation"
	"moot/protocol"
	"moot/protocol/discord"
	"moot/protocol/discord/discordtest"
	"moot/protocol/protocoltest"
)

const generationKey = "moot_generation"

// life is a Run of a data folder of its own, which is nothing here but its cursors.
type life struct {
	*harness
	cancel context.CancelFunc
	done   chan error
}

func (h *harness) live(folder *protocoltest.Recorder, change func(*discord.Config)) *life {
	c := h.config()
	if change != nil {
		change(&c)
	}
	ctx, cancel := context.WithCancel(h.Context())
	l := &life{h, cancel, make(chan error, 1)}
	go func() { l.done <- (bot{discord.New(c), h.ledger}).Run(ctx, folder) }()
	return l
}

// lives returns a Run that is connected.
func (h *harness) lives(folder *protocoltest.Recorder) *life {
	h.Helper()
	before := h.srv.Connections()
	l := h.live(folder, nil)
	h.srv.Until("it connects", func() bool { return h.srv.Connections() > before })
	return l
}

// ends returns how it has ended.
func (l *life) ends() error {
	l.Helper()
	select {
	case err := <-l.done:
		return err
	case <-time.After(l.Patience()):
		l.Fatal("it goes on")
		return nil
	}
}

func (l *life) stop() {
	l.Helper()
	l.cancel()
	if err := l.ends(); err != nil {
		l.Fatal(err)
	}
}

// isOlder fails unless it has ended because another data folder is the newer one.
func (l *life) isOlder(what string) {
	l.Helper()
	if err := l.ends(); !errors.Is(err, generation.ErrOlder) || protocol.RetryOf(err) != protocol.RetryNever {
		l.Fatalf("%s: %v", what, err)
	}
}

// copyOf is a data folder that was copied.
func copyOf(t *testing.T, folder *protocoltest.Recorder) *protocoltest.Recorder {
	other := &protocoltest.Recorder{}
	for _, name := range []string{"discord/shards", "discord/shard/1/0", discord.GenerationCursor} {
		value, err := folder.Cursor(name)
		if err == nil {
			err = other.Admit(t.Context(), nil, protocol.Cursor{Name: name, Value: value})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return other
}

// restored is a data folder that was put back from a backup: see cmd/bot, forgetFuture.
func restored(t *testing.T, folder *protocoltest.Recorder) *protocoltest.Recorder {
	other := copyOf(t, folder)
	if err := other.Admit(t.Context(), nil, protocol.Cursor{Name: discord.GenerationCursor}); err != nil {
		t.Fatal(err)
	}
	return other
}

func TestACopyOfTheDataFolderIsNoticed(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.srv.CheckAnswers = true
	h.srv.SetMetadata("karma", "of another program") // which stays
	older := &protocoltest.Recorder{}
	h.lives(older).stop()
	first := h.lives(older)
	newer := copyOf(t, older)
	second := h.lives(newer)
	first.isOlder("the older one, while it runs")
	messages := len(h.srv.Requests("POST", "/messages"))
	connections := h.srv.Connections()
	h.live(older, nil).isOlder("the older one, when it is started again")
	if n := len(h.srv.Requests("POST", "/messages")); n != messages || h.srv.Connections() != connections {
		t.Errorf("it says %d things, and connects %d times", n-messages, h.srv.Connections()-connections)
	}
	second.stop()
	h.live(older, nil).isOlder("the older one, when the newer one is gone")
	h.lives(newer).stop() // which has heard of no other

	h.lives(restored(t, older)).stop()
	h.live(newer, nil).isOlder("the one before the restore")
	if all := h.srv.Metadata(); all["karma"] != "of another program" || len(all) != 2 {
		t.Errorf("the application has %v", all)
	}
}

// An older one that runs hears of the newer one without a look at the clock where that shows: here in an interaction that is
// answered already, as when the machine of the older one has been asleep.
func TestACopyThatAnswersFirst(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	h := newHarness(t)
	folder := &protocoltest.Recorder{}
	l := h.live(folder, func(c *discord.Config) { c.Commands, c.DeferAfter = commands, time.Millisecond })
	h.Ready()
	h.said(folder, "here")
	time.Sleep(3 * time.Second) // beyond the look that follows each claim
	h.srv.SetMetadata(generationKey, `{"generation": 99, "run": "another"}`)
	h.srv.Fail(1, "POST", "/callback", discordtest.Fault{Status: 400, Body: `{"code": 40060, "message": "Interaction has already been acknowledged."}`})
	h.ben.Slash(h.general, "ping", nil)
	began := time.Now()
	l.isOlder("the older one")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it takes %s", took)
	}
}

// said waits until what is said is admitted.
func (h *harness) said(folder *protocoltest.Recorder, text string) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), h.Patience())
	defer cancel()
	h.ann.Says(h.general, text)
	if _, err := folder.Wait(ctx, 0, of(func(_ protocol.Event, m protocol.Message) bool { return m.Text == text })); err != nil {
		h.Fatalf("%q does not come: %v", text, err)
	}
}

// What goes wrong between the two writes, or with Discord, keeps no bot from going on, and does not hold its start up for long.
func TestAGenerationThatCannotBeLeft(t *testing.T) {
	const path = "/role-connections/metadata"
	for name, tt := range map[string]struct {
		method string
		count  int
		fault  discordtest.Fault
		left   bool // whether it stands there in the end
		full   bool
	}{
		"the first look is lost":        {"GET", 1, discordtest.Fault{Drop: true}, true, false},
		"no look is answered":           {"GET", 100, discordtest.Fault{Drop: true}, false, false},
		"looks are limited":             {"GET", 100, discordtest.Fault{Status: 429, After: time.Hour}, false, false},
		"looks hang":                    {"GET", 100, discordtest.Fault{Delay: time.Hour}, false, false},
		"looks are refused":             {"GET", 100, discordtest.Fault{Status: 403}, false, false},
		"a look is no JSON":             {"GET", 1, discordtest.Fault{Status: 200, Body: "<html>"}, true, false},
		"the write is lost":             {"PUT", 1, discordtest.Fault{Drop: true}, true, false},
		"its answer is lost":            {"PUT", 1, discordtest.Fault{Drop: true, Done: true}, true, false},
		"no write is answered":          {"PUT", 100, discordtest.Fault{Drop: true, Done: true}, true, false},
		"writes are refused":            {"PUT", 100, discordtest.Fault{Status: 403}, false, false},
		"Discord is broken":             {"PUT", 100, discordtest.Fault{Status: 503}, false, false},
		"there is no place for another": {"PUT", 0, discordtest.Fault{}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			for i := 0; tt.full && i < 5; i++ {
				h.srv.SetMetadata(fmt.Sprintf("other_%d", i), "of another program")
			}
			folder := &protocoltest.Recorder{}
			h.srv.Fail(tt.count, tt.method, path, tt.fault)
			for i := range 2 {
				began := time.Now()
				h.srv.Until("the one before is gone", func() bool { return h.srv.Online() == 0 })
				l := h.lives(folder)
				h.Ready()
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("the start takes %s", took)
				}
				h.said(folder, fmt.Sprint("good morning ", i))
				if tt.left {
					h.srv.Until("it is left", func() bool { return h.srv.Metadata()[generationKey] != "" })
				}
				l.stop()
			}
			var there generation.Generation
			if text := h.srv.Metadata()[generationKey]; tt.left != (json.Unmarshal([]byte(text), &there) == nil) {
				t.Errorf("there stands %q", text)
			}
			if tt.full && len(h.srv.Metadata()) != 5 {
				t.Error("it takes the place of another program's")
			}
			h.srv.Heal()
			if l := h.lives(folder); !tt.full {
				h.srv.Until("it is left once that passes", func() bool { return strings.Contains(h.srv.Metadata()[generationKey], "run") })
				l.stop()
			} else {
				l.stop()
			}
		})
	}
}

// Of two that start at once one is left.
func TestTwoStartAtOnce(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	h := newHarness(t)
	folder := &protocoltest.Recorder{}
	h.lives(folder).stop()
	one, other := h.live(folder, nil), h.live(copyOf(t, folder), nil)
	var rest *life
	select {
	case err := <-one.done:
		one.done <- err
		one.isOlder("one of them")
		rest = other
	case err := <-other.done:
		other.done <- err
		other.isOlder("the other")
		rest = one
	case <-time.After(h.Patience()):
		t.Fatal("both go on")
	}
	select {
	case err := <-rest.done:
		t.Fatal("none goes on: ", err)
	case <-time.After(3 * time.Second):
	}
	rest.stop()
}

// Processes that share a store are one bot, whichever has the first shard, and end together where another copy comes.
func TestProcessesOfOneBotAreNoCopies(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	h := newHarness(t)
	store := &protocoltest.Recorder{}
	with := func(own ...int) *life {
		return h.live(store, func(c *discord.Config) { c.Shards, c.Own = 2, own })
	}
	leaves := func(what string, do func() *life) *life {
		h.Helper()
		before := h.srv.Metadata()[generationKey]
		l := do()
		h.srv.Until(what, func() bool { return h.srv.Metadata()[generationKey] != before })
		return l
	}
	second := with(1)
	h.srv.Until("the second shard is there", func() bool { return h.srv.Online() == 1 })
	if text := h.srv.Metadata()[generationKey]; text != "" {
		t.Errorf("a process without the first shard leaves %s", text)
	}
	first := leaves("the first leaves its own", func() *life { return with(0) })
	taking := leaves("the one that takes over leaves its own", func() *life { return with(0) }) // as after a node that is slow to go
	time.Sleep(5 * time.Second)                                                                 // in which each looks again
	for what, l := range map[string]*life{"the first": first, "the one that takes over": taking, "the second": second} {
		select {
		case err := <-l.done:
			t.Fatalf("%s ends: %v", what, err)
		default:
		}
	}
	first.stop()
	h.srv.SetMetadata(generationKey, `{"generation": 99, "run": "another"}`)
	h.srv.Cut() // after which all look again
	second.isOlder("the second")
	taking.isOlder("the one that took over")
}
