package protocoltest

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"moot/protocol"
	"moot/protocol/remote/wire"
)

// ScriptConfig says how a scripted network behaves. The zero value takes everything and repeats nothing. Refuse and
// Answer must not call the Script.
type ScriptConfig struct {
	// Bot is the account of the bot; zero means console:moot.
	Bot protocol.UserID
	// Echo delivers each message that the bot has sent back to it as a Receipt.
	Echo bool
	// Overlap is how many acknowledged lines each new life gets once more, as a network does that is not sure.
	Overlap int
	// Refuse returns why an outgoing fails this time; zero, and a nil error, take it. It is asked again at each attempt.
	Refuse func(out protocol.Outgoing, attempt protocol.Attempt) error
	// Answer answers an ask; zero gives a member list of the bot and all who have said something there, no
	// reactions, and a private conversation for everybody.
	Answer func(ask protocol.Ask) (protocol.Body, error)
	// OnLine is called for each line that goes over, in either direction, with its number counted from 1 over all
	// lives: just after it was written, or read and not yet looked at. It may kill the life. It is called by two
	// goroutines. Zero does nothing.
	OnLine func(n int, life *Life)
}

// Script is a scripted network for a bot in a child process that speaks package wire, such as one with a
// console.Pipe. It outlives the child: let Keep start it again and again, or give each life to Attach. It delivers every line until it is
// acknowledged, lets a key stand once however often it is sent, and knows what people saw. It is safe for concurrent use.
type Script struct {
	cfg ScriptConfig

	mu       sync.Mutex
	lines    []*scriptLine
	sent     []*Entry
	byKey    map[protocol.Key]*Entry
	answers  map[protocol.Key]wire.In // of asks; asked again they are answered the same
	refused  []string
	acked    int // lines that are acknowledged
	exchange int // lines that went over
	life     *Life
	lives    int
	changed  chan struct{}
}

type scriptLine struct {
	id     int64
	events []protocol.Event
	now    time.Time
	acked  bool
}

// Entry is something that the bot has sent and people see.
type Entry struct {
	protocol.Outgoing
	Ref      protocol.Ref
	Attempts int // how often it was sent, over all lives
}

// NewScript returns a network in which nothing has happened.
func NewScript(cfg ScriptConfig) *Script {
	if cfg.Bot == "" {
		cfg.Bot = "console:moot"
	}
	return &Script{
		cfg: cfg, byKey: map[protocol.Key]*Entry{}, answers: map[protocol.Key]wire.In{},
		changed: make(chan struct{}),
	}
}

// Deliver adds a line with these events to what is delivered, to a life that is attached and to later ones. It
// returns the number of the line.
func (s *Script) Deliver(events ...protocol.Event) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deliverLocked(events)
}

// Tell adds a line that says what time it is. It is acknowledged when the bot has made a commit at that time.
func (s *Script) Tell(now time.Time) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &scriptLine{id: int64(len(s.lines) + 1), now: now}
	s.lines = append(s.lines, l)
	s.tellLocked()
	return l.id
}

func (s *Script) deliverLocked(events []protocol.Event) int64 {
	l := &scriptLine{id: int64(len(s.lines) + 1), events: events}
	s.lines = append(s.lines, l)
	s.tellLocked()
	return l.id
}

func (s *Script) tellLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Attach connects a life of the bot by its standard input and output. It first waits until the life before has ended
// its output, as a killed process does.
func (s *Script) Attach(stdin io.WriteCloser, stdout io.Reader) *Life {
	return s.attach(stdin, stdout, nil)
}

func (s *Script) attach(stdin io.WriteCloser, stdout io.Reader, process *os.Process) *Life {
	s.mu.Lock()
	before := s.life
	s.mu.Unlock()
	if before != nil {
		before.Wait()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lives++
	l := &Life{
		s: s, process: process, in: stdin, w: wire.NewWriter(stdin), r: wire.NewReader(stdout),
		done: make(chan struct{}), next: s.resumeLocked(),
	}
	s.life = l
	l.wg.Go(l.read)
	l.wg.Go(l.write)
	return l
}

// resumeLocked returns the first line that a new life gets.
func (s *Script) resumeLocked() int {
	first := slices.IndexFunc(s.lines, func(l *scriptLine) bool { return !l.acked })
	if first < 0 {
		first = len(s.lines)
	}
	return max(0, first-s.cfg.Overlap)
}

// wait returns when it is so.
func (s *Script) wait(ctx context.Context, what string, so func() bool) error {
	for {
		s.mu.Lock()
		ok, changed := so(), s.changed
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		}
	}
}

// WaitAcked returns when at least n lines are acknowledged, by whatever life; n of 0 or less means all that there are.
func (s *Script) WaitAcked(ctx context.Context, n int) error {
	return s.wait(ctx, fmt.Sprintf("%d acknowledged lines", n), func() bool {
		return s.acked >= n && (n > 0 || s.acked == len(s.lines))
	})
}

// Acked returns how many lines are acknowledged.
func (s *Script) Acked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked
}

// WaitSent returns when the bot has sent at least n different keys.
func (s *Script) WaitSent(ctx context.Context, n int) error {
	return s.wait(ctx, fmt.Sprintf("%d sent keys", n), func() bool { return len(s.sent) >= n })
}

// Until returns when what people see, each key once and in order, is so.
func (s *Script) Until(ctx context.Context, what string, so func([]*Entry) bool) error {
	return s.wait(ctx, what, func() bool { return so(s.sent) })
}

// Transcript returns what people see, in the order in which it first came: each key once.
func (s *Script) Transcript() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := make([]Entry, len(s.sent))
	for i, e := range s.sent {
		entries[i] = *e
	}
	return entries
}

// Text returns what people see room by room, one line for each, so that two runs can be compared: the order of
// what stands in different rooms is nobody's promise.
func (s *Script) Text() string {
	byRoom := map[protocol.RoomID][]string{}
	var rooms []protocol.RoomID
	for _, e := range s.Transcript() {
		if byRoom[e.Ref.Room] == nil {
			rooms = append(rooms, e.Ref.Room)
		}
		byRoom[e.Ref.Room] = append(byRoom[e.Ref.Room], actText(e.Act))
	}
	slices.Sort(rooms)
	var b strings.Builder
	for _, r := range rooms {
		fmt.Fprintf(&b, "%s\n", r)
		for _, line := range byRoom[r] {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	return b.String()
}

// fileText is what is seen of a file that goes with a message.
func fileText(f *protocol.File) string {
	if f == nil {
		return ""
	}
	return fmt.Sprintf(" with the file %s of %d bytes", f.Name, len(f.Data))
}

func actText(act protocol.Act) string {
	switch a := act.(type) {
	case protocol.Say:
		return fmt.Sprintf("says %q", a.Text.Plain()) + fileText(a.File)
	case protocol.Whisper:
		return fmt.Sprintf("whispers %q", a.Text.Plain()) + fileText(a.File)
	case protocol.Revise:
		return fmt.Sprintf("revises to %q", a.Text.Plain())
	case protocol.React:
		return fmt.Sprintf("reacts with %s", a.Reaction)
	case protocol.StartPoll:
		return fmt.Sprintf("starts the poll %q", a.Question)
	case protocol.EndPoll:
		return fmt.Sprintf("ends a poll with %q", a.Text.Plain())
	}
	return protocol.KindOf(act)
}

// Refused returns what the bot has said about lines that it could not read.
func (s *Script) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

// Lines returns how many lines went over so far, in both directions: where OnLine can strike.
func (s *Script) Lines() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exchange
}
