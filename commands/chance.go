package commands

import (
	"crypto/hmac"
	"crypto/sha256"
	"math/rand/v2"

	"moot/protocol"
)

// Chance returns the source of chance of the call, for dice, draws and random orders. Use no other.
//
// It is deterministic: the same command in the same event draws the same, so that an event that is handled again after a crash has the
// same answer. It is keyed with the secret of the store, which nobody outside knows: who can choose the id of an event, as on Matrix,
// cannot choose what is drawn. Draws within a call go on where the last one ended. Nothing about a draw is recorded; a feature
// that has to prove one puts it into a fact.
func (c *Call) Chance() *rand.Rand {
	if c.run.chance == nil {
		mac := hmac.New(sha256.New, c.Tx.Secret())
		mac.Write([]byte("chance" + protocol.Separator + string(c.Event.Room) + protocol.Separator + string(c.Event.ID) + protocol.Separator + c.Command.Title()))
		c.run.chance = rand.New(rand.NewChaCha8([32]byte(mac.Sum(nil))))
	}
	return c.run.chance
}
