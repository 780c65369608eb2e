// Package survey looks at the account of the bot on its homeserver, for an operator who wants to know whether all is well.
//
// # Promises
//
//   - It changes nothing, on the server or in the data folder, and renews no token: a bot that runs meanwhile does not
//     notice.
//   - It ends within the time of its context, and says of each thing that is wrong what to do.
package survey
