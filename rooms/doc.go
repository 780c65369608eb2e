// Package rooms knows in which rooms the bot is, and who else is there.
//
// # Promises
//
//   - What is recorded of a room outlives every leave, kick and ban: its name, its floor, its successor. Only the
//     members are dropped, and who of them may moderate.
//   - Membership has generations. The bot's own join starts one, in which nobody is known until the network's list of
//     members is in. A list that could not be read makes the members unknown, never none.
//   - What lies before the own join (history) never changes who is a member.
//   - Somebody who is put out by others and is back within 10 days has been a member all the while.
//   - A join or leave that comes after a list was asked for ([Await]), or while it is being read, wins over the list.
//   - Dropping or replacing the members of a room, however many, takes effect at once; the rows are cleared away
//     later, in slices.
//
// # Data
//
//	bucket       key            value
//	rooms        room           Info (JSON)
//	room-users   room ␟ user    row (JSON): name, mark, since, …
//	user-rooms   user ␟ room    ∅
//	moderators   room ␟ user    ∅
//	room-put-out room ␟ user    since when they had been a member, and when they were put out (JSON); for 10 days
//	conversations user ␟ room   Conversation (JSON): to which the bot has invited them, and what has become of it
//
// Each row carries a mark, a number that grows with each own join and with each list that is read. A row whose mark
// is below the valid one of its room does not count: that is how all of them are dropped by one write. An entry of
// user-rooms is a hint: its readers look at the row.
package rooms
