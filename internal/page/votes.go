package page

import (
	"net/http"
	"strconv"
	"time"

	"moot/events"
	"moot/internal/site"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes"
	"moot/votes/tally"
)

// voteRow is a vote in a list.
type voteRow struct {
	Room    protocol.RoomID
	Where   string // what the room is called
	ID      uint64
	Type    votes.Type
	Text    string // what it is about
	Open    bool
	Secret  bool
	Turnout int
	Size    int
	Closes  time.Time
	Ended   time.Time
	Outcome tally.Outcome
}

func (p *Page) voteRow(tx *store.Tx, info rooms.Info, v votes.Vote) voteRow {
	return voteRow{
		Room: info.ID, Where: protocol.OneLine(info.Title()), ID: v.ID, Type: v.Type, Text: p.about(tx, info.ID, v), Open: v.Open(), Secret: v.Secret,
		Turnout: v.Turnout, Size: v.Size, Closes: v.Deadline, Ended: v.Ended, Outcome: v.Outcome,
	}
}

// about says what a vote is about.
func (p *Page) about(tx *store.Tx, room protocol.RoomID, v votes.Vote) string {
	bus := p.Inspector.Bus
	text, _ := bus.Text(tx, v.Text)
	if v.Type == votes.Challenge || v.Type == votes.Restore {
		who := "somebody who was forgotten"
		if user, ok := bus.Who(tx, v.Target); ok {
			who = rooms.NamesIn(tx, room).Person(user).Plain()
		}
		text = who + ": " + text
	}
	return protocol.OneLine(text)
}

func (p *Page) votes(*http.Request) (view, error) {
	var data struct {
		Open, Closed []voteRow
		More         bool // whether more are open
	}
	err := p.Inspector.Store.View(func(tx *store.Tx) error {
		for info := range rooms.All(tx) {
			for v := range votes.OpenIn(tx, info.ID) {
				if data.More = len(data.Open) == listed; data.More {
					break
				}
				if !info.Private {
					data.Open = append(data.Open, p.voteRow(tx, info, v))
				}
			}
		}
		const recent = 50
		for f, err := range p.Inspector.Bus.Matching(tx, events.Query{Kind: votes.KindVote, Filters: map[string]string{"what": "closed"}, Backward: true, Limit: recent}) {
			if err != nil {
				return err
			}
			info, ok := rooms.Get(tx, protocol.RoomID(f.Scope))
			id, _ := strconv.ParseUint(f.Keys["vote"], 10, 64)
			if v, there := votes.Get(tx, info.ID, id); ok && there && !info.Private {
				data.Closed = append(data.Closed, p.voteRow(tx, info, v))
			}
		}
		return nil
	})
	return view{Title: "Votes", Template: "votes.html", Data: data}, err
}

// bar is how many chose one option.
type bar struct {
	Label string
	Count int
	Share string // of the ballots, as a percentage
	Wide  int    // of the drawing, of barWide
	Y     int    // where it is drawn
	Leads bool
}

const (
	barWide = 300 // of the longest bar
	barHigh = 34  // from one to the next
)

// vote shows one vote, and the arithmetic.
func (p *Page) vote(r *http.Request) (view, error) {
	var data struct {
		voteRow
		Told    bool // whether how it stands is for all to see
		Bars    []bar
		High    int
		Drawing string // what is drawn, in words
		Rules   []string
		Sum     string // the arithmetic, in a sentence
		Opened  time.Time
		Decided bool
	}
	err := p.Inspector.Store.View(func(tx *store.Tx) error {
		info, err := openRoom(tx, r.FormValue("room"))
		if err != nil {
			return err
		}
		id, _ := strconv.ParseUint(r.FormValue("id"), 10, 64)
		v, ok := votes.Get(tx, info.ID, id)
		if !ok {
			return question("There is no such vote.")
		}
		data.voteRow, data.Told, data.Opened, data.Decided = p.voteRow(tx, info, v), v.Told(), v.Opened, v.Decided()
		data.Rules = rulesOf(v)
		if data.Told {
			data.Bars, data.Drawing = barsOf(v)
			data.High = barHigh * len(data.Bars)
			data.Sum = sumOf(v)
		}
		return nil
	})
	return view{Title: "Vote " + strconv.FormatUint(data.ID, 10), Template: "vote.html", Data: data}, err
}

// barsOf draws how a vote stands, and says it in words.
func barsOf(v votes.Vote) (bars []bar, words string) {
	labels := []string{"yes", "no", "abstained"}
	if len(v.Options) > 0 {
		labels = v.Options
	}
	highest := 0
	for _, n := range v.Count.For {
		highest = max(highest, n)
	}
	for i, label := range labels {
		b := bar{Label: protocol.OneLine(label), Y: i * barHigh}
		if i < len(v.Count.For) {
			b.Count = v.Count.For[i]
		}
		b.Share = "–"
		if v.Count.Cast > 0 {
			b.Share = strconv.Itoa((200*b.Count+v.Count.Cast)/(2*v.Count.Cast)) + " %"
		}
		if highest > 0 {
			b.Wide = barWide * b.Count / highest
		}
		b.Leads = highest > 0 && b.Count == highest
		if words != "" {
			words += ", "
		}
		words += b.Label + " " + strconv.Itoa(b.Count)
		bars = append(bars, b)
	}
	return bars, words
}

// rulesOf says the rules of a vote, a line each.
func rulesOf(v votes.Vote) (lines []string) {
	t := v.Tally
	switch t.Method {
	case tally.Majority:
		lines = append(lines, "It passes with more yes than no.")
	case tally.Supermajority:
		lines = append(lines, "It passes with "+strconv.Itoa(t.Part)+" of "+strconv.Itoa(t.Of)+" of yes and no, and at least "+strconv.Itoa(t.LeastYes)+" yes.")
	case tally.Consent:
		lines = append(lines, "It passes unless "+strconv.Itoa(t.Objections)+" object.")
	case tally.Plurality:
		lines = append(lines, "The option with the most votes is chosen.")
	case tally.Schulze:
		lines = append(lines, "Its options are ranked; one seat is filled by Schulze's method.")
	case tally.STV:
		lines = append(lines, "Its options are ranked; "+strconv.Itoa(t.Seats)+" seats are filled by the single transferable vote.")
	}
	if t.Quorum > 0 {
		lines = append(lines, "Quorum: "+strconv.Itoa(t.Quorum)+" ballots, abstentions included.")
	}
	if v.Waived {
		lines = append(lines, "Nobody had to be active to vote, as too few were.")
	}
	if v.Paused > 0 {
		lines = append(lines, "It ends later by "+site.Span(v.Paused)+", in which nobody could vote.")
	}
	return lines
}

// sumOf says the arithmetic of a vote: of its outcome, or of how it would end with these ballots.
func sumOf(v votes.Vote) string {
	if v.Type == votes.Election {
		return "The bars show how many ranked it first. " + v.Elects()
	}
	if v.Type == votes.Poll {
		return strconv.Itoa(v.Count.Cast) + " of " + strconv.Itoa(v.Size) + " who can vote have voted."
	}
	sum := tally.Final(v.Tally, v.Size, v.Count).Explain() + "."
	if v.Open() {
		return "If it closed with these ballots: " + sum
	}
	return sum
}
