package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"moot/events"
	"moot/internal/failpoint"
	"moot/protocol"
	"moot/protocol/matrix/crypto"
	"moot/rooms"
	"moot/store"
)

// What the proofs have in common: a bot with failpoints, and what a data folder says in which no time and no order counts
// that is nobody's promise.

// failpointBot builds the bot with failpoints, once for all tests, and returns its path.
func failpointBot(t testing.TB) string {
	t.Helper()
	return path(t, failpointBuilt)
}

// buildBot builds the program as a person would, once for all tests, and returns its path.
func buildBot(t testing.TB) string {
	t.Helper()
	return path(t, plainBuilt)
}

// testBot returns a path by which the program of the tests is the bot: nothing has to be built.
func testBot(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bot := filepath.Join(t.TempDir(), "bot") // by which testscript.Main knows what to be
	if err := os.Symlink(exe, bot); err != nil {
		t.Fatal(err)
	}
	return bot
}

func path(t testing.TB, built func() (string, error)) string {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

var (
	failpointBuilt = sync.OnceValues(func() (string, error) {
		if crypto.Able { // as the tests are built
			return build("failpoints,goolm")
		}
		return build("failpoints")
	})
	plainBuilt = sync.OnceValues(func() (string, error) { return build("") })
)

// builtVariable names a folder in which the programs are kept for the next run of the tests, as .ci/run does with a folder that is its own.
const builtVariable = "MOOT_BUILT"

func build(tags string) (string, error) {
	dir := os.Getenv(builtVariable)
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "moot-proof-*"); err != nil {
			return "", err
		}
		afterTests.Lock()
		afterTests.all = append(afterTests.all, func() { os.RemoveAll(dir) })
		afterTests.Unlock()
	}
	bin := filepath.Join(dir, "bot-"+tags)
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	fresh := fmt.Sprintf("%s.%d", bin, os.Getpid()) // others may do the same
	if out, err := exec.Command("go", "build", "-tags", tags, "-o", fresh, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, os.Rename(fresh, bin)
}

// strikes are the places at which a bot was killed, and the tests that have done so.
var strikes = struct {
	sync.Mutex
	places map[failpoint.Point]bool
	tests  map[string]bool
}{places: map[failpoint.Point]bool{}, tests: map[string]bool{}}

// struck notes that a test has killed a bot at a place.
func struck(t *testing.T, p failpoint.Point) {
	strikes.Lock()
	defer strikes.Unlock()
	name, _, _ := strings.Cut(t.Name(), "/")
	strikes.places[p], strikes.tests[name] = true, true
}

// spared returns the places at which no test has killed the bot. Where not all of the crash matrix was run it returns none.
func spared() (all []failpoint.Point) {
	strikes.Lock()
	defer strikes.Unlock()
	if len(strikes.tests) < 3 {
		return nil
	}
	for _, p := range failpoint.All() {
		switch {
		case strikes.places[p]:
		case (p == failpoint.KeysReceived || p == failpoint.KeysCarried) && !crypto.Able:
			tell(os.Stdout, "%-16s is struck only with -tags goolm", p)
		default:
			all = append(all, p)
		}
	}
	return all
}

// afterTests is done when all tests of the package are.
var afterTests struct {
	sync.Mutex
	all []func()
}

// watchedLog is what a bot writes to its standard error, for others to wait for words in it.
type watchedLog struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed at the next write; nil where nobody waits
}

// Write implements io.Writer.
func (l *watchedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return l.text.Write(p)
}

func (l *watchedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await returns when the words were written at least n times.
func (l *watchedLog) await(ctx context.Context, words string, n int) error {
	for {
		l.mu.Lock()
		if strings.Count(l.text.String(), words) >= n {
			l.mu.Unlock()
			return nil
		}
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %q in the log: %w", words, ctx.Err())
		}
	}
}

// tell tells whoever runs a proof by hand how it goes.
func tell(w io.Writer, format string, args ...any) {
	if testing.Verbose() {
		fmt.Fprintf(w, format+"\n", args...)
	}
}

// stateOf returns all that counts of a data folder, as text: what became of the given events, rooms and their members,
// facts, what was sent, timers, dead letters. It fails where replaying the facts does not give what the bot knows.
func stateOf(t testing.TB, dir string, asked []protocol.Ref) string {
	t.Helper()
	st, err := store.Open(store.Config{Path: filepath.Join(dir, "moot.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Check(); err != nil {
		t.Errorf("the file of the store: %v", err)
	}
	bus, err := events.Open(events.Config{Store: st, Kinds: kinds()})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	if err := bus.Verify(context.Background(), ""); err != nil {
		t.Errorf("replaying the facts: %v", err)
	}
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, withoutTimes(fmt.Sprintf(format, args...))) }
	err = st.View(func(tx *store.Tx) error {
		for _, ref := range asked {
			s := tx.Seen(ref.Room, ref.Event)
			add("event %s %q: %s, %s", ref.Room, ref.Event, s.Disposition, s.Reason)
		}
		for info := range rooms.All(tx) {
			add("room %s: %s %q generation %d floor %s, %d members %q, private %v", info.ID, info.Own, info.Name, info.Generation, info.Floor, info.Count, info.Members, info.Private)
			for m := range rooms.Members(tx, info.ID) {
				add("member %s: %s %q moderator %v", info.ID, m.User, m.Name, m.Moderator)
			}
		}
		for f, err := range bus.All(tx, 1) {
			if err != nil {
				return err
			}
			people := map[string]protocol.UserID{}
			for role, n := range f.People {
				people[role], _ = bus.Who(tx, n)
			}
			b, err := json.Marshal([]any{f.Kind, f.Scope, f.Cause, people, f.Keys, f.Payload})
			if err != nil {
				return err
			}
			add("fact %s", anAttempt.ReplaceAllString(string(b), "$1"))
		}
		for s := range tx.RecentDeliveries() {
			add("sent %s: %s, %s, for %s", s.Key, s.State, s.Reason, anAttempt.ReplaceAllString(fmt.Sprint(s.Cause), "$1"))
		}
		for k := range tx.Range(store.SharedBucket("timers"), "", "") {
			add("timer %q", k[8:])
		}
		for l := range tx.Letters(0) {
			add("dead letter %s %s: %s", l.Event.Room, l.Event.ID, l.Error)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// firstDifference shows where two texts part.
func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	var b strings.Builder
	shown := 0
	show := func(mark string, lines, others []string) {
		for _, l := range lines {
			if !slices.Contains(others, l) && shown < 20 {
				fmt.Fprintf(&b, "%s %s\n", mark, l)
				shown++
			}
		}
	}
	show("+", g, w)
	show("-", w, g)
	if shown == 0 {
		return "the same lines in another order, or another number of times:\n" + got
	}
	return b.String()
}
