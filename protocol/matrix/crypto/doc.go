// Package crypto is end-to-end encryption for one device of a Matrix account: it keeps the keys, takes what other devices
// send them, opens and seals messages, and lets the account vouch for the device (cross-signing).
//
// The ciphers are mautrix's, in pure Go, which want the build tag goolm. Without it [Able] is false, [Open] returns
// ErrUnable, and nothing else of this package does anything.
//
// # Promises
//
//   - An event from another device is taken in one transaction: its ratchet, its hash and the keys that it brings are all
//     in the file, or none of them is. [Machine.Receive] returns nil when everything is on the disk (synchronous=FULL).
//   - Once the file could not be written, nothing goes on: every call returns ErrBroken, and the process is to end. What
//     was not confirmed to the server comes again; taking it a second time changes nothing.
//   - The order is: this file, then the bot's own with the sync token, then the next sync. The two files carry the same
//     pair id, a new one at each start, so that one that was restored or lost alone is noticed and refused.
//   - A message is sealed for exactly those who are members when it is sent: another member, one fewer, or a changed
//     device makes a new session, and so does each start. Where that fails nothing is sealed.
//   - An opened message comes from a device that its sender has. One whose key came from somebody else is refused.
//   - Keys to messages are kept for 400 days. What they opened is remembered as long, so that no server can deliver it once
//     more as something new.
//   - The identity of the account is never reset. The recovery key of one that is made is on the disk before anything is
//     signed by it.
//
// The file: the tables of mautrix's SQLCryptoStore; "moot_meta" (key, value) with the pair id, the one before it while it
// changes, and the user and device whose keys these are; "moot_shared" (room, members) with a hash of whom the current
// session of a room was shared with.
package crypto
