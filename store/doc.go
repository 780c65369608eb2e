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
//	journal        generation (a bucket)
//	                 number             what one commit recorded of events (see entry.go)
//	runs           number               a sorted run: its chunks, and of what it was made (see run.go)
//	run-seen       chunk (a bucket)        in blocks (see block.go), rows of
//	                 room ␟ event       time, disposition (1 byte), reason
//	run-seen-by-time  chunk (a bucket)     in blocks, rows of
//	                 room ␟ time        event ␟ event …          the events recorded by one commit
//	run-filters    chunk                a filter of the keys of a chunk of run-seen
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
//
// # The journal
//
// Identifiers of events are random, so that in one large bucket each event would rewrite a page of its own. Instead a
// commit appends what it recorded to the journal, as one entry, and whether an event is new is decided in memory: by a
// table of what is in the journal, and by a filter for each chunk of each run; the file is read only where a filter says
// "maybe".
//
//	commit ─▶ journal ══▶ table (exact, ≤ 65,536 events) ─▶ full ─▶ frozen ─▶ run of level 0 ─▶ 8 of them ─▶ run of level 1 ─▶ …
//	                                                                  └─ the moves are made in slices, each within a later commit
//
// A table that is full is put in order beside the commits, which begin to move it some thousand events later. A commit moves
// eight rows for each event that it recorded while there is something to move: so the journal stays bounded, and no
// commit takes much longer than another. What is moved depends on counts alone, so that the same commits do the same work.
// A run that is being built counts only when it is whole; after a crash it is gone on with.
//
// Runs hold the events of one week each, and only runs of the same week are merged. SweepSeen moves a floor, below which
// nothing is seen any more, and drops the runs that lie below it as a whole, chunk by chunk.
//
// In memory are at most two tables (about 200 bytes an event, and 150 more while one is moved; a commit that brings more
// than a table holds makes it as large) and two bytes for each event in a run.
package store
