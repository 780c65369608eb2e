package powerloss

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrTrace is the error of a recording that is not understood, or that shows what the model does not know.
var ErrTrace = errors.New("the recording cannot be modelled")

// calls are what is recorded. Those that the model does not know are refused where they touch the folder.
var calls = []string{
	"open", "openat", "creat", "close", "lseek", "read", "write", "pwrite64", "ftruncate", "truncate", "fallocate",
	"fsync", "fdatasync", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat",
	"mkdir", "mkdirat", "rmdir",
	"writev", "pwritev", "pwritev2", "sync", "syncfs", "sync_file_range", "msync", "symlink", "symlinkat",
	"copy_file_range", "sendfile", "splice", "io_uring_setup",
}

// parser follows the names and descriptors of a program through what strace says of it.
type parser struct {
	root    string
	names   map[string]int // files; folders are -1
	sizes   map[int]int64
	files   int
	open    map[int]*descriptor
	waiting map[string]begun // by thread
	ops     []Op
	line    int
}

type descriptor struct {
	file   int    // zero for a folder
	dir    string // of a folder
	at     int64
	append bool
}

type begun struct {
	text string
	line int
}

// folder returns what is in a folder, by relative names.
func folder(root string) (State, error) {
	s := State{Files: map[string][]byte{}}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == root || !d.IsDir() && !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if rel = filepath.ToSlash(rel); d.IsDir() {
			s.Dirs = append(s.Dirs, rel)
			return nil
		}
		s.Files[rel], err = os.ReadFile(name)
		return err
	})
	slices.Sort(s.Dirs)
	return s, err
}

// Parse reads what strace has written with -f -y -xx about one process and its threads. Root is the absolute path of the
// folder that counts, without symbolic links, and before what was in it.
func Parse(r io.Reader, root string, before State) (*Trace, error) {
	p := &parser{
		root: root, names: map[string]int{".": -1}, sizes: map[int]int64{}, open: map[int]*descriptor{},
		waiting: map[string]begun{},
	}
	for _, dir := range before.Dirs {
		p.names[dir] = -1
	}
	for _, name := range slices.Sorted(maps.Keys(before.Files)) {
		p.files++
		p.names[name], p.sizes[p.files] = p.files, int64(len(before.Files[name]))
	}
	in := bufio.NewReaderSize(r, 1<<20)
	for {
		text, err := in.ReadString('\n')
		if text = strings.TrimRight(text, "\n"); text != "" {
			p.line++
			if err := p.take(text); err != nil {
				return nil, fmt.Errorf("%w: line %d: %w: %.300s", ErrTrace, p.line, err, text)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return &Trace{Before: before, Ops: p.ops}, nil
}

// take takes in a line.
func (p *parser) take(text string) error {
	thread, text, ok := strings.Cut(text, " ")
	if text = strings.TrimLeft(text, " "); !ok || strings.HasPrefix(text, "+++") || strings.HasPrefix(text, "---") {
		return nil
	}
	if first, ok := strings.CutSuffix(text, " <unfinished ...>"); ok {
		p.waiting[thread] = begun{first, p.line}
		// The number of a descriptor is free as soon as close begins, and another thread may have it before it ends.
		if c := (&call{args: split(first[strings.Index(first, "(")+1:])}); strings.HasPrefix(first, "close(") {
			fd, _, err := c.fd(0)
			delete(p.open, fd)
			return err
		}
		return nil
	}
	began := p.line
	if rest, ok := strings.CutPrefix(text, "<... "); ok {
		_, rest, ok = strings.Cut(rest, " resumed>")
		w := p.waiting[thread]
		delete(p.waiting, thread)
		if !ok || w.text == "" {
			return errors.New("the end of a call without its beginning")
		}
		text, began = w.text+rest, w.line
		if strings.HasPrefix(text, "close(") {
			return nil
		}
	}
	c, err := parseCall(text)
	if err != nil || c == nil {
		return err
	}
	n := len(p.ops)
	if err := p.call(c); err != nil {
		return err
	}
	for i := n; i < len(p.ops); i++ {
		p.ops[i].Begin, p.ops[i].End = 2*began, 2*p.line+1
	}
	return nil
}

// call is a system call that went well.
type call struct {
	name   string
	args   []string
	result int64
	path   string // of the descriptor that it returned
}

// parseCall returns the call that a line speaks of; nil if it failed.
func parseCall(text string) (*call, error) {
	if strings.HasSuffix(text, "<detached ...>") { // strace ended in the middle of it
		return nil, nil
	}
	name, rest, ok := strings.Cut(text, "(")
	end := strings.LastIndex(rest, ") ")
	if !ok || end < 0 {
		return nil, errors.New("not a call")
	}
	result, ok := strings.CutPrefix(strings.TrimLeft(rest[end+1:], " "), "= ")
	if !ok {
		return nil, errors.New("a call without a result")
	}
	c := &call{name: name, args: split(rest[:end])}
	result, _, _ = strings.Cut(result, " ")
	if result == "?" { // it never returned
		return nil, nil
	}
	value, at, err := annotated(result)
	if err != nil {
		return nil, err
	}
	c.path = at
	if c.result, err = strconv.ParseInt(value, 0, 64); err != nil || c.result < 0 {
		return nil, err
	}
	return c, nil
}

// annotated takes apart what -y writes of a descriptor: 5</path>, or 5</path>(deleted).
func annotated(s string) (value, at string, err error) {
	value, at, _ = strings.Cut(s, "<")
	at, _, _ = strings.Cut(at, ">")
	at, err = unescape(at)
	return value, at, err
}

// split cuts arguments at their commas. With -xx no text in them holds a comma, a quote or a bracket.
func split(args string) []string {
	parts := strings.Split(args, ", ")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

func unescape(s string) (string, error) {
	if !strings.HasPrefix(s, `\x`) {
		return s, nil
	}
	out := make([]byte, 0, len(s)/4)
	for len(s) > 0 {
		if len(s) < 4 || s[:2] != `\x` {
			return "", fmt.Errorf("%.20q is not as -xx writes it", s)
		}
		b, err := strconv.ParseUint(s[2:4], 16, 8)
		if err != nil {
			return "", err
		}
		out, s = append(out, byte(b)), s[4:]
	}
	return string(out), nil
}

// text returns an argument that is text.
func (c *call) text(i int) (string, error) {
	if i >= len(c.args) {
		return "", fmt.Errorf("%s has no argument %d", c.name, i+1)
	}
	s := c.args[i]
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", fmt.Errorf("%.40s is cut short", s)
	}
	return unescape(s[1 : len(s)-1])
}

func (c *call) number(i int) (int64, error) {
	if i >= len(c.args) {
		return 0, fmt.Errorf("%s has no argument %d", c.name, i+1)
	}
	return strconv.ParseInt(c.args[i], 0, 64)
}

// fd returns a descriptor and the path that strace has found for it.
func (c *call) fd(i int) (fd int, at string, err error) {
	if i >= len(c.args) {
		return 0, "", fmt.Errorf("%s has no argument %d", c.name, i+1)
	}
	value, at, err := annotated(c.args[i])
	if err != nil {
		return 0, "", err
	}
	if value == "AT_FDCWD" {
		return -1, at, nil
	}
	fd, err = strconv.Atoi(value)
	return fd, at, err
}
