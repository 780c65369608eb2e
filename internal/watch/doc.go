// Package watch is how a bot is watched while it works: metrics for Prometheus, and whether it lives and is
// ready, over HTTP on an address of this machine.
//
// # Promises
//
//   - /livez is a real round trip: the loop has made a step because of it. A bot that holds still, since the disk is
//     full or the clock is wrong, lives.
//   - /readyz says on a line of JSON for each thing that is looked at how it is, and is 503 where one keeps the bot
//     from its work.
//   - No metric has a label for a room or a person, and there are at most [MaxSeries] of them however large the bot
//     is.
//   - A scrape reads a few hundred rows at most, so that it takes some milliseconds; counts beyond [MaxCount] say
//     MaxCount.
//   - A web page that somebody on this machine has open cannot read it: a request whose Host is no name of this
//     machine is refused.
package watch
