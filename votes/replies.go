package votes

import (
	"slices"
	"strconv"
	"strings"

	"moot/events"
	"moot/internal/alike"
	"moot/protocol"
	"moot/store"
	"moot/votes/tally"
)

// isChoice reports whether a word behind "vote" can only be meant as a ballot: the number of a vote or of an option, or yes, no
// and abstain.
func isChoice(word string) bool {
	_, number := voteID(word)
	return number || Vote{Type: Motion}.place(strings.TrimRight(word, ",;:")) >= 0
}

// Replied returns the command that somebody means who answers a message of the bot ([commands.Config.Replied]): a ballot, behind
// a message that shows an open vote, if nothing else is said; and, of the one whom a vote is about, their answer, behind what they were
// told of it in private.
func (f *Feature) Replied(tx *store.Tx, ev protocol.Event, to protocol.EventID, text string) ([]string, map[string][]string) {
	if ev.Private {
		if v := f.toldOf(tx, ev.Sender, to); v != nil && !alike.Blank(text) {
			return []string{"vote", "reply"}, map[string][]string{
				"vote": {v.Number()}, "text": {protocol.OneLine(text)}, "in": {string(v.room)},
			}
		}
		return nil, nil
	}
	v := f.voteOn(tx, ev.Room, to)
	if v == nil {
		v = f.answeredWith(tx, ev.Room, to)
	}
	if v == nil {
		return nil, nil
	}
	words := strings.Fields(text)
	given := map[string][]string{"ballot": {v.Number()}, ofParam: {v.tag()}}
	read := v.ballots(words)
	if i := slices.IndexFunc(words, isBecause); i > 0 && len(read) == 0 {
		if read = v.ballots(words[:i]); len(read) == 1 {
			given["because"] = []string{strings.Join(words[i+1:], " ")}
		}
	}
	switch len(read) {
	case 0: // people talk about it
		return nil, nil
	case 1:
		if v.Type == Election {
			given["ballot"] = append(given["ballot"], strings.Fields(v.typed(read[0]))...)
			break
		}
		given[placeParam] = placesOf(read[0])
	default: // they are asked which one they mean
		given["ballot"] = append(given["ballot"], words...)
	}
	return []string{"vote", "cast"}, given
}

// placesOf returns the places of what a ballot chooses, as a control says them.
func placesOf(b tally.Ballot) (places []string) {
	for _, o := range b {
		places = append(places, strconv.Itoa(o+1))
	}
	return places
}

// toldOf returns the open vote of which somebody was told by that message, as the one whom it is about; nil if there is none.
func (f *Feature) toldOf(tx *store.Tx, user protocol.UserID, message protocol.EventID) *atHand {
	n := f.bus.Lookup(tx, user)
	if n == 0 {
		return nil
	}
	for v := range f.openAbout(tx, n) {
		if key := v.posting().Notice; key != "" && tx.Delivery(key).Ref.Has(message) {
			return v
		}
	}
	return nil
}

// openAbout goes through the open votes about somebody, in all rooms.
func (f *Feature) openAbout(tx *store.Tx, n events.Number) func(yield func(*atHand) bool) {
	return func(yield func(*atHand) bool) {
		for k := range tx.Range(openVotes, "", "") {
			room, id := protocol.RoomID(k[:len(k)-8-len(store.Sep)]), store.ParseNumber(k)
			if v := f.find(tx, room, id); v != nil && v.Target == n && !yield(v) {
				return
			}
		}
	}
}
