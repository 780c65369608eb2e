// Package votes lets the people of a room decide together: challenge, restore, motion, election and poll. It owns the facts of
// the kinds vote and setting and what they add up to; how a vote is decided is arithmetic and stands in votes/tally.
//
// # Promises
//
//   - Who may vote, and by which rules, is settled when a vote opens, and stands in the fact that opened it. Nothing
//     that happens later adds anybody: no join, no second account, no change of a setting. Leaving takes nobody away.
//   - There is one ballot a person. It counts if it was committed before the vote closed; no clock of a sender decides
//     anything. It can be changed and withdrawn until then, by command, by reaction, or in private.
//   - Nobody waives how long one has to be a member. Where fewer than three would be active enough, activity is
//     waived, and the vote says so. Where too few remain even so, no challenge and no motion opens.
//   - A vote for a role is for those who hold it when the bot asks the network, at the opening, and who could vote without it.
//     Who gets the role later cannot vote, and whom it is taken from still can.
//   - No vote opens while it is not known who is in the room, and none where not all can see it.
//   - A vote ends once: at its deadline, or before it when no ballot that is out could change the outcome, but never
//     in its first hour, a challenge never in its first half, a poll and an election never early. Deadlines are durable timers.
//   - The time in which nobody could vote, because the bot was not connected, not running, asleep or not in the room, is
//     given back, as a fact and announced. After 30 days of it a vote is void.
//   - The ballots of a secret vote go into the log when it closes, all in one fact, sorted by what they say, with
//     nothing that stands for a voter. Until then they are in a box beside the log, under a hash whose key is random;
//     key and box are deleted when the vote ends. One that ends undecided tells no count. A secret vote never ends
//     early, and a press on one is no sign of activity. That hides ballots from the room and its moderators, not from
//     who operates the bot or reads a backup made meanwhile.
//   - How an election stands is told when it closes; with it the fact that it closed has every number of the count.
//   - What is shown can be read aloud: words and numbers, no bars, nothing by colour or by an emoji alone.
//   - The message of a vote is edited no more often than its network bears. If it is deleted, the ballots stand, and
//     it is posted once more: at once the first time, then an hour after it was posted last.
//   - Reactions of one person make at most one fact about a vote in the time between two edits, but where the vote
//     ends.
//   - Nobody is shown what tells of another room: no number of a person or a fact, no title of a room that they have
//     left. What came of a vote is told another room where somebody wants that who moderates both, and for as long as they do.
//   - Who opens what binds is one of those who may vote on it; but whoever is challenged can appeal. The one whom a
//     vote is about never votes on it.
//   - No step takes longer in a large room than in a small one: those who may vote are looked at in slices.
//   - Where a room goes on elsewhere, its open votes, its limits, its settings and for how long people have been
//     members go along, but never into a room in which
//     the bot has been before: who may end a room could else bring their votes into somebody else's.
//
// What this does not defeat: somebody who keeps several accounts in a room for a week and is active with each of them
// on two days. Patience beats every rule that looks at accounts only.
//
// # The way of a vote
//
//	opened ─▶ ballots ─▶ deadline, or settled ─▶ closing: the reactions are asked for ─▶ closed ─▶ challenge, restore
//	             ◀─ reopened, where they say that it was not settled ─┘
//
// In a large room who may vote is found out in steps before it opens, and stands in facts that say electing.
//
// # Reactions
//
// A reaction that is known is a ballot, where the network shows no controls: of several the last one that stands
// counts. Who takes back the one that made their ballot goes back to the one before. Nobody else's removal changes a
// ballot; the message of the vote tells of it. Which reactions stand is remembered for as long as the vote is open.
// When it closes all of them are read once more: one that is new there was missed and becomes a ballot; one that is
// gone changes nothing. Those that came after the deadline are left out as far as the bot has seen them.
//
// # Polls
//
// Where the network has polls, one stands below the message of a vote, and is ended with it. A response to it is a ballot as
// a reaction is: the last that came counts, whoever takes theirs back falls back on what was before, and nobody else's
// removal changes a ballot. A poll is never edited; a vote that is corrected gets another one. A secret vote has none in the room, where all hold who
// responds what: it is put to who asks for it in private, alone, and what they press there is a command.
//
// # Data
//
// Numbers are eight bytes, big-endian. The projection, which [applyVote] and the log give:
//
//	bucket            key                            value
//	votes             room ␟ vote                    Vote (JSON)
//	votes-counts      room ␟ vote                    how many ballots, and how many for each option (of an election: that rank it first)
//	votes-open        room ␟ vote                    ∅
//	votes-last        room                           number of the last vote
//	votes-electorate  room ␟ vote                    the people, in order    until it closes
//	votes-ballots     room ␟ vote ␟ person or hash   options, a byte each; of an election the rank of each option; until it closes
//	votes-reasons     room ␟ vote ␟ person           how many options, the options, id of the reason in their words
//	votes-limits      room ␟ what ␟ person           time until when
//	settings          room ␟ name                    value
//	settings-by       room ␟ name                    the person who has set it, where it names another room
//
// Beside it, what serves the display, the reactions and the secrets, and is no part of the truth:
//
//	votes-postings    room ␟ vote                          posting (JSON): where it is shown
//	votes-outages     room                                 outage (JSON): why its votes stand still, and since when
//	votes-marks       room ␟ vote ␟ person ␟ reaction      order, event; or the name of a response, see responseMark
//	votes-mark-events room ␟ event                         key of the mark
//	votes-made-by     room ␟ vote ␟ person                 the mark that made the ballot
//	votes-recasts     room ␟ vote ␟ person                 time of the last fact by one; 1 or 2, ballot   if one waits
//	votes-partial     room ␟ vote ␟ person                 ∅     a moderator who has cast a ballot in this challenge
//	votes-late        room ␟ vote ␟ person ␟ reaction      ∅     came when no more ballots were taken
//	votes-private-polls room ␟ vote ␟ user                 key of a poll, its room: what was put to them alone
//	votes-told        room ␟ vote ␟ user                   ∅     was told why they cannot vote
//	votes-departures  room ␟ user                          time at which they left, what it was called; for 10 days
//	votes-keys        room ␟ vote                          key of a secret vote, until it closes
//	votes-box         room ␟ vote ␟ hash                   secret ballots, until it closes; empty where withdrawn
//	votes-turnout     room ␟ vote                          how many of them there are
//	votes-origins     room                                 the room that it goes on from, if that is believed
//	votes-unreminded  user ␟                               ∅     wants no reminders
//	votes-tenures     room ␟ user                          since when they had been in the room before
//	votes-enrolments  room                                 enrolment (JSON): a vote that is about to open in a large room
//	votes-electing    room ␟ person                        1 or 0: were they active? while that is found out
//	votes-holders     room                                 who holds the role that it is for (JSON)
//	votes-visibility  room ␟ place                         1 or 0: is it hidden from some members?
//	votes-unsaid      room ␟ vote                          ∅     it ended while the bot was out of the room
//
// # Facts
//
// A fact of the kind vote has the keys "vote" (its number), "what" (electing, opened, ballot, ballots, withdrawn,
// replied, corrected, extended, closing, reopened, closed, moved, carried, carrying, limits), "type", and for one that says
// closed "outcome" (passed, rejected, no-quorum, chosen, tied, unvoted, withdrawn, cancelled, void); people stand
// under the roles opener, target, voter and by. One of the kind setting has the key "setting" and the role by. The
// reason and the answer of the target are texts of their authors, which can be forgotten. What a vote decides on (the
// motion, the question, the rule) is the room's from the opening on and has no author.
package votes
