package words

import (
	"strings"

	"moot/internal/say"
	"moot/protocol"
	"moot/votes/tally"
)

// Closing is what is said when a vote has ended.
func (v Vote) Closing() protocol.Text {
	lines := append([]protocol.Text{v.Say("has-closed", say.Part("Title", v.Title()))}, v.outcome(false)...)
	return protocol.Lines(append(lines, v.reasons()...)...)
}

// Outcomes says what came of a vote in a few sentences that name options by their numbers.
func (v Vote) Outcomes() []protocol.Text {
	v.Elsewhere, v.Unread = true, false
	return v.outcome(true)
}

// outcome says what came of a vote, with its arithmetic; in brief where the options of a poll stand beside it.
func (v Vote) outcome(brief bool) (lines []protocol.Text) {
	add := func(id string, slots ...say.Slot) { lines = append(lines, v.Say(id, slots...)) }
	switch {
	case v.Outcome == Withdrawn:
		add("withdrawn", say.Person("By", v.By))
	case v.Outcome == Cancelled:
		add("cancelled", say.Person("By", v.By))
	case v.Outcome == Replaced:
		add("replaced", say.Person("Target", v.Target))
	case v.Outcome == Void:
		add("void", say.Span("Void", v.Void))
	case v.Outcome == tally.Open && v.Status == Moved:
		add("goes-on")
	case v.Outcome == tally.Open:
	case v.Type == Election:
		lines = append(lines, v.Elects(brief))
		if v.Election != nil && !brief && !v.Elsewhere {
			add("how-counted", say.Code("Command", v.command("vote show")))
		}
	case v.Type == Poll:
		lines = append(lines, v.pollOutcome(brief))
	default:
		lines = append(lines, v.result())
	}
	if v.Why != "" && !v.Elsewhere {
		add("reason", say.Words("Text", protocol.Plain(v.Why)))
	}
	if v.Unread {
		add("unread")
	}
	return lines
}

// result says the arithmetic of a vote by yes and no.
func (v Vote) result() protocol.Text {
	yes, no := v.Count.For[tally.Yes], v.Count.For[tally.No]
	count := v.Say("count", say.Number("Yes", yes), say.Number("No", no), say.Count("Abstained", v.Count.For[tally.Abstain]),
		say.Number("Size", v.Size))
	done := "-failed"
	if tally.Final(v.Tally, v.Size, v.Count).Outcome == tally.Passed {
		done = "-passed"
	}
	need, id := v.Tally.NeededYes(yes+no), "result-share"
	switch {
	case v.Tally.Method == tally.Consent:
		id = "result-consent"
	case v.Count.Cast < v.Tally.Quorum:
		id, done = "result-no-quorum", ""
	case need > yes+no:
		id = "result-yes"
	}
	return v.Say(id+done, say.Part("Count", count), say.Number("Objections", v.Tally.Objections), say.Number("Quorum", v.Tally.Quorum),
		say.Number("Voted", v.Count.Cast), say.Number("Need", need), say.Number("Votes", yes+no))
}

func (v Vote) pollOutcome(brief bool) protocol.Text {
	res := tally.Final(v.Tally, v.Size, v.Count)
	if res.Outcome == tally.Unvoted {
		return v.Say("unvoted", say.Number("Size", v.Size))
	}
	names := make([]protocol.Text, len(res.Winners))
	for i, w := range res.Winners {
		names[i] = v.option(w, brief)
	}
	most := v.Count.For[res.Winners[0]]
	head := v.Say("poll-chosen", say.Part("Option", names[0]), say.Number("Votes", most))
	if res.Outcome == tally.Tied {
		head = v.Say("poll-tied", say.Part("Options", v.And(names)), say.Count("Votes", most))
	}
	var counts protocol.Text
	if !brief {
		var each []protocol.Text
		for i, o := range v.Options {
			each = append(each, v.Say("option-count", say.Quoted("Option", o, optionWords), say.Number("Votes", v.Count.For[i])))
		}
		counts = protocol.Join(say.Commas(each), ".")
	}
	return say.Sentences(head, v.Say("voted", say.Count("Voted", v.Count.Cast), say.Number("Size", v.Size)), counts)
}

// option names an option: by its text, or in brief by its number, beside which the text stands.
func (v Vote) option(o int, brief bool) protocol.Text {
	if brief {
		return v.Say("option-number", say.Number("Place", o+1))
	}
	return v.quoted(o)
}

// quoted shows the text of an option in a sentence.
func (v Vote) quoted(o int) protocol.Text {
	return v.Say("option-text", say.Quoted("Option", v.Options[o], optionWords))
}

// each makes a text of each of some options.
func each(options []int, make func(int) protocol.Text) (all []protocol.Text) {
	for _, o := range options {
		all = append(all, make(o))
	}
	return all
}

