package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"moot/cluster/channel"
	"moot/cluster/fleet"
	"moot/cluster/process"
	"moot/cluster/settings"
	"moot/internal/clock"
)

// Config says what is launched.
type Config struct {
	Settings settings.Settings
	// Environ are the variables of the launcher.
	Environ []string
	// Out and Errs are where clusters write.
	Out, Errs *os.File
	// Version is that of the program.
	Version string
	Log     *slog.Logger
}

// launcher is one run.
type launcher struct {
	Config
	folder  string
	env     []string
	now     func() time.Time
	channel *channel.Channel
	keeper  *process.Keeper
	gateway *gateway

	fleet     *fleet.Fleet                // owned by loop
	processes map[uint64]*process.Process // by their runs; owned by loop
	order     order                       // of the page, that is being done; owned by loop
	code      int                         // owned by loop
	view      atomic.Pointer[fleet.View]  // what it is like after the last event
	events    chan fleet.Event            // for loop
	orders    chan order                  // for loop
	done      chan struct{}               // closed when nobody takes events any more
	asking    context.Context             // of the questions to Discord; ends with loop
	asks      sync.WaitGroup              // for those questions
}

// order is a command of the page, and where its answer goes.
type order struct {
	fleet.Command
	answer chan any
}

// Run launches the clusters, and returns an exit code when none is left: after the context has ended, or when somebody has said so on the
// channel. What has not ended when hurry is closed is killed.
func Run(ctx context.Context, hurry <-chan struct{}, c Config) (code int, err error) {
	l := &launcher{
		Config: c, processes: map[uint64]*process.Process{}, events: make(chan fleet.Event, 256), orders: make(chan order), done: make(chan struct{}), gateway: newGateway(c),
	}
	flow := clock.NewFlow(time.Now, clock.Elapsed, time.Now())
	l.now = func() time.Time { // it never goes back, whatever becomes of the clock
		at := flow.Now()
		flow.Reached(at)
		return at
	}
	if l.folder, err = c.Settings.Folder(); err != nil {
		return 0, err
	}
	if info, err := os.Stat(l.folder); err != nil || !info.IsDir() {
		return 0, fmt.Errorf("there is no folder %s for the bot to run in", l.folder)
	}
	if l.env, err = environment(c.Settings, c.Environ); err != nil {
		return 0, err
	}
	if l.channel, err = channel.Open(ctx, c.Settings.Redis, c.Settings.Channel, c.Log); err != nil {
		return 0, err
	}
	defer l.channel.Close()
	if l.keeper, err = process.New(c.Log); err != nil {
		return 0, err
	}
	defer l.keeper.Close()

	// What stands around the loop ends after it.
	around, end := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	defer work.Wait()
	defer end()
	over := sync.OnceFunc(func() { close(l.done) })
	defer over()
	err = l.begin(ctx, around, &work)
	var first fleet.Gateway
	if err == nil {
		first, err = l.gateway.ask(ctx)
	}
	switch {
	case ctx.Err() != nil: // it was to end before anything was started
		return 0, nil
	case err != nil:
		return 0, err
	}
	l.fleet = fleet.New(l.fleetConfig(), first, l.now())
	view := l.fleet.View()
	l.view.Store(&view)
	if err := l.serve(around, &work); err != nil {
		return 0, err
	}
	c.Log.Info("the clusters are launched", "channel", c.Settings.Channel, "shards", l.fleet.View().Shards, "clusters", len(l.fleet.View().Clusters), "identifies", first.Remaining)
	var ask context.CancelFunc
	l.asking, ask = context.WithCancel(around)
	l.loop(ctx, hurry)
	over()
	ask()
	l.asks.Wait()
	return l.code, nil
}

// begin takes the channel, and begins to listen to it.
func (l *launcher) begin(ctx, around context.Context, work *sync.WaitGroup) error {
	failed := make(chan error, 2)
	taken, ready := make(chan struct{}), make(chan struct{})
	work.Go(func() { l.channel.Send(around) })
	holding, stop := context.WithCancel(around)
	defer context.AfterFunc(ctx, stop)()
	work.Go(func() {
		defer stop()
		if err := l.channel.Hold(holding, rand.Text(), func() { close(taken) }); err != nil {
			failed <- err
		}
	})
	select {
	case <-taken:
	case err := <-failed:
		return err
	}
	work.Go(func() {
		if err := l.channel.Listen(around, func() { close(ready) }, l.message, l.heard); err != nil {
			failed <- err
		}
	})
	select {
	case <-ready:
		return nil
	case err := <-failed:
		return err
	}
}

func (l *launcher) fleetConfig() fleet.Config {
	s := l.Settings
	return fleet.Config{
		Names: s.Names, PerCluster: s.PerCluster, FixedShards: s.FixedShards, PingInterval: s.PingInterval, PingTimeout: s.PingTimeout,
		NextDelay: s.StartNextDelay, Grace: s.Moot.Grace, LaunchTimeout: s.Moot.LaunchTimeout, LeastRemaining: s.LeastRemaining,
		Reshard: s.Reshards(), ReshardAll: s.ReshardAll, Seed: strings.ToLower(rand.Text()[:8]),
	}
}

