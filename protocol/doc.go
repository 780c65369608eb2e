// Package protocol holds the words that every part of moot speaks: identifiers, what a network says (Event),
// what the bot says to it (Outgoing), what the bot wants to know from it (Ask), and how the two sides meet
// (Admitter, Adapter). It imports only the standard library.
//
// # Identifiers
//
// RoomID, UserID and EventID are opaque strings, alike only in this: none holds the separator U+001F or another
// control character, none is empty or longer than [MaxID] bytes, and the first two begin with the name of their network and
// a colon ("matrix:!a:example.org", "console:lobby"), so that identifiers of two networks never meet. An EventID
// is unique within its room. [Event.Check] refuses what breaks this at the edge; behind it nobody looks again.
//
// # Events
//
// An [Event] says where, who, when, and carries one [Body] of a closed set. The promises of an adapter:
//
//   - An event that the network delivers again has the same room and id again, whatever happened in between.
//   - Events of one room are handed over in the order in which the network has them.
//   - The clock of a sender decides nothing; order does. [Event.Time] serves only to recognise what is old.
//   - Timer and Internal are made by the bot alone; an adapter that hands one over has it refused.
//
// # Sending
//
// An [Outgoing] and an [Ask] are immutable and have a [Key] that is derived from their cause. Whoever sends the same
// key twice shows it once, as far as its network can; where it cannot be known, the send is reported as ambiguous.
package protocol
