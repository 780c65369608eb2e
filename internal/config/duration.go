package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// units are what a duration may be written in, the longest first.
var units = []struct {
	name string
	size time.Duration
}{
	{"w", 7 * day}, {"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
}

var errDuration = errors.New(`write a number and its unit: w, d, h, m, s or ms, such as "10d", "36h", "1h30m" or "15s"`)

// ParseDuration reads a duration such as "10d", "1h30m" or "1.5h". Each unit stands at most once, the longest first. A
// day has 24 hours.
func ParseDuration(s string) (time.Duration, error) {
	rest, sum, next := s, 0.0, 0
	for rest != "" {
		digits := strings.TrimLeft(rest, "0123456789.")
		number := rest[:len(rest)-len(digits)]
		name := digits[:len(digits)-len(strings.TrimLeft(digits, "abcdefghijklmnopqrstuvwxyz"))]
		n, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return 0, errDuration
		}
		for next < len(units) && units[next].name != name {
			next++
		}
		if next == len(units) {
			return 0, errDuration
		}
		sum += n * float64(units[next].size)
		rest, next = digits[len(name):], next+1
	}
	switch {
	case s == "":
		return 0, errDuration
	case sum >= math.MaxInt64:
		return 0, errors.New("it is longer than 292 years")
	}
	return time.Duration(math.Round(sum)), nil
}
