package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/internal/failpoint"
	"moot/internal/inspect"
	"moot/protocol"
	"moot/rooms"
)

// A bot at a network that a test plays, over several lives: it comes to its rooms, is away, catches up, is put out of a
// room and taken in again, and answers all the while.

// netTown is a community on one of the networks. Messages are counted over all rooms; those with even numbers are said in
// the room that the bot is put out of for a while.
type netTown struct {
	command      func(args ...string) *exec.Cmd // of the bot
	rooms        int                            // how many the bot comes to
	online       func() bool                    // whether the network has it online
	say          func(n int) protocol.Ref       // says "!moot ping"
	kick, invite func()
	answers      func() map[protocol.EventID][]string // what people read below what they have said
	names        map[string]string                    // what is called otherwise in each run, and its name in all
	data         string

	host       string            // where the server of the network listens
	through    func(host string) // has the server say that it is reached elsewhere; nil where it says nothing of that
	identified func() int        // how many sessions were begun; nil where there are none
}

// netLife is one life of a bot.
type netLife struct {
	cmd    *exec.Cmd
	log    *watchedLog
	done   chan struct{} // closed when it has ended
	mortal bool          // whether it may be killed
}

// strike is where a run is to be killed: in which life, and by what is in its environment then.
type strike struct {
	life int // counted from 1; netCompact is the compaction between the first two; zero means never
	env  string
}

const netCompact = -1

// netRun is one run of everything.
type netRun struct {
	*netTown
	t      *testing.T
	bin    string
	strike strike
	log    func(life int) string // the file for its hits of failpoints; nil means none
	lives  int
	deaths int
	now    *netLife
	asked  []protocol.Ref
	silent map[protocol.EventID]bool // what the bot was not there for
}

func (r *netRun) env(life int) (env []string, mortal bool) {
	if r.log != nil {
		env = append(env, "MOOT_FAILPOINT_LOG="+r.log(life))
	}
	if r.strike.life == life {
		return append(env, r.strike.env), true
	}
	return env, false
}

// start begins a life unless there is one.
func (r *netRun) start() {
	r.t.Helper()
	if r.now != nil {
		return
	}
	r.lives++
	env, mortal := r.env(r.lives)
	l := &netLife{cmd: r.command(), log: &watchedLog{}, done: make(chan struct{}), mortal: mortal}
	l.cmd.Path, l.cmd.Args[0], l.cmd.Err = r.bin, r.bin, nil
	l.cmd.Env = append(l.cmd.Env, env...)
	l.cmd.Stdout, l.cmd.Stderr = l.log, l.log
	if err := l.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		_ = l.cmd.Wait()
		close(l.done)
	}()
	r.t.Cleanup(func() {
		_ = l.cmd.Process.Kill()
		<-l.done
	})
	r.now = l
}

// ended notes that the present life has ended.
func (r *netRun) ended() {
	r.t.Helper()
	l := r.now
	r.now = nil
	switch killed := wasKilled(l.cmd); {
	case killed && l.mortal:
		r.deaths++
	case killed || l.cmd.ProcessState.ExitCode() != exitOK:
		r.t.Fatalf("life %d ended by itself: %v\n%s", r.lives, l.cmd.ProcessState, l.log)
	}
}

// until waits for something, in as many lives as it takes.
func (r *netRun) until(what string, so func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*killTimeout)
	defer cancel()
	for {
		r.start()
		if so() && r.settled(ctx) {
			return
		}
		select {
		case <-r.now.done:
			r.ended()
		case <-ctx.Done():
			r.t.Fatalf("waited in vain until %s; there are answers to %v\n%s\n%s", what, r.answers(), r.unanswered(), r.now.log)
		case <-time.After(10 * time.Millisecond): // the bot is a process of its own; nobody tells us
		}
	}
}

// settled reports whether the bot has nothing to send or to ask.
func (r *netRun) settled(ctx context.Context) bool {
	page, err := runningClient(r.data).Outbox(ctx, inspect.OutboxQuery{Limit: 1})
	return err == nil && len(page.Waiting) == 0
}

// moved tells how often the bot has joined rooms, or left them, as it says itself.
func (r *netRun) moved(what ...rooms.What) (n int) {
	for _, w := range what {
		page, err := runningClient(r.data).Log(r.t.Context(), inspect.LogQuery{Kind: "room", Keys: map[string]string{"what": string(w)}})
		if err != nil {
			return -1 // it is not there, or just begins
		}
		for _, f := range page.Facts {
			if f.Scope != protocol.Scope(agedOn["matrix"].attic) && f.Scope != protocol.Scope(agedOn["discord"].attic) {
				n++
			}
		}
	}
	return n
}

// rest ends the present life in good order. It may be killed by what it comes by on its way.
func (r *netRun) rest() {
	r.t.Helper()
	if r.now == nil {
		return
	}
	_ = r.now.cmd.Process.Signal(syscall.SIGTERM)
	<-r.now.done
	r.ended()
}

// compact compacts the store of a bot that does not run.
func (r *netRun) compact() {
	r.t.Helper()
	env, mortal := r.env(netCompact)
	for {
		cmd := exec.Command(r.bin, "compact", "--data", r.data)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		switch {
		case err == nil:
			return
		case !mortal || !wasKilled(cmd):
			r.t.Fatalf("moot compact: %v\n%s", err, out)
		}
		r.deaths++
		env, mortal = nil, false
	}
}

// talk says so many messages.
func (r *netRun) talk(n int) {
	for range n {
		r.asked = append(r.asked, r.say(len(r.asked)))
	}
}

