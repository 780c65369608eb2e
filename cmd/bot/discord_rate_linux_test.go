package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moot/internal/effort"
	"moot/protocol/discord/discordtest"
)

// rates are what came of a run.
type rates struct {
	took   time.Duration // until the last answer
	cpu    time.Duration // of the bot
	unsent int           // the most events that the bot did not take yet, of those sent
}

// send has n things happen, at a rate or, where that is zero, as fast as the bot takes them; and then waits until each guild
// has an answer to a command that was given last, before which everything else was admitted.
func (c *crowd) send(n, rate int) (r rates) {
	c.Helper()
	began, before := time.Now(), c.used()
	for i := range n {
		for i%50 == 0 {
			unsent := c.srv.Unsent()
			r.unsent = max(r.unsent, unsent)
			if rate > 0 {
				time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate)))) // its rhythm, not a barrier
				break
			}
			if unsent < 500 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		c.happen()
	}
	var within time.Duration
	c.srv.Set(func(s *discordtest.Server) { within, s.AnswerWithin = s.AnswerWithin, time.Hour })
	var last []*discordtest.Interaction
	for _, t := range c.towns {
		last = append(last, t.Owner().Slash(t.channel, "ping", nil))
	}
	for began := time.Now(); slices.ContainsFunc(last, func(i *discordtest.Interaction) bool { return i.AnsweredAfter() == 0 }); time.Sleep(time.Millisecond) {
		if time.Since(began) > 5*time.Minute {
			c.Fatal("it does not come to an end")
		}
	}
	c.srv.Set(func(s *discordtest.Server) { s.AnswerWithin = within })
	r.took, r.cpu = time.Since(began), c.used()-before
	return r
}

// used is how much of the processor the bot has used, in all of its processes.
func (c *crowd) used() (all time.Duration) {
	c.Helper()
	for _, cmd := range c.processes() {
		all += usedBy(c, cmd.Process.Pid)
	}
	return all
}

func (c *crowd) processes() []*exec.Cmd {
	all := []*exec.Cmd{c.cmd}
	for _, p := range c.beside {
		all = append(all, p.cmd)
	}
	return all
}

// usedBy is how much of the processor a process has used.
func usedBy(t testing.TB, pid int) time.Duration {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100 // ticks, of which Linux shows a hundred a second
}

