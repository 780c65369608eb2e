// Package remote lets a network be connected by another process than the bot's. Between the two goes a [Link], over which each
// side calls the other; both [Adapter] and [Admitter] of package protocol work across it.
//
//	writer: the bot, and its store                    node: no store
//	  Runner ◀─ Admitter ◀──── admit, cursor ───────── Node ◀─ adapter ◀─ gateway
//	     └────▶ Hub ────────── send, ask ────────────▶ └─────▶ adapter ─▶ REST
//	             └ shards: whose they are; turn: who identifies
//
// # What it promises
//
//   - Admit returns when the events are durable at the writer. Where the connection is lost meanwhile the node hands the same
//     over again, to the next life of the writer if need be: what was admitted already is a duplicate there. So nothing is
//     lost, and nothing is doubled.
//   - A shard belongs to one node at a time. It is given to another when all that the former one has handed over is through, so
//     no cursor ever goes back. A node that has lost its shards ends its adapter.
//   - While the writer is away a node keeps its adapter, and with it the connection to the network: Admit and Cursor wait. How much
//     waits is for the adapter to bound; the Hub bounds what it takes as the Runner does.
//   - A send that was under way when a node went has failed, as over any network: the next attempt has the same key, and may
//     go by another node.
//   - What a node asks of the state it asks the writer, each time. There is no cache: an adapter compares what a network tells
//     with all that was admitted before. Only [Node.Backlog] and [Node.Held] are a quarter of a second old: they decide no more
//     than when a command is acknowledged.
//   - Both sides speak the same [Version], or not at all.
//   - A connection on which nothing is heard for [Patience] is given up.
package remote
