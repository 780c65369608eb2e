// Package replica lets a bot live on several machines, of which one leads. The leader appends each change of its
// store to a log that they share, before the change counts; the others, standbys, apply the log to stores of their
// own. Where the leader is lost one of them leads.
//
// # Promises
//
//   - At most one node leads in a term, and terms only grow. Who led before is fenced off: nothing that it appends
//     is taken, however long it was frozen or cut off.
//   - What Lease.Ship has taken is in the log. Each later leader has it before it leads.
//   - A node whose Append has an unknown outcome tries the same change again, under the same number, until its lease ends;
//     then it leads no more, and opens its store anew. It never gives the number to another change.
//   - A leader stops in time: two seconds before others may lead, by a clock that does not stand still while a
//     process is frozen.
//   - A store and a log that are not of one another are refused.
//
// # What happens when
//
//	       ┌──────────── follow ─────────────┐
//	open ──┤ apply what the log has, ask for ├── lead ── the rest of the log ── the bot runs, and ships
//	       │ the lease                       │                                        │
//	       └─────────────────────────────────┘◀─── the lease is lost: the store is opened anew
//
// A new node begins with a base, which is a backup that a leader has put beside the log; so does one that is
// so far behind that the log has been trimmed.
//
// Log is what an engine has to do; packages postgres and redis do it, and replicatest holds them to it.
package replica
