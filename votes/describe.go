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
func describeVote(l say.Language, f events.Fact) string {
	s, id := words.In(l), "fact-"+f.Keys[keyWhat]
	if f.Keys[keyWhat] == whatOpened {
		id += "-" + f.Keys[keyType]
	}
	if !s.Has(id) {
		return ""
	}
	return s.Plain(id, voteOf(f), endedAs(s, f))
}

// voteOf is the vote that a fact is about, and endedAs what came of it, as the fact that it has closed says.
func voteOf(f events.Fact) say.Slot { return say.Number("Vote", f.Keys[keyVote]) }

func endedAs(s say.Speaker, f events.Fact) say.Slot {
	if !s.Has("ended-" + f.Keys[keyOutcome]) {
		return say.Part("Ended", protocol.Plain(f.Keys[keyOutcome]))
	}
	return say.Part("Ended", ended(s, Vote{Status: Closed, Outcome: tally.Outcome(f.Keys[keyOutcome])}))
}

// describeSetting says which setting was set.
func describeSetting(l say.Language, f events.Fact) string {
	return words.In(l).Plain("fact-setting", say.Code("Setting", protocol.Plain(f.Keys[keySetting])))
}

// ownVote says to a person what a fact about a vote holds about them.
func ownVote(l say.Language, tx *store.Tx, f events.Fact, n events.Number) string {
	s, vote := words.In(l), voteOf(f)
	id, _ := strconv.ParseUint(f.Keys[keyVote], 10, 64)
	v, known := Get(tx, protocol.RoomID(f.Scope), id)
	kind := func() say.Slot { return say.Part("Type", s.Say("type-"+f.Keys[keyType])) }
	var p cast
	switch what := f.Keys[keyWhat]; {
	case what == whatOpened && !s.Has("type-"+f.Keys[keyType]):
		return ""
	case what == whatOpened && f.People[roleOpener] == n:
		return s.Plain("own-opened", vote, kind())
	case what == whatOpened:
		return s.Plain("own-about", vote, kind())
	case what == whatBallot && known && f.Decode(&p) == nil && v.Tally.Valid(p.Choices):
		id := "own-ballot"
		if p.Why != "" {
			id = "own-ballot-why"
		}
		ballot := words.Vote{Speaker: s, Type: words.Type(v.Type), Options: v.Options, Tally: v.Tally}.Ballot(p.Choices)
		text := s.Say(id, vote, say.Part("Ballot", ballot))
		if how := "own-via-" + p.Via; s.Has(how) {
			text = s.Say(how, say.Part("What", text))
		}
		return text.Plain()
	case what == whatWithdrawn:
		return s.Plain("own-withdrew", vote)
	case what == whatReplied:
		return s.Plain("own-answered", vote)
	case what == whatCorrected:
		return s.Plain("own-corrected", vote)
	case what == whatClosed && f.People[roleBy] == n:
		return s.Plain("own-ended", vote, endedAs(s, f))
	case what == whatClosed && f.People[roleTarget] == n:
		return s.Plain("own-closed-about", vote, endedAs(s, f))
	case what == whatClosed:
		return s.Plain("own-closed-opened", vote, endedAs(s, f))
	}
	return ""
}
