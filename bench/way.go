package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// The whole way is measured by benchmarks of the bot itself, in its own module: see
// cmd/bot/way_test.go.

// wayLine is what one of them says.
var wayLine = regexp.MustCompile(`(?m)^BenchmarkWholeWay/(\w+)/rooms=(\d+)\S*\s.*?([0-9.]+) events/s`)

// goBench runs benchmarks of the module under the path and returns what they say.
func goBench(path, pattern, times, pkg string, env ...string) (string, error) {
	cmd := exec.Command("go", "test", "-run", "^$", "-timeout", "60m", "-bench", pattern, "-benchtime", times, pkg)
	cmd.Dir = path
	cmd.Env = append(os.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go test: %w\n%s%s", err, out, errs.String())
	}
	return string(out), nil
}

// snapshotLine is what the benchmark of lists of members says of a hundred thousand.
var snapshotLine = regexp.MustCompile(`(?m)^BenchmarkSnapshot/100000\S*\s+\d+\s+([0-9.]+) ns/op`)

// members measures how long the list of 100,000 members of a room takes: see rooms/bench_test.go.
func members() ([]target, error) {
	out, err := goBench("..", "Snapshot/100000", "5x", "./rooms")
	if err != nil {
		return nil, err
	}
	m := snapshotLine.FindStringSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("nothing was measured: %s", out)
	}
	ns, err := strconv.ParseFloat(m[1], 64)
	return []target{{
		what: "the list of 100,000 members of a room, in commits of 1,000",
		want: "< 1 s", ok: ns < 1e9, got: fmt.Sprintf("%.2f s", ns/1e9),
	}}, err
}

// wholeWay runs the benchmarks in the module under the path and returns events a second, by
// "kind/rooms".
func wholeWay(path, pattern string, passes, stored int) (map[string]float64, error) {
	times := fmt.Sprintf("%dx", passes)
	out, err := goBench(path, pattern, times, "./cmd/bot", fmt.Sprintf("MOOT_WAY_STORED=%d", stored))
	if err != nil {
		return nil, err
	}
	rates := map[string]float64{}
	for _, m := range wayLine.FindAllStringSubmatch(out, -1) {
		if rates[m[1]+"/"+m[2]], err = strconv.ParseFloat(m[3], 64); err != nil {
			return nil, err
		}
	}
	if len(rates) == 0 {
		return nil, fmt.Errorf("nothing was measured: %s", out)
	}
	return rates, nil
}

// way measures the whole way over rooms, and against another moot where its path is given.
func way(s sizes, before string) (text string, targets []target, err error) {
	const passes, commandPasses = 50, 6 // over everybody; one of commands takes as long as ten of messages
	rates, err := wholeWay("..", "WholeWay/unaddressed", passes, 0)
	if err != nil {
		return "", nil, err
	}
	commands, err := wholeWay("..", "WholeWay/commands", commandPasses, 0)
	if err != nil {
		return "", nil, err
	}
	maps.Copy(rates, commands)
	counts := []int{1, 10, 100, 1000, 10_000}
	var b strings.Builder
	b.WriteString("| events a second over so many rooms |")
	for _, n := range counts {
		fmt.Fprintf(&b, " %s |", thousands(n))
	}
	b.WriteString("\n| --- |" + strings.Repeat(" ---: |", len(counts)) + "\n")
	for _, kind := range []string{"unaddressed", "commands"} {
		fmt.Fprintf(&b, "| %s |", map[string]string{
			"unaddressed": "messages that nobody has to act on", "commands": "commands, each with a fact and an answer",
		}[kind])
		for _, n := range counts {
			fmt.Fprintf(&b, " %s |", thousands(int(rates[fmt.Sprint(kind, "/", n)])))
		}
		b.WriteString("\n")
		times := rates[kind+"/10"] / rates[kind+"/10000"]
		targets = append(targets, target{
			what: "the whole way, " + kind + ": cost over 10,000 rooms, of that over 10",
			want: "≤ 1.5 ×", ok: times <= 1.5, got: fmt.Sprintf("%.2f ×", times),
		})
	}
	if before == "" {
		return b.String(), targets, nil
	}
	for _, kind := range []string{"unaddressed", "commands"} {
		n := map[string]int{"unaddressed": passes, "commands": commandPasses}[kind]
		pattern := "WholeWay/" + kind + "/rooms=100$"
		ours, err := wholeWay("..", pattern, n, s.preload)
		if err != nil {
			return "", nil, err
		}
		theirs, err := wholeWay(before, pattern, n, s.preload)
		if err != nil {
			return "", nil, err
		}
		a, p := ours[kind+"/100"], theirs[kind+"/100"]
		targets = append(targets, target{
			what: fmt.Sprintf("the whole way, %s, %s events stored, of the one before", kind, thousands(s.preload)),
			want: "≥ 2 ×", ok: a >= 2*p,
			got: fmt.Sprintf("%.1f × (%s and %s events/s)", a/p, thousands(int(a)), thousands(int(p))),
		})
	}
	return b.String(), targets, nil
}
