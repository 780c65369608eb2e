// Package docbuf provides [DocumentBuffer], a last-in-first-out buffer of
// documents that keeps the newest in memory and the older ones in any
// [io.ReadWriteSeeker].
//
// The archive of facts is one, and keeps nothing in memory. The cache, Pop and
// Remove are there because the buffer is of use by itself.
//
// # Order
//
// A buffer is one stack. Its top lies in memory, the cache; its bottom in the
// store. Documents go from one to the other on their own:
//
//	 oldest                                            newest
//	┌──────────────────────────┬───────────┬───────────────────┐
//	│ only in the store        │ in both   │ only in the cache │ ← Push, Pop
//	└──────────────────────────┴───────────┴───────────────────┘
//	                           │◄──────── Cached() ───────────►│
//	 ◄─────────── store, up to End() ─────►│
//
// A Push that overflows the cache demotes the oldest cached documents to the
// store until the cache is half full, so that the next pushes are cheap. A Pop,
// Peek, Read or Remove that asks for more than is cached promotes the newest
// stored documents, at least until the cache is half full. Promotion copies: a
// document stays in the store until it is removed, and Flush leaves in the cache
// what it wrote. So no document is written twice, and one that lies in both is
// demoted for free.
//
// The cache holds documents as their [Codec] encoded them. What comes out of a
// buffer has therefore always been through the codec, whether it had gone to
// the store or not, and shares no memory with what went in.
//
// # Durability
//
// Only what a Flush or Close that returned nil has covered is safe, and only if
// the store has a method Sync() error, as [os.File] does; a document that is
// only in the cache is lost with the process. The end of the store is not in
// the store: the caller keeps the number that Close, or [DocumentBuffer.End]
// after a Flush, returned, and hands it to [Open]. That number is the commit.
//
//   - Bytes beyond the committed end are nobody's. Open cuts them off where the
//     store has a method Truncate(int64) error, and otherwise ignores them until
//     they are overwritten. A store of which nothing was committed is refused
//     if it is not empty: whether its bytes are nobody's is for the caller to
//     say, who then calls [New].
//   - Bytes below it never change as long as the buffer only grows. A buffer
//     that shrank below the committed end will write over them, so commit the
//     lower end before the next Push, Flush or Close.
//
// # Failure
//
// An operation that returns an error has not happened: the buffer holds the
// documents it held before, in the same order, and the operation can be tried
// again. In particular no failed write loses a document from memory, and a
// write that failed half-way leaves its pieces beyond End, where nobody looks.
//
// A failed Sync is different, since a second one may succeed without having
// saved anything (the operating system may have dropped the pages). After it
// Push, Flush and Close return [ErrSync] for good. The rest goes on working, so
// that a caller can save what the buffer holds elsewhere.
//
// Damage in the store is reported as [ErrCorrupt] when it is met, never as a
// wrong document. Open meets damage in the header and in the newest frame.
//
// # Format
//
// This is version 1. Numbers are unsigned and big-endian. The header is written
// together with the first frame; a store that holds no document has end 0.
//
//	offset 0                           8
//	       ┌───────────────────────────┬─────────┬─────────┬─ ─ ─┬─────────┐
//	       │ header                    │ frame   │ frame   │     │ frame   │ junk
//	       └───────────────────────────┴─────────┴─────────┴─ ─ ─┴─────────┘
//	                                     oldest                    newest  ↑ End
//
//	header  6d 6f 6f 74 44 42 00 01     "mootDB", 0, version
//
//	        0         4         8               8+n       12+n
//	        ┌─────────┬─────────┬────────────────┬─────────┐
//	frame   │ n       │ sum     │ document       │ n       │
//	        └─────────┴─────────┴────────────────┴─────────┘
//	        n    length of the document in bytes, at most MaxDocument
//	        sum  CRC-32C of: offset of the frame (8 bytes), n (4), document
//
// The length at both ends lets a reader walk either way. The offset in the sum
// binds a frame to its place, so that neither a frame that was copied elsewhere
// nor a document that itself contains frames is ever taken for one.
package docbuf
