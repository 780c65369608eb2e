package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/cluster/fleet"
	"moot/cluster/settings"
	"moot/internal/effort"
)

// TestMain lets the test's program be a launcher that is killed.
func TestMain(m *testing.M) {
	file := os.Getenv("MOOT_TEST_LAUNCHER")
	if file == "" {
		flag.Parse()
		if given := flag.Lookup("test.parallel"); given.Value.String() == given.DefValue {
			_ = flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0))) // the processes mostly wait for one another
		}
		code := m.Run()
		if goBot.path != "" {
			_ = os.Remove(goBot.path) // it is in a folder that is cleaned anyway
		}
		os.Exit(code)
	}
	s, err := settings.Load(file, os.Getenv)
	if err == nil {
		log := slog.New(slog.NewTextHandler(os.Stderr, nil))
		_, err = Run(context.Background(), nil, Config{Settings: s, Environ: os.Environ(), Out: os.Stdout, Errs: os.Stderr, Version: "test", Log: log})
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// fast are settings that need no waiting.
const fast = "cluster_start_next_delay: 0\nping_interval: 1\nping_timeout: 10\nexperimental_features: [reshard]\nmoot: {grace: 2, listen: \"127.0.0.1:0\"}\n"

// TestBots: bots in three languages are launched, found healthy, told that all are, and stopped.
func TestBots(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"go", "python", "node"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, language, 5, 16, fast)
			b.run()
			b.next("all clusters launched", func(m map[string]any) bool { return m["action"] == "all_clusters_launched" })
			b.states(fleet.Up, fleet.Up, fleet.Up)
			for i, s := range b.starts() {
				shards := []string{"[0, 1]", "[2, 3]", "[4]"}[i]
				name := []string{"Pika", "Eevee", "cluster-2"}[i]
				want := started{[]string{shards, "5", strconv.Itoa(i), name, "0", b.dir}, b.dir, s.PID, "secret", "a value", "1"}
				if !slices.Equal(s.Argv, want.Argv) || s.Folder != want.Folder || s.Token != want.Token || s.File != want.File || s.Generation != want.Generation {
					t.Errorf("cluster %d was started as %+v, want %+v", i, s, want)
				}
			}
			if n := b.ask("num_processes", nil); fmt.Sprint(n) != "map[clusters:3 shards:5]" {
				t.Errorf("num_processes says %v", n)
			}
			if got := b.discord.spent(); got != 5 {
				t.Errorf("%d identifies were spent", got)
			}
			launched := slices.DeleteFunc(b.actions(), func(event string) bool { return event == "ping_failure" }) // of a busy machine
			if !slices.Equal(launched, []string{"shards_launched", "shards_launched", "shards_launched"}) {
				t.Errorf("the action log has %v", launched)
			}
			for _, text := range []string{"no JSON", "[1]", "null"} { // which is nothing to anybody
				if err := b.redis.Publish(t.Context(), "bots", text).Err(); err != nil {
					t.Fatal(err)
				}
			}
			b.next("a ping", func(m map[string]any) bool { return m["diag"] == true })
			for _, c := range []struct {
				action string
				args   any
				says   string
			}{
				{"stop", id(9), "there is no cluster 9"}, {"start", id(0), "cluster 0 runs already"}, {"start", nil, "args.id says which cluster"}, {"sing", nil, `there is no action "sing"`}, {"stop", id(1), "ok"},
			} {
				if got := b.ask(c.action, c.args); got != c.says {
					t.Errorf("%s %v says %v", c.action, c.args, got)
				}
			}
			b.states(fleet.Up, fleet.Stopped, fleet.Up)
			if got := b.ask("start", id(1)); got != "ok" {
				t.Errorf("start says %v", got)
			}
			b.states(fleet.Up, fleet.Up, fleet.Up)
			if got := b.ask("shutdown", nil); got != "ok" {
				t.Errorf("shutdown says %v", got)
			}
			<-b.ended
			if b.code != 0 || b.err != nil {
				t.Errorf("it ends with %d, %v", b.code, b.err)
			}
		})
	}
}

