package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"
)

// sep joins the parts of a key, as it does in the store.
const sep = "\x1f"

// event is one that was delivered.
type event struct{ room, id string }

func (e event) key() string { return e.room + sep + e.id }

var rooms = func() (names []string) {
	for i := range 100 {
		names = append(names, fmt.Sprintf("matrix:!room%04d:example.org", i))
	}
	return names
}()

// eventAt returns the numbered event. Each number has another one.
func eventAt(n uint64) event {
	var b [32]byte
	x := n
	for i := range 4 {
		x += 0x9e3779b97f4a7c15 // splitmix64
		z := x ^ n<<17
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.LittleEndian.PutUint64(b[8*i:], z^z>>31)
	}
	room := rooms[binary.LittleEndian.Uint64(b[8:])%uint64(len(rooms))]
	return event{room, "$" + base64.RawURLEncoding.EncodeToString(b[:])}
}

// source makes batches for one engine.
type source struct {
	random *rand.Rand
	next   uint64        // the number of the next new event
	at     time.Time     // of the next batch
	step   time.Duration // between two events
}

func newSource() *source {
	return &source{random: rand.New(rand.NewPCG(1, 2)), at: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)}
}

// batch returns a batch and how many of its events are new. Some come a second time, also within
// the batch.
func (s *source) batch(size int) (events []event, fresh int, at time.Time) {
	events = make([]event, size)
	for i := range events {
		if s.next > 0 && s.random.IntN(50) == 0 {
			events[i] = eventAt(s.random.Uint64N(s.next))
			continue
		}
		events[i] = eventAt(s.next)
		s.next++
		fresh++
	}
	s.at = s.at.Add(time.Duration(size)*s.step + time.Nanosecond)
	return events, fresh, s.at
}
