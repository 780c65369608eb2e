package extending

import (
	"strconv"
	"time"

	"moot/commands"
	"moot/events"
	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/store"
)

// Tea is a feature: somebody puts tea on, and after a while the room hears that it is ready. How many cups there were follows from
// the facts.
type Tea struct{ Bus *events.Bus }

const (
	teaTimer = "tea.ready"
	teaKind  = "tea"
)

// cups counts the cups of a room: room → number.
var cups = store.ScopedBucket("tea-cups")

// TeaKind is the kind of its facts. Apply is a fold: it sees nothing but the fact and its own bucket, so that a replay of the log
// makes the same of it.
func TeaKind() events.Kind {
	return events.Kind{
		Name: teaKind, Version: 1, Buckets: []store.Bucket{cups},
		Describe: func(l say.Language, _ events.Fact) string { return catalogue.In(l).Plain("fact-tea") },
		Apply: func(tx *store.Tx, f events.Fact) error {
			n := store.ParseNumber(string(tx.Get(cups, string(f.Scope))))
			tx.Put(cups, string(f.Scope), []byte(store.Number(n+1)))
			return nil
		},
	}
}

// Command is !moot tea 5m. It runs in the scope of the room, whose timer and facts it may write.
func (t *Tea) Command() *commands.Command {
	return &commands.Command{
		Name: "tea", Summary: "makes tea, and says when it is ready", Where: commands.NeedsRoom,
		Params: []commands.Param{{
			Name: "for", Kind: commands.Duration, Min: int64(time.Minute), Max: int64(time.Hour), Summary: "for how long it draws",
		}},
		Examples: []string{"tea 5m"},
		Run: func(c *commands.Call) error {
			if at := c.Tx.Timer(teaTimer); !at.IsZero() {
				return commands.Sorryf("There is tea on already. It is ready at %s.", at.Format("15:04"))
			}
			c.Tx.SetTimer(teaTimer, c.Tx.Now().Add(c.Duration("for")), nil)
			err := t.Bus.Publish(c.Tx, events.Draft{Kind: teaKind, People: map[string]protocol.UserID{"by": c.Person}})
			if err != nil {
				return err
			}
			return c.Answerf("I put tea on.")
		},
	}
}

// Timed says that the tea is ready. It is called once, in the scope of the room, however often the bot was killed by then.
func (t *Tea) Timed(tx *store.Tx, timer protocol.Timer) (bool, error) {
	if timer.Name != teaTimer {
		return false, nil
	}
	n := store.ParseNumber(string(tx.Get(cups, string(tx.Scope()))))
	text := protocol.Plain("The tea is ready: cup " + strconv.FormatUint(n, 10) + " of this room.")
	_, err := outbox.Send(tx, protocol.Outgoing{Room: protocol.RoomID(tx.Scope()), Act: protocol.Say{Text: text}})
	return true, err
}

// Handle has nothing to do: the command does.
func (t *Tea) Handle(*store.Tx, protocol.Event) (store.Outcome, error) { return store.Outcome{}, nil }

// Told has nothing to hear from other scopes.
func (t *Tea) Told(*store.Tx, protocol.Internal) (bool, error) { return false, nil }
