package apart

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"moot/internal/say"
	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/remote"
	"moot/protocol/remote/wire"
)

// Pause is how long a bot that was killed stays dead, so that one can see it.
const Pause = time.Second

// KeeperConfig says what a Keeper keeps. Command is required.
type KeeperConfig struct {
	// Command returns a command that runs the bot with a Remote. Its three files are the Keeper's.
	Command func() *exec.Cmd
	// Tell tells the person at the terminal about a death and what came of it, a sentence at a time. It must not block.
	Tell func(sentence string)
	// Language is what that person speaks; zero means English.
	Language say.Language
}

// Keeper runs a bot in a process of its own and starts it again when a signal has ended it. Use NewKeeper, Start and Run, in
// this order.
type Keeper struct {
	cfg   KeeperConfig
	speak say.Speaker
	world *console.World

	mu      sync.Mutex
	adapter *console.Adapter // of the world; nil before Run
	life    *life            // nil while the bot is dead
	lives   int
	armed   Place        // where it is to die; zero means nowhere
	since   time.Time    // since when, by the clock of the world: what was said before is not struck
	victim  protocol.Ref // the message in the middle of which it was killed last; zero means none
	met     map[protocol.Ref]*course
}

// course is what became of a message, over all lives.
type course struct {
	said    time.Time             // by the clock of the world
	handed  int                   // how often it was handed over
	tried   int                   // how often an answer to it was tried
	answers map[protocol.Ref]bool // where its answers stand
}

// life is one process.
type life struct {
	cmd    *exec.Cmd
	link   *remote.Link
	served chan struct{} // closed when the connection has ended, and what came over it is done
	errs   *tail
	began  time.Time
	hungUp bool // whether it was to end because its Keeper is gone; only Run writes it
}

// NewKeeper returns a Keeper that keeps nothing yet.
func NewKeeper(cfg KeeperConfig) *Keeper {
	return &Keeper{cfg: cfg, speak: catalogue.In(cfg.Language), met: map[protocol.Ref]*course{}}
}

// Ended is the error of a bot that has ended by itself.
type Ended struct {
	Code  int
	Words string // what it wrote on its standard error
}

func (e *Ended) Error() string {
	return fmt.Sprintf("the bot has ended with exit code %d: %s", e.Code, e.Words)
}

// Start starts the first life and returns when it holds the lock on its data folder. The error is an *Ended where it has
// ended instead.
func (k *Keeper) Start(ctx context.Context) error {
	l, err := k.begin()
	if err != nil {
		return err
	}
	if err := l.link.Call(ctx, callReady, struct{}{}, nil); err != nil {
		if ctx.Err() != nil {
			_ = l.cmd.Process.Kill() // it has not begun
		}
		return errors.Join(k.bury(l), ctx.Err())
	}
	return nil
}

// Abandon ends a life that was started and is not to be run.
func (k *Keeper) Abandon() error {
	k.mu.Lock()
	l := k.life
	k.mu.Unlock()
	_ = l.cmd.Process.Kill() // it waits, and has begun nothing
	return k.bury(l)
}

// begin starts a process.
func (k *Keeper) begin() (*life, error) {
	l := &life{cmd: k.cfg.Command(), served: make(chan struct{}), errs: &tail{}, began: time.Now()}
	l.cmd.Stderr = l.errs
	in, err := l.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the bot: %w", err)
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the bot: %w", err)
	}
	if err := l.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the bot: %w", err)
	}
	// Each call of the bot has a goroutine: they belong to different lanes.
	do := remote.Answer(func(_ context.Context, req request) (outcome, error) { return k.do(l, req) })
	l.link = remote.NewLink(connection{out, in}, map[string]remote.Func{callSend: do, callAsk: do}, nil)
	go func() {
		defer close(l.served)
		_ = l.link.Run(context.Background()) // it ends with the bot
	}()
	k.mu.Lock()
	k.life = l
	k.lives++
	k.mu.Unlock()
	return l, nil
}

// connection is what the Keeper reads and writes.
type connection struct {
	io.Reader
	io.WriteCloser
}

// bury waits until a process has ended and says how: nil where a signal has ended it.
func (k *Keeper) bury(l *life) error {
	<-l.link.Done() // all that it wrote is read
	err := l.cmd.Wait()
	l.link.Close()
	k.mu.Lock()
	k.life = nil
	k.mu.Unlock()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &Ended{0, l.errs.String()}
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return &Ended{exit.ExitCode(), l.errs.String()}
	case errors.As(err, &exit):
		return nil
	}
	return fmt.Errorf("wait for the bot: %w", err)
}

