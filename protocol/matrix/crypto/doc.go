// Package crypto is end-to-end encryption for one device of a Matrix account: it keeps the keys, takes what other devices
// send them, opens and seals messages, and lets the account vouch for the device (cross-signing).
//
// The ciphers are mautrix's, in pure Go, which want the build tag goolm. Without it [Able] is false, [Open] returns
// ErrUnable, and nothing else of this package does anything.
//
// # Promises
//
//   - An event from another device is taken in one transaction: its ratchet, its hash and the keys that it brings are all
//     kept, or none of them is.
//   - What is kept is in the bot's own database, and durable with the next commit of the bot; no request of the client leaves
//     before it is. So whatever the server may forget, or somebody else sees, rests on nothing that can be lost.
//   - Once it could not be kept, nothing goes on: every call returns ErrBroken, and the process is to end. What was not
//     confirmed to the server comes again; taking it a second time changes nothing.
//   - A file of keys, which versions before 0.2 had beside the database, is carried over once. The two carry the same pair id,
//     so that one that was restored or lost alone is noticed and refused.
//   - A message is sealed for exactly those who are members when it is sent: another member, one fewer, or a changed
//     device makes a new session, and so does each start. Where that fails nothing is sealed.
//   - An opened message comes from a device that its sender has. One whose key came from somebody else is refused.
//   - Keys to messages are kept for 400 days. What they opened is remembered as long, so that no server can deliver it once
//     more as something new.
//   - The identity of the account is never reset. The recovery key of one that is made is on the disk before anything is
//     signed by it.
//
// Package keys draws the rows. The file of older versions has the tables of mautrix's SQLCryptoStore, and "moot_meta" (key, value)
// with the pair id, the one before it while it changes, and the user and device whose keys these are.
package crypto
