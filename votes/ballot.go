package votes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"moot/commands"
	"moot/internal/alike"
	"moot/protocol"
	"moot/store"
	"moot/votes/tally"
)

// chosen is what somebody who casts a ballot has said. A control says the place of an option, and nothing else. What is
// typed may be read as the text of one option and as the place of another; then nobody guesses, and they are asked.
type chosen struct {
	vote   *atHand
	ballot tally.Ballot
	wrong  error // why there is no ballot, if the vote is open
}

// choice finds the vote and the ballot in what was given: by a control, as a number and words, or as words alone
// where one vote is open. The error is that no vote is meant.
func (f *Feature) choice(c *commands.Call, words []string) (chosen, error) {
	if c.Has(placeParam) {
		return f.pressed(c, words)
	}
	only, several := f.oneOpen(c)
	if len(words) == 1 && (c.Native() || only == nil || len(only.ballots(words)) == 0) {
		words = strings.Fields(words[0]) // a number and a choice between quotes, or in one field
	}
	if len(words) == 0 {
		return chosen{}, commands.Sorry(protocol.Join("What do you choose? For example ", c.Code("vote 3 yes"),
			"."))
	}
	var named *atHand
	id, isID := voteID(words[0])
	if isID && len(words) > 1 {
		named = f.find(c.Tx, c.Room.ID, id)
	}
	switch {
	case named != nil && named.Open():
		read := named.ballots(words[1:])
		if only != nil && named.ID == only.ID && !slices.ContainsFunc(words[1:], isPlace) {
			read = union(read, only.ballots(words))
		}
		return named.readAs(c, words[1:], read), nil
	case only != nil:
		read := only.ballots(words)
		switch {
		case len(read) > 0:
		case named != nil:
			return chosen{vote: named}, nil // which has closed
		case isID && len(words) == 1 && id == only.ID:
			return chosen{only, nil, commands.Sorry(protocol.Join("What do you choose in vote ", only.ID, "? ",
				only.how()))}, nil
		case isID && len(words) > 1 && len(only.ballots(words[1:])) > 0:
			return chosen{}, noVote(c, words[0])
		}
		return only.readAs(c, words, read), nil
	case named != nil:
		return chosen{vote: named}, nil
	case several && isID && len(words) > 1:
		return chosen{}, noVote(c, words[0])
	}
	return chosen{}, f.whichVote(c, "cast")
}

// pressed is what a control says: the number of the vote, and the places of what was chosen, beginning with 1.
func (f *Feature) pressed(c *commands.Call, words []string) (chosen, error) {
	if len(words) == 0 {
		return chosen{}, f.whichVote(c, "cast")
	}
	id, _ := voteID(words[0])
	v := f.find(c.Tx, c.Room.ID, id)
	if v == nil {
		return chosen{}, noVote(c, words[0])
	}
	var b tally.Ballot
	for _, w := range c.Words(placeParam) {
		n, _ := strconv.Atoi(w)
		b = append(b, n-1)
	}
	if v.Tally.Method.Ranked() {
		return v.rankNext(c, c.Words(placeParam)), nil
	}
	slices.Sort(b)
	if !v.Tally.Valid(b) {
		return chosen{v, nil, commands.Sorryf("What you pressed is no choice in vote %d.", v.ID)}, nil
	}
	return chosen{vote: v, ballot: b}, nil
}

// readAs returns the one ballot that the words can be read as, or asks for another way to say it.
func (h *atHand) readAs(c *commands.Call, words []string, read []tally.Ballot) chosen {
	switch len(read) {
	case 0:
		return chosen{h, nil, h.unread(words)}
	case 1:
		return chosen{vote: h, ballot: read[0]}
	}
	var ways []protocol.Text
	for _, b := range read {
		ways = append(ways, protocol.Join("for ", h.shown(b), " say ", c.Code("vote "+h.Number()+" "+h.typed(b))))
	}
	text := protocol.Plainf("In vote %d that can mean more than one thing, so it was not counted: ", h.ID)
	for i, w := range ways {
		if i > 0 {
			text = protocol.Join(text, ", ")
		}
		text = protocol.Join(text, w)
	}
	return chosen{h, nil, commands.Sorry(protocol.Join(text, ". The number behind # is the place of an option."))}
}

// ballots returns all ballots that the words can be read as: the text of one option, or options one after another,
// each by its text or by its place; in an election a ranking.
func (v Vote) ballots(words []string) (read []tally.Ballot) {
	if v.Tally.Method.Ranked() {
		return v.rankings(words)
	}
	add := func(b tally.Ballot) {
		slices.Sort(b)
		if b = slices.Compact(b); v.Tally.Valid(b) {
			read = union(read, []tally.Ballot{b})
		}
	}
	if i := v.named(strings.Join(words, " ")); i >= 0 {
		add(tally.Ballot{i})
	}
	var byText, byPlace tally.Ballot
	for _, w := range words {
		w = strings.TrimRight(w, ",;")
		text, place := v.named(w), v.place(w)
		if text < 0 && place < 0 {
			return read
		}
		byText, byPlace = append(byText, either(text, place)), append(byPlace, either(place, text))
	}
	add(byText)
	add(byPlace)
	return read
}

// either returns a if it is a place, else b.
func either(a, b int) int {
	if a >= 0 {
		return a
	}
	return b
}

// union returns all ballots of both lists, each once.
func union(a, b []tally.Ballot) []tally.Ballot {
	for _, one := range b {
		if !slices.ContainsFunc(a, func(o tally.Ballot) bool { return slices.Equal(o, one) }) {
			a = append(a, one)
		}
	}
	return a
}

