// Package events keeps what the bot knows as an append-only log of facts, folds them into
// projections, and lets others follow, search and verify the log. It knows no feature and no
// network.
//
// # Promises
//
//   - A [Fact] is never changed. It gets its number, and the log's followers hear of it, only when
//     the transaction that published it is part of a commit; one that is discarded leaves nothing,
//     no gap in the numbers either.
//   - Projections are applied in the transaction that publishes, by the same [Kind.Apply] that
//     replays the log. Replay gives the same state, byte for byte; [Bus.Verify] proves it. A
//     [Bus.Publish] that fails fails its whole transaction, even if the caller drops the error, so
//     that log and projection cannot part.
//   - Nothing is numbered by the clock, by chance or by the order of a map: the same transactions
//     give the same log.
//   - Facts name people by number. After [people.Registry.Forget] neither the log nor its archive
//     leads from a number to a person, and the person's own texts are gone.
//   - [Bus.Matching] reads through the index: index entries in proportion to the rarest filter,
//     records only of what matches, in the window and in the archive alike.
//   - A [Subscription] brings every fact after its start once and in order, however far it lags. It
//     holds one page in memory, and never holds up a publisher, another subscription or the store
//     for longer than it takes to read one.
//   - Facts older than the window move to the archive; a crash at any point loses none and doubles
//     none. One that cannot leave is set aside with a dead letter, and holds up no other. An
//     archive that is shorter than what was committed to it, or that lies beside a store that never
//     had one, is refused and not changed. Only its owner can read the file.
//   - Unknown kinds found in the log are kept, searched and followed as all others.
//
// # Rules
//
// For those who write kinds:
//
//   - Apply and Drop are pure: what they need is in the fact and in the buckets that the kind owns.
//     They take the time from the fact and not from the transaction, publish nothing, look nobody
//     up, and read no number of a fact (it is 0).
//   - What a feature wants kept of a person's own words goes into [people.Registry.KeepText], and
//     the id that it returns into the payload. Identifiers of people go into [Draft.People] and
//     nowhere else. The scope of a fact stands in the log as it is; so facts are published in the
//     scope of a room, not in that of a person, who could then not be forgotten.
//   - A disposable kind is dropped, not archived, when it leaves the window. If it has a
//     projection, Drop takes the fact out of it again: what then stands is what the facts that
//     remain would give. Facts leave in the order in which they came. No other kind may rest on
//     what is dropped, so a bucket of a disposable kind belongs to disposable kinds only; what a
//     lasting fact needs of it, as the list of those who may vote, it takes along in its payload.
//   - A subscription that lags behind the window misses the disposable facts that were dropped
//     meanwhile.
//   - A transaction does not find in the log what it has itself published, but all that was
//     published before it, in the same commit too.
//
// # The buckets
//
// All are shared. Numbers are eight bytes, big-endian. What the log and its index are made of is
// the store's: see [store.Tx.Append] and [store.Tx.Indexed].
//
//	bucket          key                       value
//	kinds           kind                      the roles that people ever had in it, in order, joined with U+001F
//	archive         number of a fact          offset in the archive file; one for each block
//	events          "archive-end"             committed end of the archive file; there since before it holds anything
//	events          "archive-tip"             SHA-256 of the newest block that counts: two archives may be of one length
//	events          "archive-last"            number of the last fact that left the window
//
// # The log
//
// A fact is the data of a record. Lengths and counts are unsigned varints; a text is its length and
// its bytes.
//
//	fact     01 | length of head | head | payload, which is the rest: JSON, or nothing
//	head     time | kind: text | version of the kind: uvarint | cause: room, event: texts | scope | people | keys
//	time     nanoseconds since 1970, 8 bytes, big-endian, two's complement
//	scope    00 for the room of the cause, or length + 1 and the bytes
//	people   count, then of each: role: text, number: uvarint; in the order of the roles
//	keys     count, then of each: key: text, value: text; in the order of the keys
//
// The first byte is the version of this form. The kind stands there by its name, so that a fact can
// be read without anything else, from the archive too.
//
// What a fact is listed under follows from the fact alone, and is written nowhere but in the index.
// The terms are, joined with U+001F (␟),
//
//	kind ␟ ␟                          each fact
//	kind ␟ key ␟ value                for each of its keys
//	kind ␟ role ␟ number              for each of its people; the number is written in decimal
//	kind ␟ "scope" ␟ scope
//	kind ␟ "cause" ␟ CauseValue
//
// A person is listed once for each role, and [KeyPerson] looks under all roles of a kind. As the
// index tells terms apart by a hash, a query looks at each fact before it returns it.
//
// # The archive
//
// A file of a [docbuf.DocumentBuffer], oldest fact first. Each document is a block of at most 64
// facts, which are read together:
//
//	distance of its number to that of the fact before (to 0 for the first): uvarint | length: uvarint | fact | …
//
// What counts is the file up to "archive-end" as the transaction sees it that reads. What lies
// behind it is left over from a crash and cut off when the file is next opened for writing.
//
// # Facts that are set aside
//
// A fact that cannot be read, or on which a Drop fails, stays in the store when those around it
// leave the window, and a dead letter says so: an event in the scope of the fact, with the id
// "archive/" and its number, whose body is a [protocol.Internal] of the kind "archive" with
// {"fact":number}. In the log it stands where it always stood.
package events
