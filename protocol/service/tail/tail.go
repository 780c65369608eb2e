// Package tail is the collector that follows a file: each line that is written to it is one thing.
//
// # Promises
//
//   - A line is brought when its end has been written, once, in the order of the file. The last line of a file that was put away
//     counts without an end.
//   - The first time nothing is brought of what is there already.
//   - A file that is put away by another name, beside which a new one begins, is read to its end first, also where that happened while
//     nobody looked, and several times, as long as it stands beside the new one and is not compressed. So is the copy of a file that
//     was emptied then.
//   - Which file it was is known by its number (inode) and by how it begins, since numbers are given again.
//   - A file that was emptied is read from its beginning.
//   - On another machine, whose file of that name is another one, nothing is brought of what is there already.
//
// A line longer than [maxLine] is several things.
package tail

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"moot/internal/pause"
	"moot/protocol"
	"moot/protocol/service"
)

const (
	// maxLine is how many bytes a line has at most.
	maxLine = 64 << 10
	// turn is how many bytes are read before what was found in them is brought.
	turn = 1 << 20
	// beginning is by how many bytes a file is known again.
	beginning = 256
	// tellTale is from how many bytes on a copy is known by them.
	tellTale = 16
	// still is for how many looks a file that was put away is not to grow before the next one is read: its writer may not know yet.
	still = 3
)

// Config says what a Collector is.
type Config struct {
	Name, Path string
	// Node is the machine that the file is on, where the bot may go on on another one; empty where it cannot.
	Node string
	// Match is what a line has to fit; nil means that all do.
	Match *regexp.Regexp
	// Every is how often the file is looked at.
	Every time.Duration
	Log   *slog.Logger // nil means none
}

// Collector follows a file.
type Collector struct{ cfg Config }

