package tail

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol/service/servicetest"
)

// writer writes a log, and puts it away.
type writer struct {
	t    *testing.T
	path string
	last time.Time // when the disk said that something was written last
	n    int
	want []string
	half string
}

func (w *writer) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// tick waits until the clock of the disk has gone on: files that were written to last at the same moment cannot be put in order.
func (w *writer) tick() {
	for {
		probe := filepath.Join(filepath.Dir(w.path), "probe")
		w.must(os.WriteFile(probe, []byte("."), 0o600))
		info, err := os.Stat(probe)
		w.must(err)
		if info.ModTime().Sub(w.last) >= 10*time.Millisecond { // a tick of the kernel's coarse clock, by which files are stamped
			w.last = info.ModTime()
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (w *writer) write(text string) {
	f, err := os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	w.must(err)
	_, err = f.WriteString(text)
	w.must(errors.Join(err, f.Close()))
	info, err := os.Stat(w.path)
	w.must(err)
	w.last = info.ModTime()
}

// line writes a line, or the first half of it and the second the next time.
func (w *writer) line(half bool) {
	if w.half == "" {
		w.n++
		w.half = fmt.Sprintf("line %d of a log", w.n)
		w.want = append(w.want, w.half)
		if half {
			w.write(w.half[:6])
			w.half = w.half[6:]
			return
		}
	}
	w.write(w.half + "\n")
	w.half = ""
}

// whole ends a line that is begun.
func (w *writer) whole() {
	if w.half != "" {
		w.line(false)
	}
}

// shift gives the files that were put away the next name. None is thrown away: where files come faster than they are read, what
// was not read of one would be lost to all.
func (w *writer) shift() {
	for n := 150; n > 0; n-- {
		err := os.Rename(fmt.Sprintf("%s.%d", w.path, n), fmt.Sprintf("%s.%d", w.path, n+1))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			w.t.Fatal(err)
		}
	}
}

// rotate puts the file away and begins another.
func (w *writer) rotate() {
	w.whole()
	w.shift()
	w.must(os.Rename(w.path, w.path+".1"))
	w.tick()
	w.line(false)
}

// copied puts a copy away and empties the file. What is written between the two is lost to all.
func (w *writer) copied() {
	w.whole()
	w.shift()
	data, err := os.ReadFile(w.path)
	w.must(err)
	w.tick()
	w.must(os.WriteFile(w.path+".1", data, 0o600))
	w.must(os.Truncate(w.path, 0))
	w.tick()
	w.line(false)
}

func collector(t *testing.T, path string, set func(*Config)) *Collector {
	t.Helper()
	cfg := Config{Name: "log", Path: path, Every: time.Millisecond}
	if set != nil {
		set(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Whatever becomes of the file, and however often the one who reads it dies, each line is brought once, in order.
func TestEachLineIsBroughtOnce(t *testing.T) {
	for seed := range uint64(rounds()) {
		chance := rand.New(rand.NewPCG(seed, 19))
		w := &writer{t: t, path: filepath.Join(t.TempDir(), "app.log")}
		w.write("what was there before\nold")
		to := servicetest.New()
		c := collector(t, w.path, nil)
		stop := servicetest.Run(t, c, to)
		for to.Marks() == 0 {
			time.Sleep(time.Millisecond)
		}
		w.write("\n")
		w.want = []string{"old"} // its end came later
		for range 40 {
			w.tick()
			switch chance.IntN(8) {
			case 0:
				w.rotate()
			case 1:
				if stop(); chance.IntN(2) == 0 {
					w.rotate()
					w.tick()
					w.rotate()
				} else {
					w.line(true)
				}
				to.DieAfter(chance.IntN(4))
				stop = servicetest.Run(t, c, to)
			case 2:
				stop() // its copy is known only by what was read of it
				to.DieAfter(-1)
				stop = servicetest.Run(t, c, to)
				w.whole()
				to.Wait(t.Context(), len(w.want))
				stop()
				w.line(false)
				w.copied()
				stop = servicetest.Run(t, c, to)
			default:
				w.line(chance.IntN(3) == 0)
			}
		}
		w.whole()
		stop()
		to.DieAfter(-1)
		stop = servicetest.Run(t, c, to)
		within, cancel := context.WithTimeout(t.Context(), time.Minute)
		to.Wait(within, len(w.want))
		cancel()
		stop()
		if got := to.Texts(); !slices.Equal(got, w.want) {
			t.Fatalf("with the seed %d it brought\n%s\nand should have brought\n%s", seed, strings.Join(got, "\n"), strings.Join(w.want, "\n"))
		}
	}
}

func rounds() int {
	if effort.Quick() {
		return 3
	}
	return 20
}

// A file that comes later is read from its beginning, what does not fit is left out, and is no reason to write anything.
// What another file of the same name and length has is new, however often a collector is taken out and put in again.
func TestCollectorThatIsPutInAgain(t *testing.T) {
	path, to := filepath.Join(t.TempDir(), "log"), servicetest.New()
	for n := 1; n <= 2; n++ {
		to.Forget()
		if err := os.WriteFile(path, []byte("old\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		marks := to.Marks()
		stop := servicetest.Run(t, collector(t, path, nil), to)
		for to.Marks() == marks {
			time.Sleep(time.Millisecond)
		}
		w := &writer{t: t, path: path}
		w.write(fmt.Sprintf("new %d\n", n))
		within, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		to.Wait(within, n)
		cancel()
		stop()
	}
	if got := to.Texts(); !slices.Equal(got, []string{"new 1", "new 2"}) {
		t.Errorf("it brought %q", got)
	}
}

func TestFileThatComesLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	to := servicetest.New()
	stop := servicetest.Run(t, collector(t, path, func(c *Config) { c.Match = regexp.MustCompile("ERROR") }), to)
	for to.Marks() == 0 {
		time.Sleep(time.Millisecond)
	}
	w := &writer{t: t, path: path}
	w.write("INFO a\r\nERROR b\r\n" + strings.Repeat("INFO c\n", 1000) + "ERROR \xff\n\nERROR last")
	to.Wait(t.Context(), 2)
	stop()
	if got := to.Texts(); !slices.Equal(got, []string{"ERROR b", "ERROR \uFFFD"}) || to.Marks() != 1 {
		t.Errorf("it brought %q and marked %d times", got, to.Marks())
	}
}

// On another machine the file of that name is another one: what it has is old there. One that the machines share goes on.
func TestFileOfAnotherMachine(t *testing.T) {
	to := servicetest.New()
	run := func(node, path, line string) {
		t.Helper()
		marks, have := to.Marks(), len(to.Texts())
		stop := servicetest.Run(t, collector(t, path, func(c *Config) { c.Node = node }), to)
		defer stop()
		for line != "shared" && to.Marks() == marks {
			time.Sleep(time.Millisecond)
		}
		(&writer{t: t, path: path}).write(line + "\n")
		within, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		to.Wait(within, have+1)
	}
	left, right := filepath.Join(t.TempDir(), "app.log"), filepath.Join(t.TempDir(), "app.log")
	for _, path := range []string{left, right} {
		if err := os.WriteFile(path, []byte(strings.Repeat("an old line\n", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run("left", left, "on the left")
	run("right", right, "on the right")
	run("left", left, "on the left again")
	run("right", left, "shared")
	if got, want := to.Texts(), []string{"on the left", "on the right", "on the left again", "shared"}; !slices.Equal(got, want) {
		t.Errorf("it brought %q", got)
	}
}

// A file that was emptied, and has no copy, is read from its beginning, also where it has grown beyond what it was.
func TestEmptiedFile(t *testing.T) {
	w := &writer{t: t, path: filepath.Join(t.TempDir(), "app.log")}
	w.write("")
	to := servicetest.New()
	c := collector(t, w.path, nil)
	stop := servicetest.Run(t, c, to)
	for to.Marks() == 0 {
		time.Sleep(time.Millisecond)
	}
	w.write("the first line of all\n")
	to.Wait(t.Context(), 1)
	stop()
	if err := os.WriteFile(w.path, []byte("another first line, and a longer one\nsecond\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stop = servicetest.Run(t, c, to)
	to.Wait(t.Context(), 3)
	stop()
	want := []string{"the first line of all", "another first line, and a longer one", "second"}
	if got := to.Texts(); !slices.Equal(got, want) {
		t.Errorf("it brought %q", got)
	}
}

// A line without an end is no line that grows without end.
func TestLongLine(t *testing.T) {
	w := &writer{t: t, path: filepath.Join(t.TempDir(), "app.log")}
	to := servicetest.New()
	stop := servicetest.Run(t, collector(t, w.path, nil), to)
	for to.Marks() == 0 {
		time.Sleep(time.Millisecond)
	}
	w.write(strings.Repeat("x", 3*maxLine) + "\nshort\n")
	to.Wait(t.Context(), 4)
	stop()
	if got := to.Texts(); len(got) != 4 || len(got[0]) != maxLine || got[3] != "short" {
		t.Errorf("it brought %d lines, the last is %q", len(got), got[len(got)-1])
	}
}
