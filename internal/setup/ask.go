package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"charm.land/huh/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"

	"moot/internal/fit"
)

// MaxQuestions is how many things are asked for at most.
const MaxQuestions = 8

// ErrEnded is the error of answers that end before all is asked.
var ErrEnded = errors.New("the answers ended before all was asked; nothing was written but the login, where one was made")

// asker asks questions, one after another.
type asker struct {
	in    io.Reader
	lines *lines // of in, where it is read line by line
	out   io.Writer
	plain bool // whether questions are lines and not forms
	tty   bool // whether in is a terminal
	asked int
}

func newAsker(c Config) *asker {
	a := &asker{in: c.In, lines: &lines{from: c.In}, out: c.Out, plain: c.Plain}
	if f, ok := c.In.(term.File); ok {
		a.tty = term.IsTerminal(f.Fd())
	}
	if c.Plain {
		a.out = &colorprofile.Writer{Forward: c.Out, Profile: colorprofile.NoTTY}
	}
	return a
}

// question is something to ask.
type question struct {
	title, help string
	preset      string // the answer of somebody who only presses Enter
	secret      bool
	again       bool // whether it was asked before
}

// ask returns the answer to a question.
func (a *asker) ask(ctx context.Context, q question) (answer string, err error) {
	answer = q.preset
	title, help := q.title, q.help
	if q.preset != "" {
		title += " [" + q.preset + "]"
	}
	field := huh.NewInput().Title(title).Description(help).Value(&answer)
	if q.secret && (a.tty || !a.plain) {
		field.EchoMode(huh.EchoModePassword)
	}
	if a.plain {
		field.Title(title + ":")
	}
	err = a.run(ctx, q, field)
	return strings.TrimSpace(answer), err
}

// choose returns which of the options is wanted.
func (a *asker) choose(ctx context.Context, q question, options ...string) (answer int, err error) {
	field := huh.NewSelect[int]().Title(q.title).Description(q.help).Value(&answer)
	var all []huh.Option[int]
	for i, o := range options {
		all = append(all, huh.NewOption(o, i))
	}
	return answer, a.run(ctx, q, field.Options(all...))
}

// run shows one question and waits for its answer, or until the context ends.
func (a *asker) run(ctx context.Context, q question, field huh.Field) error {
	if !q.again {
		a.asked++
	}
	form := huh.NewForm(huh.NewGroup(field)).WithShowHelp(false).WithAccessible(a.plain).WithOutput(a.out).WithInput(a.in)
	if !a.plain {
		err := form.RunWithContext(ctx)
		if errors.Is(err, huh.ErrUserAborted) {
			return context.Canceled
		}
		return err
	}
	if !q.again && q.help != "" {
		a.say("%s", q.help)
	}
	if !a.tty {
		form.WithInput(a.lines) // huh takes all that it can get for one question, and forgets the rest
	}
	// Nothing ends a read of a pipe, or of a terminal, but an answer or the end of the program.
	restore := func() {}
	if f, ok := a.in.(term.File); ok && a.tty {
		if state, err := term.GetState(f.Fd()); err == nil {
			restore = func() { _ = term.Restore(f.Fd(), state) }
		}
	}
	done := make(chan error, 1)
	go func() { done <- form.RunWithContext(ctx) }()
	select {
	case err := <-done:
		if err == nil && a.lines.ended {
			return ErrEnded
		}
		return err
	case <-ctx.Done():
		restore()
		return ctx.Err()
	}
}

// say shows a line.
func (a *asker) say(format string, args ...any) {
	width := 0
	if !a.plain {
		width = fit.Width(a.out)
	}
	fmt.Fprintln(a.out, fit.Words(fmt.Sprintf(format, args...), width, 0))
}

// refuse says why an answer cannot be taken: a sentence that may lack its capital letter and its full stop.
func (a *asker) refuse(why string) {
	first, size := utf8.DecodeRuneInString(why)
	if word, _, _ := strings.Cut(why, " "); !strings.ContainsAny(word, "/.:_@") {
		why = string(unicode.ToUpper(first)) + why[size:]
	}
	a.say("%s.", strings.TrimSuffix(why, "."))
}

// lines hands on a byte at a time, so that whoever looks for the end of a line takes nothing that comes behind it.
type lines struct {
	from  io.Reader
	ended bool // whether it has told that there is no more
}

// Read implements io.Reader.
func (l *lines) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := l.from.Read(p[:1])
	l.ended = l.ended || n == 0 && err != nil
	return n, err
}
