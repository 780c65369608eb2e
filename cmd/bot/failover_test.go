//go:build unix

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/cluster/redistest"
	"moot/internal/effort"
	"moot/internal/inspect"
	"moot/protocol"
	"moot/replica/postgres/postgrestest"
	"moot/store"
)

// logServer is the server of a log, or several of them.
type logServer struct {
	url string // with the address of each machine's own gate for GATE
	at  string // where it listens; empty where the machines find it by themselves, and cannot be cut off
	// kill and run end it and start it again; freeze has it stand still until it is told to go on.
	kill, run func()
	freeze    func() func()
	// elsewhere waits until another server has its place, and settled until all are well; nil where it is the only one.
	elsewhere, settled func()
	// append reports whether a request is an append, and refused whether an answer says that it came too late.
	append  func(request []byte) bool
	refused func(answer []byte) bool
}

var logServers = map[string]func(t *testing.T) logServer{
	"PostgreSQL": func(t *testing.T) logServer {
		s := postgrestest.Start(t)
		at, rest, _ := strings.Cut(strings.TrimPrefix(s.URL, "postgres://moot@"), "/")
		return logServer{
			url: "postgres://moot@GATE/" + rest, at: at, kill: s.Kill, run: s.Run, freeze: s.Freeze,
			append:  func(request []byte) bool { return len(request) > 250 }, // a change is longer than all else that a leader says
			refused: func(answer []byte) bool { return bytes.Contains(answer, []byte("SELECT 0\x00")) },
		}
	},
	"Redis": func(t *testing.T) logServer {
		s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
		return logServer{
			url: "redis://GATE", at: s.Address, kill: s.Kill, run: s.Run, freeze: s.Freeze,
			append:  func(request []byte) bool { return bytes.HasPrefix(request, []byte("*9\r\n$7\r\nevalsha")) }, // alone it has so many arguments
			refused: func(answer []byte) bool { return bytes.Contains(answer, []byte("fenced")) },
		}
	},
	"Sentinel": func(t *testing.T) logServer {
		g := redistest.StartGroup(t, "--appendonly", "yes", "--appendfsync", "always", "--min-replicas-to-write", "1", "--repl-diskless-sync-delay", "0")
		var primary *redistest.Server
		return logServer{
			url: "sentinel://" + g.Sentinels + "/moot",
			kill: func() {
				if primary = g.Primary(); primary == nil {
					t.Fatal("there is no primary")
				}
				primary.Kill()
			},
			run: func() { primary.Run() },
			freeze: func() func() {
				if primary = g.Primary(); primary == nil {
					t.Fatal("there is no primary")
				}
				return primary.Freeze()
			},
			elsewhere: func() { g.Other(primary) }, settled: g.Settled,
		}
	},
}

// duel are two machines of one bot, of which one leads, in a town that goes on talking.
type duel struct {
	*testing.T
	*netTown
	r       *rand.Rand
	e       logServer
	net     *gate // the way to the network
	sides   [2]*side
	leader  int
	asked   []protocol.Ref
	settled int // how many of these are known to have one answer
}

// side is one of the machines.
type side struct {
	name, data, config string
	gate               *gate // the way to the log; nil where there is none
	env                []string
	cmd                *exec.Cmd
	log                *watchedLog
	done               chan struct{} // closed when the process has ended
}

// lease is for how long that of a machine runs where a test does not measure how long things take.
const lease = 2 * time.Second