// Run connects the bot with its world, through as many lives as it takes, until the context ends; then the bot ends in good
// order.
func (k *Keeper) Run(ctx context.Context, w *console.World, a *console.Adapter) error {
	k.world = w
	k.mu.Lock()
	k.adapter = a
	k.mu.Unlock()
	for {
		k.mu.Lock()
		l := k.life
		k.mu.Unlock()
		if l == nil {
			var err error
			if l, err = k.begin(); err != nil {
				return err
			}
		}
		cause := k.live(ctx, l, a)
		err := k.bury(l)
		var ended *Ended
		switch {
		case errors.Is(cause, console.ErrOtherWorld):
			return cause
		case errors.As(err, &ended) && (ended.Code == 0 || l.hungUp):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return nil
		}
		state := say.Code("State", protocol.Plain(l.cmd.ProcessState.String()))
		k.cfg.Tell(k.speak.Plain("dead", say.Number("PID", l.cmd.Process.Pid), state))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(Pause):
		}
	}
}

// live is one life of the bot, from its start to the end of the connection. It returns why that ended.
func (k *Keeper) live(ctx context.Context, l *life, a *console.Adapter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jumped := k.world.Clock().Jumped()
	if err := l.link.Call(ctx, callAhead, k.world.Clock().Offset(), nil); err != nil {
		_ = l.cmd.Process.Kill() // if it is not dead
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		for {
			select {
			case <-jumped:
			case <-ctx.Done():
				return
			}
			jumped = k.world.Clock().Jumped()
			if l.link.Call(ctx, callAhead, k.world.Clock().Offset(), nil) != nil {
				return
			}
		}
	})
	ended := make(chan error, 2)
	wg.Go(func() { ended <- a.Run(ctx, admitter{k, l}) })
	if k.lives > 1 {
		wg.Go(func() { k.tellReturn(ctx, l, a) })
	}
	select {
	case <-l.served: // the process ends now, if it has not ended
		return errGone
	case err := <-ended:
		if ctx.Err() != nil || errors.Is(err, console.ErrOtherWorld) {
			return errors.Join(l.stop(), err)
		}
		<-l.served // the bot ends for the reason for which it admits no more
		return err
	case <-ctx.Done():
		return l.stop()
	}
}

// stop lets the bot end in good order: what it wants is done until its end.
func (l *life) stop() error {
	if err := l.cmd.Process.Signal(os.Interrupt); err != nil {
		l.hungUp = true
		l.link.Close()
	}
	<-l.served
	return nil
}

// causeOf is the message that a request answers; zero where it answers none.
func causeOf(req request) protocol.Ref {
	if req.Send == nil {
		return protocol.Ref{}
	}
	if say, ok := req.Send.Act.(protocol.Say); ok && say.ReplyTo != "" {
		return protocol.Ref{Room: req.Send.Room, Event: say.ReplyTo}
	}
	return protocol.Ref{}
}

// do does what the bot wants.
func (k *Keeper) do(l *life, req request) (o outcome, err error) {
	k.mu.Lock()
	a := k.adapter
	k.mu.Unlock()
	if req.Ask != nil {
		o.Body, err = asked(a, req)
	} else if o.Ref, err = k.send(l, a, req); errors.Is(err, errStruck) {
		return o, errGone
	}
	if k.strike(l, Receipt, causeOf(req)) {
		<-l.link.Done() // nothing comes back
	}
	return o, err
}

func asked(a *console.Adapter, req request) (*wire.Body, error) {
	body, err := a.Ask(context.Background(), *req.Ask, req.Attempt) // a world answers at once
	if err != nil || body == nil {
		return nil, err
	}
	return &wire.Body{Body: body}, nil
}

// errStruck is the error of what is not sent, since the bot was killed before.
var errStruck = errors.New("the bot is killed")

func (k *Keeper) send(l *life, a *console.Adapter, req request) (protocol.Ref, error) {
	cause := causeOf(req)
	k.mu.Lock()
	if c := k.met[cause]; c != nil {
		c.tried++
	}
	k.mu.Unlock()
	if k.strike(l, Sending, cause) {
		return protocol.Ref{}, errStruck
	}
	ref, err := a.Send(context.Background(), *req.Send, req.Attempt)
	if err != nil {
		return ref, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if c := k.met[cause]; c != nil {
		c.answers[ref] = true
	}
	return ref, nil
}

// meet notes the messages of a batch and returns the last one that was said since the bot was to die somewhere; zero where
// there is none.
func (k *Keeper) meet(events []protocol.Event) (next protocol.Ref) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, ev := range events {
		if _, ok := ev.Body.(protocol.Message); !ok {
			continue
		}
		if k.met[ev.Ref()] == nil {
			k.met[ev.Ref()] = &course{said: ev.Time, answers: map[protocol.Ref]bool{}}
		}
		if !ev.Time.Before(k.since) {
			next = ev.Ref()
		}
	}
	return next
}

// strike kills the bot where it was to die at a place, and reports whether it did. Only what concerns a message is struck, and
// only one that was said since the bot was to die: what it catches up with after a death is not the next message.
func (k *Keeper) strike(l *life, at Place, message protocol.Ref) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c := k.met[message]; k.armed != at || c == nil || c.said.Before(k.since) {
		return false
	}
	k.killLocked(l, message)
	return true
}

