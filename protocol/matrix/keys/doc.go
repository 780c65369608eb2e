// Package keys keeps what one device of a Matrix account has for end-to-end encryption in the bot's own database: the
// account of the device, its sessions with other devices and for messages, and what is known of other people's devices.
// [Store] is the store of mautrix's OlmMachine.
//
// # Promises
//
//   - What is written is seen at once by whoever reads here, and is durable with the next commit of the bot, whatever that
//     is for: so a key that came is never behind the sync token that says so. [Rows.Flush] makes such a commit, and
//     returns when all that was written before it is durable.
//   - Commits hold what was written up to a moment. What was written later is never durable without what was written before.
//   - [Rows.Do] is all or nothing, in what is read and in what becomes durable. One runs at a time.
//   - Before something leaves the process that rests on what was written, Flush is called: a ratchet that was
//     advanced, and lost, would be used a second time.
//   - Once a commit has failed everything does ([Rows.Err]), but for a disk that is full: then nothing has happened, and the
//     next commit has what that one was to have.
//
// # The rows
//
// They are in the bucket "matrix-keys". The parts of a key are joined with U+001F; one that holds it is refused. Values are
// JSON unless something else is said. Pickles are those of the library, encrypted with the secret of the database.
//
//	account                                       the pickle of the account
//	owner                                         the user and the device whose keys these are
//	carried                                       the pair id of the file of keys from which they were carried over
//	restored                                      when it was noted that they were put back from a backup
//	olm        key of the sender, session         a session with a device
//	hash       SHA-256                            when an olm message was handled, in milliseconds
//	in         session                            a session by which messages are read, or why there is none
//	index      session, number                    the time and the event of the message that it opened, in plain text
//	out        room                               the session by which messages are sealed
//	members    room                               a hash of the people whom that session is for
//	given      session, user, identity key        that a device was given the key to a session
//	tracked    user                               that the devices of somebody are known
//	outdated   user                               that they have changed since
//	device     user, device                       a device
//	identity   user, usage                        a key for cross-signing, and the first that was seen
//	signature  user, key, signer, signer's key    a signature
//	secret     name                               a secret, pickled
package keys
