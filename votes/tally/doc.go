// Package tally decides votes. It is arithmetic: the outcome follows from the rules, the number of those who may
// vote, the ballots and the time, and from nothing else.
//
// # Promises
//
//   - [Decide] says [Open] as long as a vote is open, and else its outcome. The same arguments always give the same
//     answer.
//   - Before the deadline it gives an outcome only if no way of casting the ballots that are still out could change it,
//     taking those that are cast as final; and never before the time that the rules set for that. A poll stays open.
//   - Ballots of people who may not vote do not count, and nobody counts twice ([Count]).
//   - An abstention counts towards the quorum and towards nothing else.
//   - A tie passes nothing.
//   - A [Consent] passes unless as many as the rules say object; silence and abstention are no objection.
//   - [Result.Explain] names every number that the outcome rests on.
package tally
