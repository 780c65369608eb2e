// Package record shows adapters what the bot has recorded, by the small interfaces that they declare: they know nothing of
// the store.
//
// # Promises
//
//   - Each call reads the state of the last commit in a transaction of its own, and may be made concurrently with others.
//   - Nothing of what is returned belongs to the store.
//   - An error is one of the store; what is not recorded is none. Where an adapter's interface has no errors, what
//     cannot be read is not recorded.
package record
