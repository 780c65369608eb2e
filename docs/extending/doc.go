// Package extending has the examples of docs/extending.md: a command, a feature with facts and a timer, and a network. They are built
// and run by the tests, and the page shows them as they stand here. The bot that ships has none of them.
package extending
