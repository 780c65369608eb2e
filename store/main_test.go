package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol"
	"moot/store/seen"
)

// children are what the test binary does when it is started as a child process of a test.
var children = map[string]func(args []string){
	"hold":  holdFile,
	"flip":  openFlipped,
	"limit": commitUntilLimit,
	"count": commitAndCount,
}

const (
	childVar = "MOOT_STORE_CHILD"
	argsVar  = "MOOT_STORE_ARGS"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(childVar); name != "" {
		children[name](strings.Split(os.Getenv(argsVar), "\n"))
		os.Exit(0)
	}
	flag.Parse()
	effort.Checks(3, 10) // each makes some dozens of commits, with all invariants looked at after each
	os.Exit(m.Run())
}

// child returns a command that runs one of the children in a process of its own.
func child(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+name, argsVar+"="+strings.Join(args, "\n"))
	return cmd
}

// long is whether the tests may take minutes.
var long = effort.Long()

// start is when the clock of the tests starts.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// tb is what a test, a benchmark and a check of rapid have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// box is a store under test. It checks all invariants after each commit and after each time that it
// is opened.
type box struct {
	*Store
	t   tb
	now time.Time // of the next commit
	cfg Config
}

// newBox opens a new store, which is checked, opened anew and checked once more when the test ends.
func newBox(t testing.TB) *box {
	t.Helper()
	return newBoxWith(t, Config{Path: filepath.Join(t.TempDir(), "moot.db")})
}

// newTinyBox is newBox with a journal that merges after a few events.
func newTinyBox(t testing.TB) *box {
	t.Helper()
	return newBoxWith(t, Config{Path: filepath.Join(t.TempDir(), "moot.db"), limits: tinyLimits})
}

// tinyLimits make everything happen that the store does beside the commits within a few dozens of
// them.
var tinyLimits = limits{
	Memtable: 1500, Most: 4, Slice: 200, Segment: 8 << 10, Ahead: 1 << 10,
	Seen: seen.Limits{Table: 8, Chunk: 5, Block: 60, Slice: 6, Fan: 3, Span: 5 * time.Minute},
}

func newBoxWith(t testing.TB, cfg Config) *box {
	t.Helper()
	b := openBoxWith(t, cfg)
	t.Cleanup(func() {
		if !t.Failed() {
			b.reopen()
		}
		b.Close()
	})
	return b
}

func openBox(t tb, path string) *box { t.Helper(); return openBoxWith(t, Config{Path: path}) }

func openBoxWith(t tb, cfg Config) *box {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	b := &box{s, t, start, cfg}
	checkInvariants(t, s)
	return b
}

func (b *box) reopen() {
	b.t.Helper()
	checkInvariants(b.t, b.Store)
	before := dump(b.t, b.Store)
	folder, err := os.MkdirTemp("", "crashed")
	if err != nil {
		b.t.Fatalf("%v", err)
	}
	defer os.RemoveAll(folder)
	after, err := Open(Config{Path: crashed(b.t, b.Store, folder), ReadOnly: true, limits: b.cfg.limits})
	if err != nil {
		b.t.Fatalf("after a crash: %v", err)
	}
	same(b.t, after, before)
	checkInvariants(b.t, after)
	if err := errors.Join(after.Close(), b.Close()); err != nil {
		b.t.Fatalf("close: %v", err)
	}
	b.Store = openBoxWith(b.t, b.cfg).Store
	if st := b.state.Load(); st.holds != st.change {
		b.t.Fatalf("after it was closed the file holds change %d of %d", st.holds, st.change)
	}
	same(b.t, b.Store, before)
}

// commit makes a commit that must succeed, a minute after the one before.
func (b *box) commit(f func(*Commit)) {
	b.t.Helper()
	err := b.Commit(b.now, func(c *Commit) error { f(c); return nil })
	if err != nil {
		b.t.Fatalf("commit: %v", err)
	}
	b.now = b.now.Add(time.Minute)
	checkInvariants(b.t, b.Store)
}

// run makes a commit of one run that must succeed.
func (b *box) run(scope protocol.Scope, f func(*Tx)) {
	b.t.Helper()
	b.commit(func(c *Commit) { b.in(c, scope, f) })
}

// in makes a run that must succeed.
func (b *box) in(c *Commit, scope protocol.Scope, f func(*Tx)) {
	b.t.Helper()
	err := c.Run(scope, protocol.Ref{}, func(tx *Tx) error { f(tx); return nil })
	reraise(err)
	if err != nil {
		b.t.Fatalf("run: %v", err)
	}
}

// reraise panics with what a run panicked with. Package rapid ends a test by panics, which Run
// catches.
func reraise(err error) {
	if p, ok := errors.AsType[*PanicError](err); ok {
		panic(p.Value)
	}
}

func (b *box) view(f func(*Tx)) {
	b.t.Helper()
	if err := b.View(func(tx *Tx) error { f(tx); return nil }); err != nil {
		b.t.Fatalf("view: %v", err)
	}
}

