package votes

import (
	"slices"
	"strings"

	"moot/commands"
	"moot/internal/say"
	"moot/protocol"
	"moot/votes/tally"
	"moot/votes/words"
)

// Elections: votes in which the options are ranked, for one seat or several.

// openElection is the command that opens an election.
func (f *Feature) openElection(c *commands.Call) error {
	if err := f.meantOtherwise(c); err != nil {
		return err
	}
	s := f.here(c)
	list, err := options(s, c.Words("option"))
	if err != nil {
		return f.tooFewOptions(c, "election-options", err)
	}
	seats := int(max(1, c.Integer("seats")))
	if seats >= len(list) {
		return sorry(s, "seats-too-many", say.Count("Seats", seats), say.Number("Options", len(list)))
	}
	for _, o := range list {
		if strings.ContainsAny(o, betweenRanks) {
			return sorry(s, "option-mark", say.Quoted("Option", o, MaxOption),
				say.Code("Marks", protocol.Plain(strings.Join(strings.Split(betweenRanks[:4], ""), " "))))
		}
	}
	return f.open(c, proposal{
		Type: Election, Text: protocol.OneLine(c.Word("question")), Options: list, Seats: seats,
		Secret: c.Switch("secret"), Hidden: c.Switch("hidden"), Runs: c.Duration("for"), Role: Role{Name: c.Word("role")},
	})
}

// tooFewOptions says what is wrong with the options of a vote. Who typed too few of them is told how they are written.
func (f *Feature) tooFewOptions(c *commands.Call, id string, err error) error {
	if len(c.Words("option")) > 1 || c.Native() {
		return err
	}
	return sorry(f.here(c), id, say.Number("Most", MaxOptions))
}

// ranked returns the rules by which an election is decided.
func (w proposal) ranked(quorum int) tally.Rules {
	r := tally.Rules{Method: tally.Schulze, Options: len(w.Options), Quorum: quorum}
	if w.Seats > 1 {
		r.Method, r.Seats = tally.STV, w.Seats
	}
	return r
}

// ballotsCast returns the ballots of an election as they stand now, in no order that tells of a voter.
func (h *atHand) ballotsCast() (all []tally.Ballot) {
	from := ballots
	if h.Secret {
		from = secretBox
	}
	for _, data := range h.tx.Prefix(from, h.voterKey("")) {
		if len(data) > 0 {
			all = append(all, decodeBallot(data))
		}
	}
	slices.SortFunc(all, slices.Compare[tally.Ballot])
	return all
}

// Elects says what came of an election, to who operates the bot.
func (v Vote) Elects() string {
	return words.Vote{Speaker: words.In(say.English), Options: v.Options, Tally: v.Tally, Size: v.Size, Count: v.Count, Outcome: v.Outcome,
		Election: v.Election}.Elects(false).Plain()
}
