// Package sim is the simulation: whole histories of a bot with its real features between two networks that a seed plays, in
// one goroutine and in time that only the seed lets pass. It has nothing but tests.
//
// The seed chooses what people do and when the bot hears of it; every order, delay and duplicate, also between rooms; what
// becomes of each attempt to send or to ask, and whether its answer is lost; connections that drop; the kicks, the
// invitations, and the rejoins with a replayed timeline; rooms that let the bot hold nobody back; disks that are full for a
// while; and crashes, of which some lose a commit that never returned. One network is like Matrix: it has a cursor, shows the
// bot its own messages, and knows a transaction again however late it is repeated. The other is like Discord: without a cursor
// it delivers again what was not taken, and it forgets a nonce after some minutes, so that what was being sent in a crash may
// be unknowable.
//
// In another third the bot is on two machines that share a log, of which one leads: each crash may be a fail-over to the other, who may have to take
// a base, and whoever led before may still send what it had begun. The log is broken by the seed: appends are lost, are applied and nobody
// hears of it, arrive late, and are fenced off.
//
// In every third history the clock of the machine jumps, runs fast or slow, starts in 1970 or hours ahead, and comes right, and
// the servers of some people are days ahead. The bot goes by a clock.Flow, and holds still by what the runner decides.
// Not modelled: a start with a clock that is years ahead while no network tells the time, after which what they tell is too
// old; and a sender that reckons by the time of the bot how old an attempt is, as that of Discord does.
//
// Some people do what would steer a vote: they cancel and set rules, react in floods, remove the reactions of others, take their
// names, leave, come back and have themselves forgotten. A referee who shares no code with the bot decides each vote once more
// by the ballots in the log, each of which is held to an act of its voter.
//
// The promises of the bot are checked after every step as far as that is quick, and in full when all has come to rest.
//
// A history that breaks one prints its seed and its last steps; the seed replays it exactly:
//
//	go test ./internal/bot/sim -histories 10000         other histories, from a seed that it prints
//	go test ./internal/bot/sim -seed 17 -histories 1 -v one of them again, step by step
package sim
