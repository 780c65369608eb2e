// Package rest speaks Discord's REST API, version 10.
//
// It exists because discordgo's own client sleeps through a 429 whatever the context says, cannot
// read the HTML that Cloudflare answers with, repeats a POST after a 502, and keeps a rate-limit
// bucket for every interaction that ever was.
//
// # What it promises
//
//   - Nothing outlives its context: a wait that would end after the deadline is not begun.
//   - The limits are those that Discord tells in its answers: one bucket per route and top-level
//     resource, 50 requests a second for all (interaction answers excepted), and what a 429 says, be
//     it JSON or HTML. None is guessed.
//   - A wait longer than [Config.MaxWait] is not slept through: it comes back as an [Error] with
//     RetryAfter, so that who has better things to do can do them.
//   - A request that may have taken effect is never repeated blindly. GET, PUT, PATCH and DELETE
//     are; a POST only where the caller says that it is harmless ([Request.Repeat]). Otherwise the
//     error says Ambiguous.
//   - A 401 to the bot's token is looked at twice, a second apart. The second one is the last
//     request that goes out: all later ones fail with [ErrToken].
//   - Well before Discord's ban for 10,000 refused requests in ten minutes, requests are held back
//     ([ErrRefused]).
//   - Memory is bounded: idle buckets are forgotten, and nothing is kept per interaction.
package rest
