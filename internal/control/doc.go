// Package control is the way to a bot from the same machine: a socket on which it answers the questions of package inspect
// and takes the few orders that there are. Where no bot runs, the same questions are answered from its files.
//
// # Promises
//
//   - The lock on the file of the store decides who is alive. Its holder removes a socket that was left over and listens;
//     nobody else does.
//   - Only the user who runs the bot gets an answer: the socket is theirs alone, and where the system tells who calls it is
//     asked for that too.
//   - A [Client] tries the socket first, then the files, and both again for a while, since whoever starts or stops holds
//     the file for a moment. It holds the file no longer than it takes to answer, and never while it waits.
//   - A request has at most [MaxRequest] bytes. Whoever does not write it, or does not read the answer, is let go after ten
//     seconds. An answer that was cut short is an error.
//   - [Server.Serve] returns when its last goroutine has ended.
//
// # The socket
//
// It is moot.sock in the data folder. A path may not be longer than about a hundred bytes, and some file systems have no
// sockets; then it is moot/NAME.sock in $XDG_RUNTIME_DIR or moot-UID/NAME.sock in the folder for temporary files, where
// NAME follows from the path of the data folder.
//
// A connection serves one request. Each line is a JSON object:
//
//	client ─▶ bot
//	  {"do":"why","with":{"room":"console:lobby","event":"e12"}}
//	bot ─▶ client
//	  {"row":{…}}                                      any number of them
//	  {"end":true}                                     or, instead:
//	  {"error":{"kind":"not found","text":"…"}}
//
// A client that closes the connection ends its request.
package control