// unread says why words are no ballot.
func (v Vote) unread(words []string) error {
	if v.Tally.Method.Ranked() {
		return v.unranked(words)
	}
	for _, w := range words {
		if v.named(w) < 0 && v.place(strings.TrimRight(w, ",;")) < 0 {
			return commands.Sorry(protocol.Join(protocol.Quoted(w, 40), " cannot be chosen in vote ", v.ID, ". ",
				v.how()))
		}
	}
	return commands.Sorryf("In vote %d only one can be chosen.", v.ID)
}

// named returns the choice of that text; -1 if none.
func (v Vote) named(text string) int {
	text = alike.Fold(text)
	return slices.IndexFunc(v.choices(), func(o string) bool { return alike.Fold(o) == text })
}

// isPlace reports whether a word can only be the place of an option.
func isPlace(w string) bool { return strings.HasPrefix(w, "#") }

// place returns the option of a poll or an election whose place a word or a reaction names, and in any other vote the choice that it
// stands for; -1 if none.
func (v Vote) place(w string) int {
	w = alike.Fold(bare(w))
	if v.listed() {
		if w == "🔟" {
			w = "10"
		}
		if n, err := strconv.Atoi(strings.TrimPrefix(w, "#")); err == nil && n >= 1 && n <= len(v.Options) {
			return n - 1
		}
		return -1
	}
	switch w {
	case "yes", "y", "+1", "aye", "yea", "for", "👍", "✅", "✔", "☑":
		return tally.Yes
	case "no", "n", "-1", "nay", "against", "👎", "❌", "✖", "✗":
		return tally.No
	case "abstain", "abstention", "a", "0", "🤷", "⚪", "😐":
		return tally.Abstain
	}
	return -1
}

// bare strips from an emoji what does not change its meaning: skin tones, genders, selectors of its look.
func bare(s string) string {
	s, _, _ = strings.Cut(protocol.OneLine(s), "\u200d")
	return strings.Map(func(r rune) rune {
		if r == '\ufe0f' || r == '\ufe0e' || r == '\u20e3' || r >= 0x1F3FB && r <= 0x1F3FF {
			return -1
		}
		return r
	}, s)
}

// how lists what can be chosen.
func (v Vote) how() protocol.Text {
	var t protocol.Text
	for i, o := range v.choices() {
		if i > 0 {
			t = protocol.Join(t, ", ")
		}
		if v.listed() {
			o = fmt.Sprintf("%d (%s)", i+1, o)
		}
		t = protocol.Join(t, o)
	}
	return protocol.Join("There is: ", t, ".")
}

// shown writes a ballot in words.
func (v Vote) shown(b tally.Ballot) string {
	if v.Tally.Method.Ranked() {
		return v.shownRanking(b)
	}
	choices := v.choices()
	words := make([]string, len(b))
	for i, o := range b {
		words[i] = choices[o]
		if v.Type == Poll {
			words[i] = protocol.Quoted(choices[o], MaxOption)
		}
	}
	return strings.Join(words, " and ")
}

// completeBallot completes a choice in the vote that is open, or behind the number of one of several. An option whose
// text could also be the place of another one is completed by its place.
func (f *Feature) completeBallot(tx *store.Tx, where commands.CompletionContext, typed string) (values []string) {
	info, ok := where.About(tx)
	if !ok {
		return nil
	}
	open := slices.Collect(OpenIn(tx, info.ID))
	offer := func(value string) {
		if strings.HasPrefix(alike.Fold(value), alike.Fold(typed)) {
			values = append(values, value)
		}
	}
	given := where.Given("ballot")
	for _, v := range open {
		before := ""
		switch {
		case len(given) > 0 && len(open) > 1 && given[0] != v.Number():
			continue
		case len(given) > 0 || len(open) == 1:
		case where.Native():
			before = v.Number() + " "
		default:
			offer(v.Number())
			continue
		}
		if v.Type == Election && where.Native() { // the whole ranking is in one field
			if i := strings.LastIndexAny(typed, betweenRanks); i >= 0 {
				_, size := utf8.DecodeRuneInString(typed[i:])
				before = typed[:i+size] + " "
			}
		}
		for i, choice := range v.choices() {
			if len(v.ballots([]string{choice})) > 1 {
				choice = "#" + strconv.Itoa(i+1)
			}
			offer(before + choice)
		}
	}
	return values
}

// options makes the options of a poll or an election of what was typed.
func options(words []string) ([]string, error) {
	var out []string
	for _, w := range words {
		w = protocol.OneLine(w)
		switch n := len([]rune(w)); {
		case n == 0 || n > MaxOption:
			return nil, commands.Sorryf("An option has 1 to %d characters; %s has %d.", MaxOption,
				protocol.Quoted(w, 40), n)
		case alike.Blank(w):
			return nil, commands.Sorryf("An option shows nothing. Write a word.")
		}
		if i := slices.IndexFunc(out, func(o string) bool { return alike.Same(o, w) }); i >= 0 {
			return nil, commands.Sorryf("Two options look the same: %s and %s.", protocol.Quoted(out[i], 40),
				protocol.Quoted(w, 40))
		}
		out = append(out, w)
	}
	if len(out) < 2 || len(out) > MaxOptions {
		return nil, commands.Sorryf("There can be 2 to %d options, not %d.", MaxOptions, len(out))
	}
	for i, o := range out {
		w := alike.Fold(o)
		if n, err := strconv.Atoi(strings.TrimPrefix(w, "#")); isPlace(w) && err == nil && n >= 1 && n <= len(out) && n != i+1 {
			return nil, commands.Sorryf("%s is how option %d is chosen, so it cannot be the text of option %d. Write it in another way.",
				protocol.Quoted(o, 40), n, i+1)
		}
	}
	return out, nil
}
