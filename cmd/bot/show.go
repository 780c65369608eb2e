package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moot/internal/inspect"
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

// factLine writes a fact on one line: when, where, what, who, and why at the end. All there is to know is in its JSON.
func factLine(f inspect.Fact) string {
	if f.Fault != "" {
		return fmt.Sprintf("#%d  cannot be read: %s", f.Seq, clean(f.Fault))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#%d  %s  ", f.Seq, when(f.Time))
	if f.Scope != "" {
		fmt.Fprintf(&b, "%s  ", clean(f.Scope))
	}
	b.WriteString(clean(f.Text))
	for _, role := range slices.Sorted(maps.Keys(f.People)) {
		fmt.Fprintf(&b, "; %s: %s", clean(role), clean(f.People[role].String()))
	}
	if f.Cause != nil {
		fmt.Fprintf(&b, "; because of %s", clean(f.Cause.Event))
		if string(f.Cause.Room) != string(f.Scope) {
			fmt.Fprintf(&b, " in %s", clean(f.Cause.Room))
		}
	}
	return b.String()
}
