package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/cluster/redistest"
	"moot/internal/effort"
	"moot/internal/pause"
	"moot/protocol"
	"moot/protocol/protocoltest"
)

// What collectors find is said once, however often the bot is killed: lines of a file that is put away meanwhile, entries of a feed,
// and what a program prints, which takes back what came of it, and answers of a service of botcannon in a real Redis, where there is
// one. The tasks are a program, a module of WebAssembly, and an address, which is called under one key.

const collectConfig = `
operators = ["console:ann"]
[[service]]
name = "all"
to = ["console:lobby"]
queue = 3
[[service.collector]]
name = "log"
tail = "app.log"
every = "100ms"
[[service.collector]]
name = "news"
feed = "%[1]s"
every = "100ms"
[[service.collector]]
name = "counter"
run = ["./counter", "acks"]
back = true
timeout = "5s"
[[service.task]]
run = ["./say"]
output = "text"
[[service.task]]
wasm = "mark.wasm"
memory = 16
[[service.task]]
http = "%[1]s/task"
`

const cannonConfig = `
[[service.collector]]
name = "winds"
botcannon = "%s"
stream = "winds"
`

// markModule is a module of WebAssembly that writes a line, as its bytes: small enough to be there at once in each of many lives.
func markModule() []byte {
	const line = "{\"marked\":true}\n"
	section := func(id byte, body string) string { return string(append([]byte{id, byte(len(body))}, body...)) }
	name := func(s string) string { return string(append([]byte{byte(len(s))}, s...)) }
	return []byte("\x00asm\x01\x00\x00\x00" +
		section(1, "\x02\x60\x04\x7f\x7f\x7f\x7f\x01\x7f\x60\x00\x00") + // types: of fd_write, and of _start
		section(2, "\x01"+name("wasi_snapshot_preview1")+name("fd_write")+"\x00\x00") +
		section(3, "\x01\x01") +
		section(5, "\x01\x00\x01") + // a page of memory
		section(7, "\x02"+name("memory")+"\x02\x00"+name("_start")+"\x00\x01") +
		section(10, "\x01\x0d\x00\x41\x01\x41\x00\x41\x01\x41\x08\x10\x00\x1a\x0b") + // fd_write(1, 0, 1, 8)
		section(11, "\x01\x00\x41\x00\x0b"+name("\x10\x00\x00\x00"+string(rune(len(line)))+"\x00\x00\x00"+strings.Repeat("\x00", 8)+line)))
}

// counterScript counts from its cursor on, and writes down by which keys it was told what came of it.
const counterScript = `#!/bin/sh
read -r first
n=$(printf '%s' "$first" | sed -n 's/.*"cursor":\([0-9]*\).*/\1/p')
(
	n=${n:-0}
	while [ "$n" -lt 12 ]; do
		n=$((n + 1))
		echo "{\"cursor\": $n, \"text\": \"count $n\"}"
		sleep 0.02
	done
) &
while read -r line; do
	case $line in
	'{"key"'*)
		key=$(printf '%s' "$line" | sed 's/^{"key":"\([^"]*\)".*/\1/')
		echo "$key $(printf '%s' "$line" | sed 's/.*"results":{"answer":"\([^"]*\)".*/\1/')" >> "$1"
		echo "{\"ack\": \"$key\"}"
		;;
	esac
done
`

