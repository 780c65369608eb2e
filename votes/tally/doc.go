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
//   - A ranked vote needs its ballots, not only their count. One seat is filled by Schulze's method (winning votes), several
//     by the single transferable vote with the rules of Scottish councils, but in exact fractions where those cut after five
//     digits. No lot is drawn: an option has a seat only if it would have one however the lots fall.
//   - [Result.Explain] names every number that the outcome rests on.
package tally
