package activity

import (
	"slices"
	"testing"

	"moot/protocol"
	"moot/store"
)

// What a network tells of calls is compared with what is known: all of it, and nothing that is void.
func TestWhoIsInACall(t *testing.T) {
	r := newRig(t)
	r.call("c", ann, bob)
	r.does(lobby, ann, protocol.VoicePresence{Call: "c", Deafened: true, AFK: true})
	r.View(func(tx *store.Tx) {
		if p, in := InCall(tx, lobby, ann); !in || p != (protocol.VoicePresence{Call: "c", Deafened: true, AFK: true}) {
			t.Errorf("ann is %v, in a call %v", p, in)
		}
		if got := InCalls(tx, lobby); !slices.Equal(got, []protocol.UserID{ann, bob}) {
			t.Errorf("in calls are %v", got)
		}
	})
	r.call("", bob)
	r.join(lobby) // a generation in which nobody is known to be in a call
	r.View(func(tx *store.Tx) {
		if _, in := InCall(tx, lobby, ann); in {
			t.Error("ann is in a call of another generation")
		}
		if got := InCalls(tx, lobby); len(got) != 0 {
			t.Errorf("in calls are %v", got)
		}
	})
}
