//go:build !linux

package clock

import "time"

// Elapsed returns what has really passed since some moment, whatever becomes of the clock. Here the time in which the machine
// sleeps may be missing; it comes back with the clock.
func Elapsed() time.Duration { return time.Since(started) }