func newDuel(t *testing.T, town *netTown, e logServer, seed uint64, ttl time.Duration) *duel {
	d := &duel{T: t, netTown: town, e: e, r: rand.New(rand.NewPCG(seed, 0)), net: newGate(t, town.host, logServer{})}
	if town.through != nil {
		town.through(d.net.Address)
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(town.data), "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	config := strings.ReplaceAll(string(text), town.host, d.net.Address)
	config = strings.ReplaceAll(config, "rate_burst = 1000", "rate_burst = 10000")
	for i, name := range []string{"left", "right"} {
		dir := t.TempDir()
		s := &side{name: name, data: filepath.Join(dir, "data"), config: filepath.Join(dir, "config.toml")}
		url := e.url
		if e.at != "" {
			s.gate = newGate(t, e.at, e)
			url = strings.ReplaceAll(url, "GATE", s.gate.Address)
		}
		s.env = []string{"XDG_RUNTIME_DIR=" + dir, "MOOT_REPLICA=" + url, leaseVariable + "=" + ttl.String()}
		own := config + fmt.Sprintf("\n[replica]\nurl = { env = \"MOOT_REPLICA\" }\nnode = %q\n", name)
		if err := os.WriteFile(s.config, []byte(own), 0o600); err != nil {
			t.Fatal(err)
		}
		d.sides[i] = s
	}
	t.Cleanup(func() {
		for _, s := range d.sides {
			s.kill()
			if t.Failed() && s.log != nil {
				log := s.log.String()
				t.Logf("the log of %s ends:\n%s", s.name, log[max(0, len(log)-6000):])
			}
		}
	})
	return d
}

// start starts a machine.
func (d *duel) start(s *side) {
	d.Helper()
	exe, err := os.Executable()
	if err != nil {
		d.Fatal(err)
	}
	if s.log == nil {
		s.log = &watchedLog{}
	}
	cmd := d.command()
	cmd.Path, cmd.Args, cmd.Err = exe, []string{"bot", "--config", s.config, "--data", s.data}, nil
	cmd.Dir = filepath.Dir(s.config)
	cmd.Env = append(cmd.Env, s.env...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		d.Fatal(err)
	}
	s.cmd, s.done = cmd, make(chan struct{})
	go func(done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(s.done)
}

// signal sends a machine a signal.
func (d *duel) signal(s *side, sig syscall.Signal) {
	d.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		d.Fatal(err)
	}
}

func (s *side) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.done
		s.cmd = nil
	}
}

// until waits for something. No machine may end meanwhile.
func (d *duel) until(what string, so func() bool) {
	d.Helper()
	for began := time.Now(); !so(); time.Sleep(10 * time.Millisecond) {
		for _, s := range d.sides {
			if s.cmd == nil {
				continue
			}
			select {
			case <-s.done:
				d.Fatalf("%s has ended by itself: %v", s.name, s.cmd.ProcessState)
			default:
			}
		}
		if time.Since(began) > 2*time.Minute {
			d.Fatalf("waited in vain until %s", what)
		}
	}
}

// is reports whether a machine that runs stands by, or leads.
func (d *duel) is(s *side, standby bool) bool {
	ctx, cancel := context.WithTimeout(d.Context(), time.Second) // one that is frozen does not answer
	defer cancel()
	if s.cmd == nil {
		return false
	}
	status, err := runningClient(s.data).Status(ctx)
	return err == nil && status.Running && status.Standby == standby && status.PID == s.cmd.Process.Pid
}

// leads waits until one of these machines leads, and returns which.
func (d *duel) leads(sides ...*side) {
	d.Helper()
	d.until("one of the machines leads", func() bool {
		i := slices.IndexFunc(sides, func(s *side) bool { return d.is(s, false) })
		if i >= 0 {
			d.leader = slices.Index(d.sides[:], sides[i])
		}
		return i >= 0
	})
}

// paired starts what has ended, and waits until one machine leads and the other one stands by.
func (d *duel) paired() {
	d.Helper()
	for _, s := range d.sides {
		if s.cmd == nil {
			d.start(s)
		}
	}
	d.until("one machine leads and the other one stands by", func() bool {
		for i, s := range d.sides {
			if d.is(s, false) && d.is(d.sides[1-i], true) {
				d.leader = i
				return true
			}
		}
		return false
	})
}

func (d *duel) talk(n int) {
	for range n {
		d.asked = append(d.asked, d.say(len(d.asked)))
		time.Sleep(time.Duration(d.r.IntN(5)) * time.Millisecond)
	}
}

// answered waits until each message has its answer, and sees that none has two.
func (d *duel) answered() {
	d.Helper()
	var got map[protocol.EventID][]string
	d.until("all is answered", func() bool {
		got = d.answers()
		for _, ref := range d.asked[d.settled:] {
			if len(got[ref.Event]) == 0 {
				time.Sleep(40 * time.Millisecond)
				return false
			}
		}
		return true
	})
	d.settled = len(d.asked)
	for i, ref := range d.asked {
		if n := len(got[ref.Event]); n != 1 {
			d.Fatalf("message %d of %d, %v, has %d answers", i, len(d.asked), ref, n)
		}
	}
	if len(got) != len(d.asked) {
		d.Fatalf("there are answers to %d messages, and %d were said", len(got), len(d.asked))
	}
}