// dump returns everything that is part of the state of the store: bucket␟key → value.
func dump(t tb, s *Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := s.View(func(tx *Tx) error {
		v := tx.seer.(*viewer)
		names := map[string]bool{}
		for _, list := range [][]string{v.view.Buckets(), v.state.frozen.names(), v.state.rows.names()} {
			for _, name := range list {
				names[name] = name != checkpoint && name != "seen"
			}
		}
		for name, wanted := range names {
			if !wanted {
				continue
			}
			for k, v := range tx.Range(SharedBucket(name), "", "") {
				all[Key(name, k)] = string(v)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("dump: %v", err)
	}
	return all
}

// crashed returns the path of a copy of the files as a crash would leave them now.
func crashed(t tb, s *Store, folder string) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing.Lock()
	defer s.writing.Unlock()
	path := filepath.Join(folder, "crashed.db")
	from, err := filepath.EvalSymlinks(s.Path())
	err = errors.Join(
		err, os.RemoveAll(path), os.RemoveAll(logOf(path)), os.Mkdir(logOf(path), 0o700), copyTo(from, path),
	)
	entries, rerr := os.ReadDir(logOf(from))
	err = errors.Join(err, rerr)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".wal") {
			err = errors.Join(err, copyTo(filepath.Join(logOf(from), e.Name()), filepath.Join(logOf(path), e.Name())))
		}
	}
	if err != nil {
		t.Fatalf("copy what a crash leaves: %v", err)
	}
	return path
}

// logOf returns the folder of the log of commits.
func logOf(path string) string { return strings.TrimSuffix(path, ".db") + ".wal" }

func copyTo(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}

// same fails unless nothing in the store has changed since the dump was made.
func same(t tb, s *Store, before map[string]string) {
	t.Helper()
	if now := dump(t, s); !maps.Equal(now, before) {
		t.Fatalf("the store has changed:\n before %q\n now    %q", before, now)
	}
}

// hash returns a hash of the file's bytes, or why there is none.
func hash(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d bytes %x", len(data), sha256.Sum256(data))
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// kept is a closed store.
type kept struct {
	data []byte            // of the file
	log  map[string][]byte // the segments of the log of commits
}

// filled makes a store with something in every bucket over some dozens of pages.
func filled(t testing.TB) kept {
	t.Helper()
	path := filepath.Join(t.TempDir(), "filled.db")
	b := openBoxWith(t, Config{Path: path, limits: tinyLimits})
	for i := range 8 {
		b.commit(func(c *Commit) { fillStep(b.t, c, i) })
	}
	if err := errors.Join(b.Checkpoint(t.Context()), b.Close()); err != nil {
		t.Fatal(err)
	}
	return keep(t, path)
}

func keep(t testing.TB, path string) kept {
	t.Helper()
	k := kept{bytes.Clone(readFile(t, path)), map[string][]byte{}}
	entries, err := os.ReadDir(logOf(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		k.log[e.Name()] = readFile(t, filepath.Join(logOf(path), e.Name()))
	}
	return k
}

// at writes the store to a path, with other data in its file.
func (k kept) at(t testing.TB, path string, data []byte) {
	t.Helper()
	remove(path)
	writeFile(t, path, data)
	if err := os.Mkdir(logOf(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range k.log {
		writeFile(t, filepath.Join(logOf(path), name), data)
	}
}

// remove removes a store.
func remove(path string) {
	_ = os.Remove(path)
	_ = os.RemoveAll(logOf(path))
}

// fillStep does a bit of everything that a commit can do.
func fillStep(t tb, c *Commit, i int) {
	t.Helper()
	room := protocol.RoomID(fmt.Sprintf("c:room%d", i%3))
	for j := range 20 {
		c.Record(room, protocol.EventID(fmt.Sprintf("event-%d-%d", i, j)), Handled, strings.Repeat("reason ", 20))
	}
	err := c.Run(protocol.Scope(room), protocol.Ref{Room: room, Event: "e"}, func(tx *Tx) error {
		tx.Append(bytes.Repeat([]byte{byte(i)}, 1500), "vote", Key("vote", string(room)))
		key := protocol.DeriveKey("fill", fmt.Sprint(i))
		tx.Enqueue(Entry{Key: key, Lane: string(room), Payload: []byte(`{"text":"hello"}`)})
		tx.SetTimer(fmt.Sprintf("timer%d", i), tx.Now().Add(time.Hour), []byte("data"))
		tx.SetCursor(protocol.Cursor{Name: "console", Value: fmt.Sprint(i)})
		tx.Put(ScopedBucket("rooms"), Key(room, fmt.Sprint(i)), bytes.Repeat([]byte("x"), 9000)) // overflow pages
		return nil
	})
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	c.Bury(
		Letter{
			Scope: protocol.Scope(room),
			Event: protocol.Event{Room: room, ID: "e", Body: protocol.Message{Text: "hi"}},
		},
	)
	if i%2 == 1 {
		for q := range c.Read().Queue(string(room), 0) {
			c.Finish(c.Begin(q), StateSent, protocol.Ref{Room: room, Event: "sent"}, "")
		}
	}
}
