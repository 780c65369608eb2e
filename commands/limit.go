package commands

import (
	"iter"
	"strings"
	"time"

	"moot/internal/languages"
	"moot/internal/say"
	"moot/internal/span"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// rates holds until when people have used up their turns, over all rooms and conversations. A turn taken moves that on by
// Config.Every, and there is one as long as it lies less than a burst ahead; so nobody counts turns, and there is nothing to be
// refilled. The key is the person, with Sep behind.
var rates = store.ScopedBucket("command-rates")

// Timers of this package.
const (
	timerRates = "commands.rates" // data: the key to go on from
	timerAsked = "commands.asked" // data: the key to go on from
)

// sweepSlice is how many rows one timer looks at.
const sweepSlice = 500

// turn takes a turn for who asked. If there is none it returns after what time there is one, and whether that has to be
// said: to what is typed it is said once, until they have been quiet for as long as a burst takes.
func (a *asked) turn() (wait time.Duration, first bool) {
	every := a.config.Every
	if every < 0 {
		return 0, false
	}
	burst := time.Duration(a.config.Burst) * every
	tx := a.tx.In(protocol.Scope(a.ev.Sender)) // the limit is the person's, wherever they write
	key := store.Key(a.ev.Sender, "")
	now := tx.Now()
	until, told := decodeRate(tx.Get(rates, key))
	if !until.After(now) || until.Sub(now) > burst { // more than a burst ahead: the clock was turned back
		until, told = now, false
	}
	until = until.Add(every)
	if over := until.Sub(now) - burst; over > 0 {
		if !told {
			tx.Put(rates, key, encodeRate(until.Add(-every), true))
		}
		return over, !told
	}
	tx.Put(rates, key, encodeRate(until, told))
	if tx.Timer(timerRates).IsZero() {
		tx.SetTimer(timerRates, now.Add(burst+every), nil)
	}
	return 0, false
}

func encodeRate(until time.Time, told bool) []byte {
	b := append([]byte(store.Time(until)), 0)
	if told {
		b[8] = 1
	}
	return b
}

func decodeRate(v []byte) (until time.Time, told bool) {
	if len(v) != 9 {
		return time.Time{}, false
	}
	return store.ParseTime(string(v)), v[8] == 1
}

func (a *asked) tooFast(wait time.Duration) *Mistake {
	seconds := (wait + time.Second - 1) / time.Second
	return a.mistake(rateLimit, "too-fast", say.Number("Burst", a.config.Burst), say.Number("Every", span.Format(a.config.Every)),
		say.Number("Wait", int64(seconds)))
}

// asks holds by which events people have addressed the bot in rooms, because the store does not know who sent what.
var asks = store.ScopedBucket("command-asked")

// forgetsAsked is after what time the rows of a room are looked through.
const forgetsAsked = 24 * time.Hour

// remember notes who asked. In private everything is by the one who is there.
func (a *asked) remember() {
	if a.ev.Private {
		return
	}
	a.tx.Put(asks, store.Key(a.ev.Room, string(a.ev.Sender), string(a.ev.ID)), nil)
	if a.tx.Timer(timerAsked).IsZero() {
		a.tx.SetTimer(timerAsked, a.tx.Now().Add(forgetsAsked), nil)
	}
}

// Asked tells whether it was this person who addressed the bot by that event of a room. It is true for as long as the
// event is remembered.
func Asked(tx *store.Tx, ref protocol.Ref, person protocol.UserID) bool {
	return tx.Has(asks, store.Key(ref.Room, string(person), string(ref.Event)))
}

// AskedIn goes through the events of a room by which this person has addressed the bot.
func AskedIn(tx *store.Tx, room protocol.RoomID, person protocol.UserID) iter.Seq[protocol.EventID] {
	return func(yield func(protocol.EventID) bool) {
		prefix := store.Key(room, string(person), "")
		for k := range tx.Prefix(asks, prefix) {
			if !yield(protocol.EventID(k[len(prefix):])) {
				return
			}
		}
	}
}

// Forget removes what this package keeps of the person in whose scope the transaction is: the room and the language that they have
// chosen, and by which events they have asked something in rooms, which are told of it. How many turns they have left stays for the
// minute that it is kept: else there would be no end of turns.
func Forget(tx *store.Tx) {
	person := string(tx.Scope())
	tx.Delete(chosen, person)
	languages.Forget(tx)
	for info := range rooms.All(tx) {
		for range AskedIn(tx, info.ID, protocol.UserID(person)) {
			tx.Tell(protocol.Scope(info.ID), protocol.Internal{Kind: toldForget, Data: []byte(person)})
			break
		}
	}
}

// forgetHere removes what is kept of a person in the room of the scope.
func forgetHere(tx *store.Tx, person string) {
	for k := range tx.Prefix(asks, store.Key(tx.Scope(), person, "")) {
		tx.Delete(asks, k)
	}
}

// Timed handles a timer of the transaction's scope. It returns false where that is not of this package.
func (c *Commands) Timed(tx *store.Tx, t protocol.Timer) (bool, error) {
	switch t.Name {
	case timerRates:
		again := c.config.Every*time.Duration(c.config.Burst+1) + time.Second
		sweep(tx, rates, t, again, func(_ string, v []byte) bool {
			until, _ := decodeRate(v)
			return !until.After(tx.Now())
		})
	case timerAsked:
		sweep(tx, asks, t, forgetsAsked, func(k string, _ []byte) bool {
			room, event := protocol.RoomID(tx.Scope()), k[strings.LastIndex(k, store.Sep)+len(store.Sep):]
			return tx.Seen(room, protocol.EventID(event)).Disposition == store.Unseen
		})
	default:
		return false, nil
	}
	return true, nil
}

// sweep removes the rows of the scope that are of no use any more, a slice of them at once. It sets the timer for the next
// slice, or to begin again after a while if there are rows left.
func sweep(tx *store.Tx, b store.Bucket, t protocol.Timer, again time.Duration, useless func(string, []byte) bool) {
	prefix := store.Key(tx.Scope(), "")
	n, left := 0, false
	for k, v := range tx.Range(b, prefix+string(t.Data), store.After(prefix)) {
		if n++; n > sweepSlice {
			tx.SetTimer(t.Name, tx.Now(), []byte(k[len(prefix):]))
			return
		}
		if useless(k, v) {
			tx.Delete(b, k)
		} else {
			left = true
		}
	}
	if left || len(t.Data) > 0 {
		tx.SetTimer(t.Name, tx.Now().Add(again), nil)
	}
}
