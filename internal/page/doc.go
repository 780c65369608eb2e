// Package page is the page of an operator: what the bot knows, waits for and could not do, in a browser on the same machine.
//
// # Promises
//
//   - Nobody sees anything but the way in without a session. A session begins with a link that only the socket of the bot gives
//     (`moot web`), holds for one use and five minutes; the page behind it begins the session when somebody presses its button, so that
//     a program that only looks at links uses none up.
//   - A session is a cookie that no script can read and no other site can send, for twelve hours; what the bot keeps of it is a
//     hash, in memory.
//   - Nothing is changed by a GET, and no other site can have anything changed (http.CrossOriginProtection). What can be changed is one
//     thing: a dead letter is tried again, or dropped.
//   - Pages need no scripts and load nothing from elsewhere; a Content-Security-Policy holds browsers to that. The live log alone has
//     one script, of this package.
//   - No text of a private conversation is shown, and no name of one.
//   - What is drawn stands beside it as a table. Each page can be used by keyboard alone, and on a phone.
//
// Who serves it sees to it that only requests for a name of this machine arrive.
package page
