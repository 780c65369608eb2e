// Package store keeps everything that moot remembers in one bbolt file, and lets it change only in whole commits.
//
// # Promises
//
//   - A [Commit] is all or nothing and durable when [Store.Commit] returns nil. There is one at a time.
//   - Within a commit each [Commit.Run] is all or nothing too: its function reads its own writes, then those of the
//     commit, then the file; an error or a panic discards what it wrote and nothing else.
//   - Time stands still within a commit and moves forward from one to the next, also when the clock of the machine
//     goes back.
//   - A scoped bucket is written only under the scope of the transaction.
//   - After a failed write to the disk the store is broken: every later commit is refused ([ErrBroken]), because what
//     the file holds is no longer known. The process has to stop and open the file anew.
//   - A full disk is noticed before a commit begins ([ErrFull]): nothing has happened then, and the store goes on as soon
//     as there is room. See room.go for how, and for where that cannot be promised.
//   - A file that is locked, truncated, foreign or of a newer version is refused and not changed.
//
// No type of bbolt is visible from outside.
//
// # The file
//
// Keys are joined with U+001F (␟). Times and numbers are eight bytes, big-endian; times count nanoseconds since 1970.
//
//	bucket         key                      value
//	seen           room ␟ event             time, disposition (1 byte), reason
//	seen-by-time   room ␟ time              event ␟ event …          the events recorded by one commit
//	facts          number                   record (see Record)
//	index          prefix ␟ number          ∅                        one for each of a record's index entries
//	outbox         lane ␟ number            entry (JSON)             what waits to be sent, in order within its lane
//	sent           key                      sent (JSON)              what became of everything ever enqueued
//	sent-by-time   time ␟ key               ∅                        for the sweep
//	timers         time ␟ scope ␟ name      data
//	timer-names    scope ␟ name             time
//	cursors        name                     value
//	dead           number                   letter (JSON)
//	meta           name                     see meta.go
//
// Scoped buckets belong to their packages; their keys begin with a room or a person.
package store
