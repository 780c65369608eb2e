// Command bench compares the store of moot with others on the same work, and measures what its journal promises.
//
// # The work
//
// An engine is given batches of events, of which one in fifty was there before. Of each event it has to find out whether
// it is new, and if so record it in two indexes:
//
//	room ␟ event → time
//	room ␟ time  → the events of that room in that batch
//
// A batch is durable when the call returns: it has been synced to the disk. Rooms are a hundred, and events are named at
// random, as in Matrix.
//
// # The rules
//
//   - All engines begin with the same million events, and take turns.
//   - What an engine puts off is inside the clock: the merge of what is in a journal, a memtable or a log.
//   - An engine must say of each batch how many events were new, and be right; afterwards it is opened anew, must hold as
//     many events as were new in either index, and know a sample of them. Otherwise its figure does not count.
//   - The events are made before the clock starts.
//
// A figure is of all turns together. All turns with one size of a batch come before those with the next, so that what an
// engine puts off over several turns falls to the size that brought it.
package main