// TestMuteAndCrash: of a cluster that is mute, one that crashes and one that leaves, each has its own fate, and the fourth runs on.
func TestMuteAndCrash(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	b := newBench(t, "go", 8, 16, fast)
	b.run()
	b.states(fleet.Up, fleet.Up, fleet.Up, fleet.Up)
	before := b.pids()
	b.mode(1, "mute")
	b.until("a new process of the mute one", func(map[string]fleet.Status) bool { return b.pids()["1"] != before["1"] })
	b.mode(1, "")
	b.states(fleet.Up, fleet.Up, fleet.Up, fleet.Up)
	if after := b.pids(); after["0"] != before["0"] || after["2"] != before["2"] || after["3"] != before["3"] {
		t.Errorf("the mute one has harmed others: before %v, after %v", before, after)
	}
	if !slices.Contains(b.actions(), "ping_failure") {
		t.Errorf("the action log has %v", b.actions())
	}

	b.mode(2, "leave")
	b.ask("restart", id(2))
	b.states(fleet.Up, fleet.Up, fleet.Stopped, fleet.Up)

	b.mode(3, "early")
	spent := b.discord.spent()
	b.ask("restart", id(3))
	b.until("pauses between restarts", func(map[string]fleet.Status) bool {
		return strings.Count(fmt.Sprint(b.actions()), "cluster_exited") >= 3
	})
	if got := b.discord.spent(); got != spent {
		t.Errorf("a cluster that never identifies has spent %d", got-spent)
	}
	b.mode(3, "")
	b.ask("restart", id(3))
	b.states(fleet.Up, fleet.Up, fleet.Stopped, fleet.Up)
	if got := b.ask("restartproc", nil); got != "ok" {
		t.Errorf("restartproc says %v", got)
	}
	<-b.ended
	if b.code != 1 || b.err != nil {
		t.Errorf("it ends with %d, %v", b.code, b.err)
	}
	if after := b.pids(); after["0"] != before["0"] {
		t.Errorf("the healthy one was restarted: before %v, after %v", before, after)
	}
}

// TestCrashLoop: clusters that end again and again take a tenth of the day's identifies at most.
func TestCrashLoop(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	b := newBench(t, "go", 2, 16, fast)
	b.discord.set(func() { b.discord.total, b.discord.remaining = 80, 80 })
	b.mode(0, "crash")
	b.run()
	b.until("the end of its part", func(map[string]fleet.Status) bool {
		return strings.Contains(b.log.String(), "has taken its part of the day")
	})
	// The first start is none of a loop; then half of a tenth, which are two starts.
	if got := b.discord.spent(); got != 2+4 {
		t.Errorf("it has spent %d identifies", got)
	}
}

// TestPace: two clusters that share a bucket of identifies do not identify within five seconds, whatever the settings say.
func TestPace(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	b := newBench(t, "go", 4, 1, fast)
	b.run()
	b.states(fleet.Up, fleet.Up)
	var all []identify
	b.discord.set(func() { all = slices.Clone(b.discord.identifies) })
	if len(all) != 4 || all[2].at.Sub(all[1].at) < 5*time.Second {
		t.Errorf("the identifies came as %v", all)
	}
}

// TestLaunchNext: the next cluster is started within 100 ms of the word of the one before.
func TestLaunchNext(t *testing.T) {
	t.Parallel()
	b := newBench(t, "go", 12, 16, fast)
	b.run()
	b.states(fleet.Up, fleet.Up, fleet.Up, fleet.Up, fleet.Up, fleet.Up)
	begun := map[string]time.Time{}
	for _, m := range regexp.MustCompile(`time=(\S+) .* cluster=(\d+) .* to=launching`).FindAllStringSubmatch(b.log.String(), -1) {
		at, err := time.Parse(time.RFC3339Nano, m[1])
		if err != nil {
			t.Fatal(err)
		}
		begun[m[2]] = at
	}
	var took []time.Duration
	for i, text := range b.list("words")[:5] {
		at, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		next, has := begun[strconv.Itoa(i+1)]
		if !has {
			t.Fatalf("the log does not say when cluster %d was started", i+1)
		}
		took = append(took, next.Sub(time.UnixMicro(at)))
	}
	t.Logf("the next process was started %v after the word", took)
	if best := slices.Min(took); best > 100*time.Millisecond { // the fastest says nothing of how busy the machine is
		t.Errorf("the fastest of %v is slower than 100 ms", took)
	}
}

