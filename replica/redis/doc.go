// Package redis keeps a log of changes (see package replica) in Redis 6.2 or newer, or in Valkey, under a prefix of its
// own. Its keys share a hash tag, so that they are in one slot:
//
//	{NAME}:lead       hash: term, node, until (milliseconds by the server's clock), identity, base, last, read (how often somebody has waited)
//	{NAME}:log        stream: an entry for each change, whose id is its number
//	{NAME}:base:N     list: the parts of the base of change N, each at most a MiB
//
// What changes more than one of them is one script, which compares the term first. Redis answers before others have
// a change: with replicas, each change waits for as many as the address asks for (?replicas=1), or for its own disk
// (WAITAOF, from 7.2 on) where appendfsync is not always. Who follows waits in the same way before it takes what it has
// read, so that no standby has what a fail-over may lose. With Sentinel one replica at least has each change.
package redis
