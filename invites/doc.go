// Package invites decides which invitations the bot accepts, makes sure that it arrives, greets the room that it came to,
// and leaves rooms in which nobody else is left. It works on the networks whose rooms one is invited to ([Config.Networks]);
// where the bot is added instead ([Config.Added]), it greets and does no more.
//
// # Who may invite
//
// An invitation is accepted from
//
//   - operators, always;
//   - people of the server on which the bot itself has its account ([Config.OwnServer]);
//   - people and servers that are named ([Config.People], [Config.Servers]);
//   - anybody, where the room is the one in which a room goes on that the bot is or was in.
//
// All others wait: they are recorded, neither accepted nor turned down. `moot check` and the command invites show them, with the
// line of the configuration that would admit them. An operator accepts or declines one by a command; and one that
// a changed configuration admits is accepted when the bot next reaches the network.
//
// # Promises
//
//   - One person, operators excepted, has at most [Config.PerHour] invitations accepted within an hour. What exceeds that is
//     held and taken up when the hour allows.
//   - A join that fails is tried again, six times over about six hours ([retries]), and then given up, which is recorded.
//     What the network asks for in a single attempt is the outbox's to do.
//   - Nobody's invitations grow without bound: at most 50 of one person are open, and no more by strangers once 1,000 are.
//     What exceeds that is ignored, with that as its reason. An operator's never is.
//   - Somebody who may not invite can neither end nor delay an invitation by somebody who may.
//   - A room is greeted once, in one line, when the bot comes there for the first time, by an invitation or because it was
//     added within the last day: not after a restart, and not when it comes back. A room that follows another is not greeted.
//     Where a network asks for it ([Config.Settle]), the room has come to rest by then, its members are known, and the bot may
//     speak there; if that is not so within a day, nobody waits for a greeting any more.
//   - A room is left when the bot has been alone in it for [Config.Alone]; somebody who comes in that time keeps it there. As long
//     as the members are not known it stays. A private conversation is left only when its person has left it, and not while
//     they have not come yet.
//
// # From the invitation to the room
//
//	invited ─▶ may they? ─no──▶ waiting ─▶ invites accept, or a new configuration ─┐
//	              │yes                                                             │
//	              ▼                                                                │
//	   too many this hour? ─yes─▶ held ─▶ later, the same question                 │
//	              │no                                                              │
//	              ▼                                                                │
//	          accepted ◀───────────────────────────────────────────────────────────┘
//	              │ AskJoin, again after each failure
//	              ├─▶ joined ─▶ greeting
//	              └─▶ failed
//
// The question about the hour is asked in the scope of the person, all else happens in that of the room.
//
// # Data
//
// A fact of the kind invite has the room as its scope, the inviter under the role "by", and the keys what (waiting, held,
// accepted, joined, failed, withdrawn, declined) and from (own, elsewhere: the server of the inviter). The kind is disposable: an invitation that nobody took up is forgotten with the window of the log.
//
//	bucket            key      value
//	invites           room     invitation (JSON): the newest fact, as long as it is open    projection
//	invites-asks      room     asks (JSON): what is being asked of the network
//	invites-rates     user     times at which invitations of theirs were accepted, 8 bytes each
//
//	timer             scope    for
//	invites.held      room     asking again about the hour
//	invites.join      room     trying again to join
//	invites.alone     room     leaving
//	invites.rates     user     clearing invites-rates away
//	invites.greet     room     greeting it
package invites
