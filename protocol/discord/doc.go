// Package discord is the bot on Discord: a guild is a room, its channels and threads are places in
// it, a direct message is a private conversation.
//
// # Promises
//
//   - A message and an interaction are one event each, under Discord's own id, however often they
//     are delivered or fetched.
//   - Members, roles and voice are states. A reaction that is added is an event; that one is gone is
//     none, because Discord does not tell who took it away. What Discord tells of them is compared
//     with the store, and only a difference is an event; so to tell or fetch them again changes
//     nothing. Session and sequence only give such an event its name, for moot why.
//   - Events of one guild, and of one private conversation, are admitted in the order of the
//     gateway. Guilds do not wait for one another.
//   - A session outlives the process: the next one takes it up where this one had admitted
//     everything, and Discord replays what follows. What a room has had of that is left out, so each
//     event counts once. See progress.go, and keep.go for what Discord does not tell again.
//   - Only where Discord has forgotten the session, what was written meanwhile is fetched: private
//     conversations always, guilds where the bot may read what people type. Members and who is in
//     voice are compared anew. What Discord cannot give back is said to be lost, by a protocol.Gap.
//   - An outage of a guild on Discord's side is no leave and no gap.
//   - An interaction is acknowledged within 1.5 seconds, whatever the bot has to do, and at once
//     where much waits; the acknowledgement is seen by whom the answer is for, and promises nothing
//     but an answer. While the bot holds still, for a wrong clock or a full disk, a sentence says so
//     instead. Completions and forms are answered from what can be read and are never recorded. An
//     interaction that was not committed has changed nothing, and Discord tells the person.
//   - A control holds its whole command in its custom id, and so works after a restart.
//   - Nobody is notified whom a text does not mean to. What is sent twice within minutes stands
//     once, by its nonce; later the channel is looked at first; where neither tells, it is recorded
//     as ambiguous and not sent again.
//   - What the bot may not do it does not try.
//   - Memory is bounded by the number of guilds, their roles, channels and threads in use; members
//     are in the store and nowhere else.
//
// # Layout
//
//	gateway ─▶ arrive ─▶ lanes (one for each room) ─▶ Admit
//	   │          └─▶ completions, forms ─▶ Discord           not recorded
//	   └─▶ chunks ─▶ the answer to AskMembers
//	progress, unkept ─▶ flush ─▶ the cursors of shards and guilds
//	outbox ─▶ Send ─▶ answer (by the token of an interaction) or post (by a nonce) ─▶ Discord
//
// Package gateway holds the connections, package rest makes the requests, package discordtest plays
// Discord.
package discord
