package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/internal/effort"
	"moot/internal/failpoint"
	"moot/protocol"
	"moot/protocol/protocoltest"
	"moot/store"
)

// The crash matrix: the real bot, built with failpoints, dies by SIGKILL at each of its places, at the first, the second,
// the third time that it comes by; and again and again, in every life. What the network saw, and what the bot then knows,
// must be what they are when it never dies. The network lives in this process and outlives it.

// crashHits is how many hits of each place are struck: the first ones, and from there on some, spread over the rest.
var crashHits = effort.InProof(12, 1000)

// crashWorld is a data folder to begin with, and what comes out where nobody dies.
type crashWorld struct {
	name string
	data string // the folder to begin with; zero means none
	want string // what comes out without a crash
	hits map[failpoint.Point]int
}

// begin prepares a run of the whole script over a copy of the world's data. The network delivers so many lines again that
// were acknowledged; where it delivers none, one that was acknowledged too early is lost.
func (w *crashWorld) begin(t *testing.T, bin string, overlap int) *killed {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if w.data != "" {
		if err := os.CopyFS(dir, os.DirFS(w.data)); err != nil {
			t.Fatal(err)
		}
	}
	return &killed{
		t: t, bin: bin, dir: dir, stages: killStages(),
		script: protocoltest.NewScript(protocoltest.ScriptConfig{Echo: true, Overlap: overlap}),
	}
}

// outcome returns what the network saw and what the bot knows, when all is done.
func (k *killed) outcome() string {
	k.t.Helper()
	if k.t.Failed() {
		k.t.FailNow()
	}
	if refused := k.script.Refused(); len(refused) > 0 {
		k.t.Errorf("the bot refused lines: %q", refused)
	}
	var asked []protocol.Ref
	for _, s := range killStages() {
		for _, line := range s.lines {
			for _, ev := range line {
				asked = append(asked, ev.Ref())
			}
		}
	}
	return withoutTimes(k.script.Text()) + stateOf(k.t, k.dir, asked)
}

// crashed is one run of the whole script. It returns what came out, and the lives that it took.
func (w *crashWorld) crashed(t *testing.T, bin string, env func(life int) []string, lives, overlap int) (string, *killed) {
	t.Helper()
	k := w.begin(t, bin, overlap)
	k.env = env
	for k.life(); !k.done; k.life() {
		if k.lives == lives {
			t.Fatalf("after %d lives it is not done", k.lives)
		}
	}
	return k.outcome(), k
}

// dry runs the script without a crash, and learns how often each place is come by.
func (w *crashWorld) dry(t *testing.T, bin string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "hits")
	w.want, _ = w.crashed(t, bin, func(int) []string { return []string{"MOOT_FAILPOINT_LOG=" + log} }, 1, 2)
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	w.hits = map[failpoint.Point]int{}
	for _, name := range strings.Fields(string(text)) {
		w.hits[failpoint.Point(name)]++
	}
}

func TestCrashMatrix(t *testing.T) {
	effort.Proof(t)
	t.Parallel()
	bin := failpointBot(t)
	worlds := []*crashWorld{{name: "new"}, {name: "aged", data: agedFolder(t, protocol.Console)}}
	for _, w := range worlds {
		w.dry(t, bin)
	}
	out := os.Stdout
	tell(out, "\n%-16s %-6s %8s %8s %8s   %s", "killed at", "data", "come by", "kills", "starts", "what the network saw, and what the bot knows afterwards")
	var mu sync.Mutex
	kills, starts := 0, 0
	t.Run("each", func(t *testing.T) {
		for _, w := range worlds {
			for _, p := range failpoint.All() {
				if w.hits[p] == 0 {
					continue
				}
				t.Run(w.name+"/"+string(p), func(t *testing.T) {
					t.Parallel()
					k, s := w.strike(t, bin, p)
					mu.Lock()
					kills, starts = kills+k, starts+s
					mu.Unlock()
					struck(t, p)
					verdict := "the same as without"
					if t.Failed() {
						verdict = "NOT the same"
					}
					tell(out, "%-16s %-6s %8d %8d %8d   %s", p, w.name, w.hits[p], k, s, verdict)
				})
			}
		}
	})
	tell(out, "%-16s %-6s %8s %8d %8d\n", "", "", "", kills, starts)
}

// strike kills at the first hits of a place, each in a run of its own, and then in every life of one run.
func (w *crashWorld) strike(t *testing.T, bin string, p failpoint.Point) (kills, starts int) {
	var plans []func(life int) []string
	for _, n := range spread(w.hits[p], crashHits) {
		plans = append(plans, func(life int) []string {
			if life > 1 {
				return nil
			}
			return []string{fmt.Sprintf("MOOT_FAILPOINT=%s:%d", p, n)}
		})
	}
	// Death in every life: each gets a little further than the one before, or none would ever get to the end.
	plans = append(plans, func(life int) []string {
		return []string{fmt.Sprintf("MOOT_FAILPOINT=%s:%d", p, 1+life/2)}
	})
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(runtime.NumCPU(), 1))
	for i, plan := range plans {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			t.Run(fmt.Sprint(i+1), func(t *testing.T) {
				got, k := w.crashed(t, bin, plan, 200, i%2*2)
				if got != w.want {
					t.Errorf("it came out otherwise:\n%s", firstDifference(got, w.want))
				}
				mu.Lock()
				kills, starts = kills+k.deaths, starts+k.lives
				mu.Unlock()
			})
		})
	}
	wg.Wait()
	if kills == 0 {
		t.Error("nobody died")
	}
	return kills, starts
}

