package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/chzyer/readline"
	"github.com/mattn/go-isatty"

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
	// Dir is the folder for what was typed in earlier runs; zero keeps nothing.
	Dir string
	// Complete returns what the last word of a line to the bot may become;
	// zero completes nothing but names. It is called from another goroutine than Run.
	Complete func(Typing) []string

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

// Terminal is what a person sees of a World: they speak as anybody, anywhere, and see everything. Use NewTerminal; a
// Terminal runs once.
type Terminal struct {
	cfg  TerminalConfig
	w    *World
	quit bool // owned by Run

	mu    sync.Mutex // held for what looks at or changes the fields below
	view  view
	back  protocol.RoomID // where /dm goes back to
	shown uint64          // the position up to which the log was shown
	notes []string        // what a command answers, to be printed after what it has changed
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
	if cfg.SettleTimeout == 0 {
		cfg.SettleTimeout = time.Minute
	}
	if cfg.As == "" {
		cfg.As = seedPeople[0]
	}
	if cfg.Room == "" {
		cfg.Room = seedRooms[0].name
	}
	t := &Terminal{cfg: cfg, w: cfg.World, print: func(text string) { _, _ = io.WriteString(cfg.Out, text) }}
	t.view.number = map[protocol.Ref]int{}
	t.view.day = t.w.clock.Now().Format(time.DateOnly)
	if isTerminal(cfg.Out) {
		t.view.color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	var err error
	t.w.look(func(s *state) {
		if t.view.me, err = s.findPerson(cfg.As); err == nil {
			t.view.place, err = s.findRoom(cfg.Room)
		}
		t.shown = s.last()
	})
	return t, err
}

// Run lets a person talk until they leave, by /quit or Ctrl-D, until the script ends, or the context does; that is
// no error. It never ends the process: what the end of the terminal means to the bot is its caller's to say.
//
// A script goes on after a line that could not be done, so that all of them show, and Run then returns a
// *ScriptError. Other errors are those of reading, of Settle, and of a world that is closed.
func (t *Terminal) Run(ctx context.Context) error {
	if t.cfg.In == os.Stdin && t.cfg.Out == os.Stdout && isTerminal(os.Stdin) && isTerminal(os.Stdout) {
		t.view.width = readline.GetScreenWidth
		return t.runPrompt(ctx)
	}
	return t.runScript(ctx)
}

func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && (isatty.IsTerminal(file.Fd()) || isatty.IsCygwinTerminal(file.Fd()))
}

// do does what a person typed: a command of the console after a slash, or else something that is said.
func (t *Terminal) do(typed string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
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
	t.mu.Lock()
	defer t.mu.Unlock()
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
func (t *Terminal) tell(format string, args ...any) {
	for _, line := range t.view.lines([]piece{{plain, fmt.Sprintf(format, args...)}}, 0) {
		t.note(line)
	}
}

// note lets a command answer with a line.
func (t *Terminal) note(line string) { t.notes = append(t.notes, line) }

// complain prints why something was not done.
func (t *Terminal) complain(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.print(t.view.paint(failure, "! "+protocol.Clean(err.Error())) + "\n")
}

// echo prints what was typed.
func (t *Terminal) echo(typed string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.print(t.view.paint(dim, "> "+protocol.Shorten(protocol.OneLine(typed), 500)) + "\n")
}

// prompt names who speaks where.
func (t *Terminal) prompt() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var text string
	st := bold
	t.w.look(func(s *state) {
		rm := s.rooms[t.view.place]
		text = s.name(t.view.me) + " in " + t.view.where(s, rm)
		if rm.direct != "" {
			text, st = s.name(t.view.me)+" to "+Bot.Local()+" alone", private
		}
	})
	return t.view.paint(st, text) + "> "
}

// greet makes the first screen.
func (t *Terminal) greet() {
	t.mu.Lock()
	defer t.mu.Unlock()
	var me, where string
	t.w.look(func(s *state) { me, where = s.name(t.view.me), t.view.where(s, s.rooms[t.view.place]) })
	if t.w.New() {
		line := func(cmd, what string) { t.note("  " + t.view.paint(codeStyle, pad(cmd, 12)) + " " + what) }
		t.tell("You are %s in the %s, and the bot is there too. Say something, or try", me, where)
		line("!moot help", "asks the bot, before everybody, what it can do")
		line("/dm", "talks with the bot alone; /dm again comes back")
		line("/as ben", "speaks as somebody else; /help lists all of this, /quit leaves")
		return
	}
	t.tell("You are %s in the %s; /help lists what you can do. This was said last:", me, where)
	t.showLast(5)
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

// runPrompt talks with a person at a terminal.
func (t *Terminal) runPrompt(ctx context.Context) error {
	p, err := newPrompt(t.cfg.Dir, t.complete)
	if err != nil {
		return err
	}
	defer p.close()
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(ctx, p.stop)
	defer unhook()
	t.print = p.print
	t.greet()

	followed := make(chan struct{})
	go func() {
		defer close(followed)
		t.follow(ctx)
	}()
	defer func() {
		cancel()
		<-followed
	}()

	interrupted := false
	for !t.quit {
		if err := t.show(false); err != nil {
			return err
		}
		typed, err := p.readLine(t.prompt())
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, readline.ErrInterrupt):
			if interrupted && typed == "" {
				return nil
			}
			interrupted = typed == ""
			if interrupted {
				t.complain(errors.New("Ctrl-C once more, Ctrl-D or /quit leaves"))
			}
			continue
		case err != nil:
			return fmt.Errorf("read the terminal: %w", err)
		}
		interrupted = false
		if typed = strings.TrimSpace(typed); typed == "" {
			continue
		}
		if strings.HasPrefix(typed, "/") && !strings.HasPrefix(typed, "//") {
			t.echo(typed)
		}
		if err := t.do(typed); err != nil {
			t.complain(err)
		}
	}
	return nil
}

// follow shows what happens while a person types.
func (t *Terminal) follow(ctx context.Context) {
	for {
		at := t.w.last()
		_, grown, err := t.w.follow(at)
		if err != nil || t.show(false) != nil {
			return // Run finds the same error at its next line
		}
		select {
		case <-ctx.Done():
			return
		case <-grown:
		}
	}
}
