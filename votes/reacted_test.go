package votes_test

import (
	"testing"

	"moot/protocol"
	"moot/store"
)

// A network that tells of reactions more than once asks which are known.
func TestReacted(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem", "dan")
	w.say(lobby, "ann", "!moot vote motion we sing")
	w.heard()
	board := w.board(lobby)
	ev := w.react(lobby, "ben", "👍")
	check := func(when string, target protocol.EventID, who, reaction string, wantStands, wantTracked bool) {
		t.Helper()
		w.view(func(tx *store.Tx) {
			if stands, tracked := w.votes.Reacted(tx, lobby, target, person(who), reaction); stands != wantStands || tracked != wantTracked {
				t.Errorf("%s, %s of %s: stands %v, tracked %v", when, reaction, who, stands, tracked)
			}
		})
	}
	check("while it runs", board, "ben", "👍", true, true)
	check("while it runs", board, "ben", "👎", false, true)
	check("while it runs", board, "cem", "👍", false, true)
	check("while it runs", board, "ben", "🎉", false, false)
	check("elsewhere", "$nowhere", "ben", "👍", false, false)
	w.unreact(lobby, "ben", ev, false)
	check("after it was taken back", board, "ben", "👍", false, true)
}
