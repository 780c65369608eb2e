// Package matrix connects a Matrix homeserver, by the Client-Server API (https://spec.matrix.org/v1.18/client-server-api/).
//
// # Promises
//
//   - A sync response is admitted whole, with its token: in this order the keys for the bot (committed), the events of each
//     room in the order of its timeline, and then the token. After a crash the same response comes again.
//   - The first sync is history. So is, after a rejoin, everything in the delivery before the own join, which servers
//     replay as if it were new.
//   - Where a server has cut a timeline short, the gap is fetched: exactly it, oldest first, in memory of a bounded size.
//   - A change of membership counts also where it comes only as state, and comes once.
//   - Every event gets a disposition: what breaks the rules of Matrix is admitted as [protocol.Malformed], what has no
//     meaning here as [protocol.Other]. Nothing that a person can write ends the adapter or stops the sync.
//   - An encrypted room is never answered in clear. Before the first message to a room that is not known to be encrypted
//     the server is asked.
//   - A transaction id is the key of what is sent, and the key stands within the content, so that the own echo is a receipt
//     also where the server has forgotten transaction ids. A message that is cut into parts counts as sent with the last; it is
//     edited part by part, and its address names them all.
//   - Only who is meant to is mentioned. Words of people are escaped.
//
// # Rooms
//
// A room of Matrix is a room; a thread is a place in it, named by its root event. A room is a private conversation while
// exactly one other person has joined and it is marked as direct (in m.direct, or by is_direct of the invitation), or has
// neither a name nor an alias.
//
// # Encryption
//
// The package does none. It declares what it needs as [Encryption]; package crypto has it. Without it encrypted rooms are
// refused.
package matrix
