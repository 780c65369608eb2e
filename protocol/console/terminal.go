package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"moot/internal/say"
	"moot/protocol"
)

// TerminalConfig is what a Terminal needs. Only World is required.
type TerminalConfig struct {
	World *World
	// Adapter is the bot's connection to the world, which runs at the same time. A script waits until it has admitted
	// what was done; zero waits for nothing.
	Adapter *Adapter
	// Settle returns when everything that was admitted is handled and everything that is due is sent. A script waits
	// for it after each line; zero waits for nothing.
	Settle func(ctx context.Context) error
	// SettleTimeout is how long a script waits after a line before it gives up; zero means a minute.
	SettleTimeout time.Duration

	// In and Out are where a person types and reads; zero means standard input and output. Where both are a
	// terminal, a person sits there, otherwise In is a script.
	In  io.Reader
	Out io.Writer
	// Errs is where somebody is told how to go on who types at a terminal and has sent Out elsewhere; zero means standard error.
	Errs io.Writer
	// Complete returns what the last word of a line to the bot may become; zero completes nothing but names.
	Complete func(Typing) []Suggestion

	// Inside returns what the bot did with a message, in lines. Zero means that nobody knows.
	Inside func(protocol.Ref) []string

	// Crash kills the bot at a place, or says why it does not, and says what will happen; without a place it lists them.
	// Zero means that the bot cannot be killed here.
	Crash func(place string) (says []string, err error)
	// Notices are sentences for the person that come by themselves. Run shows them; zero means that there are none.
	Notices <-chan string

	// As and Room are who speaks at first and where; zero means ann in the lobby.
	As   string
	Room string
}

// Typing is a line that somebody is typing, as far as it goes.
type Typing struct {
	Person  protocol.UserID
	Room    protocol.RoomID
	Private bool // whether nobody but the bot will read it
	Line    string
}

// Suggestion is what a word may become.
type Suggestion struct {
	Text    string // the whole word
	Summary string // what it does or is, in a line; empty where there is nothing to say
}

// Terminal is what a person sees of a World: they speak as anybody, anywhere, and see everything. [Terminal.Run] shows it in
// plain lines; a screen of another kind asks for what it shows by the methods of watch.go. It is used by one goroutine
// at a time. Use NewTerminal; a Terminal runs once.
type Terminal struct {
	cfg   TerminalConfig
	w     *World
	speak say.Speaker
	quit  bool
	view  view
	back  protocol.RoomID // where /dm goes back to
	shown uint64          // the position up to which the log was shown
	notes []string        // what a command answers, to be printed after what it has changed
	steps []string        // lines that are still to be done by themselves
	print func(text string)
}

// NewTerminal returns a terminal. The error names a person or room of the configuration that there is not.
func NewTerminal(cfg TerminalConfig) (*Terminal, error) {
	if cfg.In == nil {
		cfg.In = os.Stdin
	}
	if cfg.Out == nil {
		cfg.Out = os.Stdout
	}
	if cfg.Errs == nil {
		cfg.Errs = os.Stderr
	}
	if cfg.SettleTimeout == 0 {
		cfg.SettleTimeout = time.Minute
	}
	if cfg.As == "" {
		cfg.As = seedPeople[0]
	}
	if cfg.Room == "" {
		cfg.Room = seedRooms[0].name
	}
	t := &Terminal{cfg: cfg, w: cfg.World, speak: cfg.World.speak, print: func(text string) { _, _ = io.WriteString(cfg.Out, text) }}
	t.view.said = map[protocol.Ref]string{}
	t.view.day = t.w.clock.Now().Format(time.DateOnly)
	var err error
	t.w.look(func(s *state) {
		if t.view.me, err = s.findPerson(cfg.As, Bot); err == nil {
			t.view.place, err = s.findRoom(cfg.Room)
		}
		t.shown = s.last()
		for _, rm := range s.rooms {
			for id, m := range rm.messages {
				if m.by == Bot {
					t.view.said[protocol.Ref{Room: rm.id, Event: id}] = m.text
				}
			}
		}
	})
	return t, err
}

