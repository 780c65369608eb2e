package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moot/internal/inspect"
	"moot/protocol"
)

// when writes a time for people: in UTC, to the second.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// times counts things.
func times(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// factLine writes a fact on one line.
func factLine(f inspect.Fact) string {
	if f.Fault != "" {
		return fmt.Sprintf("#%d  cannot be read: %s", f.Seq, clean(f.Fault))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#%d  %s  %s", f.Seq, when(f.Time), clean(f.Kind))
	if f.Scope != "" {
		fmt.Fprintf(&b, "  %s", clean(f.Scope))
	}
	for _, k := range slices.Sorted(maps.Keys(f.Keys)) {
		fmt.Fprintf(&b, "  %s=%s", clean(k), clean(f.Keys[k]))
	}
	for _, role := range slices.Sorted(maps.Keys(f.People)) {
		fmt.Fprintf(&b, "  %s=%s", clean(role), clean(f.People[role].String()))
	}
	if f.Payload != nil {
		fmt.Fprintf(&b, "  %s", protocol.Shorten(clean(string(f.Payload)), 500))
	}
	return b.String()
}
