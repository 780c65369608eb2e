package discord_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/discord"
	"moot/protocol/protocoltest"
)

// stage is an adapter at a Discord, without a bot behind it: a test decides what is answered, and
// when.
type stage struct {
	*harness
	rec     *protocoltest.Recorder
	adapter *discord.Adapter
	cancel  context.CancelFunc
	done    chan error
	seen    int // events that a test has waited for
	asks    int
}

// commands are a small tree that has one of each.
var commands = []discord.Command{
	{Path: []string{"ping"}, Summary: "Answers.", InGuilds: true, InPrivate: true},
	{Path: []string{"whoami"}, Summary: "Says who you are.", Private: true, InGuilds: true, InPrivate: true},
	{Path: []string{"vote"}, Summary: "Decides together.", Group: true, InGuilds: true, InPrivate: true},
	{
		Path: []string{"vote", "cast"}, Summary: "Casts a ballot.", Private: true, InGuilds: true, InPrivate: true,
		Params: []discord.Param{{Name: "ballot", Summary: "What you choose.", Required: true,
			Slots: []string{"ballot", "ballot-2", "ballot-3"}, Complete: true}},
	},
	{
		Path: []string{"vote", "challenge"}, Summary: "Challenges somebody.", InGuilds: true, InPrivate: true,
		OnPerson: "Challenge this person",
		Params: []discord.Param{
			{Name: "person", Summary: "Whom.", Kind: discord.Person, Required: true, Slots: []string{"person"}},
			{Name: "reason", Summary: "Why, for all to read.", Kind: discord.Long, Required: true,
				Slots: []string{"reason"}, Min: 1, Max: 1000},
			{Name: "secret", Summary: "Hides who votes how.", Kind: discord.Switch, Slots: []string{"secret"}},
			{Name: "days", Summary: "How many days.", Kind: discord.Integer, Slots: []string{"days"}, Min: 1, Max: 7},
		},
	},
	{
		Path: []string{"history"}, Summary: "Shows votes about somebody.", InGuilds: true,
		OnPerson: "Votes about this person",
		Params: []discord.Param{{Name: "person", Summary: "Whom.", Kind: discord.Person, Required: true,
			Slots: []string{"person"}}},
	},
}

// completer completes with the given words, and notes who asked.
type completer struct {
	mu    sync.Mutex
	asked []discord.Where
}

func (c *completer) Complete(where discord.Where, path []string, param, typed string, args map[string]string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, where)
	return []string{strings.Join(path, " ") + " " + param, typed, fmt.Sprint(args), strings.Repeat("x", 200)}
}

// newStage starts an adapter, whose configuration a test may change.
func newStage(t *testing.T, change func(*discord.Config)) *stage {
	t.Parallel()
	s := &stage{harness: newHarness(t), rec: &protocoltest.Recorder{}}
	s.start(change)
	t.Cleanup(s.stop)
	return s
}

func (s *stage) start(change func(*discord.Config)) {
	s.Helper()
	c := s.config()
	c.Commands, c.DeferAfter = commands, time.Hour
	if change != nil {
		change(&c)
	}
	s.adapter = discord.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.done = cancel, make(chan error, 1)
	run := bot{s.adapter, s.ledger}
	go func(done chan<- error) { done <- run.Run(ctx, s.rec) }(s.done)
	s.Ready()
	s.srv.Until("the commands are registered", func() bool { return len(s.srv.Commands()) > 0 })
}

func (s *stage) stop() {
	if s.cancel == nil {
		return
	}
	s.cancel()
	s.cancel = nil
	if err := <-s.done; err != nil {
		s.Errorf("Run returned %v", err)
	}
}

// next waits for the next event that is such.
func (s *stage) next(what string, such func(protocol.Event) bool) protocol.Event {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	at, err := s.rec.Wait(ctx, s.seen, such)
	if err != nil {
		s.Fatalf("%s did not come; what came is %+v", what, s.rec.Events()[s.seen:])
	}
	s.seen = at + 1
	return s.rec.Events()[at]
}

