// Package bot is the loop: it takes what adapters deliver, handles each event once in a transaction, and sends what
// came of it.
//
// # Step
//
// [Machine.Step] is one commit, and the only thing that changes the store: it takes inputs and a time, and returns
// what is to be done in the world. It is synchronous and, given the same store, inputs and time, always does the same.
// [Runner] feeds it and acts on what it returns; nothing else has goroutines.
//
// # Promises
//
//   - Events of one scope (a room or a person) are handled in the order in which they were admitted.
//   - A commit takes the scopes in turn, at most 64 events of one, so that a flood in one room leaves the others their
//     share.
//   - Each event ends with one disposition, in the same commit as all its effects. What a failing or panicking handler
//     wrote is discarded; the event becomes a dead letter, and the others in the commit are as if nothing had been.
//   - A cursor is saved in the commit that handles the last event before it, never earlier.
//   - The membership and state of rooms is brought up to date before and apart from features: their failure does not
//     undo it.
//   - Whoever asks is answered once: with what the network says, or with why there is no answer. What answers an ask that
//     has ended meanwhile, because the bot left the room, changes nothing.
//   - While the disk is full the Runner makes no step, takes nothing and says so; it goes on when there is room.
//   - Any other error of the store ends the Step, and the process with it. Nothing goes on after it.
package bot
