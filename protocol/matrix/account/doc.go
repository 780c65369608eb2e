// Package account logs the bot in on a Matrix homeserver: it finds the server, gets a device there, and keeps what has
// to be kept.
//
// # Promises
//
//   - [Open] returns a client that the server has just acknowledged (/account/whoami), or an error. Errors that trying
//     again does not mend are a [*Fault], one sentence that says what is the matter and what to do.
//   - A device is made once. What a login by password or by browser gives is kept in the file [LoginFile] of the data
//     folder, readable by nobody else and written as a whole or not at all; while that file is there no login is made.
//   - Where an account has worked before, Open waits for a server that cannot be reached, until the context ends. Where it
//     has not, it does not wait: the address may be wrong. A server that says that it is busy is asked a few times.
//   - No secret is in an error, in the log or in what a value of this package prints.
//
// # The three ways
//
//  1. An access token from the configuration. The server says whose it is and of which device.
//  2. The password of the account (spec, Client-Server API, "Login", m.login.password), once.
//  3. The device authorization grant of OAuth 2 (RFC 8628; Matrix spec v1.18), where the server has no other way: somebody
//     follows a link. The refresh token changes with each use, and is kept before the new access token is used.
package account