func (k *Keeper) killLocked(l *life, message protocol.Ref) {
	k.armed, k.victim = "", message
	_ = l.cmd.Process.Kill()
}

// Asked kills the bot at the place of a word, or lists the places where there is none. What it says, and the error, are for the person at
// the terminal.
func (k *Keeper) Asked(word string) (says []string, err error) {
	if word == "" {
		says = []string{k.speak.Plain("places", say.Number("PID", k.PID()))}
		for _, p := range places {
			says = append(says, fmt.Sprintf("  %-8s  %s", p, p.Says(k.cfg.Language)))
		}
		return says, nil
	}
	place, ok := ParsePlace(word)
	if !ok {
		return nil, errors.New(k.speak.Plain("no-place", say.Quoted("Typed", word, 20)))
	}
	if err := k.Crash(place); err != nil || place == Now {
		return nil, err
	}
	return []string{k.speak.Plain("killed", say.Part("When", k.speak.Say(string(place))))}, nil
}

// Crash kills the bot, now or at the place that the next message comes by.
func (k *Keeper) Crash(at Place) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.life == nil:
		return errors.New(k.speak.Plain("dead-already"))
	case at == Now:
		k.killLocked(k.life, protocol.Ref{})
	default:
		k.armed, k.since = at, k.world.Clock().Now().Truncate(time.Millisecond) // so exactly is told when something was said
	}
	return nil
}

// Dead reports whether no bot runs at the moment.
func (k *Keeper) Dead() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.life == nil
}

// PID is the process of the bot; 0 while it is dead.
func (k *Keeper) PID() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.life == nil {
		return 0
	}
	return k.life.cmd.Process.Pid
}

// errDead is the error of Call while no bot runs.
var errDead = errors.New("the bot is dead")

// Call calls a function that the bot has registered with its Remote. While the bot is dead it fails at once.
func (k *Keeper) Call(ctx context.Context, name string, args, reply any) error {
	k.mu.Lock()
	l := k.life
	k.mu.Unlock()
	if l == nil {
		return errDead
	}
	return l.look(ctx, name, args, reply)
}

func (l *life) look(ctx context.Context, name string, args, reply any) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("write what to %s: %w", name, err)
	}
	return l.link.Call(ctx, callLook, look{name, raw}, reply)
}

// admitter hands over to a life.
type admitter struct {
	k *Keeper
	l *life
}

// Cursor implements protocol.Admitter.
func (a admitter) Cursor(name string) (value string, err error) {
	err = a.l.link.Call(context.Background(), callCursor, name, &value)
	return value, err
}

// Admit implements protocol.Admitter.
func (a admitter) Admit(ctx context.Context, events []protocol.Event, cursor protocol.Cursor) error {
	message := a.k.meet(events)
	if a.k.strike(a.l, Arrival, message) {
		return errDead
	}
	a.k.handOver(events)
	wait, err := a.l.link.Begin(callAdmit, batch{events, cursor})
	if a.k.strike(a.l, Commit, message) {
		return errDead
	}
	if err != nil {
		return err
	}
	return wait(ctx, nil)
}

// handOver counts the messages of a batch.
func (k *Keeper) handOver(events []protocol.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, ev := range events {
		if c := k.met[ev.Ref()]; c != nil {
			c.handed++
		}
	}
}

// tellReturn says that the bot is there again, and, when it has caught up, what came of the message in the middle of which
// it was killed.
func (k *Keeper) tellReturn(ctx context.Context, l *life, a *console.Adapter) {
	var caught string
	if l.link.Call(ctx, callCursor, console.CursorName, &caught) != nil {
		return
	}
	took := time.Since(l.began).Round(time.Millisecond)
	k.cfg.Tell(k.speak.Plain("back", say.Code("Took", protocol.Plain(took.String())), say.Number("PID", l.cmd.Process.Pid)))
	if a.Admitted(ctx) != nil || l.look(ctx, Settled, struct{}{}, nil) != nil {
		return
	}
	k.mu.Lock()
	c := k.met[k.victim]
	k.victim = protocol.Ref{}
	var text string
	if c != nil {
		text = c.tell(k.speak)
	}
	k.mu.Unlock()
	if text != "" {
		k.cfg.Tell(text)
	}
}

// tell says what became of a message in the middle of which the bot was killed.
func (c *course) tell(speak say.Speaker) string {
	handed := times(speak, "Handed", c.handed)
	if c.tried == 0 {
		return speak.Plain("unanswered", handed) // whether it wanted an answer is for the person to say
	}
	tried, stands := times(speak, "Tried", c.tried), times(speak, "Stands", len(c.answers))
	if len(c.answers) == 1 {
		return speak.Plain("answered-once", handed, tried, stands)
	}
	return speak.Plain("answered", handed, tried, stands)
}

// Settled is the name under which a bot registers what returns when all that it has admitted is handled and sent.
const Settled = "settle"

// tail keeps the end of what was written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const maxTail = 16 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if over := t.buf.Len() - maxTail; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