// answered reports whether everything has an answer that is to have one.
func (r *netRun) answered() bool {
	got := r.answers()
	return !slices.ContainsFunc(r.asked, func(ref protocol.Ref) bool { return !r.silent[ref.Event] && len(got[ref.Event]) == 0 })
}

// unanswered says what became of what has no answer.
func (r *netRun) unanswered() string {
	var b strings.Builder
	got := r.answers()
	for i, ref := range r.asked {
		if len(got[ref.Event]) == 0 {
			why, err := runningClient(r.data).Why(r.t.Context(), inspect.WhyQuery{Room: string(ref.Room), Event: string(ref.Event)})
			fmt.Fprintf(&b, "message %d, %v: %+v %v\n", i, ref, why, err)
		}
	}
	return b.String()
}

// play lets everything happen, and returns what came of it.
func (r *netRun) play() string {
	r.t.Helper()
	r.silent = map[protocol.EventID]bool{}
	r.until("the bot is in its rooms", func() bool { return r.online() && r.moved(rooms.BotJoined) >= r.rooms })
	r.rest()
	r.compact()
	r.talk(4)
	r.until("what was missed is answered", r.answered)
	r.talk(4)
	r.until("all is answered", r.answered)
	r.kick()
	r.until("the bot knows that it is out", func() bool { return r.moved(rooms.BotLeft, rooms.BotKicked) > 0 })
	if len(r.asked)%2 == 1 {
		r.talk(1)
	}
	r.silent[r.say(-2).Event] = true
	r.invite()
	r.until("the bot is there again", func() bool { return r.online() && r.moved(rooms.BotJoined) > r.rooms })
	r.talk(4)
	r.until("all is answered", r.answered)
	r.rest()
	r.talk(2)
	r.until("all is answered", r.answered)
	r.rest()
	return r.outcome()
}

// outcome is what people have read and what the bot knows, in words that are the same in each run.
func (r *netRun) outcome() string {
	r.t.Helper()
	var b strings.Builder
	got := r.answers()
	called := map[string]string{}
	for i, ref := range r.asked {
		called[string(ref.Event)] = fmt.Sprintf("said-%d", i)
		fmt.Fprintf(&b, "said-%d is answered by %q\n", i, got[ref.Event])
		delete(got, ref.Event)
	}
	if len(got) > 0 {
		r.t.Errorf("there are answers to what nobody asked, or the bot was not there for: %v", got)
	}
	state := stateOf(r.t, r.data, r.asked)
	state = aDelivery.ReplaceAllString(aKey.ReplaceAllString(state, "sent KEY:"), "a-session")
	state = strings.ReplaceAll(state, `,"at":"TIME"`, "") // which stands beside what was told late
	for _, names := range []map[string]string{called, r.names} {
		state = renamed(state, names)
	}
	lines := strings.Split(strings.TrimSpace(anID.ReplaceAllString(state, "ID")), "\n")
	slices.Sort(lines)
	// How often the bot had to find out what it had missed is another matter in each run: each of these counts once.
	var last string
	lines = slices.DeleteFunc(lines, func(l string) bool {
		again := l == last && strings.Contains(l, "a-session")
		last = l
		return again
	})
	return b.String() + strings.Join(lines, "\n") + "\n"
}

var (
	// aKey is the key of a message, which is made of what it answers.
	aKey = regexp.MustCompile(`(?m)^sent [^:]+:`)
	// anID is an event of Matrix or an id of Discord that has no name of its own.
	anID = regexp.MustCompile(`\$\d+|\b\d{16,}\b|answer/[a-z0-9]+`)
	// aDelivery is what comes of a session with Discord's gateway.
	aDelivery = regexp.MustCompile(`session-\d+\.\d+`)
)

// renamed gives everything its other name; what is part of something longer that has one is not touched.
func renamed(s string, names map[string]string) string {
	var old []string
	for o := range names {
		old = append(old, o)
	}
	slices.SortFunc(old, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, o := range old {
		pairs = append(pairs, o, names[o])
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// hits are the places that a life came by, each as often as it did.
func hits(t *testing.T, path string) map[failpoint.Point]int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	n := map[failpoint.Point]int{}
	for _, name := range strings.Fields(string(text)) {
		n[failpoint.Point(name)]++
	}
	return n
}

// storm kills the bot at random times while people talk faster than it answers, and returns what each message has as
// answers.
func (r *netRun) storm(chance *rand.Rand, kills int) {
	r.t.Helper()
	r.silent = map[protocol.EventID]bool{}
	r.until("the bot is in its rooms", func() bool { return r.online() && r.moved(rooms.BotJoined) >= r.rooms })
	for range kills {
		r.start()
		r.now.mortal = true
		die := time.After(time.Duration(100+chance.IntN(900)) * time.Millisecond)
		for talking := true; talking; {
			select {
			case <-die:
				_ = r.now.cmd.Process.Kill()
				<-r.now.done
				r.ended()
				talking = false
			case <-time.After(time.Duration(chance.IntN(20)) * time.Millisecond):
				r.talk(1 + chance.IntN(3))
			}
		}
	}
	r.until("all is answered", r.answered)
	r.rest()
	got := r.answers()
	for i, ref := range r.asked {
		if len(got[ref.Event]) != 1 {
			r.t.Errorf("message %d of %d has %d answers", i, len(r.asked), len(got[ref.Event]))
		}
	}
	for line := range strings.Lines(stateOf(r.t, r.data, nil)) {
		if strings.HasPrefix(line, "dead letter") {
			r.t.Errorf("at the end there is: %s", line)
		}
	}
}
