// Package page is the page of an operator: what the bot knows, waits for and could not do, in a browser on the same machine.
//
// # Promises
//
//   - Nobody sees anything but the way in without a session, which begins with a link that only the socket of the bot gives (`moot web`);
//     what browsers are held to is that of package site.
//   - What can be changed are two things: a dead letter, or a job of a service, is tried again, or dropped.
//   - Pages need no scripts. The live log alone has one, of this package.
//   - No text of a private conversation is shown, and no name of one.
//   - What is drawn stands beside it as a table. Each page can be used by keyboard alone, and on a phone.
//
// Who serves it sees to it that only requests for a name of this machine arrive.
package page
