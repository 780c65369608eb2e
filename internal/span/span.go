// Package span writes lengths of time as people write them ("10d", "1h30m") and say them ("1 hour and 30 minutes").
package span

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// units are those that are written, the longest first. Weeks are for reading only: people count in days.
var units = []struct {
	name string
	size time.Duration
}{
	{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
}

// Format writes a length of time in as few units as do, to the millisecond. One of less is "0s".
func Format(d time.Duration) string {
	var b strings.Builder
	if d < 0 {
		b.WriteString("-")
	}
	for _, u := range units {
		n := d / u.size
		d -= n * u.size
		if n = max(n, -n); n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + u.name)
		}
	}
	if b.Len() == 0 || b.String() == "-" {
		return "0s"
	}
	return b.String()
}

// Words says how long something takes, in its two largest units: "1 day and 2 hours". Less than a second is "0 seconds".
func Words(d time.Duration) string {
	const day = 24 * time.Hour
	two := func(large time.Duration, one string, small time.Duration, other string) string {
		if rest := int(d % large / small); rest > 0 {
			return count(int(d/large), one) + " and " + count(rest, other)
		}
		return count(int(d/large), one)
	}
	switch {
	case d >= day:
		return two(day, "day", time.Hour, "hour")
	case d >= time.Hour:
		return two(time.Hour, "hour", time.Minute, "minute")
	case d >= time.Minute:
		return count(int(d/time.Minute), "minute")
	}
	return count(int(d/time.Second), "second")
}

func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
