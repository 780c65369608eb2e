package votes

import (
	"fmt"
	"slices"
	"strconv"

	"moot/commands"
	"moot/events"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/votes/tally"
)

// votersPage is how many people one page names.
const votersPage = 50

// whoVotes is the command that shows, in private, who may vote in a vote and, where ballots are not secret, who has.
func (f *Feature) whoVotes(c *commands.Call) error {
	v, err := f.theVote(c, "voters")
	if err != nil {
		return err
	}
	all, voted, known, err := v.electors()
	if err != nil {
		return err
	}
	page := int(max(1, c.Integer("page")))
	if (page-1)*votersPage >= len(all) && page > 1 {
		return sorry(f.alone(c), "no-page", say.Number("Page", page))
	}
	s, id := f.alone(c), "voters-may"
	if !v.Open() {
		id = "voters-could"
	}
	head := s.Say(id, v.number(), say.Moment("At", v.Opened), say.Number("Size", len(all)))
	switch {
	case v.Secret:
		head = say.Sentences(head, s.Say("voters-secret"))
	case !known:
		head = say.Sentences(head, s.Say("voters-unknown"))
	}
	// Those who have voted come first, each part in the order in which I came to know them.
	slices.SortStableFunc(all, func(a, b events.Number) int { return rank(voted, a) - rank(voted, b) })
	lines := []protocol.Text{head}
	end := min(page*votersPage, len(all))
	names := rooms.NamesIn(v.tx, v.room)
	for _, part := range []struct {
		has bool
		id  string
	}{{true, "voters-have"}, {false, "voters-have-not"}} {
		var people []protocol.Text
		for _, n := range all[min((page-1)*votersPage, end):end] {
			if has := voted[n]; has == part.has {
				people = append(people, v.as(s).named(names, n))
			}
		}
		if len(people) == 0 {
			continue
		}
		id := part.id
		if v.Secret || !known {
			id = "voters-are"
		}
		lines = append(lines, s.Say(id, say.Person("People", say.Commas(people))))
	}
	if end < len(all) {
		lines = append(lines, s.Say("more", say.Code("Command", alone(c)("vote voters "+v.Number()+" --page "+strconv.Itoa(page+1)))))
	}
	return c.Whisper(protocol.Lines(lines...))
}

// rank puts those who have voted before all others.
func rank(voted map[events.Number]bool, n events.Number) int {
	if voted[n] {
		return 0
	}
	return 1
}

// electors returns who may vote, who of them has, and whether that is known: of an open vote by what stands, of one that
// has ended by the log, which keeps it.
func (h *atHand) electors() (all people, voted map[events.Number]bool, known bool, err error) {
	voted = map[events.Number]bool{}
	if h.Open() {
		data := h.tx.Get(electorate, h.key())
		for i := range len(data) / 8 {
			all = append(all, electorAt(data, i))
		}
		for _, n := range h.voted() {
			voted[n] = true
		}
		return all, voted, !h.Secret, nil
	}
	for _, what := range []string{whatElecting, whatOpened, whatCarrying, whatClosed} {
		q := events.Query{Kind: KindVote, Filters: map[string]string{
			keyVote: h.Number(), keyWhat: what, events.KeyScope: string(h.room),
		}}
		for fact, err := range h.bus.Matching(h.tx, q) {
			var p struct {
				First      bool        `json:"first"`
				Electorate people      `json:"electorate"`
				Voters     people      `json:"voters"`
				Count      tally.Tally `json:"count"`
				Voted      bool        `json:"voted"`
			}
			if err == nil {
				err = fact.Decode(&p)
			}
			if err != nil {
				return nil, nil, false, fmt.Errorf("who could vote in vote %d: %w", h.ID, err)
			}
			if p.First || what == whatOpened && len(p.Electorate) > 0 {
				all = nil // those of a vote that never opened
			}
			all = append(all, p.Electorate...)
			for _, n := range p.Voters {
				voted[n] = true
			}
			known = what == whatClosed && !h.Secret && (len(p.Voters) > 0 || p.Count.Cast == 0 && !p.Voted)
		}
	}
	return all, voted, known, nil
}

// voted returns who has cast a ballot in an open vote that is not secret.
func (h *atHand) voted() (all people) {
	prefix := h.voterKey("")
	for k := range h.tx.Prefix(ballots, prefix) {
		all = append(all, parseVoter(k[len(prefix):]))
	}
	return all
}
