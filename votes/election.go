package votes

import (
	"fmt"
	"slices"
	"strings"

	"moot/commands"
	"moot/protocol"
	"moot/votes/tally"
)

// Elections: votes in which the options are ranked, for one seat or several.

// openElection is the command that opens an election.
func (f *Feature) openElection(c *commands.Call) error {
	if err := meantOtherwise(c); err != nil {
		return err
	}
	list, err := options(c.Words("option"))
	if err != nil {
		return f.tooFewOptions(c, "An election", err)
	}
	seats := int(max(1, c.Integer("seats")))
	if seats >= len(list) {
		return commands.Sorryf("For %s there have to be more options than that; there are %d.", count(seats, "seat"), len(list))
	}
	for _, o := range list {
		if strings.ContainsAny(o, betweenRanks) {
			return commands.Sorry(protocol.Join("In ", protocol.Quoted(o, MaxOption), " is one of the marks that stand between options in "+
				"a ranking: ", strings.Join(strings.Split(betweenRanks[:4], ""), " "), ". Write it in another way."))
		}
	}
	return f.open(c, proposal{
		Type: Election, Text: protocol.OneLine(c.Word("question")), Options: list, Seats: seats,
		Secret: c.Switch("secret"), Hidden: c.Switch("hidden"), Runs: c.Duration("for"),
	})
}