// same waits until both machines have the same facts at the end of their logs.
func (d *duel) same() {
	d.Helper()
	var left, right string
	end := func(s *side) string {
		page, err := runningClient(s.data).Log(d.Context(), inspect.LogQuery{Backward: true, Limit: 40})
		if err != nil {
			return s.name + ": " + err.Error()
		}
		text, err := json.Marshal(page)
		if err != nil {
			d.Fatal(err)
		}
		return string(text)
	}
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if left, right = end(d.sides[0]), end(d.sides[1]); left == right {
			return
		}
		if time.Since(began) > time.Minute {
			d.Fatalf("the machines have other facts:\n%s\n%s", left, right)
		}
	}
}

// failure is what goes wrong.
type failure struct {
	name string
	on   func(e logServer) bool // with which logs it can
	// strike has it happen, and returns when it is over: who has to lead may lead. Took is how long nobody led, where another
	// machine has taken over.
	strike func(d *duel) (took time.Duration)
}

func ever(logServer) bool                { return true }
func canBeCut(e logServer) bool          { return e.at != "" }
func (d *duel) now() (l, o *side)        { return d.sides[d.leader], d.sides[1-d.leader] }
func (d *duel) pause(most time.Duration) { time.Sleep(time.Duration(d.r.Int64N(int64(most)))) }

var failures = []failure{
	{"the leader is killed", ever, func(d *duel) time.Duration {
		l, o := d.now()
		began := time.Now()
		l.kill()
		d.talk(d.r.IntN(6))
		d.leads(o)
		return time.Since(began)
	}},
	{"the leader is stopped", ever, func(d *duel) time.Duration {
		l, o := d.now()
		began := time.Now()
		d.signal(l, syscall.SIGTERM)
		<-l.done
		if code := l.cmd.ProcessState.ExitCode(); code != exitOK {
			d.Fatalf("%s ended with %d", l.name, code)
		}
		l.cmd = nil
		d.leads(o)
		return time.Since(began)
	}},
	{"the leader is frozen, and thaws when another one leads", ever, func(d *duel) time.Duration {
		l, o := d.now()
		began := time.Now()
		if l.gate != nil { // what it has just sent to the log is still on its way
			l.gate.shut()
			d.talk(1 + d.r.IntN(3))
			for began := time.Now(); l.gate.holds() == 0 && time.Since(began) < lease/2; time.Sleep(time.Millisecond) {
			}
		}
		d.signal(l, syscall.SIGSTOP)
		d.talk(d.r.IntN(6))
		d.leads(o)
		took := time.Since(began)
		if l.gate != nil {
			l.gate.open()
		}
		d.pause(lease)
		d.signal(l, syscall.SIGCONT)
		return took
	}},
	{"the leader is cut off from the log", canBeCut, func(d *duel) time.Duration {
		l, o := d.now()
		began := time.Now()
		l.gate.shut()
		d.talk(1 + d.r.IntN(6))
		d.leads(o)
		took := time.Since(began)
		d.pause(lease)
		l.gate.open()
		return took
	}},
	{"the leader is cut off from the network", ever, func(d *duel) time.Duration {
		d.net.shut()
		d.talk(1 + d.r.IntN(6))
		d.pause(2 * lease)
		d.net.open()
		return 0
	}},
	{"the standby is killed", ever, func(d *duel) time.Duration {
		_, o := d.now()
		o.kill()
		d.talk(1 + d.r.IntN(6))
		return 0
	}},
	{"the server of the log is killed, and started again", ever, func(d *duel) time.Duration {
		d.e.kill()
		d.talk(1 + d.r.IntN(6))
		if d.e.elsewhere != nil {
			d.e.elsewhere()
		}
		d.pause(2 * lease)
		d.e.run()
		return 0
	}},
	{"the server of the log stands still, and goes on", ever, func(d *duel) time.Duration {
		thaw := d.e.freeze()
		d.talk(1 + d.r.IntN(6))
		if d.e.elsewhere != nil {
			d.e.elsewhere()
		}
		d.pause(2 * lease)
		thaw()
		return 0
	}},
}

