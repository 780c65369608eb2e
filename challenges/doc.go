// Package challenges knows who is challenged in which room. Who is challenged may not use the bot's features there,
// but for a few that the commands themselves name. It owns the facts of the kinds challenge and restore.
//
// # Promises
//
//   - Each challenge and each restore has one cause, which its fact names under the key "by": a vote that passed
//     ("vote", with its number), an operator ("override", with the reason), the end of the longest time ("expiry"),
//     or that the room goes on elsewhere ("upgrade").
//   - A challenge binds one room and one person. It outlives leaving, rejoining, being renamed, and every restart; it
//     outranks being a moderator, not being an operator.
//   - A challenge goes along into the successor of its room, unless the bot has been in that one before: who may end a
//     room could else bring their challenges into somebody else's.
//   - Somebody who is challenged is held ([people.Registry.Hold]): forgotten, they are recognised when they come
//     back, and no longer once they are restored. Who was forgotten is challenged and restored by votes as everybody
//     else.
//   - What somebody is told who is challenged says why, until when, and what they can do.
//
// # Data
//
//	bucket       key                        value
//	challenged   room ␟ number of person    standing (JSON): since, until, by, vote, text
//
// A fact has the person under the role "target", an operator under "by" (the role is "operator"), the key "by", and
// for a vote the key "vote". Its payload is {"until":…,"text":"12.3"}: when the challenge ends by itself, and the id
// of the reason in an operator's words.
package challenges
