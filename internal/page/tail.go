package page

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"moot/protocol"
)

const (
	tailLines = 300     // how many lines are kept
	tailLine  = 4 << 10 // bytes of a line that are kept
	mostTails = 8       // how many may look at once
)

// Tail keeps the end of a log, of which it is a second writer, and shows it to those who look. Nobody who looks holds up the
// log: who is slow misses lines, and is told so.
type Tail struct {
	mu      sync.Mutex
	lines   []string      // the last ones, in order; guarded by mu
	written uint64        // how many there were in all; guarded by mu
	rest    []byte        // of a line that has not ended yet; guarded by mu
	more    chan struct{} // closed with the next line; nil while nobody waits for one; guarded by mu
	looking int           // how many look; guarded by mu
}

// Write implements io.Writer. It never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rest = append(t.rest, p...)
	for {
		line, rest, ok := bytes.Cut(t.rest, []byte("\n"))
		if !ok {
			break
		}
		if len(t.lines) == tailLines {
			t.lines = slices.Delete(t.lines, 0, 1)
		}
		t.lines = append(t.lines, protocol.Clean(string(line[:min(len(line), tailLine)])))
		t.written++
		t.rest = append(t.rest[:0], rest...)
		if t.more != nil {
			close(t.more)
			t.more = nil
		}
	}
	t.rest = t.rest[:min(len(t.rest), tailLine)]
	return len(p), nil
}

// since returns the lines behind the first n of all, how many of them are gone, how many there are then in all, and what is
// closed when there are more.
func (t *Tail) since(n uint64) (lines []string, gone, written uint64, more <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.more == nil {
		t.more = make(chan struct{})
	}
	kept := t.written - uint64(len(t.lines))
	if n < kept {
		n, gone = kept, kept-n
	}
	return slices.Clone(t.lines[n-kept:]), gone, t.written, t.more
}

// look lets somebody look, unless too many do already. Done ends it.
func (t *Tail) look() (done func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.looking == mostTails {
		return nil, false
	}
	t.looking++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.looking--
	}, true
}

func (p *Page) logPage(*http.Request) (view, error) {
	lines, _, _, _ := p.Tail.since(0)
	return view{Title: "Log", Template: "log.html", Data: lines, Script: liveScript}, nil
}

// stream sends the lines of the log as they come (server-sent events), until the browser goes or the session or the bot ends.
func (p *Page) stream(w http.ResponseWriter, r *http.Request, s *session) {
	done, ok := p.Tail.look()
	if !ok {
		http.Error(w, "Too many look at the log.", http.StatusServiceUnavailable)
		return
	}
	defer done()
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	control := http.NewResponseController(w)
	say := func(text string) error {
		if err := control.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		if _, err := fmt.Fprint(w, text); err != nil {
			return err
		}
		return control.Flush()
	}
	if say("event: begin\ndata: the last lines\n\n") != nil {
		return
	}
	alive := time.NewTicker(20 * time.Second)
	defer alive.Stop()
	for at, first := uint64(0), true; ; first = false {
		var text strings.Builder
		lines, gone, written, more := p.Tail.since(at)
		if at = written; gone > 0 && !first {
			fmt.Fprintf(&text, "data: … %d lines were left out, as they came faster than they could be shown\n\n", gone)
		}
		for _, line := range lines {
			text.WriteString("data: " + line + "\n\n")
		}
		if say(text.String()) != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-more:
		case <-alive.C:
			if p.Session(r) != s || say(": alive\n\n") != nil {
				return
			}
		}
	}
}
