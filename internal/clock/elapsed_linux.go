package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// Elapsed returns what has really passed since some moment, whatever becomes of the clock, also while the machine sleeps.
func Elapsed() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Since(started) // a kernel before 2.6.39
	}
	return time.Duration(ts.Nano())
}
