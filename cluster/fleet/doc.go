// Package fleet decides what happens to the clusters of a bot: which process is started, watched, stopped and started again, and when.
// It is a machine that is handed events and the time, and returns effects; it reads no clock, starts nothing and waits for nobody.
//
//	            turn, budget            launch_next             ping unanswered, twice
//	starting ─────────────▶ launching ─────────────▶ up ◀────────────────────────▶ unresponsive
//	  ▲  ▲                      │ ends, or takes      │ ends            answers          │ budget
//	  │  │ pause is over        ▼ too long            ▼                                  ▼
//	  │  └───────────────── backing off ◀─────────────┘                              stopping ──▶ starting, stopped
//	  └── start ── stopped ◀── ends with 0, stop
//
// # Promises
//
//   - A cluster has one process at most: nothing is started before the end of the former process was seen.
//   - One cluster launches at a time. The next one follows after NextDelay, and not within 5 seconds of another that shares a bucket of
//     identifies with it (shard % max_concurrency).
//   - Before every start Discord was asked how many identifies are left, and LeastRemaining of them stay. A healthy cluster is not
//     stopped for a restart that there is no budget for.
//   - A cluster that ends within [Steady] of having come up, or before, is in a loop. Its restarts come at ever longer pauses, and those
//     of all such clusters take a tenth of the day's identifies at most; one cluster takes half of that.
//   - Only a cluster itself can be found mute: each ping has a nonce of its own, counts only once it was heard on the channel, and is
//     repeated once. A cluster that answers is never stopped for another one.
//   - A process is told to end first (SIGTERM), and killed when it has not after Grace.
//   - Each command is answered once, also one about a cluster that does not exist.
package fleet
