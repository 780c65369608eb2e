package enforce_test

import (
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

// TestForgotten: who was held back when they were forgotten is let go when they are restored.
func TestForgotten(t *testing.T) {
	y := newYard(t, "discord")
	y.challenge(ben)
	y.challenge(cem)
	y.refuses = protocol.RefusedPower
	y.restore(cem)
	y.asked = nil
	y.order2(func(tx *store.Tx) error {
		if _, stays := y.enforce.Forget(tx, ben); stays == nil {
			t.Error("the bot has forgotten whom to let go")
		}
		var lines []string
		for line := range y.enforce.Export(tx, ben) {
			lines = append(lines, line.Plain())
		}
		if len(lines) != 1 || !strings.Contains(lines[0], "to hold you back while you are suspended.") {
			t.Errorf("exported %q", lines)
		}
		y.Bus.Forget(tx, ben, false)
		return nil
	})
	y.refuses = ""
	y.restore(ben)
	y.expect("ben false")
}

// TestForgottenIsNoWayOut: who is challenged and was not yet held back, because the network refuses, is so in the end, also
// after they were forgotten.
func TestForgottenIsNoWayOut(t *testing.T) {
	y := newYard(t, "discord")
	y.refuses = protocol.RefusedPower
	y.challenge(ben)
	y.expect("ben true")
	y.order2(func(tx *store.Tx) error {
		if _, stays := y.enforce.Forget(tx, ben); stays == nil {
			t.Error("they are not told that they go on to be held back")
		}
		y.Bus.Forget(tx, ben, false)
		return nil
	})
	y.refuses = ""
	y.wait(7 * time.Hour)
	y.expect("ben true")
}

// TestForgottenWhileTheBotIsOut: who is challenged while the bot is out of the room, and is forgotten before it is back, is held
// back when it is.
func TestForgottenWhileTheBotIsOut(t *testing.T) {
	y := newYard(t, "discord")
	y.admit(protocol.MemberChange{User: self, Self: true, Membership: protocol.Kicked})
	y.order2(func(tx *store.Tx) error { return y.challenges.Challenge(tx, y.Bus.Number(tx, ben), 3, 0) })
	y.wait(time.Hour)
	y.order2(func(tx *store.Tx) error {
		if _, stays := y.enforce.Forget(tx, ben); stays == nil {
			t.Error("they are not told that they will be held back")
		}
		y.Bus.Forget(tx, ben, false)
		return nil
	})
	y.expect()
	y.admit(protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined})
	y.wait(time.Minute)
	y.expect("ben true")
}

// TestForgottenBeforeItPasses: who has themselves forgotten while a challenge of them is open is held back when it passes.
func TestForgottenBeforeItPasses(t *testing.T) {
	y := newYard(t, "discord")
	y.order2(func(tx *store.Tx) error {
		n := y.Bus.Number(tx, ben)
		y.Bus.Hold(tx, n, "vote", time.Time{})
		y.Bus.Forget(tx, ben, false)
		return y.challenges.Challenge(tx, n, 3, 0)
	})
	y.wait(time.Minute)
	y.expect("ben true")
}
