package votes

import (
	"strconv"

	"moot/events"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
	"moot/votes/tally"
	"moot/votes/words"
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
	case whatBallots:
		return "the ballots of " + vote + ", which was secret"
	case whatWithdrawn:
		return "a ballot in " + vote + " was withdrawn"
	case whatReplied:
		return vote + " was answered by the one whom it is about"
	case whatCorrected:
		return "the text of " + vote + " was corrected by its opener"
	case whatExtended:
		return vote + " ends later, by the time in which nobody could vote"
	case whatClosing:
		return vote + " takes no more ballots"
	case whatReopened:
		return vote + " takes ballots again: the reactions did not settle it"
	case whatClosed:
		return vote + " closed: " + endedAs(f)
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

// endedAs says what came of a vote, as the fact that it has closed says it.
func endedAs(f events.Fact) string {
	return ended(words.In(say.English), Vote{Status: Closed, Outcome: tally.Outcome(f.Keys[keyOutcome])}).Plain()
}

// describeSetting says which setting was set.
func describeSetting(f events.Fact) string { return f.Keys[keySetting] + " was set for the room" }

// ownVote says to a person what a fact about a vote holds about them.
func ownVote(tx *store.Tx, f events.Fact, n events.Number) string {
	vote := "vote " + f.Keys[keyVote]
	id, _ := strconv.ParseUint(f.Keys[keyVote], 10, 64)
	v, known := Get(tx, protocol.RoomID(f.Scope), id)
	var p cast
	switch what := f.Keys[keyWhat]; {
	case what == whatOpened && f.People[roleOpener] == n:
		return "you opened " + vote + ", " + f.Keys[keyType]
	case what == whatOpened:
		return vote + ", " + f.Keys[keyType] + ", was opened, and it is about you"
	case what == whatBallot && known && f.Decode(&p) == nil && v.Tally.Valid(p.Choices):
		if p.Why != "" {
			vote += ", with a reason,"
		}
		return "your ballot in " + vote + " was " + words.Vote{Speaker: words.In(say.English), Type: words.Type(v.Type), Options: v.Options, Tally: v.Tally}.Ballot(p.Choices).Plain() + how[p.Via]
	case what == whatWithdrawn:
		return "you withdrew your ballot in " + vote
	case what == whatReplied:
		return "you answered " + vote
	case what == whatCorrected:
		return "you corrected the text of " + vote
	case what == whatClosed && f.People[roleBy] == n:
		return "you ended " + vote + ": " + endedAs(f)
	case what == whatClosed && f.People[roleTarget] == n:
		return describeVote(f) + "; it is about you"
	case what == whatClosed:
		return describeVote(f) + "; you opened it"
	}
	return ""
}

// how says how a ballot came.
var how = map[string]string{
	viaCommand: ", by a command", viaPrivate: ", in private", viaReaction: ", by a reaction",
	viaPoll: ", in a poll",
	viaRead: ", by a reaction that I read later",
}