// New returns a collector.
func New(c Config) (*Collector, error) {
	if c.Name == "" || !filepath.IsAbs(c.Path) || c.Every <= 0 {
		return nil, errors.New("tail: Name, an absolute Path or Every is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Collector{c}, nil
}

// Name implements service.Collector.
func (c *Collector) Name() string { return c.cfg.Name }

// Source implements service.Collector.
func (c *Collector) Source() string { return "tail " + c.cfg.Path }

// place is how far the file was read. It is the cursor, as JSON.
type place struct {
	// Life counts the files that were read, from a number that chance has given, so that two lines never have the same id: also not
	// where one collector is taken out of the configuration and another one by its name is put in.
	Life  uint64 `json:"life"`
	Node  string `json:"node,omitempty"`
	Inode uint64 `json:"inode,omitempty"` // zero before there is a file
	At    int64  `json:"at"`              // how many bytes were read
	Head  string `json:"head,omitempty"`  // the hash of the first of them
	When  int64  `json:"when,omitempty"`  // when the file had last been written to then
}

func (p place) String() string {
	data, err := json.Marshal(p)
	if err != nil {
		panic(err) // numbers and a text can be encoded
	}
	return string(data)
}

// headOf hashes the beginning of a file that was read so far.
func headOf(f *os.File, at int64) (string, error) {
	b := make([]byte, min(at, beginning))
	if _, err := f.ReadAt(b, 0); err != nil {
		return "", err // it is shorter
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12]), nil
}

// goesOn reports whether a file, elsewhere or as a copy, is the one that was read so far.
func (p place) goesOn(f *os.File, info os.FileInfo) bool {
	// Logs of one program often begin alike. An older one was not written to since.
	return info.Size() >= p.At && info.ModTime().UnixNano() >= p.When && p.begins(f) && (inode(info) == p.Inode || p.At >= tellTale)
}

// begins reports whether a file begins as the one that was read so far.
func (p place) begins(f *os.File) bool {
	if p.At == 0 {
		return true
	}
	head, err := headOf(f, p.At)
	return err == nil && head == p.Head
}

// reader is a Collector that runs.
type reader struct {
	*Collector
	to    service.Sink
	file  *os.File // what is read now; nil before there is one
	place place
	saved place // what is durable
	quiet int   // for how many looks the file has been put away and has not grown
	odd   string
}

// Run implements service.Collector.
func (c *Collector) Run(ctx context.Context, to service.Sink) error {
	r := &reader{Collector: c, to: to}
	defer r.close()
	value, err := to.Cursor()
	if err != nil {
		return err
	}
	if value == "" {
		if err := r.first(ctx); err != nil {
			return err
		}
	} else if err := json.Unmarshal([]byte(value), &r.place); err != nil {
		return fmt.Errorf("read the cursor %q: %w", value, err)
	}
	r.saved = r.place
	for {
		if err := to.Ready(ctx); err != nil {
			return err
		}
		more, err := r.look(ctx)
		switch {
		case err != nil:
			return err
		case more:
			continue
		}
		if err := pause.Sleep(ctx, c.cfg.Every); err != nil {
			return err
		}
	}
}

func (r *reader) close() {
	if r.file != nil {
		r.file.Close()
	}
	r.file = nil
}

// first begins behind the last line that is there.
func (r *reader) first(ctx context.Context) error {
	r.place = place{Life: 1 + uint64(rand.Uint32()), Node: r.cfg.Node}
	f, info, err := open(r.cfg.Path)
	if err == nil {
		defer f.Close()
		at, err := lastEnd(f, info.Size())
		if err != nil {
			return r.complain("it cannot be read", err)
		}
		r.place.Inode, r.place.At = inode(info), at
		if r.place.Head, err = headOf(f, at); err != nil {
			return r.complain("it cannot be read", err)
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		r.complain("it cannot be opened", err)
	}
	return r.to.Mark(ctx, r.place.String())
}

// lastEnd returns where the last whole line of a file ends.
func lastEnd(f *os.File, size int64) (int64, error) {
	from := max(0, size-maxLine)
	b := make([]byte, size-from)
	if _, err := f.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if i := strings.LastIndexByte(string(b), '\n'); i >= 0 {
		return from + int64(i) + 1, nil
	}
	return from, nil
}

// complain logs what is wrong with the file, once for as long as it is so. It returns nil: what is wrong may be put right.
func (r *reader) complain(text string, err error) error {
	if odd := fmt.Sprint(text, err); odd != r.odd {
		r.odd = odd
		r.cfg.Log.Warn("the file of a collector cannot be followed", "path", r.cfg.Path, "what", text, "err", err)
	}
	return nil
}

// look looks at the file once, and reports whether there is more to be done at once.
func (r *reader) look(ctx context.Context) (more bool, err error) {
	if r.file == nil {
		return r.open(ctx)
	}
	info, err := r.file.Stat()
	if err != nil {
		return false, r.complain("it cannot be looked at", err)
	}
	if info.Size() < r.place.At || info.Size() > r.place.At && !r.place.begins(r.file) {
		// It was emptied, and perhaps written anew: there may be a copy of what it was.
		r.close()
		return true, nil
	}
	away := r.away(info)
	n, err := r.read(ctx, info, away && r.quiet >= still)
	switch {
	case err != nil:
		return false, err
	case n > 0:
		r.quiet = 0
		return r.place.At < info.Size() && n >= turn, nil
	case !away:
		r.quiet = 0
		return false, nil
	}
	if r.quiet++; r.quiet <= still {
		return false, nil
	}
	return true, r.next(ctx, info)
}

// away reports whether another file has the name by now.
func (r *reader) away(info os.FileInfo) bool {
	now, err := os.Stat(r.cfg.Path)
	return err == nil && !os.SameFile(now, info)
}

// open opens what is to be read next, by the place.
func (r *reader) open(ctx context.Context) (more bool, err error) {
	f, info, err := open(r.cfg.Path)
	if err == nil {
		here := r.place.Node == r.cfg.Node
		if (r.place.Inode == 0 && here || inode(info) == r.place.Inode && (here || r.place.At > 0)) && info.Size() >= r.place.At && r.place.begins(f) {
			r.place.Node, r.place.Inode = r.cfg.Node, inode(info)
			r.take(f)
			return true, nil
		}
		f.Close()
	}
	here := err == nil
	if !here && !errors.Is(err, os.ErrNotExist) {
		return false, r.complain("it cannot be opened", err)
	}
	if here && r.place.Node != r.cfg.Node {
		r.cfg.Log.Info("a collector goes on with the file of another machine", "path", r.cfg.Path)
		err := r.first(ctx)
		r.saved = r.place
		return err == nil, err
	}
	// What was read is elsewhere: under another name, or as a copy.
	for _, c := range r.put() {
		f, info, err := open(c.path)
		if err != nil {
			continue
		}
		if r.place.goesOn(f, info) {
			r.take(f)
			return true, nil
		}
		f.Close()
	}
	if !here {
		return false, nil // it may come
	}
	r.cfg.Log.Info("the file of a collector begins anew", "path", r.cfg.Path)
	f, info, err = open(r.cfg.Path)
	if err != nil {
		return false, r.complain("it cannot be opened", err)
	}
	return true, r.begin(ctx, f, info)
}

func (r *reader) take(f *os.File) {
	r.close()
	r.file, r.quiet, r.odd = f, 0, ""
}

// begin begins a file.
func (r *reader) begin(ctx context.Context, f *os.File, info os.FileInfo) error {
	next := place{Life: r.place.Life + 1, Node: r.cfg.Node, Inode: inode(info)}
	if err := r.to.Mark(ctx, next.String()); err != nil {
		f.Close()
		return err
	}
	r.place, r.saved = next, next
	r.take(f)
	return nil
}

// next begins the file that came after the one that was read to its end.
func (r *reader) next(ctx context.Context, info os.FileInfo) error {
	want, away := r.after(info)
	if !away {
		want.path = r.cfg.Path
	}
	f, now, err := open(want.path)
	if err != nil {
		return r.complain("it cannot be opened", err)
	}
	// Files may be put away at this moment: it is looked at once more then.
	again, more := r.after(info)
	if more != away && !os.SameFile(again.info, now) || away && !os.SameFile(want.info, now) {
		return f.Close()
	}
	return r.begin(ctx, f, now)
}

// after returns the file that was put away next after the given one.
func (r *reader) after(info os.FileInfo) (candidate, bool) {
	for _, c := range r.put() {
		if c.info.ModTime().After(info.ModTime()) && !os.SameFile(c.info, info) {
			return c, true
		}
	}
	return candidate{}, false
}

// candidate is a file that may have had the name before.
type candidate struct {
	path string
	info os.FileInfo
}

// putAway is what is behind the name of a file that was put away.
var putAway = regexp.MustCompile(`^[.\-_][0-9][0-9.\-_T:]*$`)

// put returns the files that were put away, the oldest first.
func (r *reader) put() (all []candidate) {
	dir, base := filepath.Split(r.cfg.Path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), base)
		if !ok || !putAway.MatchString(rest) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			all = append(all, candidate{dir + e.Name(), info})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return a.info.ModTime().Compare(b.info.ModTime()) })
	return all
}

