// Package activity knows on which days somebody took part in a room. It owns the facts of the kind user_active and what
// they add up to; who may vote rests on it.
//
// # What counts
//
//   - A message, a reaction or a command, in a room: at the moment at which it came in.
//   - More than 10 minutes on end ([Config.Call]) in one voice call, hearing, outside of the channel for those who
//     are away, and with at least one other person there: at the moment at which the 10 minutes are over, and again
//     after each further 10. Bots are no company, and being alone is as being with bots only. Somebody who is
//     deafened is company to others.
//   - A press that casts a secret ballot does not: when it was made would lead from the ballot to the person
//     ([Config.Quiet]).
//   - Nothing else does: no edit, deletion or reaction taken back, no private conversation, nothing by a bot, no
//     history.
//
// # Promises
//
//   - Two facts about one person in one room lie at least 10 minutes ([Config.Interval]) apart, by the moments that
//     they are about.
//   - A call is timed by a durable timer, which a restart does not stop. To leave, to move to another call,
//     to be deafened or to be left alone ends the time, and it begins anew when all is right again. So it does when the
//     bot was put out of the room, and when the network could not reach the room for a while.
//   - A timer that goes off more than a minute late says that the bot was away, and proves nothing: the person may have
//     left meanwhile. It is given another minute, in which the network says so. A bot that was away for less does not
//     notice, and neither is an adapter noticed that has lost its network and says nothing.
//   - [Feature.Days] does not depend on when old facts are dropped, as long as the window of the log is no shorter
//     than what is asked for. [Feature.Last] reaches as far as the log does.
//   - Everything that is kept is bounded. Of a person in a room there is a row for each fact that the log still
//     holds, at most one in 10 minutes; of a call a row for each person who is in it; of a room one; and of each
//     person one in each room where they ever took part.
//
// # Which day
//
// Senders' clocks decide nothing while the bot listens: what comes in live counts for the time of the commit, whatever
// its own time says. What is caught up after a pause (Backlog, which only an adapter sets) counts for its own time, as
// who was there during the pause is otherwise wronged. It then has to be a time that can be true:
//
//   - not after now, not before the bot's own join, not before the bot knew the person to be in the room;
//   - not before the bot last heard anything live in the room, but for what came in within the last hour, after a
//     silence: networks deliver what is new beside what is caught up. The bot listened then, and did not hear this.
//
// What fails this, and what has no time, counts for now, as if it had come in live: more than that it cannot gain.
// What lies before the last ten days ([Config.Window]) counts not at all. What remains: who has a homeserver of their
// own, has been in the room long enough, and writes while the bot is away, can choose among the days for which the
// bot has heard nobody there: in a room with some life, today. The days of joins, on which the electorate rests too,
// are never theirs to choose.
//
// Days are those of UTC. The last ten are today and the nine before.
//
// # Rooms that go on elsewhere
//
// What was done in a predecessor counts in its successor, as far as it was done before the bot first came to the
// successor, through as many as 8 upgrades. The bound keeps a stranger's room that claims to go on in an old one from
// bringing activity there.
//
// # Data
//
// The fact has the room as its scope, the person under the role "who", and the payload {"by":"message"}; by is message,
// reaction, command or voice. Where it is about another moment than its own time, that stands there too:
// {"by":"message","at":"2026-11-20T21:14:03Z"}. It is disposable. Numbers and times are eight bytes, as store says.
//
//	bucket            key                                  value
//	activity          room ␟ number of person ␟ moment     ∅                      the projection
//	activity-ever     room ␟ number of person              ∅                      was active at any time
//	activity-rooms    room                                 roomState (JSON)
//	activity-voice    room ␟ user                          presence (JSON)        who is in a call
//	activity-calls    room ␟ generation ␟ call ␟ user      ∅                      the same by calls; no bots
//
//	timer             data
//	activity.call.N   time at which it was to go off, user    N is the number of the presence
//	activity.sweep    user to go on from
//
// A presence carries the generation of the bot's membership and is void in every other, so that being put out of a room
// ends all calls at once; the rows are cleared away in slices.
package activity
