// Package gateway keeps a bot connected to Discord's gateway: one WebSocket for each shard.
//
//	shard (one goroutine): dial ─▶ HELLO ─▶ IDENTIFY or RESUME ─▶ read, hand over, read … ─▶ end ─▶ pause ─▶ dial
//	  └ heartbeat (one goroutine while a connection lives)
//
// # What it promises
//
//   - Events of one shard come in Discord's order, one at a time; shards run side by side. The next
//     frame is read when the function of Run has returned: one that is slow slows the reading down,
//     while heartbeats go on. One that panics costs that event and a line in the log.
//   - READY is a new session: what happened before it is not told and must be fetched. RESUMED means
//     that nothing is missing. Discord may deliver an event twice.
//   - A session outlives the process. Run ends with a close code that keeps it, and Config.Resume
//     gives it to the next Run. The caller saves it, who alone knows which events are durable.
//   - A connection that is silent for two heartbeat intervals, that does not open in time, or whose
//     heartbeats are not acknowledged is dropped without a close frame, and then resumed.
//   - After a connection that got as far as RESUMED, or that lasted a minute, the next attempt comes
//     at once; pauses grow only while attempts fail.
//   - No IDENTIFY is sent without asking Discord how many are left, nor without recording it first.
//     Those of 24 hours stay under Discord's total, and those of one concurrency bucket keep their
//     distance, both also over restarts. The fewer are left the slower they are spent.
//   - No more than 120 things are sent within a minute, heartbeats included.
//   - A close code after which another attempt is of no use (4004, 4010 to 4014) ends Run with a
//     [FatalError], whenever in a session it comes.
//   - What Discord sends is compressed (zlib-stream); plain text is understood too.
package gateway
