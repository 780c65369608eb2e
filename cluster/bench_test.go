package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/cluster/fleet"
	"moot/cluster/redistest"
	"moot/cluster/settings"
)

// discord answers as Discord does where it is asked for the shards, and counts identifies.
type discord struct {
	*httptest.Server
	mu         sync.Mutex
	shards     int
	total      int
	remaining  int
	parallel   int
	identifies []identify
	asked      int
}

type identify struct {
	shard, pid int
	at         time.Time
}

func newDiscord(t *testing.T, shards, parallel int) *discord {
	d := &discord{shards: shards, total: 1000, remaining: 1000, parallel: parallel}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/gateway/bot", func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.asked++
		if agent := r.Header.Get("User-Agent"); !strings.HasPrefix(agent, "DiscordBot (https://") {
			t.Errorf("Discord would refuse the User-Agent %q", agent)
		}
		if r.Header.Get("Authorization") != "Bot secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"url":"wss://gateway.discord.gg","shards":%d,"session_start_limit":{"total":%d,"remaining":%d,"reset_after":14400000,"max_concurrency":%d}}`, d.shards, d.total, d.remaining, d.parallel)
	})
	mux.HandleFunc("POST /identify", func(_ http.ResponseWriter, r *http.Request) {
		shard, err := strconv.Atoi(r.FormValue("shard"))
		pid, err2 := strconv.Atoi(r.FormValue("pid"))
		if err != nil || err2 != nil {
			t.Errorf("an identify of %q, %q", r.FormValue("shard"), r.FormValue("pid"))
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.remaining--
		d.identifies = append(d.identifies, identify{shard, pid, time.Now()})
	})
	d.Server = httptest.NewServer(mux)
	t.Cleanup(d.Close)
	return d
}

// set changes what it says.
func (d *discord) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func (d *discord) spent() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.identifies)
}

// bench is a launcher with all that is around it.
type bench struct {
	*testing.T
	redis   *redistest.Server
	discord *discord
	dir     string
	file    string
	log     *safeBuffer
	heard   chan map[string]any // what is said on the channel to all
	end     func()
	ended   chan struct{}
	code    int
	err     error
	asks    int
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// program returns the settings of a bot in a language, which it builds where that is needed.
func program(t *testing.T, language, dir string) string {
	t.Helper()
	switch language {
	case "python":
		path, err := exec.LookPath("python3")
		if err != nil {
			t.Skip("there is no python3 here; .ci/run needs one")
		}
		if real, err := exec.Command(path, "-c", "import sys; print(sys.executable)").Output(); err == nil {
			path = strings.TrimSpace(string(real)) // what is called may be a script that starts it
		}
		copyFile(t, "testdata/bots/bot.py", dir)
		return "interp: " + path + "\nmodule: bot.py\n"
	case "node":
		path, err := exec.LookPath("node")
		if err != nil {
			t.Skip("there is no node here; .ci/run installs one")
		}
		copyFile(t, "testdata/bots/bot.js", dir)
		return "interp: " + path + "\nmodule: bot.js\n"
	}
	goBot.once.Do(func() {
		goBot.path = filepath.Join(os.TempDir(), fmt.Sprintf("moot-test-bot-%d", os.Getpid()))
		goBot.out, goBot.err = exec.Command("go", "build", "-o", goBot.path, "./testdata/bots/go").CombinedOutput()
	})
	if goBot.err != nil {
		t.Fatalf("%v\n%s", goBot.err, goBot.out)
	}
	if err := os.Link(goBot.path, filepath.Join(dir, "bot")); err != nil {
		copyFile(t, goBot.path, dir)
		if err := os.Rename(filepath.Join(dir, filepath.Base(goBot.path)), filepath.Join(dir, "bot")); err != nil {
			t.Fatal(err)
		}
	}
	return "module: ./bot\n"
}

// goBot is built once.
var goBot struct {
	once sync.Once
	path string
	out  []byte
	err  error
}

func copyFile(t *testing.T, path, dir string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), data, 0o755); err != nil {
		t.Fatal(err)
	}
}

