package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"

	"moot/backup"
	"moot/internal/inspect"
)

// progress shows on one line of a terminal how far something is, and nothing elsewhere.
type progress struct {
	out   io.Writer // nil where nobody sees it
	width int       // of what is shown
}

func (a *app) newProgress() *progress {
	if f, ok := a.errs.(*os.File); ok && isatty.IsTerminal(f.Fd()) && !a.json {
		return &progress{out: f}
	}
	return &progress{}
}

// show replaces what is shown.
func (p *progress) show(at backup.Progress) {
	const cells = 24
	line := at.What
	if at.Total > 0 {
		full := int(min(at.Done, at.Total) * cells / at.Total)
		line = fmt.Sprintf("%-14s %s%s  %s of %s", at.What, strings.Repeat("█", full), strings.Repeat("░", cells-full),
			inspect.Bytes(at.Done), inspect.Bytes(at.Total))
	}
	p.write(line)
}

func (p *progress) clear() { p.write("") }

func (p *progress) write(line string) {
	if p.out == nil {
		return
	}
	width := len([]rune(line))
	fmt.Fprintf(p.out, "\r%s%s\r%s", line, strings.Repeat(" ", max(0, p.width-width)), line)
	p.width = width
}
