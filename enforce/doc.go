// Package enforce has networks hold back, by their own means, who is challenged in a room: on Discord a timeout or a role,
// on Matrix a power level. It is off unless the configuration switches it on for a network, and knows none of them: it wants
// a state, the adapter of the network brings it about.
//
// # Promises
//
//   - It is an effect of what the log says and never a truth: who is challenged does not depend on whether the network went
//     along. Nothing here is read by anything else, and replaying the log does nothing.
//   - The bot holds back those who are challenged, and nobody else. It is asked for when somebody is
//     challenged or restored, when they come back into the room, when the bot does, when the network is there again, before
//     what the network did runs out, once a day since somebody may have changed it, and again for as long as it fails.
//   - Where the network refuses, because the bot lacks the permission, or the person stands as high, the room is told so in a
//     sentence that says who can change that: once for each challenge and reason. It is tried again when the powers in the
//     room change, and every few hours.
//   - People whom the bot held back are let go when they are restored, also after it was switched off; where the network's
//     adapter can do that no more, as that of Discord, which then does not know by which means it was, the room is told so.
//   - A fault of it leaves challenges, votes and the rest of the bot alone: it runs in transactions of its own.
//
// # Data
//
// None of it is a projection.
//
//	bucket        key           value
//	enforce       room ␟ user   row (JSON): what was asked of the network, and what came of it
//	enforce-asks  room ␟ ask    user
//
//	timer              data
//	enforce.one/USER   user: they are looked at
//	enforce.room       user to go on from: all in the room are looked at, in slices
package enforce
