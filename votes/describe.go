package votes

import (
	"moot/events"
	"moot/votes/tally"
)

// describeVote says in a few words what a fact about a vote is about, without whom it names.
func describeVote(f events.Fact) string {
	vote := "vote " + f.Keys[keyVote]
	switch f.Keys[keyWhat] {
	case whatOpened:
		return vote + " was opened: " + f.Keys[keyType]
	case whatElecting:
		return "who may vote in " + vote + ", which is about to open"
	case whatBallot:
		return "a ballot in " + vote
	case whatWithdrawn:
		return "a ballot in " + vote + " was withdrawn"
	case whatReplied:
		return vote + " was answered by the one whom it is about"
	case whatExtended:
		return vote + " ends later, by the time in which nobody could vote"
	case whatClosing:
		return vote + " takes no more ballots"
	case whatReopened:
		return vote + " takes ballots again: the reactions did not settle it"
	case whatClosed:
		return vote + " closed: " + ended(Vote{Status: Closed, Outcome: tally.Outcome(f.Keys[keyOutcome])})
	case whatMoved:
		return vote + " moved to the room that follows this one"
	case whatCarried:
		return vote + " goes on here from the room before"
	case whatCarrying:
		return "voters or ballots of " + vote
	case whatLimits:
		return "the numbers of votes and what may not be asked again, from the room before"
	}
	return ""
}

// describeSetting says which setting was set.
func describeSetting(f events.Fact) string { return f.Keys[keySetting] + " was set for the room" }
