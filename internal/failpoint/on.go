//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Enabled is whether the program was built with the tag.
const Enabled = true

var (
	deadly Point    // zero means none
	log    *os.File // nil means none

	mu   sync.Mutex
	left int // hits of the deadly point until it kills; guarded by mu
)

func init() {
	if spec := os.Getenv("MOOT_FAILPOINT"); spec != "" {
		name, count, _ := strings.Cut(spec, ":")
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 || !slices.Contains(All(), Point(name)) {
			panic(fmt.Sprintf("MOOT_FAILPOINT is %q and not NAME:N with one of %v", spec, All()))
		}
		deadly, left = Point(name), n
	}
	if name := os.Getenv("MOOT_FAILPOINT_LOG"); name != "" {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			panic(fmt.Sprintf("MOOT_FAILPOINT_LOG: %v", err))
		}
		log = f
	}
}

// Hit says that the process is at the place, and may not return.
func Hit(p Point) {
	if deadly == "" && log == nil {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	if log != nil {
		if _, err := log.WriteString(string(p) + "\n"); err != nil {
			panic(fmt.Sprintf("MOOT_FAILPOINT_LOG: %v", err))
		}
	}
	if p != deadly {
		return
	}
	if left--; left == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal may take a moment; nothing happens after it
	}
}
