// Package commands is one tree of commands, and everything that is made from it: what people type, what a native command
// interface brings, help, completion, and the rules of who may do what where.
//
// # Promises
//
//   - A message runs at most one command, and only if it is addressed to the bot: by a prefix, by the bot's name, or by
//     standing in a private conversation. An edit never runs one; a bot, a notice and what lies before the own join never
//     do.
//   - Nobody learns of a room that they are not in. It is answered byte for byte like one that does not exist, in errors,
//     suggestions, completion and reasons, also with its exact id, and also by who was in it when they chose it.
//   - What is to be private is answered privately, wherever it was asked.
//   - A person is named by mention, by id or by one exact name. A name is never guessed: several that fit are listed, none
//     that fits is answered with members of that room whose names are near.
//   - The words of people are shown clean and mention nobody.
//   - A command that is run against a room from elsewhere runs in the scope of that room, which looks again whether the
//     person is there and what they may do.
//   - A mistake of a person is no error: it is answered, kindly, and the event is handled. Only a fault is an error.
//   - One person cannot keep the bot busy: beyond the rate there is one answer, then silence until there is time again.
//     Others do not notice.
//   - Everything is decided by the transaction and the event. There is no clock, no chance but
//     [Call.Chance], and no state beside the store.
//
// # From the event to the answer
//
//	Message, Invocation ─▶ addressed? ─▶ which command? ─▶ too old? ─▶ too fast? ─▶ what was given? ─▶ which scope?
//	                                                                                                       │
//	       ┌─────────────────────────────── here, or by tx.Tell ◀──────────────────────────────────────────┘
//	       ▼
//	is the person there? ─▶ may they? ─▶ whom and what do the words mean? ─▶ Run ─▶ outbox
//
// [Commands.Handle] does the upper row in the scope of the event, [Commands.Told] the lower one where it is another
// scope: that of a room for a command given in private, that of the person for one about themselves given in public.
//
// # What can be typed
//
//	word  "some words"  “some words”  „some words“  «some words»  back\ slash
//	90m  2h30m  3d  1w                                       a length of time
//	@somebody  matrix:@a:example.org  @a:example.org  "Ann Lee"   a person
//	--page 2  --page=2  --secret                             by name, anywhere before a parameter that takes all the rest
//	--                                                       what follows is not by name, whatever it begins with
//	--in ROOM                                                for one command in private: the room that it is about
//
// A last parameter that takes all the rest of the message takes it as it stands; quotes around the whole are taken off. The
// name of a person or a room that comes last needs no quotes.
// What phones make of two hyphens, a dash, is understood.
//
// # Data
//
//	bucket          key                       value
//	command-rates   user ␟                    time until which the person has used up their turns, 1 byte: were they told so
//	command-asked   room ␟ user ␟ event       ∅      by which events a person has addressed the bot in a room
//	chosen-rooms    user                      room   what a person's commands in private are about
//
// Rows of command-rates are cleared away within a minute or so of being of no use, those of command-asked when the event is
// no longer remembered by the store.
package commands
