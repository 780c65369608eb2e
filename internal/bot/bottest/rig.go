// Package bottest is the bot of the tests of features: the real loop over a real store, which a test steps by hand and in
// time that only the test lets pass.
package bottest

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/files"
	"moot/outbox"
	"moot/protocol"
	"moot/sealed"
	"moot/store"
)

// TB is what testing.TB and *rapid.T have in common.
type TB interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// Rig is a bot that a test steps by hand.
type Rig struct {
	TB
	// Dir has the store. Network is the one whose events are admitted; it is online after each Open.
	Dir     string
	Network protocol.Network
	// Kinds are those of the facts, and Features makes the features of each start.
	Kinds    []events.Kind
	Features func(*Rig) []bot.Feature
	// Trust is whose words are acted on in encrypted rooms.
	Trust sealed.Trust
	Now   time.Time
	// Pace is how much time each step takes; zero means none.
	Pace time.Duration
	// Answer is a network that answers at once: it says what comes of an attempt. Nil leaves attempts in Flying.
	Answer func(outbox.Attempt) []bot.Input
	// Buried is whether dead letters are expected; otherwise each step looks for them and fails the test.
	Buried bool

	Store   *store.Store
	Bus     *events.Bus
	Machine *bot.Machine
	Wake    time.Time        // when the next step has something to do; zero means never
	Flying  []outbox.Attempt // attempts that the test has not ended
	Longest time.Duration    // that a step took
	next    int
}

// scratchRoom is how much has to be free in memory for stores to be made there: a container has 64 MiB of it if nobody asks for
// more, which a few stores at once would fill.
const scratchRoom = 1 << 30

// Scratch makes a folder for stores that are made by the thousand: in memory, where there is room, since a crash in such a test is
// no power failure. Nothing else is another store there than on a disk. Whoever made it removes it.
func Scratch() (string, error) {
	const memory = "/dev/shm"
	if free, known := files.Free(memory); known && free >= scratchRoom {
		if dir, err := os.MkdirTemp(memory, "moot-test-"); err == nil {
			return dir, nil
		}
	}
	return os.MkdirTemp("", "moot-test-")
}

// Start is when a test begins that says nothing else.
var Start = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

// Open starts the bot.
func (r *Rig) Open() {
	r.Helper()
	if r.Now.IsZero() {
		r.Now = Start
	}
	var err error
	if r.Store, err = store.Open(store.Config{Path: filepath.Join(r.Dir, "moot.db")}); err != nil {
		r.Fatal(err)
	}
	if r.Bus, err = events.Open(events.Config{Store: r.Store, Kinds: r.Kinds}); err != nil {
		r.Fatal(err)
	}
	r.Machine, err = bot.NewMachine(bot.MachineConfig{Store: r.Store, Bus: r.Bus, Features: r.Features(r), Trust: r.Trust})
	if err != nil {
		r.Fatal(err)
	}
	r.Step(bot.Online{Network: r.Network, Up: true})
}

// Close stops the bot. What was in memory only is lost, as in a crash.
func (r *Rig) Close() {
	r.Flying = nil
	if err := r.Bus.Close(); err != nil {
		r.Errorf("close the bus: %v", err)
	}
	if err := r.Store.Close(); err != nil {
		r.Errorf("close the store: %v", err)
	}
}

// Down stops the bot for a while.
func (r *Rig) Down(d time.Duration) {
	r.Helper()
	r.Close()
	r.Now = r.Now.Add(d)
	r.Open()
}

// Step makes steps until there is nothing more to do now.
func (r *Rig) Step(in ...bot.Input) {
	r.Helper()
	for n := 0; ; n++ {
		r.Now = r.Now.Add(r.Pace)
		began := time.Now()
		fx, err := r.Machine.Step(r.Now, in)
		r.Longest = max(r.Longest, time.Since(began))
		if err != nil {
			r.Fatal(err)
		}
		r.Wake, in = fx.Wake, nil
		if r.Answer == nil {
			r.Flying = append(r.Flying, fx.Attempts...)
		} else {
			for _, a := range fx.Attempts {
				in = append(in, r.Answer(a)...)
			}
		}
		if !fx.More && len(in) == 0 {
			break
		}
		if n > 10_000 {
			r.Fatal("the machine never comes to rest")
		}
	}
	if r.Buried {
		return
	}
	r.View(func(tx *store.Tx) {
		for l := range tx.Letters(0) {
			r.Fatalf("dead letter: %s: %s", l.Error, l.Stack)
		}
	})
}

// Later lets time pass, with a step whenever something is due. It may be a little more than d, by what the steps take.
func (r *Rig) Later(d time.Duration) {
	r.Helper()
	for end := r.Now.Add(d); ; r.Step() {
		if r.Wake.IsZero() || r.Wake.After(end) {
			r.Now = end
			r.Step()
			return
		}
		if r.Wake.After(r.Now) {
			r.Now = r.Wake
		}
	}
}

// View reads the store.
func (r *Rig) View(f func(tx *store.Tx)) {
	r.Helper()
	if err := r.Store.View(func(tx *store.Tx) error { f(tx); return nil }); err != nil {
		r.Fatal(err)
	}
}

// Event makes an event of this moment with an id of its own.
func (r *Rig) Event(room protocol.RoomID, by protocol.UserID, body protocol.Body) protocol.Event {
	r.next++
	return protocol.Event{Room: room, ID: protocol.EventID(fmt.Sprintf("$%d", r.next)), Sender: by, Time: r.Now, Body: body}
}

// Admit admits events and returns what became of the last one.
func (r *Rig) Admit(evs ...protocol.Event) (s store.Seen) {
	r.Helper()
	last := evs[len(evs)-1].Ref()
	r.Step(bot.Admitted{Batch: &bot.Batch{Network: r.Network, Events: evs}})
	r.View(func(tx *store.Tx) { s = tx.Seen(last.Room, last.Event) })
	return s
}

// Said takes the texts of what is being sent out of what flies, and lets it arrive.
func (r *Rig) Said() (texts []string) {
	r.Helper()
	var in []bot.Input
	var rest []outbox.Attempt
	for _, a := range r.Flying {
		if a.Out == nil {
			rest = append(rest, a)
			continue
		}
		if say, ok := a.Out.Act.(protocol.Say); ok {
			texts = append(texts, say.Text.Plain())
		}
		in = append(in, bot.Sent{Key: a.Key, Ref: protocol.Ref{Room: a.Out.Room, Event: protocol.EventID("$sent-" + a.Key)}})
	}
	r.Flying = rest
	r.Step(in...)
	return texts
}
