// Package bot is the loop: it takes what adapters deliver, handles each event once in a transaction, and sends what
// came of it.
//
// # Step
//
// [Machine.Step] is one commit, and the only thing that changes the store: it takes inputs and a time, and returns
// what is to be done in the world. It is synchronous and, given the same store, inputs and time, always does the same.
// [Runner] feeds it and acts on what it returns; nothing else has goroutines. A step goes through this list:
//
//	inputs      batches go into lanes, one for each scope; results go to the outbox
//	start       all hear that the bot was away, before anything else happens
//	timers      those whose time has come
//	lanes       a share of each lane, those that had nothing to do before first
//	retries     dead letters that somebody wants to be tried again
//	sweep       a slice of what is old is forgotten
//	dispatch    attempts to send and to ask begin
//
// and each event of a lane through this one, from top to bottom:
//
//	dedupe      what has a disposition is not handled again
//	refuse      what breaks a rule of the words, and what answers no ask
//	outbox      a receipt or an answer ends what was sent or asked
//	core        one transaction: rooms and members are brought up to date; the barrier stops what nobody must act on;
//	            receipts and sealed events end here
//	features    one transaction: each [Feature] handles the event
//	record      the disposition, or a dead letter
//
// The core is made of features too: the first list of them that is asked, in which an outcome may be final.
//
// # Promises
//
//   - Events of one scope (a room or a person) are handled in the order in which they were admitted. What somebody says in a
//     private conversation is handled behind a change of the bot's own membership that was admitted before it.
//   - A commit takes the scopes in turn, at most 64 events of one, so that a flood in one room leaves the others their
//     share. A scope that had nothing to do comes first.
//   - Each event ends with one disposition, in the same commit as all its effects. What a failing or panicking handler
//     wrote is discarded; the event becomes a dead letter, and the others in the commit are as if nothing had been. So does a
//     timer, and what a scope is told when a network comes or goes, also at a start.
//   - Networks share a commit: each that has something to do has the same part of it, and what one does not need the others have.
//   - A network whose adapter ends is offline, and is tried again where that can help; the others go on. Run ends when all have
//     ended for reasons that do not pass by themselves.
//   - A cursor is saved in the commit that handles the last event before it, never earlier.
//   - The membership and state of rooms is brought up to date before and apart from features: their failure does not
//     undo it.
//   - Each ask is answered once: with what the network says, or with why there is no answer. What answers an ask that
//     has ended meanwhile, because the bot left the room, changes nothing.
//   - While the disk is full the Runner makes no step, takes nothing and says so; it goes on when there is space.
//   - So it does while the clock is wrong by what the servers of its networks say. Nothing is ignored because its time lies in
//     the future; no event has a say in what the time is.
//   - Time flows: while the clock is behind the last commit it goes on by what really passes, so that no limit, timer or retry
//     stands still.
//   - A clock that people move, as the console's, is followed from one thing that is due to the next: each timer goes off at its time,
//     and sees what came of those before it. Others go off late where they are late, at the time that it is then.
//   - Where no step was made for two minutes, as by a machine that slept, features hear that the bot was away, as at a start.
//   - Any other error of the store ends the Step, and the process with it. Nothing goes on after it.
package bot