// TestRolling: a rolling restart renews one cluster after another, and the others go on meanwhile.
func TestRolling(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	b := newBench(t, "go", 8, 16, fast)
	b.run()
	b.states(fleet.Up, fleet.Up, fleet.Up, fleet.Up)
	before := b.pids()
	if got := b.ask("rollingrestart", nil); got != "ok" {
		t.Fatalf("it says %v", got)
	}
	least := 4
	b.until("the end of it", func(all map[string]fleet.Status) bool {
		up := 0
		for _, s := range all {
			if s.Status == string(fleet.Up) {
				up++
			}
		}
		least = min(least, up)
		return slices.Contains(b.actions(), "rolling_restart_success")
	})
	after := b.pids()
	for id := range before {
		if before[id] == after[id] {
			t.Errorf("cluster %s was not restarted", id)
		}
	}
	if least < 3 {
		t.Errorf("only %d were up", least)
	}
}

// TestReshard: the next generation comes up beside the former one, and of all events that come meanwhile none is lost, and none handled
// twice.
func TestReshard(t *testing.T) {
	t.Parallel()
	b := newBench(t, "go", 4, 16, fast)
	b.run()
	b.states(fleet.Up, fleet.Up)
	before := b.pids()
	b.discord.set(func() { b.discord.shards = 6 })

	ctx, stop := context.WithCancel(t.Context())
	var events []string
	var work sync.WaitGroup
	work.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			event := fmt.Sprint("e", n)
			text := fmt.Sprintf(`{"scope":"bot","action":"event","args":{"event":%q,"guild":%d}}`, event, int64(n)<<22)
			if err := b.redis.Publish(t.Context(), "bots", text).Err(); err != nil {
				t.Error(err)
				return
			}
			events = append(events, event)
			time.Sleep(time.Millisecond)
		}
	})
	if got := b.ask("reshard", nil); got != "ok" {
		t.Fatalf("it says %v", got)
	}
	b.states(fleet.Up, fleet.Up, fleet.Up)
	for isAlive(before["0"]) || isAlive(before["1"]) {
		time.Sleep(time.Millisecond)
	}
	stop()
	work.Wait()
	handled := map[string]int{}
	for began := time.Now(); len(handled) < len(events); time.Sleep(10 * time.Millisecond) {
		clear(handled)
		for _, e := range b.list("handled") {
			handled[e]++
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("of %d events %d were handled", len(events), len(handled))
		}
	}
	for e, n := range handled {
		if n != 1 {
			t.Errorf("%s was handled %d times", e, n)
		}
	}
	heard := len(b.list("heard"))
	t.Logf("of %d events %d were heard twice", len(events), heard-len(events))
	if heard <= len(events) {
		t.Error("no two generations have worked at once")
	}
	for _, s := range b.starts()[2:] {
		if s.Generation != "2" || s.Argv[1] != "6" {
			t.Errorf("a cluster of the next generation was started as %+v", s)
		}
	}
	if got := b.ask("num_processes", nil); fmt.Sprint(got) != "map[clusters:3 shards:6]" {
		t.Errorf("afterwards num_processes says %v", got)
	}
}

