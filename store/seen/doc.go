// Package seen is the record of events that the bot has seen: whether an event is new, what became
// of one, and which events a room had in a span of time. It keeps what is recent in memory and the
// rest in sorted runs in a bbolt file. The store alone uses it.
//
// # Promises
//
//   - [State.Find] and [State.Between] answer as of the change that the [State] was taken after.
//     What they answer never depends on when tables were frozen, built into runs or merged.
//   - An event that was recorded again keeps the time of its first record, and has the disposition
//     and the reason of its newest one, in both directions.
//   - Find and Between take no lock, and a writer never waits for them.
//   - A row is found or the answer is an error: damage of a block, a page or the manifest is
//     [disk.ErrDamaged], never an event that seems new.
//   - After a crash the runs are those of the last transaction that was committed. What was
//     half-built is invisible, is dropped by [Index.Tend], and is built anew.
//   - Each call of [Index.Build] and of [Index.Tend] is one bounded slice of work in the
//     transaction of the caller, an eighth of one where it is to be gentle, and becomes visible by
//     [Index.Committed].
//   - Memory: at most about 100 bytes an event in tables, and 2 bytes an event in runs.
//
// # Who may call what
//
//	writer      Add, Horizon, Full, Freeze                    one goroutine at a time, beside the others
//	background  Build, Tend, Committed, Aborted, Idle, Behind one goroutine at a time, beside the others
//	anybody     Key, State and its methods, DecodeRecords
//
//	Add ─▶ active table ─ Freeze ─▶ frozen table ─ Build ─▶ run of level 0 ─ Tend ─▶ 8 of them: level 1 ─▶ …
//
// A table holds the events of one range of changes exactly. Runs hold the events of one partition
// of time each (a week), and only neighbours of the same partition are merged, so that what is
// older than the horizon ([Index.Horizon]) leaves the file as whole runs.
//
// # The file
//
// All is in the bucket seen. Numbers are big-endian, texts and lists begin with their length as
// uvarint, times are nanoseconds since 1970.
//
//	seen                                  bucket
//	  manifest                            the ready runs, newest first (JSON), CRC-32C
//	  chunk number (8 bytes)              bucket: up to 1,048,576 rows of a run
//	    'r' ␣ block number (4 bytes)        a block of rows (see block.go)
//	    'x' ␣ fingerprint (4 bytes)         a page of fingerprints, the first that it may hold (see run.go)
//
// One physical order serves both directions. Rows are sorted by room, time and event, so a span of
// time in a room is a range of blocks. Beside the blocks are the fingerprints (half of a keyed hash
// of room and event) of the rows in order, each with the number of its block. From the fingerprints
// comes the filter of the chunk, which is kept in memory alone: 16 bits an event, of which a
// question touches one cache line. A chunk that the manifest does not name is left over from
// something unfinished.
//
// Each checksum covers the place of what it protects (chunk, block or page), so that a block which
// stands in another's place is noticed too.
package seen
