package console

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"moot/protocol"
)

// A script is what a person would type, line by line. Blank lines and lines that begin with # are passed on to the
// transcript. A line that begins with "! " must be refused, and is an error if it is done.

// ScriptError says that lines of a script could not be done, or could be that should not.
type ScriptError struct {
	Lines int   // how many
	Line  int   // the first of them, counted from 1
	Err   error // what was wrong with it
}

func (e *ScriptError) Error() string {
	if e.Lines == 1 {
		return fmt.Sprintf("line %d of the script: %v", e.Line, e.Err)
	}
	return fmt.Sprintf("%d lines of the script went wrong, the first is line %d: %v", e.Lines, e.Line, e.Err)
}

func (e *ScriptError) Unwrap() error { return e.Err }

// errNotRefused is a line that was done and should have been refused.
var errNotRefused = errors.New("not refused")

func (t *Terminal) runScript(ctx context.Context) error {
	in, stop, err := stoppable(t.cfg.In)
	if err != nil {
		return fmt.Errorf("read the script: %w", err)
	}
	unhook := context.AfterFunc(ctx, stop)
	defer unhook()

	t.w.tickLater()
	// What the bot says of its own accord when it starts belongs to the transcript.
	if err := t.settle(ctx); err != nil {
		return ended(ctx, err)
	}
	if isTerminal(t.cfg.In) { // there is no prompt for who types
		var me, where string
		t.w.look(func(s *state) { me, where = s.name(t.view.me), t.view.where(s, s.rooms[t.view.place]) })
		_, _ = fmt.Fprintln(t.cfg.Errs, t.speak.Plain("piped", whom("Who", me), inRoom("Room", where)))
	}
	lines := bufio.NewReaderSize(in, 64<<10)
	var wrong *ScriptError
	for n := 1; !t.quit; n++ {
		text, err := readLine(lines)
		if ctx.Err() != nil {
			return nil
		}
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return fmt.Errorf("read line %d of the script: %w", n, err)
		}
		if last && len(text) == 0 {
			break
		}
		bad, err := t.scriptLine(ctx, string(bytes.TrimSuffix(text, []byte("\r"))))
		if err != nil {
			return ended(ctx, fmt.Errorf("line %d of the script: %w", n, err))
		}
		for bad == nil && len(t.steps) > 0 {
			if bad, err = t.scriptLine(ctx, t.step()); err != nil {
				return ended(ctx, fmt.Errorf("the tour of line %d of the script: %w", n, err))
			}
		}
		t.steps = nil
		if bad != nil {
			if wrong == nil {
				wrong = &ScriptError{Line: n, Err: bad}
			}
			wrong.Lines++
		}
		if last {
			break
		}
	}
	if wrong != nil {
		return wrong
	}
	return nil
}

// ended takes the end of the context for no error.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// scriptLine does one line and waits for what comes of it. Bad is what is wrong with the line.
func (t *Terminal) scriptLine(ctx context.Context, typed string) (bad, err error) {
	if trimmed := strings.TrimSpace(typed); trimmed == "" || trimmed[0] == '#' {
		t.print(protocol.Clean(trimmed) + "\n")
		return nil, nil
	}
	typed, refused := strings.CutPrefix(typed, "! ")
	command := strings.HasPrefix(typed, "/") && !strings.HasPrefix(typed, "//")
	if command {
		t.echo(typed)
	}
	bad = t.do(typed)
	if bad != nil {
		if !command {
			t.echo(typed) // otherwise one reads it as what was said
		}
		t.complain(bad)
	}
	if refused {
		if bad == nil {
			bad = sorry(t.speak, errNotRefused, "not-refused")
			t.complain(bad)
		} else {
			bad = nil
		}
	}
	if err := t.settle(ctx); err != nil || !t.w.tick() {
		return bad, err
	}
	return bad, t.settle(ctx) // what is due by now
}

// settle waits until nothing more comes of what was done, and shows it.
func (t *Terminal) settle(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, t.cfg.SettleTimeout)
	defer cancel()
	for {
		end := t.w.last()
		if t.cfg.Adapter != nil {
			if err := t.cfg.Adapter.Admitted(limit); err != nil {
				return fmt.Errorf("the bot did not take in what was done: %w", err)
			}
		}
		if t.cfg.Settle != nil {
			if err := t.cfg.Settle(limit); err != nil {
				return fmt.Errorf("the bot did not settle: %w", err)
			}
		}
		if t.w.last() == end {
			return t.show(true)
		}
	}
}

// ofBot tells whether the bot has done it, or it belongs to a private conversation that the bot has opened.
func (r record) ofBot() bool {
	_, joins := r.Deed.(memberSet)
	return r.By == Bot || joins && strings.HasPrefix(r.Room.Local(), directPrefix)
}

// byRoom returns the records with each run of what the bot did ordered by room.
func byRoom(recs []record) []record {
	recs = slices.Clone(recs)
	for i := 0; i < len(recs); {
		j := i
		for j < len(recs) && recs[j].ofBot() {
			j++
		}
		slices.SortStableFunc(recs[i:j], func(a, b record) int {
			return strings.Compare(string(a.Room), string(b.Room))
		})
		i = j + 1
	}
	return recs
}
