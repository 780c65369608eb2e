package powerloss_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/internal/failpoint"
	"moot/internal/powerloss"
)

var (
	seed      = flag.Uint64("seed", 1, "of the first history; each next one has the next seed")
	histories = flag.Int("histories", 12, "how many histories are tried; .ci/prove tries more")
	recording = flag.String("recording", "", "try histories of the life in this `FOLDER`, which a failing one has left")
)

// lifeVar is set in a process that lives a life: the step that it begins with, and the folder.
const lifeVar = "MOOT_POWER_LIFE"

func TestMain(m *testing.M) {
	if life, ok := os.LookupEnv(lifeVar); ok {
		from, dir, _ := strings.Cut(life, " ")
		n, err := strconv.Atoi(from)
		if err == nil {
			err = live(dir, n)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	for _, f := range afterTests {
		f()
	}
	os.Exit(code)
}

// afterTests is done when all tests are.
var afterTests []func()

// live lives from the step behind the given one to the end, and says what it does.
func live(dir string, n int) error {
	say := func(format string, args ...any) error {
		_, err := fmt.Fprintf(os.Stdout, format+"\n", args...)
		return err
	}
	if err := say("begin %d", n); err != nil {
		return err
	}
	w, err := openWorld(dir)
	if err != nil {
		return err
	}
	id, _, err := w.store.Instance()
	if err != nil {
		return err
	}
	if err := say("done %d %s", n, id); err != nil {
		return err
	}
	for n++; n <= lifeSteps; n++ {
		if err := say("begin %d", n); err != nil {
			return err
		}
		if err := w.step(n); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
		if err := say("done %d", n); err != nil {
			return err
		}
	}
	return w.close()
}

// scratch returns a folder in memory, where there is such a place: the model decides what is durable, not the disk.
func scratch(t testing.TB) string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		if dir, err := os.MkdirTemp("/dev/shm", "moot-power-*"); err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
	}
	return t.TempDir()
}

// inTagged runs the test once more in a program that is built with failpoints, in which stores do within some dozens of
// events all that they do at all. It reports whether this is that program.
func inTagged(t *testing.T) bool {
	t.Helper()
	if failpoint.Enabled {
		return true
	}
	if err := powerloss.Able(); err != nil {
		t.Skipf("a power failure was not tried: %v", err)
	}
	bin, err := tagged()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.run", "^" + t.Name() + "$", fmt.Sprintf("-test.v=%v", testing.Verbose())}
	if deadline, ok := t.Deadline(); ok { // it is to end before this process does
		args = append(args, "-test.timeout", (time.Until(deadline) - 5*time.Second).String())
	}
	flag.Visit(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "test.") {
			args = append(args, "-"+f.Name, f.Value.String())
		}
	})
	cmd := exec.Command(bin, args...)
	var out strings.Builder
	if cmd.Stdout, cmd.Stderr = &out, &out; testing.Verbose() {
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return false
}

// tell tells whoever runs a proof by hand how it goes.
func tell(format string, args ...any) {
	if testing.Verbose() {
		fmt.Printf(format+"\n", args...)
	}
}

var tagged = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "moot-power-*")
	if err != nil {
		return "", err
	}
	afterTests = append(afterTests, func() { os.RemoveAll(dir) })
	bin := filepath.Join(dir, "powerloss.test")
	if out, err := exec.Command("go", "test", "-c", "-tags", "failpoints", "-o", bin, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	return bin, nil
})

// TestPowerLoss lets the power fail in a life that has begun with nothing, and in some that had to begin after a power failure.
func TestPowerLoss(t *testing.T) {
	if !inTagged(t) {
		return
	}
	knows := reference(t)
	if *recording != "" {
		s, err := reread(*recording, knows)
		if err != nil {
			t.Fatal(err)
		}
		s.tryAll(t, *seed, *histories)
		return
	}
	first := record(t, powerloss.State{}, 0, "", knows)
	tried := first.tryAll(t, *seed, *histories/2)
	// Lives that begin with what a power failure has left.
	const each = 50
	lives := 1
	for i := uint64(0); tried < *histories && !t.Failed(); i++ {
		s := first.afterFailure(t, *seed+i)
		tried += s.tryAll(t, *seed+i*each, min(each, *histories-tried))
		lives++
	}
	if !t.Failed() {
		tell("%-46s %6d histories from seed %d, of %d recorded lives", "the power fails; nothing is lost", tried, *seed, lives)
	}
}