// loop hands the fleet what happens, until no process is left.
func (l *launcher) loop(ctx context.Context, hurry <-chan struct{}) {
	stop := ctx.Done()
	for ended := l.step(fleet.Tick{}); !ended; {
		var timer <-chan time.Time
		if wake := l.fleet.Wake(); !wake.IsZero() {
			timer = time.After(wake.Sub(l.now()))
		}
		var e fleet.Event
		select {
		case e = <-l.events:
		case o := <-l.orders:
			l.order = o
			e = o.Command
		case <-timer:
			e = fleet.Tick{}
		case <-stop:
			stop = nil
			e = fleet.Shutdown{}
		case <-hurry:
			hurry = nil
			e = fleet.Hurry{}
		}
		ended = l.step(e)
	}
}

// step hands the fleet one event, and does what follows. It reports whether all has ended.
func (l *launcher) step(e fleet.Event) (ended bool) {
	for waiting := []fleet.Event{e}; len(waiting) > 0; waiting = waiting[1:] {
		for _, eff := range l.fleet.Step(l.now(), waiting[0]) {
			switch eff := eff.(type) {
			case fleet.Spawn:
				waiting = append(waiting, l.spawn(eff))
			case fleet.Exit:
				l.code, ended = eff.Code, true
			default:
				l.do(eff)
			}
		}
		if end, is := waiting[0].(fleet.Exited); is {
			delete(l.processes, end.Run)
		}
	}
	view := l.fleet.View()
	l.view.Store(&view)
	return ended
}

func (l *launcher) do(eff fleet.Effect) {
	switch eff := eff.(type) {
	case fleet.Signal:
		if p := l.processes[eff.Run]; p != nil {
			p.Signal(eff.Kill)
		}
	case fleet.Ping:
		l.channel.Ping(eff.ID, eff.Nonce)
	case fleet.Reply:
		if l.order.answer != nil && eff.CommandID == l.order.CommandID {
			l.order.answer <- eff.Output // it has room for it
			l.order = order{}
			return
		}
		l.channel.Reply(eff.CommandID, eff.Output, "")
	case fleet.AllLaunched:
		l.channel.Reply("", "", "all_clusters_launched")
	case fleet.Record:
		data := map[string]any{"event": eff.Event}
		for k, v := range eff.Args {
			data[k] = v
		}
		l.Log.Info("an action", "what", eff.Event, "args", eff.Args)
		l.channel.Record(data, l.now())
	case fleet.Ask:
		l.asks.Go(func() {
			g, err := l.gateway.ask(l.asking)
			if err != nil {
				l.Log.Warn("the budget of identifies is not known", "err", err)
			}
			l.hand(fleet.Asked{Gateway: g, Err: err})
		})
	case fleet.Changed:
		l.Log.Info("a cluster has changed", "cluster", eff.Key.ID, "generation", eff.Key.Generation, "name", eff.Name, "from", eff.From, "to", eff.To, "why", eff.Why)
	}
}

// spawn starts a process.
func (l *launcher) spawn(s fleet.Spawn) fleet.Event {
	p, err := l.keeper.Start(process.Config{
		Argv: argv(l.Settings, l.folder, s), Folder: l.folder, Env: append(l.env[:len(l.env):len(l.env)], GenerationVariable+"="+strconv.Itoa(s.Key.Generation)),
		Out: l.Out, Errs: l.Errs,
		Ended: func(code int, how string) { l.hand(fleet.Exited{Run: s.Run, Code: code, How: how}) },
	})
	if err != nil {
		return fleet.Started{Run: s.Run, Err: err}
	}
	l.processes[s.Run] = p
	return fleet.Started{Run: s.Run, PID: p.PID}
}

// hand hands an event to the loop.
func (l *launcher) hand(e fleet.Event) {
	select {
	case l.events <- e:
	case <-l.done:
	}
}

// heard is a ping on the channel.
func (l *launcher) heard(p channel.Ping) { l.hand(fleet.Echo{Nonce: p.Nonce}) }

// message is one for the launcher.
func (l *launcher) message(m channel.Message) {
	id, known := m.ID()
	switch a := fleet.Action(m.Action); a {
	case "launch_next":
		l.hand(fleet.LaunchNext{ID: id, Known: known})
	case "diag":
		answer, err := m.Answer()
		if err != nil {
			l.Log.Warn("the answer to a ping cannot be read", "err", err)
			return
		}
		d := fleet.Diag{Nonce: answer.Nonce}
		for _, s := range answer.Data {
			d.Health = append(d.Health, fleet.Health{Shard: s.ShardID, Up: s.Up, Latency: s.Latency, Guilds: s.Guilds, Users: s.Users})
		}
		l.hand(d)
	case "action_logs":
		if m.Data != nil {
			l.channel.Record(m.Data, l.now())
		}
	case fleet.Start, fleet.Stop, fleet.Restart, fleet.RollingRestart, fleet.Statuses, fleet.NumProcesses, fleet.Reshard, fleet.ShutdownAll, fleet.RestartProc:
		l.hand(fleet.Command{Action: a, ID: id, NoID: !known, CommandID: m.CommandID})
	default:
		l.Log.Warn("the launcher has no such action", "action", m.Action)
		if m.CommandID != "" { // somebody waits
			l.hand(fleet.Command{Action: a, ID: id, NoID: !known, CommandID: m.CommandID})
		}
	}
}
