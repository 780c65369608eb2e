// Package setup asks an operator what the bot has to know, and writes its configuration.
//
// # Promises
//
//   - It asks for at most [MaxQuestions] things. Each answer is tried on the server before the next question; one that is
//     refused is followed by the reason and what to do, and asked for again.
//   - The configuration names only what differs from the defaults. It and the files with secrets beside it can be read by
//     nobody else, and each is written as a whole or not at all. A configuration that is there is never replaced.
//   - No secret is in what it shows, nor in the configuration.
//   - On a screen it shows forms. Everywhere else, and where TERM is dumb, it asks line by line, for screen readers and
//     for programs.
package setup