// invoked waits for the next command.
func (s *stage) invoked() (protocol.Event, protocol.Invocation) {
	s.Helper()
	ev := s.next("a command", func(e protocol.Event) bool { _, ok := e.Body.(protocol.Invocation); return ok })
	return ev, ev.Body.(protocol.Invocation)
}

// said waits for the next message with a text: by then all that came before it is admitted.
func (s *stage) said(text string) {
	s.Helper()
	s.ann.Says(s.general, text)
	s.next(text, func(e protocol.Event) bool { m, ok := e.Body.(protocol.Message); return ok && m.Text == text })
}

// reply is what answers a command: a Whisper where private, otherwise a Say.
func reply(to protocol.Event, key, text string, private bool) protocol.Outgoing {
	o := protocol.Outgoing{Key: protocol.DeriveKey(string(to.ID), key), Cause: to.Ref(), Handle: to.Handle}
	if private {
		o.Act = protocol.Whisper{User: to.Sender, Text: protocol.Plain(text)}
	} else {
		o.Room, o.Place, o.Act = to.Room, to.Place, protocol.Say{Text: protocol.Plain(text)}
	}
	return o
}

func (s *stage) try(out protocol.Outgoing, attempt protocol.Attempt) (protocol.Ref, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	attempt.N = max(attempt.N, 1)
	return s.adapter.Send(ctx, out, attempt)
}

// send sends; of an act that is about an earlier message the place of that is given.
func (s *stage) send(out protocol.Outgoing, original ...protocol.Ref) protocol.Ref {
	s.Helper()
	attempt := protocol.Attempt{}
	if len(original) > 0 {
		attempt.Original = original[0]
	}
	ref, err := s.try(out, attempt)
	if err != nil {
		s.Fatalf("send %s: %v", protocol.KindOf(out.Act), err)
	}
	return ref
}

func (s *stage) ask(want protocol.Want) (protocol.Body, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s.asks++
	ask := protocol.Ask{Key: protocol.DeriveKey(s.Name(), fmt.Sprint(s.asks), protocol.KindOf(want)),
		Room: s.Room(), Want: want}
	return s.adapter.Ask(ctx, ask, protocol.Attempt{N: 1})
}

// isFinal fails unless an error says that trying again is of no use, with the words.
func (s *stage) isFinal(err error, words string) {
	s.Helper()
	var se *protocol.SendError
	if !errors.As(err, &se) || !se.Final || !strings.Contains(err.Error(), words) {
		s.Errorf("got %v; a final error with %q is wanted", err, words)
	}
}

func (s *stage) isAmbiguous(err error) {
	s.Helper()
	var se *protocol.SendError
	if !errors.As(err, &se) || !se.Ambiguous {
		s.Errorf("got %v; an ambiguous error is wanted", err)
	}
}

// requests counts what was asked of Discord.
func (s *stage) requests(method, part string) int { return len(s.srv.Requests(method, part)) }

// older makes the interaction of a handle an older one.
func older(handle string, by time.Duration) string {
	parts := strings.Split(handle, " ")
	ms, err := strconv.ParseInt(parts[5], 10, 64)
	if err != nil {
		panic(err)
	}
	parts[5] = strconv.FormatInt(ms-by.Milliseconds(), 10)
	return strings.Join(parts, " ")
}

// stuck is an Admitter that blocks the first delivery with a message in it, and all after that.
type stuck struct {
	protocol.Admitter
	block   <-chan struct{}
	blocked chan<- struct{}
}

func (s stuck) Admit(ctx context.Context, evs []protocol.Event, cursor protocol.Cursor) error {
	for _, e := range evs {
		if _, ok := e.Body.(protocol.Message); ok {
			close(s.blocked)
			<-s.block
			return ctx.Err()
		}
	}
	return s.Admitter.Admit(ctx, evs, cursor)
}

// dying is an Admitter of a process that dies before it admits anything but cursors.
type dying struct{ protocol.Admitter }

var errKilled = errors.New("killed")

func (d dying) Admit(ctx context.Context, evs []protocol.Event, cursor protocol.Cursor) error {
	if len(evs) > 0 {
		return errKilled
	}
	return d.Admitter.Admit(ctx, evs, cursor)
}
