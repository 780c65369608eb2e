// Package cluster is the launcher of `moot cluster`: it runs the processes of any bot on Discord, each with some of its shards, as mewld does.
//
//	config.yaml ─▶ settings ─▶ Run ──▶ fleet, which decides ──▶ process, channel, Discord
//	                            ▲                                          │
//	                            └────── ends, launch_next, answers ────────┘
//
// # Promises
//
//   - A bot that runs under mewld runs here as it is: the same arguments, variables, folder, channel, messages and keys.
//   - One goroutine owns the fleet and hands it what happens, in order. It waits for nobody: not for Redis, Discord or a process.
//   - When Run returns, no process is left.
package cluster
