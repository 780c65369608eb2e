package activity

import (
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

func TestDays(t *testing.T) {
	r := newRig(t)
	check := func(want int) {
		t.Helper()
		if got := r.days(lobby, ann); got != want {
			t.Errorf("on %s active on %d days, want %d", r.Now.Format(time.DateTime), got, want)
		}
	}
	check(0)
	if !r.last(lobby, ann).IsZero() {
		t.Error("who was never active was so at some time")
	}
	r.says(ann)
	check(1)
	r.Later(15*time.Hour + 59*minute) // 23:59
	r.says(ann)
	check(1)
	r.Later(2 * minute)
	r.says(ann) // too near to be a fact, though the day is new
	check(1)
	r.Later(10 * minute)
	seen := r.says(ann)
	check(2)
	if last := r.last(lobby, ann); !last.Equal(seen.Time) {
		t.Errorf("last active at %s, want %s", last, seen.Time)
	}
	// The first day is the ninth before today until midnight, dropped or not.
	r.Later(8*dayLength + 23*time.Hour)
	r.says(bob)
	check(2)
	r.archive()
	check(2)
	r.Later(time.Hour)
	r.says(bob)
	check(1)
	r.archive()
	check(1)
	r.Later(2 * dayLength)
	r.says(bob)
	check(0)
	if r.last(lobby, ann).IsZero() {
		t.Error("what the log still holds is not the last time")
	}
	r.Later(dayLength)
	r.archive()
	if !r.last(lobby, ann).IsZero() {
		t.Error("dropped facts are not forgotten")
	}
}

func TestDaysOfOtherWindows(t *testing.T) {
	r := newRig(t)
	for range 5 {
		r.says(ann)
		r.Later(dayLength)
	}
	r.says(ann)
	r.View(func(tx *store.Tx) {
		for window, want := range map[time.Duration]int{
			0: 6, time.Hour: 1, dayLength: 1, 36 * time.Hour: 2, 2 * dayLength: 2, 4 * dayLength: 4, 300 * dayLength: 6,
		} {
			if got := r.feature.Days(tx, lobby, ann, window); got != want {
				t.Errorf("active on %d days of %s, want %d", got, window, want)
			}
		}
		if n := r.feature.Days(tx, garden, ann, 0); n != 0 {
			t.Errorf("active on %d days where nobody was", n)
		}
	})
}

// upgrade says that a room goes on as another.
func (r *rig) upgrade(from, to protocol.RoomID) {
	r.Helper()
	r.does(from, cem, protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: to}}})
}

func TestActivityGoesOnInTheSuccessor(t *testing.T) {
	r := newRig(t)
	for range 2 {
		r.says(ann)
		r.Later(dayLength)
	}
	const second, third protocol.RoomID = "console:lobby-2", "console:lobby-3"
	r.upgrade(lobby, second)
	r.join(second)
	if n := r.days(second, ann); n != 2 {
		t.Errorf("active on %d days in the second", n)
	}
	r.does(second, ann, protocol.Message{Text: "here"})
	r.Later(dayLength)
	r.upgrade(second, third)
	r.join(third)
	if n := r.days(third, ann); n != 3 {
		t.Errorf("active on %d days in the third", n)
	}
	last := r.does(third, ann, protocol.Message{Text: "here"}).Time
	if n := r.days(third, ann); n != 4 {
		t.Errorf("active on %d days in the third", n)
	}
	if n := r.days(lobby, ann); n != 2 {
		t.Errorf("active on %d days in the first", n)
	}
	if got := r.last(third, ann); !got.Equal(last) {
		t.Errorf("last active at %s, want %s", got, last)
	}
	r.does(second, bob, protocol.Message{Text: "here too"})
	if n := r.days(third, bob); n != 0 {
		t.Error("what is done in a room that went on elsewhere counts there")
	}
}

// Somebody's own room brings nothing to one that was there before, and a circle is no endless line.
func TestAForeignPredecessor(t *testing.T) {
	r := newRig(t)
	r.Later(dayLength)
	r.join(garden)
	for range 4 {
		r.does(garden, ann, protocol.Message{Text: "here"})
		r.Later(dayLength)
	}
	r.upgrade(garden, lobby)
	if n := r.days(lobby, ann); n != 0 {
		t.Errorf("active on %d days, brought from elsewhere", n)
	}
	r.upgrade(lobby, garden)
	if n := r.days(garden, ann); n != 4 {
		t.Errorf("active on %d days in a circle", n)
	}
}
