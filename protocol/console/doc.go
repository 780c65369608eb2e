// Package console is a chat network that lives in a terminal: rooms, people and private conversations that are as
// real to the bot as those of Matrix, and need no account and no service.
//
//	a person ─▶ Terminal ─▶ World ─▶ console.jsonl
//	                          │  ▲
//	                          ▼  │
//	                        Adapter ⇄ the bot
//
// [World] is the server. [Adapter] connects the bot to it as to any other network. [Terminal] is what a person sees
// and types, in lines, or the reader of a script; package screen shows it on the whole of a terminal. [Clock] is the time of that world. [Pipe] is another adapter, for tests in
// which the network lives in the parent process.
//
// # Promises
//
//   - The world is its log: an append-only list of records with increasing positions. All else is a fold over it, the
//     same for what happens and for what is read back. When a method of World returns, what it did is written, and
//     no SIGKILL loses it. The adapter shows the bot only what is also on disk, so that not even a loss of power
//     takes back what the bot has handled.
//   - An event is named by the position of its record, so it has the same id at every delivery. The log carries
//     the name of its world and the cursor too: a bot that has read another world is told so and reads nothing.
//   - While the bot is not in a room it learns nothing of it but its own invitation, kick, ban and unban. When it
//     comes back, the last [Replay] events of the room are delivered again together with its own join, as Matrix
//     homeservers do.
//   - A message sent twice under one key stands once, also after a restart.
//   - The clock of the world never goes backward, not even over a restart.
//   - With a frozen clock and a bot that answers the same way, a script gives the same transcript, byte for byte.
//
// # Scripts
//
// Where standard input is no terminal, it is a script: what a person would type, line by line. After each line the
// Terminal waits until the bot has admitted and settled what came of it, so a conversation can be a test. Blank lines
// and lines that begin with # pass to the transcript as they are. What is said shows as a message; a command of the
// console is repeated after "> ", and why something could not be done stands after "! ". Such a line is an error of
// the script, which goes on all the same, unless it was written with "! " before it: then it must be refused.
//
// # The log
//
//	console.jsonl:
//	  {"moot":"console","version":1,"world":"k3fxq…","at":"2026-11-21T08:00:00Z"}                       header
//	  {"pos":1,"at":"…","kind":"person","data":{"user":"console:ann","name":"ann"}}                     of the world
//	  {"pos":2,"at":"…","room":"console:lobby","by":"console:ann","kind":"room","data":{"name":"lobby"}} of a room
//	  …
//
// A last line without its newline was torn by a crash and is cut off when the file is opened. Anything else that
// cannot be read is an error that names the line, and the file is left as it is.
package console