// TestPage: a link lets in once, and what is ordered there is done.
func TestPage(t *testing.T) {
	t.Parallel()
	b := newBench(t, "go", 4, 16, fast)
	s, err := settings.Load(b.file, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Link(t.Context(), s); !errors.Is(err, ErrNoPage) {
		t.Errorf("without a launcher a link is %v", err)
	}
	b.run()
	b.states(fleet.Up, fleet.Up)
	link, err := Link(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	base, secret, _ := strings.Cut(link, "/login?link=")
	keys, err := b.redis.Keys(t.Context(), "*").Result()
	if err != nil || strings.Contains(strings.Join(keys, " "), secret) {
		t.Errorf("Redis has the secret, or %v", err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Jar: jar}
	post := func(path string, form url.Values) string {
		t.Helper()
		resp, err := client.PostForm(base+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if text := post("/login", url.Values{"link": {secret}}); !strings.Contains(text, "2 of 2") {
		t.Errorf("inside it says %s", text)
	}
	if text := post("/login", url.Values{"link": {secret}}); !strings.Contains(text, "no way in any more") {
		t.Errorf("the link lets in twice: %s", text)
	}
	before := b.pids()
	if text := post("/do", url.Values{"do": {"restart"}, "id": {"1"}}); !strings.Contains(text, "restarted when its turn comes") {
		t.Errorf("the order says %s", text)
	}
	b.until("the restart", func(map[string]fleet.Status) bool { return b.pids()["1"] != before["1"] })
	b.states(fleet.Up, fleet.Up)
	if text := post("/do", url.Values{"do": {"start"}, "id": {"0"}}); !strings.Contains(text, "Cluster 0 runs already.") {
		t.Errorf("the order says %s", text)
	}
	if text := post("/redis/pub", url.Values{}); !strings.Contains(text, "no JSON") {
		t.Errorf("nothing can be published as %s", text)
	}
}

// TestStubborn: what does not hear that it is to end is killed after its grace.
func TestStubborn(t *testing.T) {
	t.Parallel()
	b := newBench(t, "go", 2, 16, fast)
	b.mode(0, "stubborn")
	b.run()
	b.states(fleet.Up)
	b.ask("stop", id(0))
	b.states(fleet.Stopped)
	if !strings.Contains(b.log.String(), "to=stopped") {
		t.Error("the log does not tell of it")
	}
}

// TestOtherArguments: the other form of six arguments ends with the number of clusters and the channel.
func TestOtherArguments(t *testing.T) {
	t.Parallel()
	b := newBench(t, "go", 3, 16, strings.Replace(fast, "grace: 2,", "grace: 2, args: channel,", 1))
	b.run()
	b.states(fleet.Up, fleet.Up)
	if got := b.starts()[1].Argv; !slices.Equal(got, []string{"[2]", "3", "1", "Eevee", "2", "bots"}) {
		t.Errorf("the arguments are %q", got)
	}
}

// TestTwoLaunchers: a second launcher on the same channel starts nothing; a token that is not taken is said.
func TestTwoLaunchers(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	b := newBench(t, "go", 2, 16, fast)
	b.run()
	b.states(fleet.Up)
	s, err := settings.Load(b.file, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Settings: s, Out: os.Stdout, Errs: os.Stderr, Version: "test", Log: slog.New(slog.DiscardHandler)}
	if _, err := Run(t.Context(), nil, c); err == nil || !strings.Contains(err.Error(), "another launcher has this channel") {
		t.Errorf("the second one says %v", err)
	}
	c.Settings.Token, c.Settings.Channel = "wrong", "other"
	if _, err := Run(t.Context(), nil, c); err == nil || !strings.Contains(err.Error(), "the token is none that Discord takes") {
		t.Errorf("with a wrong token it says %v", err)
	}
	if got := len(b.starts()); got != 1 {
		t.Errorf("%d processes were started", got)
	}
}

// TestLauncherIsKilled: no cluster outlives a launcher that is killed, and the next launcher takes over.
func TestLauncherIsKilled(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"go", "python", "node"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, language, 4, 16, fast)
			b.mode(0, "stubborn")
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "MOOT_TEST_LAUNCHER="+b.file, "DISCORD="+b.discord.URL)
			cmd.Stderr = b.log
			b.ended = make(chan struct{})
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			b.listens()
			b.states(fleet.Up, fleet.Up)
			pids := b.pids()
			began := time.Now()
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			for _, pid := range pids {
				for isAlive(pid) {
					if time.Since(began) > time.Minute {
						t.Fatalf("process %d lives on", pid)
					}
					time.Sleep(time.Millisecond)
				}
			}
			t.Logf("no process is left after %v", time.Since(began))
			_ = cmd.Wait() // it was killed
			b.log = &safeBuffer{}
			b.run()
			b.states(fleet.Up, fleet.Up)
		})
	}
}
