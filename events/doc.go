// Package events keeps what the bot knows as an append-only log of facts, folds them into projections, and lets others
// follow, search and verify the log. It knows no feature and no network.
//
// # Promises
//
//   - A [Fact] is never changed. It gets its number, and the log's followers hear of it, only when the transaction that
//     published it is part of a commit; one that is discarded leaves nothing, no gap in the numbers either.
//   - Projections are applied in the transaction that publishes, by the same [Kind.Apply] that replays the log. Replay
//     gives the same state, byte for byte; [Bus.Verify] proves it. A [Bus.Publish] that fails fails its whole
//     transaction, even if the caller drops the error, so that log and projection cannot part.
//   - Nothing is numbered by the clock, by chance or by the order of a map: the same transactions give the same log.
//   - Facts name people by number. After [Bus.Forget] neither the log nor its archive leads from a number to a person,
//     and the person's own texts are gone.
//   - [Bus.Matching] reads through the index: index entries in proportion to the rarest filter, records only of what
//     matches, in the window and in the archive alike.
//   - A [Subscription] brings every fact after its start once and in order, however far it lags. It holds one page in
//     memory, and never holds up a publisher, another subscription or the store for longer than it takes to read one.
//   - A [Reactor] has its effect and its cursor in one transaction: for each fact its effect happens once, or is
//     reported once as a [Failure]. It never runs on replay, and no failure stops it or another.
//   - Facts older than the window move to the archive; a crash at any point loses none and doubles none. An archive that
//     is shorter than what was committed to it is refused and not changed. Only its owner can read the file.
//   - Unknown kinds found in the log are kept, searched and followed as all others.
//
// # Rules
//
// For those who write kinds and reactors:
//
//   - Apply and Drop are pure: what they need is in the fact and in the buckets that the kind owns. They take the time
//     from the fact and not from the transaction, publish nothing, look nobody up, and read no number of a fact (it is 0).
//   - What a feature wants kept of a person's own words goes into [Bus.KeepText], and the id that it returns into the
//     payload. Identifiers of people go into [Draft.People] and nowhere else. The scope of a fact stands in the log as it is;
//     so facts are published in the scope of a room, not in that of a person, who could then not be forgotten.
//   - A disposable kind is dropped, not archived, when it leaves the window. If it has a projection, Drop takes the fact
//     out of it again: what then stands is what the facts that remain would give. Facts leave in the order in which they
//     came. No other kind may rest on what is dropped, so a bucket of a disposable kind belongs to disposable kinds only;
//     what a lasting fact needs of it, as the list of those who may vote, it takes along in its payload.
//   - A subscription that lags behind the window misses the disposable facts that were dropped meanwhile. A reactor
//     misses none, because facts that it has not seen stay where they are.
//   - A transaction does not find in the log what it has itself published, but all that was published before it,
//     in the same commit too.
//
// # The buckets
//
// All are shared. Numbers are eight bytes, big-endian; keys are joined with U+001F (␟).
//
//	bucket          key                       value
//	people          user                      number
//	people-numbers  number                    user
//	people-kept     "h" ␟ keyed hash of user  number               of those who were forgotten under a sanction
//	people-kept     "n" ␟ number              keyed hash of user
//	texts           number ␟ number of text   text
//	kinds           kind                      ∅                    every kind that was ever published
//	reactors        name                      number of the last fact that it has seen
//	archive         number of a fact          offset in the archive file; one for each block of at most 64 facts
//	events          "archive-end"             committed end of the archive file
//	events          "archive-last"            number of the last fact that left the window
//	events          "next-person"             number
//	events          "next-text"               number
//
// The keyed hash is HMAC-SHA256 of "moot person" ␟ user.
//
// # The log
//
// A fact is a [store.Record] whose data is compact JSON in this order; what is empty is left out:
//
//	{"v":1,"time":"2026-11-21T08:00:00.000000001Z","kind":"ballot","version":1,
//	 "cause":["console:lobby","e7"],"scope":"console:lobby",
//	 "people":{"voter":12},"keys":{"vote":"3"},"payload":{…}}
//
// "v" is the version of this encoding, "version" that of the kind. The prefixes of its index entries, to which the store
// adds ␟ and the number of the fact, are
//
//	kind ␟                            each fact
//	kind ␟ key ␟ value                for each of its keys
//	kind ␟ role ␟ number              for each of its people; the number is written in decimal
//	kind ␟ "person" ␟ number          for each of its people, whatever the role
//	kind ␟ "scope" ␟ scope
//	kind ␟ "cause" ␟ CauseValue
//
// # The archive
//
// A file of a [docbuf.DocumentBuffer], oldest fact first. Each document is
//
//	number of the fact (8 bytes) | data of its record
//
// What counts is the file up to "archive-end" as the transaction sees it that reads. What lies behind it is left over
// from a crash and cut off when the file is next opened for writing.
package events
