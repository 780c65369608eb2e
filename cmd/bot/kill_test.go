package main

import (
	"cmp"
	"context"
	"fmt"

	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/internal/control"
	"moot/internal/effort"
	"moot/internal/inspect"
	"moot/protocol"
	"moot/protocol/protocoltest"
	"moot/store"
)

// A bot that is killed with SIGKILL between any two lines that it exchanges with the network must end where one that
// was never killed does: the network has seen the same, and the bot knows the same.

const (
	killRoom   protocol.RoomID = "console:lobby"
	killGarden protocol.RoomID = "console:garden"
	killDirect protocol.RoomID = "console:dm-ann"
)

// killTimeout is how long one life, or the wait for one, may take before the test gives up.
const killTimeout = time.Minute

// killStage is a part of what happens in the network: lines, and how many messages the bot has sent when all is done. The
// next stage waits for that, since what is not sent when the bot is kicked is never sent.
type killStage struct {
	lines [][]protocol.Event
	sent  int
	// act does what lines cannot say before they are delivered; nil does nothing. What people then have to have heard in
	// some message, as it stands, is heard; zero waits for nothing.
	act   func(*protocoltest.Script)
	heard string
}

// killStages are what happens in the network: joins, commands in public and in private, a kick with messages meanwhile, a
// rejoin with the replayed timeline, duplicates, and nonsense.
func killStages() []killStage {
	var lines [][]protocol.Event
	deliver := func(evs ...protocol.Event) { lines = append(lines, evs) }
	var timeline []protocol.Event
	n := 0
	next := func(room protocol.RoomID, by protocol.UserID, body protocol.Body) protocol.Event {
		n++
		ev := protocol.Event{Room: room, ID: protocol.EventID(fmt.Sprintf("$%d", n)), Sender: by, Body: body, Private: room == killDirect}
		if room == killRoom {
			timeline = append(timeline, ev)
		}
		return ev
	}
	say := func(room protocol.RoomID, by protocol.UserID, text string) protocol.Event {
		return next(room, by, protocol.Message{Text: text})
	}
	own := func(room protocol.RoomID, m protocol.Membership) protocol.Event {
		by := protocol.UserID("console:moot")
		if m == protocol.Kicked {
			by = "console:ann"
		}
		return next(room, by, protocol.MemberChange{User: "console:moot", Self: true, Bot: true, Membership: m})
	}
	join := func(room protocol.RoomID, user protocol.UserID) protocol.Event {
		return next(room, user, protocol.MemberChange{User: user, Membership: protocol.Joined, Name: user.Local()})
	}
	// People join by events of their own, so that nothing depends on when the list of members is in.
	deliver(own(killRoom, protocol.Joined), join(killRoom, "console:ann"), join(killRoom, "console:ben"))
	deliver(own(killGarden, protocol.Joined), join(killGarden, "console:ben"))
	deliver(next(killRoom, "console:ann", protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: "Lobby"}}}))
	deliver(say(killRoom, "console:ann", "good morning"), say(killRoom, "console:ben", "!moot ping"))
	deliver(say(killDirect, "console:ann", "rooms"))
	deliver(say(killDirect, "console:ann", "use lobby"))
	deliver(say(killDirect, "console:ann", "whoami"), say(killGarden, "console:ben", "!moot ping"))
	before := killStage{lines: lines, sent: 5}
	lines = nil
	deliver(own(killRoom, protocol.Kicked))
	next(killRoom, "console:ben", protocol.Message{Text: "!moot ping"}) // said while the bot is out
	missed := append([]protocol.Event{}, timeline...)
	deliver(append(missed, own(killRoom, protocol.Joined), join(killRoom, "console:ben"), say(killRoom, "console:ben", "!moot whoami"))...)
	deliver(missed[4], missed[5]) // delivered twice
	deliver(protocol.Event{Room: killRoom, ID: "bad\x1fid", Sender: "console:ben", Body: protocol.Message{Text: "!moot ping"}})
	deliver(say(killRoom, "console:ben", "!moot nonsense"), say(killRoom, "console:ben", "!moot help ping"))
	return []killStage{before, {lines: lines, sent: 8}}
}

// killed is one run of the whole script.
type killed struct {
	linger time.Duration // how long a life goes on when nothing is left to do, for what it does by itself and nobody sees
	most   time.Duration // how long a life may take; zero means killTimeout
	t      *testing.T
	bin    string
	dir    string
	script *protocoltest.Script
	stages []killStage // those that are not done
	told   bool        // whether the lines of the first of them were delivered
	lives  int
	deaths int           // lives that a SIGKILL has ended
	done   bool          // whether a life has ended in good order after all stages
	exit   int           // of the life that ended last; -1 if it was killed
	log    *watchedLog   // of the life that began last
	wrap   []string      // a program, with its arguments, under which the bot runs
	kill   chan struct{} // gets a value when the present life is to die
	args   []string      // of the bot, beside those that every life gets
	// env returns what a life, counted from 1, has in its environment beside that of the test, such as by which hand it
	// is to die; nil means nothing.
	env func(life int) []string
}

