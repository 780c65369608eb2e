package exec

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A process has to have its limits before the program in it does anything, and Go cannot set them between fork and exec. So the
// bot starts itself anew under a name of its own, which sets the limits and becomes the program.

// launcherName is the name, as argv[0], under which the program is a launcher.
const launcherName = "moot-task"

// launcherPath is the program that runs, also when its file was replaced or removed meanwhile.
const launcherPath = "/proc/self/exe"

// launcherFailed is the exit code of a launcher that could not become the program.
const launcherFailed = 126

const (
	maxFiles    = 256       // open files of a process
	maxFileSize = 256 << 20 // bytes of a file that it writes
)

func init() {
	if len(os.Args) > 2 && os.Args[0] == launcherName {
		err := becomeTask(os.Args[1], os.Args[2:])
		fmt.Fprintln(os.Stderr, err)
		os.Exit(launcherFailed)
	}
}

// launch returns the arguments of a launcher for a program: its limits, as NUMBER=VALUE with commas between, and then those of
// the program.
func launch(c Config) []string {
	limits := []string{limit(syscall.RLIMIT_CORE, 0), limit(syscall.RLIMIT_NOFILE, maxFiles), limit(syscall.RLIMIT_FSIZE, maxFileSize)}
	if !c.Warm {
		limits = append(limits, limit(syscall.RLIMIT_CPU, int64(c.Timeout/time.Second)+2))
	}
	if c.Memory > 0 {
		// What it can write to, and not what it has only reserved: some languages reserve gigabytes (since Linux 4.7). It is the
		// last, since the launcher needs some itself.
		limits = append(limits, limit(syscall.RLIMIT_DATA, c.Memory))
	}
	return append([]string{launcherName, strings.Join(limits, ",")}, c.Argv...)
}

func limit(what int, most int64) string { return fmt.Sprintf("%d=%d", what, most) }

// becomeTask sets limits and becomes a program. It returns only where that fails.
func becomeTask(limits string, argv []string) error {
	path, err := syscall.BytePtrFromString(argv[0])
	if err != nil {
		return err
	}
	args, err := syscall.SlicePtrFromStrings(argv)
	if err != nil {
		return err
	}
	env, err := syscall.SlicePtrFromStrings(os.Environ())
	if err != nil {
		return err
	}
	if err := keepFiles(); err != nil {
		return err
	}
	var data *syscall.Rlimit
	for one := range strings.SplitSeq(limits, ",") {
		name, value, _ := strings.Cut(one, "=")
		what, err := strconv.Atoi(name)
		if err != nil {
			return err
		}
		most, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return err
		}
		// One that is lower already stays.
		var now syscall.Rlimit
		if err := syscall.Getrlimit(what, &now); err == nil && now.Max < most {
			most = now.Max
		}
		set := &syscall.Rlimit{Cur: most, Max: most}
		if what == syscall.RLIMIT_DATA {
			data = set
			continue
		}
		if err := syscall.Setrlimit(what, set); err != nil {
			return limitRefused(err)
		}
	}
	// Go's own runtime may have more than the program is allowed, and dies where it then asks for a page more. So from the limit on
	// memory until the program has begun nothing else runs here: no other goroutine, since there is one processor and a raw call
	// does not give it away, and nothing is allocated.
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(1)
	if data != nil {
		if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, syscall.RLIMIT_DATA, uintptr(unsafe.Pointer(data)), 0, 0, 0); errno != 0 {
			return limitRefused(errno)
		}
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&args[0])), uintptr(unsafe.Pointer(&env[0])))
	return fmt.Errorf("run %s: %w", argv[0], errno)
}

// keepFiles has the program get no files but its input and its two outputs. The bot's own close by themselves; what its parent has
// left open in it does not.
func keepFiles() error {
	if unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) == nil { // since Linux 5.11
		return nil
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list the open files: %w", err)
	}
	for _, f := range open {
		if fd, err := strconv.Atoi(f.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}

func limitRefused(err error) error {
	return fmt.Errorf("a limit of the task cannot be set (%w); where systemd runs the bot, let it call setrlimit and prlimit64, as docs/services.md says", err)
}