// Run lets a person talk until they leave, by /quit or Ctrl-D, until the script ends, or the context does; that is
// no error. It never ends the process: what the end of the terminal means to the bot is its caller's to say.
//
// A script goes on after a line that could not be done, so that all of them show, and Run then returns a
// *ScriptError. Other errors are those of reading, of Settle, and of a world that is closed.
func (t *Terminal) Run(ctx context.Context) error {
	t.view.color = isTerminal(t.cfg.Out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if isTerminal(t.cfg.In) && isTerminal(t.cfg.Out) {
		return t.runPlain(ctx)
	}
	return t.runScript(ctx)
}

func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	if !ok {
		return false
	}
	raw, err := file.SyscallConn() // Fd would make reads of the file block beyond any deadline
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) { ok = isatty.IsTerminal(fd) || isatty.IsCygwinTerminal(fd) })
	return ok && err == nil
}

// do does what a person typed: a command of the console after a slash, or else something that is said.
func (t *Terminal) do(typed string) error {
	if told, ok := strings.CutPrefix(typed, "# "); ok { // of the tour
		t.inform(told)
		return nil
	}
	if cmd, ok := strings.CutPrefix(typed, "/"); ok {
		if said, ok := strings.CutPrefix(cmd, "/"); ok {
			return t.say("/" + said)
		}
		return t.command(cmd)
	}
	return t.say(typed)
}

func (t *Terminal) say(text string) error {
	_, err := t.w.Say(t.view.place, t.view.me, text, "")
	return err
}

// show prints what was added to the log. With settled, what the bot has done in several rooms at once comes in the
// order of the rooms, so that a transcript does not depend on which of its senders was the first.
func (t *Terminal) show(settled bool) error {
	recs, _, err := t.w.follow(t.shown)
	if settled {
		recs = byRoom(recs)
	}
	t.w.look(func(s *state) {
		for _, r := range recs {
			t.printLines(t.view.record(s, r))
		}
	})
	t.shown += uint64(len(recs))
	t.printLines(t.notes)
	t.notes = nil
	return err
}

func (t *Terminal) printLines(lines []string) {
	if len(lines) > 0 {
		t.print(strings.Join(lines, "\n") + "\n")
	}
}

// tell lets a command answer with a sentence.
func (t *Terminal) tell(id string, slots ...say.Slot) { t.inform(t.speak.Plain(id, slots...)) }

// inform lets a command answer with a text.
func (t *Terminal) inform(text string) {
	for _, line := range t.view.lines([]piece{{plain, text}}, 0) {
		t.note(line)
	}
}

// note lets a command answer with a line.
func (t *Terminal) note(line string) { t.notes = append(t.notes, line) }

// complain prints why something was not done.
func (t *Terminal) complain(err error) {
	t.print(t.view.paint(failure, "! "+protocol.Clean(err.Error())) + "\n")
}

// echo prints what was typed.
func (t *Terminal) echo(typed string) {
	t.print(t.view.paint(dim, "> "+protocol.Shorten(protocol.OneLine(typed), 500)) + "\n")
}

// prompt names who speaks where.
func (t *Terminal) prompt() string {
	var text string
	st := bold
	t.w.look(func(s *state) {
		rm := s.rooms[t.view.place]
		me := whom("Who", s.name(t.view.me))
		text = t.speak.Plain("prompt", me, inRoom("Room", t.view.where(s, rm)))
		if rm.direct != "" {
			text, st = t.speak.Plain("prompt-private", me, whom("Bot", Bot.Local())), private
		}
	})
	return t.view.paint(st, text) + "> "
}

// greet makes the first screen.
func (t *Terminal) greet() {
	for _, line := range t.Welcome() {
		t.note(line)
	}
	if !t.w.New() {
		t.tell("said-last")
		t.showLast(5)
	}
}

