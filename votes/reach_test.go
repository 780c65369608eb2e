package votes_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"moot/internal/bot"
	"moot/protocol"
	"moot/store"
	"moot/votes"
)

// TestManyOpenVotesWhenTheConnectionIsLost: where many rooms have open votes, each stands still for as long as the connection
// was lost, or the bot away. The longest commits are logged; MOOT_ROOMS says with how many rooms.
func TestManyOpenVotesWhenTheConnectionIsLost(t *testing.T) {
	rooms := 60
	if n, err := strconv.Atoi(os.Getenv("MOOT_ROOMS")); err == nil {
		rooms = n
	}
	w := newTown(t)
	name := func(i int) protocol.RoomID { return protocol.RoomID(fmt.Sprintf("console:hall%d", i)) }
	for i := range rooms {
		w.settle(name(i), "ann", "ben")
		w.say(name(i), "ann", `!moot vote poll "Which?" one two`)
	}
	deadlines := func() (all []time.Time) {
		w.view(func(tx *store.Tx) {
			for i := range rooms {
				v, ok := votes.Get(tx, name(i), uint64(i+1))
				if !ok {
					for v = range votes.OpenIn(tx, name(i)) {
						break
					}
				}
				all = append(all, v.Deadline)
			}
		})
		return all
	}
	before := deadlines()
	measure := func(what string, do func()) {
		w.longest = 0
		do()
		t.Logf("%s: the longest commit took %s", what, w.longest.Round(100*time.Microsecond))
	}
	measure("lost", func() { w.step(bot.Online{Network: protocol.Console}) })
	w.now = w.now.Add(time.Hour)
	measure("back", func() { w.online(true) })
	w.wait(time.Minute)
	measure("away", func() { w.crash(time.Hour) })
	for i, at := range deadlines() {
		if gone := at.Sub(before[i]).Round(time.Minute); gone != 2*time.Hour {
			t.Fatalf("in room %d the vote ends %s later", i, gone)
		}
	}
}

// TestAVoteIsOpenedBeforeTheRoomHearsOfTheConnection: who gives a command has come by the connection, whether the room has
// heard of it yet or not, as shortly after a start. Such a vote gets back only the time that it has lost itself. Where the
// network says that it cannot reach the room, no vote is opened.
func TestAVoteIsOpenedBeforeTheRoomHearsOfTheConnection(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "olga")
	w.say(lobby, "ann", `!moot vote poll "Which?" one two`)
	first := w.vote(lobby, 1).Deadline
	w.online(false)
	w.now = w.now.Add(10 * time.Minute)
	w.heard()
	w.tell("ben", `vote poll "Which day?" today tomorrow --in console:lobby`)
	second := w.vote(lobby, 2)
	if second.ID == 0 {
		t.Fatalf("ben is told: %s", w.heard())
	}
	w.now = w.now.Add(time.Hour)
	w.online(true)
	for id, moved := range map[uint64]time.Duration{
		1: w.vote(lobby, 1).Deadline.Sub(first), 2: w.vote(lobby, 2).Deadline.Sub(second.Deadline),
	} {
		if want := map[uint64]time.Duration{1: 70 * time.Minute, 2: time.Hour}[id]; moved.Round(time.Minute) != want {
			t.Errorf("vote %d ends %s later, and lost %s", id, moved, want)
		}
	}
	w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Available{}}}})
	w.heard()
	w.tell("cem", `vote poll "Which week?" this next --in console:lobby`)
	if got := w.heard(); !strings.Contains(got, "I cannot reach the room reliably just now.") {
		t.Errorf("cem is told: %s", got)
	}
}

// TestWhoIsOutLearnsNoNewName: who has left a room, or was put out of it, is told in private what concerns them, and not what
// the room is called by now.
func TestWhoIsOutLearnsNoNewName(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "olga")
	rename := func(to string) {
		w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: to}}}})
	}
	rename("Garden")
	w.member(lobby, person("dan"), protocol.Left)
	rename("Plans against dan")
	w.heard()
	w.say(lobby, "ann", "!moot vote challenge console:dan he spams")
	for _, who := range []string{"ann", "ben", "cem", "eve"} {
		w.say(lobby, who, "!moot vote cast 1 yes")
	}
	w.wait(25 * time.Hour)
	w.say(lobby, "olga", "!moot override restore console:dan enough")
	w.say(lobby, "olga", "!moot override challenge console:dan again")
	w.shut[lobby] = true
	w.tell("dan", "vote appeal I am sorry --in console:lobby")
	w.tell("dan", "mydata")
	w.wait(50 * time.Hour)
	told := 0
	for said := range strings.SplitSeq(w.heard(), "\n@") {
		for _, one := range strings.Split(said, "\nto ") {
			if !strings.Contains(one, "dan: ") && !strings.HasPrefix(one, "dm-dan") {
				continue
			}
			told++
			if strings.Contains(one, "Plans") {
				t.Errorf("dan is told: %s", one)
			}
		}
	}
	if told < 6 {
		t.Errorf("dan was told %d things", told)
	}
}

// TestForgottenWhileTheClockWasAhead: who is forgotten while a limit runs is forgotten altogether when it is over, also where
// the clock is turned back meanwhile.
func TestForgottenWhileTheClockWasAhead(t *testing.T) {
	w := newTown(t)
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "dan", "mia")
	right := w.now
	w.now = w.now.Add(2 * month)
	w.say(lobby, "mia", "!moot vote challenge ben because")
	w.say(lobby, "ann", "!moot vote cast no")
	w.say(lobby, "mia", "!moot vote cancel 1 it does not go well")
	w.forget("mia")
	w.forget("ben")
	if _, _, err := bot.TurnBack(w.store, right); err != nil {
		t.Fatal(err)
	}
	w.now = right
	w.crash(time.Minute)
	w.wait(month)
	held := func() (n int) {
		w.view(func(tx *store.Tx) {
			for _, who := range []string{"mia", "ben"} {
				if w.bus.Lookup(tx, person(who)) != 0 {
					n++
				}
			}
		})
		return n
	}
	if n := held(); n != 2 {
		t.Errorf("%d of 2 are recognised while their limits run", n)
	}
	w.wait(2 * month)
	if n := held(); n != 0 {
		t.Errorf("%d are recognised after their limits have ended", n)
	}
}
