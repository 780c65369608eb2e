package matrix_test

import (
	"slices"
	"testing"
)

// TestTheServerSaysWhatTheStateIs: two servers change the same thing at once, and one change counts. Whether it stands in the
// timeline says nothing about that.
func TestTheServerSaysWhatTheStateIs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"state_after", "org.matrix.msc4222.state_after"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			w.TellStateAfter(name)
			w.start()
			powers := func(ann, ben int) map[string]any {
				return map[string]any{"users": map[string]any{w.bot: 50, w.ann: ann, w.ben: ben}}
			}
			moderates := func(who string) bool { return slices.Contains(w.members(w.town), who+"*") }
			named := func() string { return w.info(w.town).Name }

			w.State(w.town, w.ann, "m.room.power_levels", "", powers(100, 0))
			w.State(w.town, w.ann, "m.room.name", "", map[string]any{"name": "first"})
			w.Lose(w.town, w.ben, "m.room.power_levels", "", powers(100, 100))
			w.Lose(w.town, w.ben, "m.room.name", "", map[string]any{"name": "lost"})
			w.Server.Say(w.town, w.ann, "ping 1")
			w.settle()
			if named() != "first" || moderates(w.ben) || !moderates(w.ann) {
				t.Errorf("the room is called %q, with %q", named(), w.members(w.town))
			}

			w.Lose(w.town, w.ben, "m.room.name", "", map[string]any{"name": "lost again"}) // beside nothing else
			w.Server.Say(w.town, w.ann, "ping 2")
			w.settle()
			if named() != "first" {
				t.Errorf("the room is called %q", named())
			}

			w.Quiet(w.town, w.ann, "m.room.name", "", map[string]any{"name": "won"})
			w.Lose(w.town, w.ann, "m.room.name", "", map[string]any{"name": "lost to that"})
			w.Quiet(w.town, w.ann, "m.room.power_levels", "", powers(100, 50))
			w.Quietly(w.town, w.ann, w.ben, "ban")
			w.Server.Say(w.town, w.ann, "ping 3")
			w.settle()
			if named() != "won" || slices.Contains(w.members(w.town), w.ben) {
				t.Errorf("the room is called %q, with %q", named(), w.members(w.town))
			}
			w.expect(w.town, "pong 1", "pong 2", "pong 3")
		})
	}
}

// TestABanThatDoesNotCount: it stands in the timeline, and the server does not say that it is the state. The members are read.
func TestABanThatDoesNotCount(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.TellStateAfter("state_after")
	w.start()
	w.Lose(w.town, w.ann, "m.room.member", w.ben, map[string]any{"membership": "ban"})
	w.Server.Say(w.town, w.ann, "ping 1")
	w.settle()
	w.eventually(func() bool { return slices.Contains(w.members(w.town), w.ben) })
	w.expect(w.town, "pong 1")
}