// newBench writes a config.yaml, and starts Redis and Discord.
func newBench(t *testing.T, language string, shards, parallel int, more string) *bench {
	t.Helper()
	b := &bench{T: t, redis: redistest.Start(t), discord: newDiscord(t, shards, parallel), dir: t.TempDir(), log: &safeBuffer{}, heard: make(chan map[string]any, 10_000)}
	env := filepath.Join(b.dir, "bot.env")
	if err := os.WriteFile(env, []byte("# of the bot\nexport FROM_FILE='a value'\nHOME=/other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := program(t, language, b.dir) + fmt.Sprintf("token: secret\noverride_dir: %s\nenv: [%s]\nnames: [Pika, Eevee]\nredis: %s\nredis_channel: bots\nper_cluster: 2\nproxy: %s\n", b.dir, env, b.redis.Address, b.discord.URL) + more
	b.file = filepath.Join(b.dir, "config.yaml")
	if err := os.WriteFile(b.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sub := b.redis.Subscribe(t.Context(), "bots")
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	in := sub.Channel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m := range in {
			var v map[string]any
			if json.Unmarshal([]byte(m.Payload), &v) == nil && v != nil {
				v["heard at"] = time.Now()
				b.heard <- v
			}
		}
	}()
	t.Cleanup(func() {
		if err := sub.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return b
}

// run starts the launcher, which ends with the test.
func (b *bench) run() {
	b.Helper()
	s, err := settings.Load(b.file, func(string) string { return "" })
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	hurry, ended := make(chan struct{}), make(chan struct{})
	b.ended, b.end = ended, cancel
	log := slog.New(slog.NewTextHandler(b.log, nil))
	go func() {
		defer close(ended)
		b.code, b.err = Run(ctx, hurry, Config{
			Settings: s, Environ: append(os.Environ(), "DISCORD="+b.discord.URL), Out: os.Stdout, Errs: os.Stderr, Version: "test", Log: log,
		})
	}()
	b.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			close(hurry)
			<-ended
		}
		if b.Failed() {
			b.Logf("the launcher logs\n%s", b.log)
		}
		for _, s := range b.starts() {
			if isAlive(s.PID) {
				b.Errorf("process %d outlives the launcher", s.PID)
			}
		}
	})
	b.listens()
}

// listens waits until the launcher listens to the channel.
func (b *bench) listens() {
	b.Helper()
	for began := time.Now(); !strings.Contains(b.log.String(), "the clusters are launched"); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			b.Fatalf("the launcher does not come up:\n%s", b.log)
		}
	}
}

// isAlive reports whether there is a process, other than one that is only not reaped yet.
func isAlive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z")
}

// started is what a bot has said of its start.
type started struct {
	Argv       []string `json:"argv"`
	Folder     string   `json:"cwd"`
	PID        int      `json:"pid"`
	Token      string   `json:"token"`
	File       string   `json:"file"`
	Generation string   `json:"generation"`
}

func (b *bench) starts() (all []started) {
	b.Helper()
	for _, text := range b.list("starts") {
		var s started
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			b.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func (b *bench) list(name string) []string {
	b.Helper()
	texts, err := b.redis.LRange(context.Background(), "bots/test/"+name, 0, -1).Result()
	if err != nil {
		b.Fatal(err)
	}
	return texts
}

// mode says how a cluster is to be from now on.
func (b *bench) mode(id int, mode string) {
	b.Helper()
	if err := b.redis.Set(b.Context(), fmt.Sprint("bots/test/mode/", id), mode, 0).Err(); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) publish(v any) {
	b.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	if err := b.redis.Publish(b.Context(), "bots", text).Err(); err != nil {
		b.Fatal(err)
	}
}

// next returns the next message that fits.
func (b *bench) next(what string, fits func(map[string]any) bool) map[string]any {
	b.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		select {
		case m := <-b.heard:
			if fits(m) {
				return m
			}
		case <-b.ended:
			b.Fatalf("the launcher has ended with %d, %v, and waits are for %s", b.code, b.err, what)
		case <-deadline:
			b.Fatalf("it never comes to %s", what)
		}
	}
}

// ask gives a command and returns what comes of it.
func (b *bench) ask(action string, args any) any {
	b.Helper()
	b.asks++
	id := fmt.Sprint("ask", b.asks)
	b.publish(map[string]any{"scope": "launcher", "action": action, "args": args, "command_id": id})
	return b.next("an answer to "+action, func(m map[string]any) bool { return m["scope"] == "bot" && m["command_id"] == id })["output"]
}

func id(n int) map[string]any { return map[string]any{"id": n} }

// until waits until the clusters are as they should.
func (b *bench) until(what string, fits func(map[string]fleet.Status) bool) map[string]fleet.Status {
	b.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		text, err := json.Marshal(b.ask("statuses", nil))
		if err != nil {
			b.Fatal(err)
		}
		var all map[string]fleet.Status
		if err := json.Unmarshal(text, &all); err != nil {
			b.Fatalf("statuses says %s", text)
		}
		if fits(all) {
			return all
		}
		if time.Since(began) > 2*time.Minute {
			b.Fatalf("it never comes to %s: %s", what, text)
		}
	}
}

// states waits until the clusters are in these states.
func (b *bench) states(want ...fleet.State) {
	b.Helper()
	b.until(fmt.Sprint(want), func(all map[string]fleet.Status) bool {
		if len(all) != len(want) {
			return false
		}
		for i, s := range want {
			if all[strconv.Itoa(i)].Status != string(s) {
				return false
			}
		}
		return true
	})
}

// pids returns the newest process of each cluster.
func (b *bench) pids() map[string]int {
	b.Helper()
	all := map[string]int{}
	for _, s := range b.starts() {
		all[s.Argv[2]] = s.PID
	}
	return all
}

func (b *bench) actions() (all []string) {
	b.Helper()
	texts, err := b.redis.LRange(b.Context(), "bots/actlogs", 0, -1).Result()
	if err != nil {
		b.Fatal(err)
	}
	for _, text := range texts {
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil || m["ts"] == nil {
			b.Fatalf("the action log has %s", text)
		}
		all = append(all, fmt.Sprint(m["event"]))
	}
	return all
}