// TestFailOvers: of two machines with one log something happens to the one that leads, to the other one, to the log, or to the way between them,
// while people talk. Each message has one answer after each time, and both machines have the same facts. MOOT_LONG makes a thousand of it, and
// MOOT_SEED one of them again.
func TestFailOvers(t *testing.T) {
	effort.Slow(t)
	towns := map[string]func(*testing.T) *netTown{"Discord": discordTown, "Matrix": matrixTown}
	rounds, seed := effort.Of(3, 8, 170), rand.Uint64()
	if text := os.Getenv("MOOT_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if text := os.Getenv("MOOT_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	for network, town := range towns {
		for log, serve := range logServers {
			t.Run(network+"/"+log, func(t *testing.T) {
				t.Parallel()
				d := newDuel(t, town(t), serve(t), seed, lease)
				d.play(network+", "+log, rounds)
			})
		}
	}
}

// play lets so many things go wrong, one after another.
func (d *duel) play(where string, rounds int) {
	d.start(d.sides[0])
	d.leads(d.sides[0])
	d.paired()
	d.until("the network is there", d.online)
	d.talk(2)
	d.answered()
	kinds := slices.DeleteFunc(slices.Clone(failures), func(f failure) bool { return !f.on(d.e) })
	if only := os.Getenv("MOOT_KIND"); only != "" {
		kinds = slices.DeleteFunc(kinds, func(f failure) bool { return !strings.Contains(f.name, only) })
	}
	took, times, late := map[string][]time.Duration{}, map[string]int{}, map[string]int{}
	for n := range rounds {
		if n%len(kinds) == 0 {
			d.r.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
		}
		f := kinds[n%len(kinds)]
		before := d.tooLate()
		d.talk(d.r.IntN(4))
		if gap := f.strike(d); gap > 0 {
			took[f.name] = append(took[f.name], gap)
		}
		d.talk(d.r.IntN(4))
		d.paired()
		if d.e.settled != nil {
			d.e.settled()
		}
		d.answered()
		d.same()
		times[f.name]++
		late[f.name] += d.tooLate() - before
	}
	if d.identified != nil && d.identified() != 1 {
		d.Errorf("it identified %d times", d.identified())
	}
	l, o := d.now()
	d.signal(o, syscall.SIGTERM)
	<-o.done
	l.kill() // its log of commits still has what the other one lacks
	d.catchUp(l, o)
	if l, r := stateOf(d, d.sides[0].data, d.asked), stateOf(d, d.sides[1].data, d.asked); l != r {
		d.Errorf("the machines differ in what they have in the end:\n%s", firstDifference(l, r))
	}
	for _, f := range failures {
		if times[f.name] == 0 {
			continue
		}
		middle, most := "", ""
		if all := took[f.name]; len(all) > 0 {
			slices.Sort(all)
			middle, most = all[len(all)/2].Round(10*time.Millisecond).String(), all[len(all)-1].Round(10*time.Millisecond).String()
		}
		d.Logf("| %s | %s | %d | %s | %s | %d |", f.name, where, times[f.name], cmp.Or(middle, "–"), cmp.Or(most, "–"), late[f.name])
	}
	if n := times["the leader is frozen, and thaws when another one leads"]; n > 4 && d.e.at != "" && late["the leader is frozen, and thaws when another one leads"] == 0 {
		d.Errorf("in %d freezes nothing came too late", n)
	}
}

// catchUp gives a machine that stands still the last changes of the one that has led.
func (d *duel) catchUp(from, to *side) {
	d.Helper()
	open := func(s *side) *store.Store {
		st, err := store.Open(store.Config{Path: filepath.Join(s.data, "moot.db"), LockTimeout: 10 * time.Second})
		if err != nil {
			d.Fatal(err)
		}
		return st
	}
	a, b := open(from), open(to)
	if a.Change() < b.Change() {
		d.Errorf("the standby is at change %d, and the leader at %d", b.Change(), a.Change())
	}
	ctx, cancel := context.WithTimeout(d.Context(), 2*time.Second) // where nothing is lacking, nothing comes
	defer cancel()
	for ch, err := range a.Follow(ctx, b.Change()) {
		if errors.Is(err, context.DeadlineExceeded) && b.Change() == a.Change() {
			break
		}
		if err == nil {
			err = b.Apply(store.Change{Number: ch.Number, Body: slices.Clone(ch.Body)})
		}
		if err != nil {
			d.Fatal(err)
		}
		if b.Change() == a.Change() {
			break
		}
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		d.Error(err)
	}
}

// tooLate is how many appends of a machine that led before were refused.
func (d *duel) tooLate() (n int) {
	for _, s := range d.sides {
		if s.gate != nil {
			n += s.gate.tooLate()
		}
	}
	return n
}