// life starts the bot, and returns when it has ended: by the kill, or by itself once everything is done.
func (k *killed) life() {
	k.t.Helper()
	k.lives++
	ctx, cancel := context.WithTimeout(k.t.Context(), cmp.Or(k.most, killTimeout))
	defer cancel()
	args := slices.Concat(k.wrap, []string{k.bin, "run", "--pipe", "--data", k.dir}, k.args)
	cmd := exec.Command(args[0], args[1:]...)
	if k.env != nil {
		cmd.Env = append(os.Environ(), k.env(k.lives)...)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	// A pipe of our own: that of the command is closed by Wait, while lines may still be in it.
	r, w, err := os.Pipe()
	if err != nil {
		k.t.Fatal(err)
	}
	stderr := &watchedLog{}
	k.log = stderr
	cmd.Stdout, cmd.Stderr = w, stderr
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	w.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		_ = cmd.Process.Kill()
	}()
	life := k.script.Attach(stdin, r)
	allDone := make(chan error, 1)
	go func() { allDone <- k.play(ctx) }()
	struck := false // the kill may also come after everything is done
	for {
		select {
		case <-k.kill:
			struck = true
			_ = cmd.Process.Kill()
		case err := <-allDone:
			allDone = nil
			if err != nil {
				k.t.Errorf("life %d: %v\n%s", k.lives, err, stderr.String())
				_ = cmd.Process.Kill()
				continue
			}
			if err := k.stop(cmd.Process.Pid); err != nil {
				k.t.Errorf("life %d cannot be stopped: %v", k.lives, err)
			}
		case err := <-ended:
			cancel()
			if k.exit = cmd.ProcessState.ExitCode(); wasKilled(cmd) {
				k.deaths++
			}
			life.Wait()
			r.Close()
			if allDone != nil {
				<-allDone
				return
			}
			k.done = k.done || err == nil
			if err != nil && !struck && k.wrap == nil && !(k.env != nil && wasKilled(cmd)) {
				k.t.Errorf("life %d ended with %v\n%s", k.lives, err, stderr.String())
			}
			return
		case <-ctx.Done():
			k.t.Fatalf("life %d does not end; %d stages are left. What people saw:\n%s\n%s", k.lives, len(k.stages), k.script.Text(), stderr.String())
		}
	}
}

// wasKilled reports whether a process ended by SIGKILL.
func wasKilled(cmd *exec.Cmd) bool {
	s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && s.Signal() == syscall.SIGKILL
}

// play does what is left of the stages.
func (k *killed) play(ctx context.Context) error {
	for len(k.stages) > 0 {
		if !k.told {
			if act := k.stages[0].act; act != nil {
				act(k.script)
			}
			for _, evs := range k.stages[0].lines {
				k.script.Deliver(evs...)
			}
			k.told = true
		}
		if err := k.script.WaitSent(ctx, k.stages[0].sent); err != nil {
			return err
		}
		if err := k.script.WaitAcked(ctx, 0); err != nil { // also the echoes
			return err
		}
		if what := k.stages[0].heard; what != "" {
			if err := k.script.Until(ctx, fmt.Sprintf("%q", what), func(seen []*protocoltest.Entry) bool { return isHeard(seen, what) }); err != nil {
				return err
			}
		}
		if err := k.settled(ctx); err != nil {
			return err
		}
		k.stages, k.told = k.stages[1:], false
	}
	if err := k.settled(ctx); err != nil { // also in a life that found nothing left to do
		return err
	}
	time.Sleep(k.linger)
	return nil
}

// runningClient asks a bot that runs, and nobody else.
func runningClient(folder string) *control.Client {
	return control.NewClient(control.ClientConfig{
		Folder: folder, Wait: time.Millisecond,
		Files: func(bool) (*control.Handler, func() error, error) { return nil, nil, store.ErrLocked },
		Busy:  func(error) bool { return true },
	})
}

// settled returns when the bot has nothing to send or to ask, as it says when it is asked: what the network has answered
// is not yet what the bot has recorded.
func (k *killed) settled(ctx context.Context) error {
	c := runningClient(k.dir)
	for {
		if page, err := c.Outbox(ctx, inspect.OutboxQuery{Limit: 1}); err == nil && len(page.Waiting) == 0 {
			return nil
		}
		select {
		case <-time.After(2 * time.Millisecond): // it is just starting, or has something to do
		case <-ctx.Done():
			return fmt.Errorf("wait until nothing is to be sent: %w", ctx.Err())
		}
	}
}

