// Package store keeps everything that moot remembers, and lets it change only in whole commits.
//
// # Promises
//
//   - A [Commit] is all or nothing and durable when [Store.Commit] returns nil. There is one at a
//     time.
//   - Within a commit each [Commit.Run] is all or nothing too: its function reads its own writes,
//     then those of the commit, then the state before it; an error or a panic discards what it
//     wrote and nothing else.
//   - What a commit does depends on the commits before it and on nothing else: not on when
//     checkpoints happen, nor on restarts.
//   - Time stands still within a commit and moves forward from one to the next, also when the clock
//     of the machine goes back.
//   - A scoped bucket is written only under the scope of the transaction.
//   - A [Store.View] of any length waits for no commit, and no commit and no other view waits for
//     it.
//   - After a failed write or sync the store is broken: every later commit is refused
//     ([ErrBroken]), because what the disk holds is no longer known. The process has to stop and
//     open the store anew.
//   - A full disk is noticed before a commit begins ([ErrFull]): nothing has happened then, and the
//     store goes on as soon as there is space. What remains is a commit whose change has more than
//     4 MiB, and a file system that cannot allocate: there it is a failed write.
//   - Files that are locked, truncated, damaged, foreign, of another version or not of one another
//     are refused and not changed.
//
// # One log of commits
//
//	Commit ─▶ change ─ append, one sync ─▶ log of commits          durable
//	             │
//	             └─▶ memtable, table of seen events                 visible: one state is published
//	                     │ ≥ 4 MiB, or 65,536 events
//	                     ▼
//	                 frozen ─ checkpoint, in slices ─▶ file of bbolt ─▶ segments of the log are removed
//
// A commit runs on layers over the memtable over the file. What it did is encoded as one [Change],
// which is appended to a preallocated segment (package wal) and synced: that is the whole commit.
// Then a new state is published: an immutable memtable, which shares with the one before it
// whatever has not changed, and the record of seen events (package seen).
//
// When enough has come together the memtable is frozen, and a goroutine beside the commits writes
// it to the file (package bolt) in sorted slices, each a transaction of its own, and makes a sorted
// run of the frozen table of seen events. The last of these transactions says which change the file
// now holds. Rows of a checkpoint that is under way may be in the file already; the frozen memtable
// covers them. Between checkpoints the same goroutine merges runs.
//
// A start reads the file and applies the changes behind the one that it holds. [Store.Close] makes
// a last checkpoint, so that a start after it has none. A view takes a view of the file first and
// the state second: so the state is the newer one, and where it has gone on beyond what the view of
// the file holds the view is taken again.
//
// [Store.Follow] gives the changes to whoever keeps a copy; [Store.Apply] applies them there, and
// [Store.Base] is where a copy begins. Two stores that have applied the same changes are equal in
// every row; only the layout of their files is not.
//
// In memory are at most the frozen half (4 MiB of rows and 65,536 events, or one commit more) and
// the one that commits write to. That may become eight times as large; then commits wait for the
// checkpoint, or are refused with ErrFull where it waits for space on the disk. A row counts its
// bytes and 64 more.
//
// # The file
//
// Keys are joined with U+001F (␟). Times and numbers are eight bytes, big-endian; times count
// nanoseconds since 1970.
//
//	bucket         key                      value
//	seen                                    see package seen
//	facts          number                   data of the fact
//	index                                   see index.go
//	outbox         lane ␟ number            entry (JSON)             what waits to be sent, in order within its lane
//	sent           key                      delivery (JSON)          what became of everything ever enqueued
//	sent-by-time   time ␟ key               ∅                        for the sweep
//	timers         time ␟ scope ␟ name      data
//	timer-names    scope ␟ name             time
//	cursors        name                     value
//	dead           number                   letter (JSON)
//	dead-scopes    "=" scope                number of its letters
//	meta           name                     see meta.go
//	checkpoint     change, segment          number                   what the file holds, and where the log goes on
//
// Scoped buckets belong to their packages; their keys begin with a room or a person. The log of
// commits is in the folder beside the file, the one with the ending .wal.
//
// # Reading it
//
// Each file uses only those before it: keys, layer, tx and what a transaction hands on; state,
// change and commit; one file for each thing that a commit keeps (log and index, timers, outbox,
// dead letters, cursors); run, which puts them together; store, checkpoint, write, open, follow.
// Below are the packages wal, bolt and seen, which do not know each other.
package store
