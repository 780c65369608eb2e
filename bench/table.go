package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// thousands writes a number with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// ratios are what moot's events a second are to be, of those of another, at batches of 500 and of
// 5,000.
var ratios = []struct {
	name  string
	least float64
}{{nameMap, 0.5}, {"Pebble", 2}, {"Badger", 2}, {"Redis", 2}, {"SQLite", 10}, {"bbolt", 8}}

// rate returns the events a second of an engine at a size of batches; zero where there is no figure
// that counts.
func rate(racers []*racer, name string, size int) float64 {
	for _, r := range racers {
		if r.name == name && r.fault == nil {
			return r.paces[size].rate()
		}
	}
	return 0
}

// compared makes targets of the race.
func compared(racers []*racer) (targets []target) {
	for _, c := range ratios {
		for _, size := range []int{500, 5000} {
			ours, theirs := rate(racers, nameMoot, size), rate(racers, c.name, size)
			if ours == 0 || theirs == 0 {
				continue
			}
			got := ours / theirs
			targets = append(targets, target{
				what: fmt.Sprintf("batches of %s, of %s", thousands(size), c.name),
				want: fmt.Sprintf("≥ %g ×", c.least), ok: got >= c.least, got: fmt.Sprintf("%.2f ×", got),
			})
		}
	}
	return targets
}

// ratioTable writes what moot does, of what each of the others does.
func ratioTable(racers []*racer, s sizes) string {
	var b strings.Builder
	b.WriteString("| moot, of that of |" + strings.Join(columns(s), "") + "\n")
	b.WriteString("| --- |" + strings.Repeat(" ---: |", len(s.batches)) + "\n")
	for _, r := range racers {
		if r.name == nameMoot || r.fault != nil {
			continue
		}
		fmt.Fprintf(&b, "| %s |", r.name)
		for _, size := range s.batches {
			fmt.Fprintf(&b, " %.2f × |", rate(racers, nameMoot, size)/r.paces[size].rate())
		}
		b.WriteString("\n")
	}
	return b.String()
}

// columns are the heads of the columns by size.
func columns(s sizes) (heads []string) {
	for _, size := range s.batches {
		if size == 1 {
			heads = append(heads, " one at a time |")
		} else {
			heads = append(heads, fmt.Sprintf(" batches of %s |", thousands(size)))
		}
	}
	return heads
}

// raceTable writes the race as a table.
func raceTable(racers []*racer, s sizes) string {
	var b strings.Builder
	b.WriteString("| engine |" + strings.Join(columns(s), ""))
	b.WriteString(" bytes an event on disk | exactly once |\n")
	b.WriteString("| --- |" + strings.Repeat(" ---: |", len(s.batches)+1) + " --- |\n")
	for _, r := range racers {
		fmt.Fprintf(&b, "| **%s**: %s |", r.name, r.with)
		for _, size := range s.batches {
			if r.fault != nil {
				b.WriteString(" – |")
			} else {
				fmt.Fprintf(&b, " %s |", thousands(int(r.paces[size].rate())))
			}
		}
		verdict := fmt.Sprintf("yes, all %s", thousands(r.stored))
		if r.bare {
			verdict = "–"
		}
		if r.fault != nil {
			verdict = "**no**: " + r.fault.Error()
		}
		fmt.Fprintf(&b, " %d | %s |\n", r.bytes/int64(max(s.preload, 1)), verdict)
	}
	return b.String()
}

// targetTable writes what is to be reached, and what was.
func targetTable(targets []target) string {
	var b strings.Builder
	b.WriteString("| what | target | measured | |\n| --- | --- | --- | --- |\n")
	for _, t := range targets {
		verdict := "met"
		if t.want == "–" {
			verdict = "–"
		}
		if !t.ok {
			verdict = "**missed**"
			if t.why != "" {
				verdict += ": " + t.why
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", t.what, t.want, t.got, verdict)
	}
	return b.String()
}

// machine says where and with what it was measured.
func machine() string {
	cpu, mem := "a CPU of "+runtime.GOARCH, ""
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if k, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(k) == "model name" {
				cpu = strings.TrimSpace(v)
				break
			}
		}
	}
	if data, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kb int
		if _, err := fmt.Sscanf(string(data), "MemTotal: %d kB", &kb); err == nil {
			mem = fmt.Sprintf(", %d GiB", (kb+1<<19)>>20)
		}
	}
	var mods []string
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			for _, want := range []string{
				"go.etcd.io/bbolt", "modernc.org/sqlite",
				"github.com/cockroachdb/pebble/v2", "github.com/dgraph-io/badger/v4",
			} {
				if m.Path == want {
					mods = append(mods, m.Path+" "+m.Version)
				}
			}
		}
	}
	if out, err := exec.Command("redis-server", "--version").Output(); err == nil {
		if _, v, ok := strings.Cut(string(out), "v="); ok {
			mods = append(mods, "Redis "+strings.Fields(v)[0])
		}
	}
	load := ""
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = fmt.Sprintf("; load average before it began %s", strings.Fields(string(data))[0])
	}
	return fmt.Sprintf("%s: %d cores of %s%s, %s/%s, %s; %s%s.\n", time.Now().UTC().Format(time.DateOnly),
		runtime.NumCPU(), cpu, mem, runtime.GOOS, runtime.GOARCH, runtime.Version(), strings.Join(mods, ", "), load)
}

// What is between these lines of a page is written by this program.
const (
	writtenFrom  = "<!-- written by bench: from here -->\n"
	writtenUntil = "<!-- written by bench: until here -->\n"
)

// writeDown puts the text into a page, between the lines that are there for it.
func writeDown(path, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(page), writtenFrom)
	_, after, ok2 := strings.Cut(rest, writtenUntil)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for the tables", path)
	}
	return os.WriteFile(path, []byte(before+writtenFrom+text+writtenUntil+after), 0o644)
}