// stop lets the bot end in good order: the process itself, or the one that runs under it.
func (k *killed) stop(pid int) error {
	if k.wrap != nil {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if err != nil {
			return err
		}
		if child := strings.TrimSpace(string(children)); child != "" { // the program has not become the bot
			if pid, err = strconv.Atoi(child); err != nil {
				return err
			}
		}
	}
	return syscall.Kill(pid, syscall.SIGTERM)
}

// run plays the script, killing the bot at the given line (zero never), and returns what the network saw and what the bot
// knows.
func (k *killed) run(at int) string {
	k.t.Helper()
	k.kill = make(chan struct{}, 1)
	k.stages = killStages()
	k.script = protocoltest.NewScript(protocoltest.ScriptConfig{Echo: true, Overlap: 2, OnLine: func(n int, _ *protocoltest.Life) {
		if n == at {
			k.kill <- struct{}{}
		}
	}})
	for k.life(); at != 0 && k.lives < 2; {
		k.life() // also where the kill came after the last line that mattered
	}
	if k.t.Failed() {
		k.t.FailNow()
	}
	return withoutTimes(k.script.Text()) + k.knows()
}

// knows is what the bot says about itself afterwards.
func (k *killed) knows() string {
	k.t.Helper()
	var out strings.Builder
	for _, args := range [][]string{{"log", "--json"}, {"dead"}, {"why", string(killRoom), "$8"}, {"why", string(killRoom), "$17"}} {
		b, err := exec.Command(k.bin, append(args, "--data", k.dir)...).CombinedOutput()
		if err != nil {
			k.t.Fatalf("bot %v: %v\n%s", args, err, b)
		}
		text := aFact.ReplaceAllString(withoutTimes(string(b)), "#N ")
		if args[0] == "log" {
			text = inOrder(text)
		}
		fmt.Fprintf(&out, "$ bot %s\n%s", strings.Join(args, " "), text)
	}
	return out.String()
}

// aFact is that of a fact, which depends on whether a list of members came before or behind it.
var aFact = regexp.MustCompile(`#\d+ `)

func TestKilledBetweenAnyTwoLines(t *testing.T) {
	effort.Proof(t)
	t.Parallel()
	bin := buildBot(t)
	k := &killed{t: t, bin: bin, dir: filepath.Join(t.TempDir(), "data")}
	want := k.run(0)
	lines := k.script.Lines()
	t.Logf("%d lines without a kill; the network saw and the bot knows:\n%s", lines, want)
	killedAtEach(t, lines, func(t *testing.T, at int) {
		k := &killed{t: t, bin: bin, dir: filepath.Join(t.TempDir(), "data")}
		if got := k.run(at); got != want {
			t.Errorf("killed at line %d of %d it came out otherwise.\n--- got\n%s\n--- want\n%s", at, lines, got, want)
		}
	})
}

// killedAtEach plays a script again and again, with a kill at another line of it each time: at four of them, or with MOOT_LONG at all.
// Some are played at the same time, since each waits for its disk and for its network more than it works.
func killedAtEach(t *testing.T, lines int, play func(t *testing.T, at int)) {
	step := max(lines/4, 1)
	if effort.Long() {
		step = 1
	}
	for at := 1; at <= lines; at += step {
		t.Run(fmt.Sprint(at), func(sub *testing.T) {
			sub.Parallel()
			if t.Failed() {
				sub.Skip("it came out otherwise before")
			}
			play(sub, at)
		})
	}
}

// inOrder brings facts into an order of their own, without their numbers and attempts: which of two rooms comes first, when
// a question was answered, and how often it was asked, may differ.
func inOrder(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for i, l := range lines {
		lines[i] = anAttempt.ReplaceAllString(aNumber.ReplaceAllString(l, ""), "$1")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

var (
	aNumber   = regexp.MustCompile(`"seq":\d+,`)
	anAttempt = regexp.MustCompile(`(answer/[a-z0-9]+)/\d+`)
)

var aTime = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| UTC)?`)

// aSent is the id that the network gives to what is sent to it, a number over all rooms.
var aSent = regexp.MustCompile(`sent as sent\d+ `)

// withoutTimes replaces what is another in each run: times, and ids that depend on which room came first.
func withoutTimes(s string) string {
	return aSent.ReplaceAllString(aTime.ReplaceAllString(s, "TIME"), "sent as ID ")
}
