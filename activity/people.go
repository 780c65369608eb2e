package activity

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"moot/events"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// summary is what is known of a person's activity in one room, or in several.
type summary struct {
	days map[day]struct{}
	n    int
	last time.Time
}

// Export says what is kept about a person's activity, for them alone, one text for each room in which they are and one
// for all others together: these may have other names by now, which are not theirs to know. It reads the facts of the
// person, and no others.
func (f *Feature) Export(tx *store.Tx, user protocol.UserID) (texts []protocol.Text) {
	byRoom := map[protocol.RoomID]*summary{}
	if n := f.Bus.Lookup(tx, user); n != 0 {
		q := events.Query{Kind: KindName, Filters: map[string]string{RoleWho: n.String()}}
		for fact, err := range f.Bus.Matching(tx, q) {
			at, _, derr := decode(fact)
			if err != nil || derr != nil {
				continue // verify names it; what can be read is still told
			}
			room := protocol.RoomID(fact.Scope)
			if byRoom[room] == nil {
				byRoom[room] = &summary{days: map[day]struct{}{}}
			}
			byRoom[room].add(at)
		}
	}
	speak := to(tx, user)
	for info := range rooms.Of(tx, user) {
		room := say.Place("Room", protocol.Plain(protocol.Quoted(info.Title(), 0)))
		if s := byRoom[info.ID]; s != nil {
			texts = append(texts, speak.Say("active-in", s.slots(room)...))
			delete(byRoom, info.ID)
		}
		if p, ok := getPresence(tx, info.ID, user); ok && p.Gen == info.Generation {
			texts = append(texts, speak.Say("in-call", room))
		}
	}
	if len(byRoom) > 0 {
		rest := &summary{days: map[day]struct{}{}}
		for _, s := range byRoom {
			rest.n, rest.last = rest.n+s.n, later(rest.last, s.last)
			for d := range s.days {
				rest.days[d] = struct{}{}
			}
		}
		texts = append(texts, speak.Say("active-elsewhere", rest.slots()...))
	}
	return texts
}

func (s *summary) add(at time.Time) {
	s.days[dayOf(at)] = struct{}{}
	s.n, s.last = s.n+1, later(s.last, at)
}

// slots adds to others those of a summary.
func (s *summary) slots(others ...say.Slot) []say.Slot {
	var days []string
	for d := range s.days {
		days = append(days, d.start().Format(time.DateOnly))
	}
	slices.Sort(days)
	return append(others, say.Number("Times", s.n), say.Part("Days", protocol.Plain(strings.Join(days, ", "))), say.Moment("Last", s.last))
}

// Forget is for a person who wants to be forgotten, in the scope of that person. What leads from the facts to the
// person is for [events.Bus.Forget] to remove; the facts themselves name a number only and are dropped with the
// window. Until then they still count for who stays recognised because of a sanction. That somebody is in a call just
// now is how things are, as membership is: it stays until they leave it, but their time in it begins anew.
func (f *Feature) Forget(tx *store.Tx, user protocol.UserID) {
	data, err := json.Marshal(user)
	if err != nil {
		panic(err) // a string can be encoded
	}
	for info := range rooms.Of(tx, user) {
		if tx.Has(presences, store.Key(info.ID, string(user))) {
			tx.Tell(protocol.Scope(info.ID), protocol.Internal{Kind: tellForget, Data: data})
		}
	}
}
