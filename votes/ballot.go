package votes

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"moot/commands"
	"moot/internal/alike"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
	"moot/votes/tally"
	"moot/votes/words"
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
		return chosen{}, sorry(f.here(c), "what-choose", say.Code("Command", c.Code("vote 3 yes")))
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
			return chosen{only, nil, commands.Sorry(say.Sentences(f.here(c).Say("what-choose-in", only.number()), only.how(f.here(c))))}, nil
		case isID && len(words) > 1 && len(only.ballots(words[1:])) > 0:
			return chosen{}, f.noVote(c, words[0])
		}
		return only.readAs(c, words, read), nil
	case named != nil:
		return chosen{vote: named}, nil
	case several && isID && len(words) > 1:
		return chosen{}, f.noVote(c, words[0])
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
		return chosen{}, f.noVote(c, words[0])
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
		return chosen{v, nil, sorry(f.here(c), "pressed-wrong", v.number())}, nil
	}
	return chosen{vote: v, ballot: b}, nil
}

// readAs returns the one ballot that the words can be read as, or asks for another way to say it.
func (h *atHand) readAs(c *commands.Call, words []string, read []tally.Ballot) chosen {
	switch len(read) {
	case 0:
		return chosen{h, nil, h.unread(h.here(c), words)}
	case 1:
		return chosen{vote: h, ballot: read[0]}
	}
	s := h.here(c)
	var ways []protocol.Text
	for _, b := range read {
		ways = append(ways, s.Say("way", say.Part("Ballot", h.as(s).view().Ballot(b)),
			say.Code("Command", c.Code("vote "+h.Number()+" "+h.typed(b)))))
	}
	return chosen{h, nil, sorry(s, "ambiguous", h.number(), say.Part("Ways", say.Commas(ways)))}
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
func (v Vote) unread(s say.Speaker, words []string) error {
	if v.Tally.Method.Ranked() {
		return v.unranked(s, words)
	}
	for _, w := range words {
		if v.named(w) < 0 && v.place(strings.TrimRight(w, ",;")) < 0 {
			return commands.Sorry(say.Sentences(s.Say("no-choice", say.Quoted("Word", w, 40), say.Number("Vote", v.ID)), v.how(s)))
		}
	}
	return sorry(s, "only-one", say.Number("Vote", v.ID))
}

// named returns the choice of that text; -1 if none.
func (v Vote) named(text string) int {
	text = alike.Fold(text)
	return slices.IndexFunc(v.choices(), func(o string) bool { return alike.Fold(o) == text })
}

// isPlace reports whether a word can only be the place of an option.
func isPlace(w string) bool { return strings.HasPrefix(alike.Fold(w), "#") }

// placeIn returns the number that a folded word names as a place; zero if it names none. With a sign before it, it is none: "+1" is
// said of a thumb.
func placeIn(w string) int {
	digits := strings.TrimPrefix(w, "#")
	n, err := strconv.Atoi(digits)
	if err != nil || strings.Trim(digits, "0123456789") != "" {
		return 0
	}
	return n
}

// place returns the option of a poll or an election whose place a word or a reaction names, and in any other vote the choice that it
// stands for; -1 if none.
func (v Vote) place(w string) int {
	w = alike.Fold(bare(w))
	if v.listed() {
		if w == "🔟" {
			w = "10"
		}
		if n := placeIn(w); n <= len(v.Options) {
			return n - 1
		}
		return -1
	}
	switch w {
	case "yes", "y", "+1", "ja", "j", "dafür", "aye", "yea", "for", "👍", "✅", "✔", "☑":
		return tally.Yes
	case "no", "n", "-1", "nein", "dagegen", "nay", "against", "👎", "❌", "✖", "✗":
		return tally.No
	case "abstain", "abstention", "a", "enthaltung", "0", "🤷", "⚪", "😐":
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
func (v Vote) how(s say.Speaker) protocol.Text {
	var all []protocol.Text
	for i, o := range v.Options {
		all = append(all, s.Say("option-listed", say.Number("Place", i+1), say.Words("Option", protocol.Plain(o))))
	}
	if !v.listed() {
		for _, choice := range words.YesNo(s) {
			all = append(all, protocol.Plain(choice))
		}
	}
	return s.Say("there-is", say.Part("Choices", say.Commas(all)))
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
func options(s say.Speaker, words []string) ([]string, error) {
	var out []string
	for _, w := range words {
		w = protocol.OneLine(w)
		switch n := len([]rune(w)); {
		case n == 0 || n > MaxOption:
			return nil, sorry(s, "option-length", say.Number("Most", MaxOption), say.Quoted("Option", w, 40), say.Number("Has", n))
		case alike.Blank(w):
			return nil, sorry(s, "option-blank")
		}
		if i := slices.IndexFunc(out, func(o string) bool { return alike.Same(o, w) }); i >= 0 {
			return nil, sorry(s, "options-same", say.Quoted("One", out[i], 40), say.Quoted("Other", w, 40))
		}
		out = append(out, w)
	}
	if len(out) < 2 || len(out) > MaxOptions {
		return nil, sorry(s, "options-number", say.Number("Most", MaxOptions), say.Number("Has", len(out)))
	}
	for i, o := range out {
		if n := placeIn(alike.Fold(o)); isPlace(o) && n >= 1 && n <= len(out) && n != i+1 {
			return nil, sorry(s, "option-place", say.Quoted("Option", o, 40), say.Number("Place", n), say.Number("Own", i+1))
		}
	}
	return out, nil
}
