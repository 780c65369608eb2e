package span

import (
	"math"
	"testing"
	"time"
)

func TestFormat(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Nanosecond: "0s", -time.Nanosecond: "0s", time.Millisecond: "1ms", 1500 * time.Millisecond: "1s500ms",
		90 * time.Minute: "1h30m", 240 * time.Hour: "10d", 25 * time.Hour: "1d1h", -36 * time.Hour: "-1d12h",
		math.MinInt64: "-106751d23h47m16s854ms", math.MaxInt64: "106751d23h47m16s854ms",
	} {
		if got := Format(d); got != want {
			t.Errorf("%d is written %q, not %q", d, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 seconds", time.Second: "1 second", 61 * time.Second: "1 minute", 59 * time.Minute: "59 minutes",
		61 * time.Minute: "1 hour and 1 minute", 2 * time.Hour: "2 hours", 25 * time.Hour: "1 day and 1 hour",
		60 * 24 * time.Hour: "60 days", 49*time.Hour + 59*time.Minute: "2 days and 1 hour",
	} {
		if got := Words(d); got != want {
			t.Errorf("%s is %q, not %q", d, got, want)
		}
	}
}
