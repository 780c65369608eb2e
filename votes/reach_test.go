package votes_test

import (
	"fmt"
	"os"
	"strconv"
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
