package votes

import (
	"encoding/json"
	"iter"
	"maps"
	"time"

	"moot/events"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes/tally"
)

// atHand is the vote at hand: one vote in one transaction. It is made once for a command, an event or a timer, and what
// it publishes it reads back: it never shows what the vote was before. Where Feature has a method of the same name, that
// of atHand means this room.
type atHand struct {
	*Feature
	tx   *store.Tx
	room protocol.RoomID
	Vote
	speaks *say.Speaker // nil means that it is spoken of in the language of the room
}

func (f *Feature) at(tx *store.Tx, room protocol.RoomID, v Vote) *atHand {
	return &atHand{Feature: f, tx: tx, room: room, Vote: v}
}

// find returns a vote of a room, nil if there is none of that number.
func (f *Feature) find(tx *store.Tx, room protocol.RoomID, id uint64) *atHand {
	v, ok := Get(tx, room, id)
	if !ok {
		return nil
	}
	return f.at(tx, room, v)
}

// openIn goes through the open votes of a room by their numbers.
func (f *Feature) openIn(tx *store.Tx, room protocol.RoomID) iter.Seq[*atHand] {
	return func(yield func(*atHand) bool) {
		for v := range OpenIn(tx, room) {
			if !yield(f.at(tx, room, v)) {
				return
			}
		}
	}
}

// publish adds a fact about the vote. Payloads hold neither people nor their words.
func (h *atHand) publish(what string, who map[string]protocol.UserID, payload any) error {
	return h.publishWith(map[string]string{keyWhat: what}, who, payload)
}

func (h *atHand) publishWith(more map[string]string, who map[string]protocol.UserID, payload any) error {
	keys := map[string]string{keyVote: h.Number(), keyType: string(h.Type)}
	maps.Copy(keys, more)
	if err := h.bus.Publish(h.tx, events.Draft{Kind: KindVote, People: who, Keys: keys, Payload: payload}); err != nil {
		return err
	}
	if what := keys[keyWhat]; what == whatBallot || what == whatWithdrawn { // which change nothing but the count, and are the most
		h.Count = decodeCount(h.tx.Get(counts, h.key()))
		h.Turnout = h.Count.Cast
		return nil
	}
	if v, ok := Get(h.tx, h.room, h.ID); ok { // there is none yet while its electorate is published
		h.Vote = v
	}
	return nil
}

func (h *atHand) key() string                    { return voteKey(h.room, h.ID) }
func (h *atHand) voterKey(voter string) string   { return voterKey(h.room, h.ID, voter) }
func (h *atHand) mayVote(n events.Number) bool   { return MayVote(h.tx, h.room, h.ID, n) }
func (h *atHand) now() tally.Clock               { return h.clock(h.tx.Now()) }
func (h *atHand) buttons() bool                  { return h.Feature.buttons(h.room) }
func (h *atHand) edits() time.Duration           { return h.Feature.edits(h.room) }
func (h *atHand) code(line string) protocol.Text { return h.Feature.code(h.room, line) }

// in returns who speaks of the vote: in the language of the room, unless it is spoken of to somebody alone.
func (h *atHand) in() say.Speaker {
	if h.speaks != nil {
		return *h.speaks
	}
	return h.Feature.in(h.tx, h.room)
}

// to returns who speaks of the vote to somebody alone.
func (h *atHand) to(user protocol.UserID) say.Speaker { return h.Feature.to(h.tx, h.room, user) }

// as returns the vote as somebody speaks of it, to be read only.
func (h *atHand) as(s say.Speaker) *atHand {
	other := *h
	other.speaks = &s
	return &other
}

// say says a sentence about the vote.
func (h *atHand) say(id string, slots ...say.Slot) protocol.Text { return h.in().Say(id, slots...) }

// number is the slot of the number of the vote.
func (h *atHand) number() say.Slot { return say.Number("Vote", h.ID) }

// when is the slot of when the vote closes, and of how long that is from now.
func (h *atHand) when() say.Slot {
	v := h.view()
	v.Left = h.Deadline.Sub(h.tx.Now())
	return say.Part("When", v.Ends())
}

// info is what is known of the room.
func (h *atHand) info() rooms.Info {
	info, _ := rooms.Get(h.tx, h.room)
	return info
}

// away reports whether nobody can vote for the time being.
func (h *atHand) away() bool { return outageOf(h.tx, h.room).is() }

// ballotOf returns what stands as the ballot of somebody, nil if they have none. Those of a secret vote are in its box.
func (h *atHand) ballotOf(n events.Number) tally.Ballot {
	return decodeBallot(h.tx.Get(ballots, h.voterKey(voter(n))))
}

// userOf returns the person of a number, zero if they were forgotten.
func (h *atHand) userOf(n events.Number) protocol.UserID {
	user, _ := h.bus.Who(h.tx, n)
	return user
}

// name names a person without wanting their attention.
func (h *atHand) name(n events.Number) protocol.Text { return h.named(rooms.NamesIn(h.tx, h.room), n) }

// named is name for whoever names several people of a room.
func (h *atHand) named(names *rooms.Names, n events.Number) protocol.Text {
	user, ok := h.bus.Who(h.tx, n)
	if !ok {
		return h.in().Say("forgotten")
	}
	return names.Person(user)
}

// text returns what somebody wrote, or says that it is gone.
func (h *atHand) text(id events.TextID) string { return h.Feature.text(h.tx, h.in(), id) }

func (h *atHand) posting() (b posting) {
	if data := h.tx.Get(postings, h.key()); data != nil {
		_ = json.Unmarshal(data, &b) // it was written here
	}
	return b
}

func (h *atHand) putPosting(b posting) {
	data, err := json.Marshal(b)
	if err != nil {
		panic(err) // strings, times and bools can be encoded
	}
	h.tx.Put(postings, h.key(), data)
}

// announce says something where the vote is held.
func (h *atHand) announce(text protocol.Text) error {
	return h.Feature.announce(h.tx, h.room, h.Place, text)
}
