package votes

import (
	"slices"
	"strings"

	"moot/commands"
	"moot/outbox"
	"moot/protocol"
	"moot/store"
)

// A secret vote is put as a poll to whoever asks for it in private: there nobody but the bot holds the response, and it is
// sealed where the conversation is. What they press is the command that they could have typed.

// privatePolls holds the polls of secret votes that are open: room ␟ vote ␟ user → key of the poll, its room.
var privatePolls = store.ScopedBucket("votes-private-polls")

// pollPrivately puts a secret vote to who has asked to see it in private, if they may vote. The one that they were given
// before ends: nobody shall wonder which of two counts.
func (h *atHand) pollPrivately(c *commands.Call) error {
	dm := c.Event.Room
	q := h.as(h.alone(c)).question()
	if !h.Secret || !c.Event.Private || !slices.Contains(h.Polls, dm.Network()) || q.Check() != nil ||
		h.mayCast(h.alone(c), c.Room, c.Person, c.Code) != nil {
		return nil
	}
	row := h.voterKey(string(c.Person))
	if err := h.endPrivatePoll(row, h.alone(c).Say("poll-below")); err != nil {
		return err
	}
	key, err := outbox.Send(h.tx, protocol.Outgoing{Room: dm, Expires: h.Deadline, Act: q})
	if err != nil {
		return err
	}
	h.tx.Put(privatePolls, row, []byte(store.Key(string(key), string(dm))))
	return nil
}

// endPrivatePoll ends the poll of a row, if there is one.
func (h *atHand) endPrivatePoll(row string, text protocol.Text) error {
	key, dm, is := strings.Cut(string(h.tx.Get(privatePolls, row)), store.Sep)
	if !is {
		return nil
	}
	h.tx.Delete(privatePolls, row)
	if !live(h.tx.Delivery(protocol.Key(key)).State) {
		return nil
	}
	_, err := outbox.Send(h.tx, protocol.Outgoing{Room: protocol.RoomID(dm), Expires: outbox.Never,
		Act: protocol.EndPoll{Original: protocol.Key(key), Text: text}})
	return err
}

// endPrivatePolls ends the polls that were put to people alone, and says there what came of the vote.
func (h *atHand) endPrivatePolls(text func(*atHand) protocol.Text) error {
	prefix := h.voterKey("")
	for row := range h.tx.Prefix(privatePolls, prefix) {
		user := protocol.UserID(row[len(prefix):])
		info, s := seenBy(h.tx, h.info(), user), h.to(user)
		if err := h.endPrivatePoll(row, inRoom(s, info.Title(), text(h.as(s)))); err != nil {
			return err
		}
	}
	return nil
}

// Pressed returns the command that somebody means who responds to a poll that was put to them alone
// ([commands.Config.Pressed]).
func (f *Feature) Pressed(tx *store.Tx, ev protocol.Event, r protocol.PollResponse) ([]string, map[string][]string) {
	v := f.putTo(tx, ev, r.Target)
	if v == nil {
		return nil, nil
	}
	given := map[string][]string{"in": {string(v.room)}, ofParam: {v.tag()}}
	b := v.chosenBy(r)
	if len(b) == 0 {
		given["vote"] = []string{v.Number()}
		return []string{"vote", "withdraw"}, given
	}
	given["ballot"], given[placeParam] = []string{v.Number()}, placesOf(b)
	return []string{"vote", "cast"}, given
}

// putTo returns the open vote of which an event is the poll that was put to the sender alone; nil if it is none.
func (f *Feature) putTo(tx *store.Tx, ev protocol.Event, poll protocol.EventID) *atHand {
	for k := range tx.Range(openVotes, "", "") {
		room, id := protocol.RoomID(k[:len(k)-8-len(store.Sep)]), store.ParseNumber(k)
		key, dm, is := strings.Cut(string(tx.Get(privatePolls, voterKey(room, id, string(ev.Sender)))), store.Sep)
		if is && dm == string(ev.Room) && tx.Delivery(protocol.Key(key)).Ref.Has(poll) {
			return f.find(tx, room, id)
		}
	}
	return nil
}