// spread returns at most limit numbers from 1 to n: the first ones, and then some spread over the rest.
func spread(n, limit int) (out []int) {
	first := (limit + 1) / 2
	rest, some := n-first, limit-first
	for i := 1; i <= n; i++ {
		if n <= limit || i <= first || (i-first)*some/rest != (i-1-first)*some/rest {
			out = append(out, i)
		}
	}
	return out
}

func TestSpread(t *testing.T) {
	if got := spread(7, 1); len(got) != 1 || got[0] != 1 {
		t.Errorf("one of seven: %v", got)
	}
	for _, n := range []int{0, 1, 11, 12, 13, 100, 1000} {
		got := spread(n, 12)
		if len(got) != min(n, 12) || n > 0 && (got[0] != 1 || got[len(got)-1] != n) {
			t.Errorf("%d: %v", n, got)
		}
	}
}

// agedNames are the names in an aged folder, as its network has them.
type agedNames struct {
	attic          protocol.RoomID // in which nobody has been for long
	self, ann, ben protocol.UserID
	event          string // what the ids of events begin with
}

var agedOn = map[protocol.Network]agedNames{
	protocol.Console: {"console:attic", "console:moot", "console:ann", "console:ben", "$old"},
	"matrix":         {"matrix:!attic:fake.test", "matrix:@moot:fake.test", "matrix:@ann:fake.test", "matrix:@ben:fake.test", "$old"},
	"discord":        {"discord:1001", "discord:1002", "discord:1003", "discord:1004", "1005-100"},
}

// agedFolder makes the data folder of a bot that was last run 70 days ago on a network: there is what to sweep and what to
// archive, and messages that were being sent and have expired since.
func agedFolder(t *testing.T, network protocol.Network) string {
	t.Helper()
	names := agedOn[network]
	attic := names.attic
	dir := t.TempDir()
	now := time.Now().Add(-70 * 24 * time.Hour)
	cfg := config.Default()
	cfg.Data = dir
	st, err := store.Open(store.Config{Path: storeFile(cfg)})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	bus, err := events.Open(events.Config{Store: st, Kinds: kinds()})
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	features, err := newFeatures(cfg, bus)
	if err != nil {
		t.Fatal(err)
	}
	m, err := bot.NewMachine(bot.MachineConfig{Store: st, Bus: bus, Features: features.list()})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	step := func(answer bool, in ...bot.Input) {
		for {
			now = now.Add(time.Second)
			fx, err := m.Step(now, in)
			if err != nil {
				t.Fatal(err)
			}
			in = nil
			for _, a := range fx.Attempts {
				switch {
				case a.Ask != nil:
					in = append(in, bot.Answered{Ask: *a.Ask, Attempt: a.Try.N, Result: protocol.MemberList{Last: true, Members: []protocol.Member{
						{User: names.self, Self: true, Bot: true}, {User: names.ann}, {User: names.ben},
					}}})
				case answer:
					in = append(in, bot.Sent{Key: a.Key, Ref: protocol.Ref{Room: a.Out.Room, Event: protocol.EventID("old-" + string(a.Key))}})
				}
			}
			if !fx.More && len(in) == 0 {
				return
			}
		}
	}
	admit := func(answer bool, by protocol.UserID, body protocol.Body) {
		n++
		ev := protocol.Event{Room: attic, ID: protocol.EventID(names.event + fmt.Sprint(n)), Sender: by, Time: now, Body: body}
		step(answer, bot.Admitted{Batch: &bot.Batch{Network: network, Events: []protocol.Event{ev}}})
		now = now.Add(time.Minute)
	}
	step(true, bot.Online{Network: network, Up: true})
	admit(true, names.self, protocol.MemberChange{User: names.self, Self: true, Bot: true, Membership: protocol.Joined})
	for i := range 40 {
		admit(true, names.ben, protocol.Message{Text: fmt.Sprint("let us talk about ", i)})
		admit(true, names.ann, protocol.Message{Text: "!moot ping"})
		if i%10 == 0 {
			admit(true, names.ann, protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: fmt.Sprint("Attic ", i)}}})
		}
	}
	for range 3 {
		admit(false, names.ben, protocol.Message{Text: "!moot ping"})
	}
	if network == "discord" {
		// There the first session tells that the bot is out, before what was being sent expires or behind it.
		admit(true, names.ann, protocol.MemberChange{User: names.self, Self: true, Bot: true, Membership: protocol.Kicked})
	}
	return dir
}