// pin keeps the processes that this thread starts from here on to the second processor, and everything of the test to the
// first.
func pin(t *testing.T, start func()) {
	var mine, theirs unix.CPUSet
	mine.Set(0)
	theirs.Set(1)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil || runtime.NumCPU() < 2 {
		t.Skip("it takes two processors: one for the bot, and one for Discord")
	}
	for _, each := range threads {
		if id, err := strconv.Atoi(each.Name()); err == nil {
			_ = unix.SchedSetaffinity(id, &mine)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, &theirs); err != nil {
		t.Skipf("the bot cannot be kept to one processor: %v", err)
	}
	start()
	if err := unix.SchedSetaffinity(0, &mine); err != nil {
		t.Fatal(err)
	}
}

// share returns which part of the processor's time in a profile was spent in functions, in percent.
func share(t *testing.T, profile, focus, ignore string) float64 {
	out, err := exec.Command("go", "tool", "pprof", "-top", "-nodecount", "100000", "-nodefraction", "0", "-edgefraction", "0", "-focus", focus, "-ignore", ignore, profile).CombinedOutput()
	m := regexp.MustCompile(`accounting for .*, ([0-9.]+)% of`).FindSubmatch(out)
	if err != nil || m == nil {
		t.Logf("no share of %s: %v\n%s", focus, err, out)
		return 0
	}
	percent, _ := strconv.ParseFloat(string(m[1]), 64)
	return percent
}

// TestDiscordRate: the bot takes 5,000 events a second of a hundred guilds on one processor, and does not fall behind. It
// runs as it does everywhere, against a Discord in another process on another processor. MOOT_LONG runs it; otherwise it is
// less of all, at a rate of which nothing is expected but that everything is answered. What is measured is worth nothing while
// the machine does something else, such as other tests: -parallel 1.
func TestDiscordRate(t *testing.T) {
	effort.Slow(t)
	guilds, each, rate, n := 10, 30, 1000, 2000
	long := effort.Long()
	if long {
		guilds, each, rate, n = 100, 200, 5000, 40*5000
	}
	b := newDiscordBot(t)
	c := newCrowd(b, guilds, each)
	if !long {
		c.arrive()
		c.send(n, rate)
		c.done()
		return
	}
	c.observe, c.env = true, []string{"GOMAXPROCS=1"}
	pin(t, func() { c.arrive() })
	profile := make(chan string, 1)
	in := insideOf(t, c.socket())
	heap, goroutines := in.memory()
	t.Logf("before: a heap of %d kB, %d goroutines", heap>>10, goroutines)
	go func() {
		defer close(profile)
		profile <- in.cpu(30)
	}()
	r := c.send(n, rate)
	t.Logf("%d events at %d a second: %.1f s until the last was done, %.0f%% of one processor, at most %d not taken",
		n, rate, r.took.Seconds(), 100*r.cpu.Seconds()/r.took.Seconds(), r.unsent)
	third := len(c.asked) / 3
	for i := range 3 {
		median, most, all, none := c.answers(c.asked[i*third : (i+1)*third])
		t.Logf("answers in third %d: half within %s, 99%% within %s, all within %s; none to %d of %d", i+1,
			median.Round(time.Millisecond), most.Round(time.Millisecond), all.Round(time.Millisecond), none, third)
		if none > 0 {
			t.Errorf("it falls behind the three seconds that Discord gives it")
		}
	}
	if behind := r.took - time.Duration(n)*time.Second/time.Duration(rate); behind > 3*time.Second {
		t.Errorf("it has fallen behind by %s", behind)
	}
	file := <-profile
	decoding := share(t, file, `discordgo\.\(\*Session\)\.onEvent`, `gateway\.\(\*shard\)`)
	t.Logf("discordgo's decoding: %.1f%% of the processor's time; everything else: %.1f%%", decoding, 100-decoding)
	for _, part := range []struct{ what, focus, ignore string }{
		{"reading the socket, WebSocket, wire", `websocket\.\(\*Conn\)\.(ReadMessage|NextReader)|messageReader`, `onEvent`},
		{"the adapter", `moot/protocol/discord\.`, `onEvent`},
		{"the loop, features and store", `internal/bot\.`, ` protocol/discord`},
		{"collecting garbage in the background", `runtime\.gcBgMarkWorker|runtime\.bgsweep|runtime\.bgscavenge`, `^$`},
	} {
		t.Logf("  %s: %.1f%%", part.what, share(t, file, part.focus, part.ignore))
	}
	if keep := os.Getenv("MOOT_TEST_PROFILE"); keep != "" {
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(keep, data, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}

	before := len(c.asked)
	c.srv.Set(func(s *discordtest.Server) { s.AnswerWithin = time.Minute })
	r = c.send(n, 0)
	_, _, all, none := c.answers(c.asked[before:])
	t.Logf("as fast as it takes them: %d events in %.1f s, %.0f a second; %.0f for each second of the processor; answers within %s, none to %d",
		n, r.took.Seconds(), float64(n)/r.took.Seconds(), float64(n)/r.cpu.Seconds(), all.Round(time.Millisecond), none)
	heap, goroutines = in.memory()
	own, err := anonymous(c.cmd.Process.Pid)
	if err != nil {
		t.Error(err)
	}
	t.Logf("after: a heap of %d kB, %d goroutines; %d MB of memory, and with the pages of the mapped database at most %d MB",
		heap>>10, goroutines, own>>20, peak(t, c.cmd.Process.Pid)>>20)
	c.done()
}
