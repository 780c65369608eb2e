// Package ptytest runs a program in a terminal that a test plays: it types, resizes the window, reads the screen as a person
// would, and asks at the end whether the program has left the terminal as it was.
//
// The terminal is a pseudo terminal of the system with an emulator behind it, so there is none where the system has no
// such things. A test waits for what is to be seen, and never for a time. Whatever still runs when the test ends is killed.
package ptytest
