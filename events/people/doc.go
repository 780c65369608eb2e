// Package people keeps the people that the log of facts names, apart from the log: facts hold a
// [Number], and only here stands whose it is. So a person can be forgotten, and the log need not
// change.
//
// # Promises
//
//   - A number is given once and to one person only, in the order in which people come.
//   - After [Registry.Forget] nothing leads from a number to the person, and the person's own texts
//     are gone. Where a sanction stands, a keyed hash still leads from the person to the number,
//     until [Registry.Release].
//   - Whatever a transaction changes here is part of its commit, or is not done.
//
// # The buckets
//
// All are shared. Numbers are eight bytes, big-endian; keys are joined with U+001F (␟).
//
//	bucket          key                       value
//	people          user                      number
//	people-numbers  number                    user
//	people-kept     "h" ␟ keyed hash of user  number               of those who were forgotten under a sanction
//	people-kept     "n" ␟ number              keyed hash of user
//	people-next     "person", "text"          the next number
//	texts           number ␟ number of text   text
//
// The keyed hash is HMAC-SHA256 of "moot person" ␟ user.
package people
