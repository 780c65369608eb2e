package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moot/events"
	"moot/internal/inspect"
	"moot/protocol"
	"moot/store"
)

var noteKind = events.Kind{Name: "note", Version: 1}

// house is a data folder with a store in it.
type house struct {
	t      testing.TB
	folder string
	store  *store.Store // nil while nobody has it open
	bus    *events.Bus
	notes  int
}

func newHouse(t testing.TB) *house {
	// The check comes last, when all is closed.
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
	h := &house{t: t, folder: t.TempDir()}
	h.open()
	t.Cleanup(h.close)
	return h
}

func (h *house) file() string { return filepath.Join(h.folder, "moot.db") }

func (h *house) open() {
	h.t.Helper()
	var err error
	if h.store, err = store.Open(store.Config{Path: h.file()}); err != nil {
		h.t.Fatal(err)
	}
	if h.bus, err = events.Open(events.Config{Store: h.store, Kinds: []events.Kind{noteKind}}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) close() {
	if h.store == nil {
		return
	}
	if err := errors.Join(h.bus.Close(), h.store.Close()); err != nil {
		h.t.Error(err)
	}
	h.store = nil
}

// note publishes the next fact.
func (h *house) note() {
	h.t.Helper()
	h.notes++
	err := h.store.Commit(time.Now(), func(c *store.Commit) error {
		return c.Run("console:lobby", protocol.Ref{Room: "console:lobby", Event: "e1"}, func(tx *store.Tx) error {
			return h.bus.Publish(tx, events.Draft{Kind: noteKind.Name, Payload: h.notes})
		})
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.bus.Notify()
}

func (h *house) handler() *Handler {
	return &Handler{
		Inspector: &inspect.Inspector{Store: h.store, Bus: h.bus},
		Retry:     func(_ context.Context, id uint64) (string, error) { return fmt.Sprintf("tried %d", id), nil },
		Drop:      func(_ context.Context, id uint64) error { return inspect.NoLetter(id) },
		Status:    func() Status { return Status{Running: true, PID: os.Getpid(), Folder: h.folder} },
	}
}

// serve answers on the socket until the returned function is called.
func (h *house) serve(change ...func(*Server)) (stop func()) {
	h.t.Helper()
	s, err := Listen(h.folder, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range change {
		f(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	o := h.handler()
	go func() { done <- s.Serve(ctx, o) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("serve: %v", err)
		}
		done <- nil
	}
	h.t.Cleanup(stop)
	return stop
}

// files opens the files as a reader does.
func (h *house) files(write bool) (*Handler, func() error, error) {
	if _, err := os.Stat(h.file()); err != nil {
		return nil, nil, err
	}
	s, err := store.Open(store.Config{Path: h.file(), ReadOnly: !write, LockTimeout: time.Millisecond})
	if err != nil {
		return nil, nil, err
	}
	b, err := events.Open(events.Config{Store: s, Kinds: []events.Kind{noteKind}, ReadOnly: true})
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	o := &Handler{
		Inspector: &inspect.Inspector{Store: s, Bus: b},
		Retry:     func(context.Context, uint64) (string, error) { return "marked", nil },
		Drop:      func(context.Context, uint64) error { return nil },
		Status:    func() Status { return Status{Folder: h.folder} },
	}
	return o, func() error { return errors.Join(b.Close(), s.Close()) }, nil
}

func (h *house) client() *Client {
	return NewClient(ClientConfig{Folder: h.folder, Files: h.files, Busy: func(err error) bool { return errors.Is(err, store.ErrLocked) }})
}

func TestBotThatRunsAnswers(t *testing.T) {
	h := newHouse(t)
	h.note()
	h.serve()
	c, ctx := h.client(), context.Background()

	page, err := c.Log(ctx, inspect.LogQuery{Kind: "note"})
	if err != nil || len(page.Facts) != 1 || string(page.Facts[0].Payload) != "1" {
		t.Errorf("log: %+v, %v", page, err)
	}
	if st, err := c.Status(ctx); err != nil || !st.Running || st.PID != os.Getpid() {
		t.Errorf("status: %+v, %v", st, err)
	}
	if text, err := c.Retry(ctx, 7); err != nil || text != "tried 7" {
		t.Errorf("retry: %q, %v", text, err)
	}
	_, err = c.Drop(ctx, 7)
	if !errors.Is(err, inspect.ErrNotFound) || err.Error() != inspect.NoLetter(7).Error() {
		t.Errorf("drop: %v", err)
	}
	_, err = c.Why(ctx, inspect.WhyQuery{Event: "e99"})
	if !errors.Is(err, inspect.ErrNotFound) {
		t.Errorf("why: %v", err)
	}
	if _, err := c.Dead(ctx, 0); err != nil {
		t.Errorf("dead: %v", err)
	}
	if _, err := c.Letter(ctx, 1); !errors.Is(err, inspect.ErrNotFound) {
		t.Errorf("letter: %v", err)
	}
	if _, err := c.Outbox(ctx, inspect.OutboxQuery{}); err != nil {
		t.Errorf("outbox: %v", err)
	}
	if found, err := c.Check(ctx, inspect.CheckQuery{}); err != nil || len(found) == 0 {
		t.Errorf("check: %v, %v", found, err)
	}
}

func TestFilesAnswerWhereNoBotRuns(t *testing.T) {
	h := newHouse(t)
	h.note()
	h.close()
	c, ctx := h.client(), context.Background()
	page, err := c.Log(ctx, inspect.LogQuery{})
	if err != nil || len(page.Facts) != 1 {
		t.Errorf("log: %+v, %v", page, err)
	}
	if st, err := c.Status(ctx); err != nil || st.Running {
		t.Errorf("status: %+v, %v", st, err)
	}
	if text, err := c.Retry(ctx, 7); err != nil || text != "marked" {
		t.Errorf("retry: %q, %v", text, err)
	}
	if _, err := c.Why(ctx, inspect.WhyQuery{Event: "e99"}); !errors.Is(err, inspect.ErrNotFound) {
		t.Errorf("why: %v", err)
	}
	h.open() // the client has let go of the files
}

func TestNoData(t *testing.T) {
	h := newHouse(t)
	h.close()
	if err := os.Remove(h.file()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.client().Status(context.Background()); !errors.Is(err, ErrNoData) {
		t.Errorf("got %v", err)
	}
}

// A bot that is starting holds the files and does not listen yet.
func TestClientWaitsForABotThatStarts(t *testing.T) {
	h := newHouse(t)
	tries := 0
	c := NewClient(ClientConfig{
		Folder: h.folder,
		Busy:   func(err error) bool { return errors.Is(err, store.ErrLocked) },
		Files: func(write bool) (*Handler, func() error, error) {
			if tries++; tries == 3 {
				h.serve()
			}
			return h.files(write)
		},
	})
	if st, err := c.Status(context.Background()); err != nil || !st.Running {
		t.Errorf("got %+v, %v", st, err)
	}
	if tries != 3 {
		t.Errorf("the files were tried %d times", tries)
	}
}

func TestClientGivesUp(t *testing.T) {
	h := newHouse(t)
	c := h.client()
	c.cfg.Wait = time.Millisecond
	if _, err := c.Status(context.Background()); !errors.Is(err, ErrUnreachable) || !errors.Is(err, store.ErrLocked) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.client().Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context ended: %v", err)
	}
}

func TestSocketIsTheOwnersAlone(t *testing.T) {
	h := newHouse(t)
	stop := h.serve()
	path := filepath.Join(h.folder, SocketName)
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info, err)
	}
	stop()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end it is still there: %v", err)
	}
}

func TestSocketThatWasLeftOver(t *testing.T) {
	h := newHouse(t)
	path := filepath.Join(h.folder, SocketName)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	h.close()
	if _, err := h.client().Status(context.Background()); err != nil {
		t.Errorf("with nobody behind it: %v", err)
	}
	h.open()
	h.serve()
	if st, err := h.client().Status(context.Background()); err != nil || !st.Running {
		t.Errorf("with a new bot: %+v, %v", st, err)
	}
}

func TestSocketElsewhere(t *testing.T) {
	short, err := os.MkdirTemp("/tmp", "m")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	for name, setup := range map[string]func(h *house){
		"long path, runtime folder": func(h *house) {
			t.Setenv("XDG_RUNTIME_DIR", short)
			h.move(strings.Repeat("long", 40))
		},
		"long path, temporary folder": func(h *house) {
			t.Setenv("XDG_RUNTIME_DIR", "")
			t.Setenv("TMPDIR", short)
			h.move(strings.Repeat("long", 40))
		},
		"something in the way": func(h *house) {
			t.Setenv("XDG_RUNTIME_DIR", short)
			if err := os.WriteFile(filepath.Join(h.folder, SocketName), nil, 0o600); err != nil {
				h.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			setup(h)
			stop := h.serve()
			if _, err := os.Lstat(filepath.Join(h.folder, SocketName)); err == nil && name != "something in the way" {
				t.Error("the socket is in the data folder")
			}
			if st, err := h.client().Status(context.Background()); err != nil || !st.Running {
				t.Errorf("got %+v, %v", st, err)
			}
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(h.folder, link); err != nil {
				t.Fatal(err)
			}
			c := h.client()
			c.cfg.Folder = link
			if st, err := c.Status(context.Background()); err != nil || !st.Running {
				t.Errorf("by another way to the folder: %+v, %v", st, err)
			}
			stop()
		})
	}
}

// move moves the data into a folder below.
func (h *house) move(name string) {
	h.t.Helper()
	h.close()
	h.folder = filepath.Join(h.folder, name)
	if err := os.Mkdir(h.folder, 0o700); err != nil {
		h.t.Fatal(err)
	}
	h.open()
}

func TestFolderOfSomebodyElseIsNotTrusted(t *testing.T) {
	run := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", run)
	t.Setenv("TMPDIR", filepath.Join(run, "tmp"))
	if err := os.Mkdir(filepath.Join(run, "moot"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(run, "moot"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := ownFolder(filepath.Join(run, "moot")); err == nil {
		t.Error("a folder in which everybody can write is trusted")
	}
	if err := ownFolder(run); err != nil {
		t.Error(err)
	}
}

// raw writes a line to the socket and returns what comes back.
func (h *house) raw(line string) string {
	h.t.Helper()
	conn, err := net.Dial("unix", filepath.Join(h.folder, SocketName))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	go fmt.Fprint(conn, line) //nolint:errcheck // the bot may close before it has read all
	back, _ := bufio.NewReader(conn).ReadString('\n')
	return back
}

func TestBadRequests(t *testing.T) {
	h := newHouse(t)
	h.serve(func(s *Server) { s.slow = 50 * time.Millisecond })
	for line, want := range map[string]string{
		"{}\n":                                `there is no request \"\"`,
		"{\"do\":\"dance\"}\n":                `there is no request \"dance\"`,
		"hello\n":                             "read the request",
		"{\"do\":\"why\",\"with\":7}\n":       "read the request",
		strings.Repeat("x", 70<<10) + "\n":    "longer than 65536 bytes",
		"{\"do\":\"status\"":                  "i/o timeout", // and nothing more for too long
		"{\"do\":\"letter\",\"with\":{}}\n\n": "There is no dead letter 0",
	} {
		if got := h.raw(line); !strings.Contains(got, want) {
			t.Errorf("%.40q: got %q, want %q", line, got, want)
		}
	}
	if _, err := h.client().Status(context.Background()); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

func TestQuestionThatPanics(t *testing.T) {
	h := newHouse(t)
	s, err := Listen(h.folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, &Handler{Status: func() Status { panic("oh") }}) }()
	if _, err := h.client().Status(ctx); err == nil || !strings.Contains(err.Error(), "panic: oh") {
		t.Errorf("got %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTooManyQuestions(t *testing.T) {
	h := newHouse(t)
	h.serve()
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan inspect.Fact)
	done := make(chan error)
	h.note()
	for range maxCalls {
		go func() {
			done <- h.client().Follow(ctx, inspect.LogQuery{}, func(f inspect.Fact) error { got <- f; return nil })
		}()
		<-got
	}
	if _, err := h.client().Status(ctx); err == nil || !strings.Contains(err.Error(), "too many questions") {
		t.Errorf("got %v", err)
	}
	cancel()
	for range maxCalls {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestAnswerThatIsCutShort(t *testing.T) {
	h := newHouse(t)
	l, err := net.Listen("unix", filepath.Join(h.folder, SocketName))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, back := range []string{"", `{"row":{"text":"gone"}}` + "\n", `{"row":{"te`, "hello\n", `{"end":true}` + "\n"} {
		go func() {
			conn, err := l.Accept()
			if err == nil {
				_, _ = bufio.NewReader(conn).ReadString('\n')
				fmt.Fprint(conn, back)
				conn.Close()
			}
		}()
		if _, err := h.client().Drop(context.Background(), 1); !errors.Is(err, ErrCutShort) {
			t.Errorf("%q: got %v", back, err)
		}
	}
}

func TestFollow(t *testing.T) {
	h := newHouse(t)
	h.note()
	h.note()
	h.close()

	ctx, cancel := context.WithCancel(context.Background())
	got, done := make(chan int), make(chan error)
	go func() {
		done <- h.client().Follow(ctx, inspect.LogQuery{Kind: "note"}, func(f inspect.Fact) error {
			var n int
			if err := json.Unmarshal(f.Payload, &n); err != nil {
				return err
			}
			got <- n
			return nil
		})
	}()
	want := func(n int) {
		t.Helper()
		if g := <-got; g != n {
			t.Fatalf("got note %d, want %d", g, n)
		}
	}
	// First what the files hold, then what a bot adds, then the next bot.
	want(1)
	want(2)
	h.open()
	h.note()
	stop := h.serve()
	want(3)
	h.note()
	want(4)
	stop()
	h.note()
	h.close()
	h.open()
	stop = h.serve()
	want(5)
	h.note()
	want(6)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	stop()
}

func TestFollowSaysWhatIsWrong(t *testing.T) {
	h := newHouse(t)
	h.note()
	stop := h.serve()
	err := h.client().Follow(context.Background(), inspect.LogQuery{Kind: "vote"}, nil)
	if !errors.Is(err, inspect.ErrNotFound) {
		t.Errorf("of a bot: %v", err)
	}
	enough := errors.New("enough")
	if err := h.client().Follow(context.Background(), inspect.LogQuery{}, func(inspect.Fact) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	stop()
	h.close()
	if err := h.client().Follow(context.Background(), inspect.LogQuery{Kind: "vote"}, nil); !errors.Is(err, inspect.ErrNotFound) {
		t.Errorf("of the files: %v", err)
	}
}
