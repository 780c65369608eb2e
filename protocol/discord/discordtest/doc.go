// Package discordtest is a Discord to test against: a gateway and a REST API on a real loopback
// socket, over a model of guilds, channels and people.
//
// A test reads like what people do and what they see:
//
//	srv := discordtest.New(t)
//	ann, lab := srv.NewUser("ann"), srv.NewGuild("lab")
//	lab.Join(ann)
//	lab.Invite()                                  // the bot
//	general := lab.NewChannel("general")
//	ann.Says(general, "hello")
//	i := ann.Slash(general, "vote open", discordtest.Options{"question": "Tea?"})
//	i.Reply().Content                             // what she sees, once it is there
//	ann.Press(i.Reply(), "vote|1|yes")
//
// # What it promises
//
//   - It speaks the wire of API version 10 as Discord's documentation has it: sessions with
//     sequences and replay, zlib, heartbeats, close codes, intents, shards, the three seconds and
//     fifteen minutes of interactions, ephemeral messages, nonces, permissions and the hierarchy of
//     roles, rate-limit headers, audit-log reasons.
//   - Faults are asked for by name: [Server.Cut], [Server.Reconnect], [Server.Forget],
//     [Server.Zombie], [Server.Fail], …
//   - What a person cannot do in Discord, such as using a command that is not registered, fails the
//     test.
//   - Each request is checked against Discord's OpenAPI document where $MOOT_DISCORD_OPENAPI names
//     it; where it does not, the log of the test says that nothing was checked. See the package
//     schema.
//   - Methods that wait do so for a change of the model, not for time; they fail the test after
//     thirty seconds.
//   - Everything is stopped by the cleanup of the test.
package discordtest