func TestCollectorsSurviveKills(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	bin := failpointBot(t)
	const each = 12
	blow, cannon := func(context.Context, string) error { return nil }, false
	conf := collectConfig
	if _, err := exec.LookPath("redis-server"); err == nil {
		server := redistest.Start(t)
		cannon, conf = true, strings.Replace(collectConfig, "[[service.task]]", fmt.Sprintf(cannonConfig, server.Address)+"[[service.task]]", 1)
		blow = func(ctx context.Context, text string) error {
			return server.Do(ctx, "XADD", "DEFAULT|streams:winds:taskback", "*", "text", text).Err()
		}
	}
	deaths := 0
	for seed := uint64(1); deaths < effort.Of(8, 60, 256); seed++ {
		var mu sync.Mutex
		entries, called := 1, map[string]map[string]bool{} // by the text of a job: the keys with which it was called
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if r.URL.Path == "/task" {
				var job struct {
					Text    string
					Results struct{ Marked bool }
				}
				if err := json.NewDecoder(r.Body).Decode(&job); err != nil {
					return // the bot was killed meanwhile
				}
				if !job.Results.Marked {
					t.Errorf("%s comes without what the module has written", job.Text)
				}
				if called[job.Text] == nil {
					called[job.Text] = map[string]bool{}
				}
				called[job.Text][r.Header.Get("Idempotency-Key")] = true
				return
			}
			fmt.Fprint(w, `<rss version="2.0"><channel><title>News</title>`)
			for n := entries - 1; n >= 0; n-- {
				fmt.Fprintf(w, `<item><guid>g%d</guid><title>entry %d</title></item>`, n, n)
			}
			fmt.Fprint(w, `</channel></rss>`)
		}))
		dir := t.TempDir()
		log := filepath.Join(dir, "app.log")
		for name, text := range map[string]string{
			"config.toml": fmt.Sprintf(conf, web.URL), "mark.wasm": string(markModule()), "counter": counterScript, "app.log": "old\n",
			"say": "#!/bin/sh\nsed 's/.*\"text\":\"\\([^\"]*\\)\".*/\\1/'\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		own := protocol.Event{Room: killRoom, ID: "$own", Sender: "console:ann", Body: protocol.MemberChange{User: "console:moot", Self: true, Bot: true, Membership: protocol.Joined}}
		k := &killed{
			t: t, bin: bin, dir: filepath.Join(dir, "data"), args: []string{"--config", filepath.Join(dir, "config.toml")}, kill: make(chan struct{}, 1),
			script: protocoltest.NewScript(protocoltest.ScriptConfig{Echo: true}),
			stages: []killStage{{lines: [][]protocol.Event{{own}}}, {heard: "the end"}},
			most:   4 * killTimeout, // the last life starts a hundred programs one after another, each of which takes a second on a busy machine
		}
		chance := rand.New(rand.NewPCG(seed, 19))
		k.env = func(life int) []string {
			select {
			case <-k.kill:
			default:
			}
			// The first finds out what is old, and is killed then. What is interrupted is tried again after pauses that double, so that
			// few may be.
			if life > 1 && life < 5 {
				time.AfterFunc(time.Duration(20+chance.IntN(300))*time.Millisecond, func() {
					select {
					case k.kill <- struct{}{}:
					default:
					}
				})
			}
			return nil
		}
		// The world goes on while the bot lives and dies, once the bot has seen what there was.
		type world struct {
			entries int
			err     error
		}
		ended := make(chan world, 1)
		go func() {
			n, err := collectWorld(t.Context(), k, log, each, cannon, blow, func() int {
				mu.Lock()
				defer mu.Unlock()
				entries++
				return entries
			})
			ended <- world{n, err}
		}()
		for k.life(); !k.done; k.life() {
			if k.lives == 200 {
				t.Fatal("it is not done")
			}
		}
		web.Close()
		w := <-ended
		if w.err != nil {
			t.Fatal(w.err)
		}
		said := map[string]int{}
		for _, e := range k.script.Transcript() {
			if say, ok := e.Act.(protocol.Say); ok {
				if said[say.Text.Plain()]++; said[say.Text.Plain()] > 1 {
					t.Errorf("%q was said twice", say.Text.Plain())
				}
			}
		}
		acks := map[string]map[string]bool{} // by what was counted
		data, err := os.ReadFile(filepath.Join(dir, "acks"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			key, what, _ := strings.Cut(strings.TrimSpace(line), " ")
			if acks[what] == nil {
				acks[what] = map[string]bool{}
			}
			acks[what][key] = true
		}
		for n := range each {
			whats := []string{fmt.Sprint("line ", n), fmt.Sprint("entry ", w.entries+n), fmt.Sprint("count ", n+1)}
			if cannon {
				whats = append(whats, fmt.Sprint("wind ", n))
			}
			for _, what := range whats {
				if said[what] != 1 || len(called[what]) != 1 || called[what][""] {
					t.Errorf("%q was said %d times, and the task of it called under the keys %v", what, said[what], called[what])
				}
			}
			if got := acks[fmt.Sprint("count ", n+1)]; len(got) != 1 {
				t.Errorf("what came of %d was taken back under the keys %v", n+1, got)
			}
		}
		if t.Failed() {
			t.Fatalf("with the seed %d, after %d kills, it said\n%s\n%s", seed, k.deaths, k.script.Text(), k.log.String())
		}
		deaths += k.deaths
	}
	t.Logf("%d kills, with botcannon: %v", deaths, cannon)
}

// collectWorld writes lines, puts the log away, and has entries come, while the bot lives and dies. It begins when the bot has seen
// what there was, and says the last line when all that it has made was said.
func collectWorld(
	ctx context.Context, k *killed, log string, each int, cannon bool, blow func(context.Context, string) error, entry func() int,
) (entries int, err error) {
	write := func(line string) {
		f, ferr := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if ferr == nil {
			_, ferr = fmt.Fprintln(f, line)
			ferr = errors.Join(ferr, f.Close())
		}
		err = errors.Join(err, ferr)
	}
	heard := func(what ...string) bool {
		text := k.script.Text()
		return !slices.ContainsFunc(what, func(w string) bool { return !strings.Contains(text, w) })
	}
	pace := func() bool { return pause.Sleep(ctx, 20*time.Millisecond) == nil && err == nil }
	first := []string{"warm", "entry"}
	if cannon {
		first = append(first, "breeze")
	}
	for n := 0; !heard(first...) && pace(); n++ {
		_ = pause.Sleep(ctx, time.Duration(n+1)*100*time.Millisecond) // so that little waits once a slow bot is there; pace sees the end
		write(fmt.Sprint("warm ", n))
		entries = entry()
		err = errors.Join(err, blow(ctx, fmt.Sprint("breeze ", n)))
	}
	k.kill <- struct{}{}
	for n := range each {
		write(fmt.Sprint("line ", n))
		entry()
		err = errors.Join(err, blow(ctx, fmt.Sprint("wind ", n)))
		if n%5 == 4 {
			for i := 8; i > 0; i-- {
				_ = os.Rename(fmt.Sprintf("%s.%d", log, i), fmt.Sprintf("%s.%d", log, i+1)) // where there is one
			}
			err = errors.Join(err, os.Rename(log, log+".1"))
		}
		pace()
	}
	want := []string{fmt.Sprintf("entry %d", entries+each-1)}
	for n := range each {
		want = append(want, fmt.Sprint("line ", n), fmt.Sprint("count ", n+1))
		if cannon {
			want = append(want, fmt.Sprint("wind ", n))
		}
	}
	for !heard(want...) && pace() {
	}
	write("the end")
	return entries, errors.Join(err, ctx.Err())
}
