package votes

import (
	"slices"
	"strconv"
	"strings"

	"moot/commands"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/votes/tally"
)

// How a ranking is written: "B > A = C", "B, A, C" or "B A C". What stands between two marks is one option, by its text or by
// its place; without marks each word is one, all by their texts or all by their places. What is not ranked comes after all others.

// betweenRanks are the marks between the options of a ranking; behind two of them comes what is wanted equally.
const (
	betweenRanks = ">=,;＞＝，；、"
	equally      = "=＝"
)

// item is one option as it is written in a ranking.
type item struct {
	words []string
	equal bool // it is wanted as much as the one before
}

// itemsIn takes a ranking apart. The words of an option that stood between quotes stay together.
func (v Vote) itemsIn(words []string) (each []item, marked bool) {
	items, marks := []item{{}}, 0
	add := func(w string) {
		if last := &items[len(items)-1]; w != "" {
			last.words = append(last.words, w)
		}
	}
	for _, w := range words {
		if v.named(w) >= 0 {
			add(w)
			continue
		}
		for {
			i := strings.IndexAny(w, betweenRanks)
			if i < 0 {
				add(w)
				break
			}
			add(w[:i])
			mark := []rune(w[i:])[0]
			items, marks = append(items, item{equal: strings.ContainsRune(equally, mark)}), marks+1
			w = w[i+len(string(mark)):]
		}
	}
	if last := items[len(items)-1]; marks > 0 && len(last.words) == 0 && !last.equal && strings.HasSuffix(words[len(words)-1], ",") {
		items = items[:len(items)-1] // a comma behind the last one
	}
	if len(items) > 1 {
		return items, true
	}
	for _, w := range items[0].words {
		each = append(each, item{words: []string{w}})
	}
	return each, false
}

// rankings returns all rankings that the words can be read as.
func (v Vote) rankings(words []string) (read []tally.Ballot) {
	add := func(groups [][]int) {
		if b := v.Tally.Rank(groups); v.Tally.Valid(b) {
			read = union(read, []tally.Ballot{b})
		}
	}
	if len(words) == 0 {
		return nil
	}
	if i := v.named(strings.Join(words, " ")); i >= 0 {
		add([][]int{{i}})
	}
	var byText, byPlace [][]int
	items, marked := v.itemsIn(words)
	texts, places := true, true
	for _, it := range items {
		text, place := v.optionOf(it)
		if text < 0 && place < 0 {
			return read
		}
		texts, places = texts && (marked || text >= 0), places && (marked || place >= 0)
		a, b := either(text, place), either(place, text)
		if last := len(byText) - 1; it.equal && last >= 0 {
			byText[last], byPlace[last] = append(byText[last], a), append(byPlace[last], b)
			continue
		}
		byText, byPlace = append(byText, []int{a}), append(byPlace, []int{b})
	}
	if texts {
		add(byText)
	}
	if places {
		add(byPlace)
	}
	return read
}

// optionOf returns the option whose text is written there, and the one whose place is; -1 if none.
func (v Vote) optionOf(it item) (text, place int) {
	w := strings.Join(it.words, " ")
	return v.named(w), v.place(w)
}

// unranked says why words are no ranking.
func (v Vote) unranked(s say.Speaker, words []string) error {
	vote := say.Number("Vote", v.ID)
	seen := []int{}
	items, _ := v.itemsIn(words)
	for _, it := range items {
		text, place := v.optionOf(it)
		o := either(text, place)
		switch {
		case o < 0 && len(it.words) > 0:
			return commands.Sorry(say.Sentences(s.Say("no-rank", say.Quoted("Word", strings.Join(it.words, " "), 40), vote), v.how(s)))
		case o < 0:
			return sorry(s, "rank-nothing")
		case slices.Contains(seen, o):
			return sorry(s, "rank-twice", say.Quoted("Option", v.Options[o], MaxOption))
		case it.equal && v.Tally.Method == tally.STV:
			return sorry(s, "rank-equally", vote)
		}
		seen = append(seen, o)
	}
	return commands.Sorry(say.Sentences(s.Say("rank-not", vote), v.how(s)))
}

// typed writes a ballot as it can be typed so that it means nothing else.
func (v Vote) typed(b tally.Ballot) string {
	place := func(o int) string { return "#" + strconv.Itoa(o+1) }
	if !v.Tally.Method.Ranked() {
		return strings.Join(each(b, place), " ")
	}
	var ranks []string
	for _, group := range b.Groups() {
		ranks = append(ranks, strings.Join(each(group, place), " = "))
	}
	return strings.Join(ranks, " > ")
}

// example is a ballot as people type it: by names where these are short and mean nothing else.
func (v Vote) example() string {
	line := v.Options[1] + " > " + v.Options[0]
	if read := v.rankings(strings.Fields(line)); len(line) <= 40 && len(read) == 1 && read[0][1] == 1 && read[0][0] == 2 {
		return line
	}
	return "#2 > #1"
}

// howToRank tells somebody how they rank the options of an election.
func (h *atHand) howToRank(s say.Speaker, info rooms.Info) protocol.Text {
	if h.covered() {
		return h.secretly(s, info, "cast")
	}
	return s.Say("say-it", say.Code("Command", h.code("vote "+h.Number()+" "+h.example())))
}

func each(options []int, write func(int) string) []string {
	out := make([]string, len(options))
	for i, o := range options {
		out[i] = write(o)
	}
	return out
}

// notRanked says what a ballot does not rank; nothing if it ranks all.
func (v Vote) notRanked(s say.Speaker, b tally.Ballot) protocol.Text {
	if !v.Tally.Method.Ranked() || !slices.Contains(b, 0) {
		return nil
	}
	var rest []protocol.Text
	for o, rank := range b {
		if rank == 0 {
			rest = append(rest, s.Say("option-text", say.Quoted("Option", v.Options[o], MaxOption)))
		}
	}
	return s.Say("not-ranked", say.Part("Options", s.And(rest)))
}

// rankNext is what a control of an election says: the place of the option that somebody ranks next, behind those that their
// ballot has.
func (h *atHand) rankNext(c *commands.Call, places []string) chosen {
	mine := h.mine(c.Person)
	var groups [][]int
	if mine != nil {
		groups = mine.Groups()
	}
	n, err := strconv.Atoi(strings.Join(places, " "))
	switch o := n - 1; {
	case err != nil || o < 0 || o >= len(h.Options):
		return chosen{h, nil, sorry(h.here(c), "pressed-wrong", h.number())}
	case slices.ContainsFunc(groups, func(g []int) bool { return slices.Contains(g, o) }):
		return chosen{h, nil, sorry(h.here(c), "rank-already", say.Quoted("Option", h.Options[o], MaxOption),
			say.Part("Ballot", h.as(h.here(c)).view().Ballot(mine)), say.Code("Command", c.Code("vote withdraw "+h.Number())))}
	default:
		return chosen{vote: h, ballot: h.Tally.Rank(append(groups, []int{o}))}
	}
}

// mine returns the ballot of somebody as it stands, nil if they have none.
func (h *atHand) mine(user protocol.UserID) tally.Ballot {
	n := h.bus.Lookup(h.tx, user)
	if n == 0 {
		return nil
	}
	if h.Secret {
		if b, _ := h.boxed(n); len(b) > 0 {
			return b
		}
		return nil
	}
	return h.ballotOf(n)
}