// read brings the whole lines that are there, and where all of the file is there the last one without an end, too. It returns how
// many bytes it has read.
func (r *reader) read(ctx context.Context, info os.FileInfo, all bool) (n int64, err error) {
	var items []service.Item
	var ends []int64 // of each of them
	at := r.place
	at.When = info.ModTime().UnixNano()
	in := bufio.NewReaderSize(io.NewSectionReader(r.file, at.At, info.Size()-at.At), maxLine)
	for at.At-r.place.At < turn {
		line, err := in.ReadSlice('\n')
		if len(line) == 0 || err != nil && !errors.Is(err, bufio.ErrBufferFull) && !all {
			break // the rest of it is yet to be written
		}
		id := protocol.EventID(fmt.Sprintf("line/%d/%d", at.Life, at.At))
		at.At += int64(len(line))
		text := strings.TrimRight(strings.ToValidUTF8(string(line), "\uFFFD"), "\r\n")
		if r.cfg.Match != nil && !r.cfg.Match.MatchString(text) || r.cfg.Match == nil && strings.TrimSpace(text) == "" {
			continue
		}
		items, ends = append(items, service.Item{ID: id, Collected: protocol.Collected{Kind: "tail", Text: text}}), append(ends, at.At)
	}
	n = at.At - r.place.At
	if n == 0 {
		return 0, nil
	}
	if at.Head, err = headOf(r.file, at.At); err != nil {
		return 0, r.complain("it cannot be read", err)
	}
	for i := range items {
		behind := at
		if behind.At = ends[i]; behind.At < beginning {
			if behind.Head, err = headOf(r.file, behind.At); err != nil {
				return 0, r.complain("it cannot be read", err)
			}
		}
		items[i].Cursor = behind.String()
	}
	if err := r.to.Bring(ctx, items); err != nil {
		return 0, err
	}
	if len(items) > 0 {
		r.saved = at
	} else if at.At-r.saved.At >= turn { // what fits nothing is no reason to write for each line
		if err := r.to.Mark(ctx, at.String()); err != nil {
			return 0, err
		}
		r.saved = at
	}
	r.place = at
	return n, nil
}

func open(path string) (*os.File, os.FileInfo, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}
