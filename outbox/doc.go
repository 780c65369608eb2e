// Package outbox is how features send and ask, and how what they want leaves the process in order.
//
// # For features
//
// [Send] and [Ask] put an entry into the outbox of a transaction. It is sent if and only if the transaction is
// committed, under a key that its cause determines.
//
// # For the loop
//
// A [Dispatcher] decides, within commits, what is to be tried next: the head of each lane, one at a time, so that the
// order within a lane is kept. A room has a lane, and so have each channel and thread in it, each person, each interaction
// that is answered, and each message that is edited or reacted to. A limit of the network holds up the lane that it is about,
// or, where the adapter says that it is the account's, all but the answers of interactions. An edit waits until its message
// is sent. That an attempt begins is part of a commit before it begins, so that after a crash the
// store tells which entries may have been sent. The Dispatcher keeps only an index of the lanes in memory, which
// [Dispatcher.Load] makes from the store.
//
// An entry ends in exactly one way: sent, failed, replaced by what takes its place because it failed, expired, superseded by a
// newer edit of the same message, ambiguous, or ended because the bot left the room. An ask that ends in any other way than being answered is answered with a
// fault.
package outbox