// tooFewOptions says what is wrong with the options of a vote. Who typed too few of them is told how they are written.
func (f *Feature) tooFewOptions(c *commands.Call, what string, err error) error {
	if len(c.Words("option")) > 1 || c.Native() {
		return err
	}
	return commands.Sorryf("%s has 2 to %d options. Write one a line below the question, or behind it, and each of several "+
		"words between quotes.", what, MaxOptions)
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

// seats says for how many seats an election is.
func (v Vote) seats() string {
	if v.Tally.Seats > 1 {
		return count(v.Tally.Seats, "seat")
	}
	return "one seat"
}

// ranking says what an open election is decided by.
func (v Vote) ranking() string {
	how := "One seat is filled, by comparing each two options (Schulze's method)."
	if v.Tally.Method == tally.STV {
		how = fmt.Sprintf("%d seats are filled, by the single transferable vote.", v.Tally.Seats)
	}
	return "You rank the options, the one that you want most first. " + how + " How they stand is told when it closes."
}

// Elects says what came of an election.
func (v Vote) Elects() string { return v.elects(false) }

// elects says what came of an election; in brief by the numbers of its options, which stand beside it.
func (v Vote) elects(brief bool) string {
	turnout := fmt.Sprintf("%d of %d who could vote did", v.Count.Cast, v.Size)
	if v.Outcome == tally.Unvoted {
		return fmt.Sprintf("Nobody voted; %d could.", v.Size)
	}
	if v.Outcome == tally.NoQuorum || v.Election == nil {
		return fmt.Sprintf("%s; quorum %d not reached: nobody is elected.", turnout, v.Tally.Quorum)
	}
	e := v.Election
	name := func(o int) string {
		if brief {
			return fmt.Sprintf("option %d", o+1)
		}
		return protocol.Quoted(v.Options[o], MaxOption)
	}
	var parts []string
	if len(e.Elected) > 0 {
		parts = append(parts, "Elected: "+list(e.Elected, name)+".")
	}
	if len(e.Tied) > 0 {
		left := max(1, v.Tally.Seats) - len(e.Elected)
		parts = append(parts, fmt.Sprintf("A tie between %s for %s: %s.", list(e.Tied, name), whichSeats(left, len(e.Elected)),
			"nothing that the ballots say puts one before the other"))
	}
	parts = append(parts, fmt.Sprintf("%s; quorum %d reached.", turnout, v.Tally.Quorum))
	switch {
	case v.Tally.Method == tally.STV:
		parts = append(parts, fmt.Sprintf("By the single transferable vote in %s; %s made sure of a seat.", count(len(e.Stages), "stage"),
			count(e.Quota, "vote")))
	case len(e.Elected) == 1 && e.Beats(e.Elected[0]):
		parts = append(parts, "More ballots have it before each other option than behind.")
	case len(e.Elected) == 1:
		parts = append(parts, "No option is before each other one, so the strongest paths decided (Schulze's method).")
	}
	return strings.Join(parts, " ")
}

// electionOutcome says what came of an election, and, where its numbers are not beside it, where they are.
func (h *atHand) electionOutcome(brief bool) []protocol.Text {
	lines := []protocol.Text{protocol.Plain(h.elects(brief))}
	if h.Election != nil && !brief {
		lines = append(lines, protocol.Join("How it was counted: ", h.code("vote show "+h.Number()), "."))
	}
	return lines
}

// whichSeats says for which seats there is a tie: how many are left, and how many are filled.
func whichSeats(left, filled int) string {
	switch {
	case left == 1 && filled == 0:
		return "the seat"
	case left == 1:
		return "the last seat"
	case filled == 0:
		return fmt.Sprintf("the %d seats", left)
	}
	return fmt.Sprintf("the last %d seats", left)
}

// list writes options one after another.
func list(options []int, name func(int) string) string {
	words := make([]string, len(options))
	for i, o := range options {
		words[i] = name(o)
	}
	if last := len(words) - 1; last > 0 {
		return strings.Join(words[:last], ", ") + " and " + words[last]
	}
	return strings.Join(words, "")
}

// counting says how an election was counted, so that everybody can follow it: by the numbers of its options.
func (v Vote) counting() []protocol.Text {
	e := v.Election
	switch {
	case e == nil:
		return nil
	case v.Tally.Method == tally.STV:
		return v.stages()
	}
	lines := []protocol.Text{protocol.Plain("How many ballots have one option before another, and how many the other before it:")}
	for a := range len(e.Pairs) - 1 {
		var parts []string
		for b := a + 1; b < len(e.Pairs); b++ {
			parts = append(parts, fmt.Sprintf("%d before %d: %d to %d", a+1, b+1, e.Pairs[a][b], e.Pairs[b][a]))
		}
		lines = append(lines, protocol.Plain("• "+strings.Join(parts, "; ")+"."))
	}
	if len(e.Elected) == 1 && e.Beats(e.Elected[0]) {
		return lines
	}
	paths := e.Paths()
	for _, a := range slices.Concat(e.Elected, e.Tied) {
		var parts []string
		for b := range paths {
			if a != b {
				parts = append(parts, fmt.Sprintf("to %d %d, from it %d", b+1, paths[a][b], paths[b][a]))
			}
		}
		lines = append(lines, protocol.Plainf("• The strongest paths of %d: %s.", a+1, strings.Join(parts, "; ")))
	}
	return lines
}

// stages says the stages of an election in which votes are passed on, a line each.
func (v Vote) stages() (lines []protocol.Text) {
	e := v.Election
	number := func(o int) string { return fmt.Sprint(o + 1) }
	for i, st := range e.Stages {
		line := fmt.Sprintf("• Stage %d: ", i+1)
		switch {
		case st.Surplus >= 0:
			line += fmt.Sprintf("the surplus of %d is passed on", st.Surplus+1)
		case st.Excluded >= 0:
			line += fmt.Sprintf("%d is left out, and its votes are passed on", st.Excluded+1)
		default:
			line += "the first preferences"
		}
		switch {
		case len(st.Tie) == 0:
		case st.Earlier:
			line += fmt.Sprintf(" (%s were level; an earlier stage tells)", list(st.Tie, number))
		default:
			line += fmt.Sprintf(" (%s were level in every stage; each case was counted, and this shows one)", list(st.Tie, number))
		}
		var parts []string
		for o, votes := range st.Votes {
			if i == 0 || o != st.Excluded && votes.Cmp(e.Stages[i-1].Votes[o]) != 0 {
				parts = append(parts, fmt.Sprintf("%d has %s", o+1, decimal(votes.FloatString(2))))
			}
		}
		if i > 0 && st.Lost.Cmp(e.Stages[i-1].Lost) != 0 {
			parts = append(parts, decimal(st.Lost.FloatString(2))+" with nobody, as their ballots name no other")
		}
		if len(parts) > 0 {
			line += ": " + strings.Join(parts, ", ")
		}
		line += "."
		if len(st.Elected) > 0 {
			line += " Elected: " + list(st.Elected, number) + "."
		}
		lines = append(lines, protocol.Plain(line))
	}
	return lines
}

// decimal writes a number without the noughts at its end.
func decimal(s string) string { return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") }
