package screen

import (
	"context"
	"errors"
	"io"
	"os"

	tea "charm.land/bubbletea/v2"

	"moot/protocol"
	"moot/protocol/console"
)

// Config is what a screen shows and where. Terminal is required.
type Config struct {
	Terminal *console.Terminal
	// Votes returns the open votes of the world. Zero means that there are no cards. It is called often.
	Votes func() []Card
	// Inside returns what happened to a message so far. Zero means that nobody knows.
	Inside func(protocol.Ref) []Step
	// Commits has a value whenever the bot has committed something; it need not have one for each. Zero means that votes
	// and Inside are asked for when the world changes, and once a minute.
	Commits <-chan struct{}
	// Notices are sentences for the person that come by themselves. Zero means that there are none.
	Notices <-chan string
	// Dead reports whether the bot is dead at the moment. Zero means that it never is.
	Dead func() bool
	// Notes are lines for the first screen.
	Notes []string
	// Dir is the folder of the history of what was typed; zero keeps none.
	Dir string
	// In and Out are the terminal; zero means standard input and output.
	In  io.Reader
	Out io.Writer
}

// Screen is a full-screen terminal. Use New; it runs once.
type Screen struct{ cfg Config }

// New returns a screen.
func New(cfg Config) *Screen {
	if cfg.In == nil {
		cfg.In = os.Stdin
	}
	if cfg.Out == nil {
		cfg.Out = os.Stdout
	}
	return &Screen{cfg}
}

// Able reports whether a terminal can show a screen: it must be able to move the cursor.
func Able(getenv func(string) string) bool { return getenv("TERM") != "dumb" && getenv("TERM") != "" }

// Run shows the screen until the person leaves or the context ends; neither is an error. The errors are those of the
// terminal, and of a world that is closed.
func (s *Screen) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := newModel(ctx, s.cfg)
	// Signals are for the caller: they end the context.
	p := tea.NewProgram(m, tea.WithInput(s.cfg.In), tea.WithOutput(s.cfg.Out), tea.WithoutSignalHandler())
	m.drawn = (&rest{program: p}).wake
	unhook := context.AfterFunc(ctx, p.Quit)
	defer unhook()
	_, err := p.Run()
	if ctx.Err() != nil && errors.Is(err, tea.ErrProgramKilled) && !errors.Is(err, tea.ErrProgramPanic) {
		err = nil
	}
	return errors.Join(err, m.err)
}
