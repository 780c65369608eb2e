package protocoltest

// Checks returns the promises that Run checks, in its order.
func Checks() []Check {
	return []Check{
		{"a message comes with its text, sender and place", nil, checkMessage},
		{"a private message is private", nil, checkPrivateMessage},
		{"events of a room come in order", nil, checkOrder},
		{"what happened while it was down comes after a restart", remembers, checkRestart},
		{"what Admit refused comes again", nil, checkRefused},
		{"a repeated event has the same id", can[Repeater], checkRepeat},
		{"a reconnect loses nothing", can[Disconnecter], checkReconnect},
		{"edits name their message", can[Editor], checkEdit},
		{"deletions name their message", can[Deleter], checkDeletion},
		{"reactions come", can[Reactor], checkReactions},
		{"reactions are taken back", can[Unreactor], checkReactionTaken},
		{"a new room name comes", can[Renamer], checkRename},
		{"a new display name comes", can[Nicker], checkNick},
		{"people leave and join", can[Mover], checkMove},
		{"voice calls are seen", can[Caller], checkCall},

		{"what was said before the first join is history", both(can[Founder], can[Kicker]), checkFirstJoin},
		{"nothing of a room is seen while the bot is out", can[Kicker], checkOut},
		{"the replay after a rejoin has the same ids and comes before the own join", can[Kicker], checkRejoin},

		{"what the bot says stands and comes back as a receipt", nil, checkSay},
		{"a key sent twice stands once", nil, checkTwice},
		{"a key sent again after a restart stands once", nil, checkTwiceOverRestart},
		{"a whisper is private", nil, checkWhisper},
		{"a revision changes the message", nil, checkRevise},
		{"the bot's reaction is seen and read as a bot's", nil, checkReact},
		{"a reply and its target are kept apart", nil, checkReply},
		{"writing to nowhere is final", nil, checkNowhere},
		{"writing to a room that the bot was put out of is final", can[Kicker], checkSendOut},
		{"the member list is whole", nil, checkMembers},
		{"a member list that cannot be read is a fault", can[MemberFailer], checkMemberFault},
		{"reactions are read as they stand", can[Unreactor], checkReactionSet},
		{"a private conversation is found again", nil, checkConversation},
		{"the bot leaves and joins when asked", nil, checkLeaveJoin},
		{"an ended context ends a send", nil, checkSendContext},
		{leavesNothing, nil, checkEnds},
	}
}

func remembers(h Harness) bool { return !can[Forgetter](h) }