// Elects says what came of an election; in brief by the numbers of its options, which stand beside it.
func (v Vote) Elects(brief bool) protocol.Text {
	voted, size, quorum := say.Count("Voted", v.Count.Cast), say.Number("Size", v.Size), say.Number("Quorum", v.Tally.Quorum)
	switch {
	case v.Outcome == tally.Unvoted:
		return v.Say("unvoted", size)
	case v.Outcome == tally.NoQuorum || v.Election == nil:
		return v.Say("elected-nobody", voted, size, quorum)
	}
	e := v.Election
	name := func(o int) protocol.Text { return v.option(o, brief) }
	var parts []protocol.Text
	add := func(id string, slots ...say.Slot) { parts = append(parts, v.Say(id, slots...)) }
	if len(e.Elected) > 0 {
		add("elected", say.Part("Options", v.And(each(e.Elected, name))))
	}
	if len(e.Tied) > 0 {
		left := max(1, v.Tally.Seats) - len(e.Elected)
		add("elected-tied", say.Part("Options", v.And(each(e.Tied, name))), say.Part("Seats", v.seats(left, len(e.Elected))))
	}
	add("elected-turnout", voted, size, quorum)
	switch {
	case v.Tally.Method == tally.STV:
		add("by-stv", say.Count("Stages", len(e.Stages)), say.Part("Quota", v.Say("votes", say.Count("N", e.Quota))))
	case len(e.Elected) == 1 && e.Beats(e.Elected[0]):
		add("by-pairs")
	case len(e.Elected) == 1:
		add("by-paths")
	}
	return say.Sentences(parts...)
}

// seats says for which seats there is a tie: how many are left, and how many are filled.
func (v Vote) seats(left, filled int) protocol.Text {
	switch {
	case left == 1 && filled == 0:
		return v.Say("seat")
	case left == 1:
		return v.Say("seat-last")
	case filled == 0:
		return v.Say("seats", say.Number("N", left))
	}
	return v.Say("seats-last", say.Number("N", left))
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
	lines := []protocol.Text{v.Say("pairs")}
	for a := range len(e.Pairs) - 1 {
		var parts []protocol.Text
		for b := a + 1; b < len(e.Pairs); b++ {
			parts = append(parts, v.Say("pair", say.Number("A", a+1), say.Number("B", b+1),
				say.Number("Before", e.Pairs[a][b]), say.Number("Behind", e.Pairs[b][a])))
		}
		lines = append(lines, v.Say("pairs-of", say.Part("Pairs", say.Semicolons(parts))))
	}
	if len(e.Elected) == 1 && e.Beats(e.Elected[0]) {
		return lines
	}
	paths := e.Paths()
	for _, a := range append(append([]int(nil), e.Elected...), e.Tied...) {
		var parts []protocol.Text
		for b := range paths {
			if a != b {
				parts = append(parts, v.Say("path", say.Number("B", b+1), say.Number("To", paths[a][b]), say.Number("From", paths[b][a])))
			}
		}
		lines = append(lines, v.Say("paths", say.Number("A", a+1), say.Part("Paths", say.Semicolons(parts))))
	}
	return lines
}

// stages says the stages of an election in which votes are passed on, a line each.
func (v Vote) stages() (lines []protocol.Text) {
	e := v.Election
	place := func(o int) protocol.Text { return protocol.Join(o + 1) }
	for i, st := range e.Stages {
		var what protocol.Text
		switch {
		case st.Surplus >= 0:
			what = v.Say("stage-surplus", say.Number("Option", st.Surplus+1))
		case st.Excluded >= 0:
			what = v.Say("stage-out", say.Number("Option", st.Excluded+1))
		default:
			what = v.Say("stage-first")
		}
		if len(st.Tie) > 0 {
			id := "stage-level-ever"
			if st.Earlier {
				id = "stage-level"
			}
			what = v.Say(id, say.Part("What", what), say.Part("Tied", v.And(each(st.Tie, place))))
		}
		var parts []protocol.Text
		for o, votes := range st.Votes {
			if i == 0 || o != st.Excluded && votes.Cmp(e.Stages[i-1].Votes[o]) != 0 {
				parts = append(parts, v.Say("stage-has", say.Number("Option", o+1), say.Number("Votes", decimal(votes.FloatString(2)))))
			}
		}
		if i > 0 && st.Lost.Cmp(e.Stages[i-1].Lost) != 0 {
			parts = append(parts, v.Say("stage-lost", say.Number("Votes", decimal(st.Lost.FloatString(2)))))
		}
		line := v.Say("stage", say.Number("Stage", i+1), say.Part("What", what))
		if len(parts) > 0 {
			line = v.Say("stage-votes", say.Number("Stage", i+1), say.Part("What", what), say.Part("Votes", say.Commas(parts)))
		}
		if len(st.Elected) > 0 {
			line = say.Sentences(line, v.Say("elected", say.Part("Options", v.And(each(st.Elected, place)))))
		}
		lines = append(lines, line)
	}
	return lines
}

// decimal writes a number without the noughts at its end.
func decimal(s string) string { return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") }

// ranked writes a ranking in words.
func (v Vote) ranked(b tally.Ballot) protocol.Text {
	var ranks []protocol.Text
	for i, group := range b.Groups() {
		one := v.And(each(group, v.quoted))
		if len(group) > 1 {
			one = v.Say("ranked-equally", say.Part("Options", one))
		}
		id := "ranked-then"
		if i == 0 {
			id = "ranked-first"
		}
		ranks = append(ranks, v.Say(id, say.Part("Options", one)))
	}
	return say.Commas(ranks)
}
