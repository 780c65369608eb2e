// Package gateway keeps a bot connected to Discord's gateway: a supervisor around discordgo's sessions.
//
// discordgo decodes the events and sends the heartbeats. All decisions are made here, since its own end in deadlocks
// (a reconnect request while it opens, a server that accepts and says nothing), in endless loops (a token that is
// reset), in closing so that Discord forgets the session, and in identifies that nobody counted.
//
//	shard ──▶ conn: one discordgo.Session, used for one connection and then dropped
//	  │         │ discordgo reads and writes frames
//	  │         ▼
//	  │       wire: the net.Conn below it. Sees each frame before discordgo does
//	  │         ├ in:  hello, heartbeat requests and acknowledgements, reconnect (op 7), invalid session (op 9), close codes
//	  │         └ out: the one IDENTIFY or RESUME of the connection is written here, heartbeats are watched
//	  ▼
//	queue ──▶ the caller's function, one event at a time
//
// # What it promises
//
//   - Events of one shard come in Discord's order, one at a time; shards run side by side. An event counts as received,
//     and a later RESUME asks for what follows it, only once it is in the queue: a connection that ends loses nothing.
//   - READY is a new session: what happened before it is not told and must be fetched. RESUMED means that nothing is
//     missing. Discord may deliver an event twice.
//   - A function that is slow fills the queue, which is bounded; then nothing more is read, while heartbeats go on.
//     One that panics costs that event and a line in the log.
//   - A connection that is silent for two heartbeat intervals, that does not open in time, or that acknowledges no
//     heartbeats is dropped without a close frame, so that it can be resumed.
//   - No IDENTIFY is sent without asking Discord how many are left, nor without recording it first. Their number within
//     24 hours stays under Discord's total even over restarts, and the fewer are left the slower they are spent.
//   - No more than 120 things are sent within a minute, heartbeats included.
//   - A close code after which trying again is of no use (4004, 4010 to 4014) ends Run with a [FatalError], whose text
//     says which setting to change, whenever in a session it comes.
package gateway