// Welcome returns what somebody should know who comes in: more where the world is new.
func (t *Terminal) Welcome() (lines []string) {
	var me, where string
	t.w.look(func(s *state) { me, where = s.name(t.view.me), t.view.where(s, s.rooms[t.view.place]) })
	if !t.w.New() {
		return []string{t.speak.Plain("welcome-back", whom("Who", me), inRoom("Room", where))}
	}
	lines = append(lines, t.speak.Plain("welcome", whom("Who", me), inRoom("Room", where)))
	for _, l := range [][2]string{
		{"/tour", t.speak.Plain("try-tour")},
		{"!moot vote motion " + t.speak.Plain("try-motion-line"), t.speak.Plain("try-motion")},
		{"/as ben", t.speak.Plain("try-as")},
		{"/wait 3d", t.speak.Plain("try-wait")},
		{"!moot help", t.speak.Plain("try-help")},
		{"/dm", t.speak.Plain("try-dm")},
		{"/crash", t.speak.Plain("try-crash")},
		{"/help", t.speak.Plain("try-slash")},
	} {
		if l[0] == "/crash" && t.cfg.Crash == nil {
			continue
		}
		lines = append(lines, "  "+t.view.paint(codeStyle, pad(l[0], 22))+" "+l[1])
	}
	return lines
}

// showLast adds the last messages from before.
func (t *Terminal) showLast(n int) {
	t.w.look(func(s *state) {
		var last []record
		for i := len(s.log[:t.shown]); i > 0 && len(last) < n; i-- {
			r := s.log[i-1]
			if _, ok := r.Deed.(said); ok && s.rooms[r.Room].messages[r.id()].deletion == "" {
				last = append(last, r)
			}
		}
		for i := len(last) - 1; i >= 0; i-- {
			r := last[i]
			m := s.rooms[r.Room].messages[r.id()]
			stands := said{Text: protocol.Shorten(m.text, 200), Rich: m.rich}
			if stands.Text != m.text {
				stands.Rich = nil
			}
			t.notes = append(t.notes, t.view.record(s, record{r.Pos, r.At, r.Room, r.By, stands})...)
		}
	})
	t.view.day = t.w.clock.Now().Format(time.DateOnly)
}

// runPlain talks with a person line by line, without moving the cursor: for a terminal that cannot, and for whoever has
// the screen read aloud.
func (t *Terminal) runPlain(ctx context.Context) error {
	in, stop, err := stoppable(t.cfg.In)
	if err != nil {
		return fmt.Errorf("read the terminal: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	typed := make(chan string)
	var readErr error // written before typed is closed
	go func() {
		defer close(typed)
		lines := bufio.NewReaderSize(in, 64<<10)
		for {
			text, err := readLine(lines)
			if err == nil || len(text) > 0 {
				select {
				case typed <- string(text):
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				readErr = err
				return
			}
		}
	}()
	defer func() {
		cancel()
		stop()
		for range typed { // until the reader is down
		}
	}()

	t.greet()
	for !t.quit {
		if err := t.show(false); err != nil {
			return err
		}
		t.print(t.prompt())
		_, grown, err := t.w.follow(t.shown)
		if err != nil {
			return err
		}
		var next <-chan time.Time
		if len(t.steps) > 0 {
			next = time.After(t.StepPause())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-grown:
			t.print("\n")
		case notice := <-t.cfg.Notices:
			t.print("\n")
			if err := t.show(false); err != nil {
				return err
			}
			t.inform(notice)
		case <-next:
			t.print("\n")
			t.plainLine(t.step())
		case line, ok := <-typed:
			if !ok {
				if t.print("\n"); readErr != nil && !errors.Is(readErr, io.EOF) && ctx.Err() == nil {
					return fmt.Errorf("read the terminal: %w", readErr)
				}
				return nil
			}
			t.steps = nil
			t.plainLine(line)
		}
	}
	return nil
}

func (t *Terminal) plainLine(typed string) {
	typed = strings.TrimSpace(typed)
	if typed == "" {
		return
	}
	if strings.HasPrefix(typed, "/") && !strings.HasPrefix(typed, "//") {
		t.echo(typed)
	}
	if err := t.do(typed); err != nil {
		t.complain(err)
	}
}
