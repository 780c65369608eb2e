// Package apart lets the bot of a console run in a process of its own, so that it can be killed and watched as it comes back.
//
//	terminal ─▶ World ─▶ Adapter ─▶ Keeper ══ standard input and output ══▶ Remote ─▶ the bot
//	                        ◀─ Send, Ask ─┘                                    └─ what it is asked: Keeper.Call
//
// The network, its log and the person's screen stay in the process that the [Keeper] is in; it supervises the other one, in
// which a [Remote] takes the place of the console's adapter. Between them goes a Link of package remote, over which each calls
// the other. The Hub and the Node of that package are not used: the Keeper has to kill a bot between two steps of a call.
//
// # Promises
//
//   - The network knows nothing of the death of a bot that it has not heard of: an event is delivered from the cursor that the
//     bot has saved, and a key that was sent before stands where it stood.
//   - A bot that a signal has ended is started again; one that ends by itself ends the Keeper, with what it wrote on its
//     standard error.
//   - The death is real: SIGKILL, at the [Place] that was chosen. Nothing is flushed or told.
//   - A bot whose Keeper is gone ends.
package apart
