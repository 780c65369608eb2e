// Command bench compares the store of moot with others on the same work, and measures what its log
// of commits promises.
//
// # The work
//
// An engine is given batches of events, of which one in fifty was there before. Of each event it
// has to find out whether it is new, and if so record it in both directions:
//
//	room, event → time
//	room, time  → the events of that room in that batch
//
// A batch is durable when the call returns: it has been synced to the disk. Rooms are a hundred,
// and events are named at random, as in Matrix.
//
// # The rules
//
//   - All engines begin with the same million events, and take turns.
//   - Each has what moot has: a filter in front that answers "new" from memory (but SQLite, which
//     finds the place of a row anyway as it inserts it), space for memtables, its options tuned,
//     and a row for what a room had in a batch where that is its best form.
//   - What an engine puts off is inside the clock: what is in a log or a memtable is brought into
//     place, and merges end.
//   - An engine must say of each batch how many events were new, and be right; afterwards it is
//     opened anew, must hold as many events as were new in either direction, and know a sample of
//     them. Otherwise its figure does not count.
//   - The events are made before the clock starts.
//   - Two rows are the limit of disk and processor: an append of as many bytes as moot appends,
//     with one sync and nothing else; and a hash map of all events to ask, encoding, and that
//     append.
//
// A figure is of all turns together. All turns with one size of a batch come before those with the
// next, so that what an engine puts off over several turns falls to the size that brought it.
package main
