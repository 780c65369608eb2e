package votes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes/tally"
)

// A vote has a poll of the network's own below its message, where the network has polls: both are the vote, to the bot and
// to people. The message is what is edited, what all programs show, and what says how the vote stands with all ballots; the
// poll is there to be pressed.
//
// A secret vote has none in the room. A response is an event of the room: it can be sealed from servers, but whoever is in
// the room holds it and its sender's name in clear, whatever a program shows of it.

// hasPoll reports whether the vote is put to the room as a poll.
func (h *atHand) hasPoll() bool {
	return !h.Secret && slices.Contains(h.Polls, h.room.Network()) && h.question().Check() == nil
}

// question is the vote as a poll. A value names the vote and the place of a choice: who carries a response from one poll to
// another, as the server of an encrypted room could, makes nothing of it.
func (h *atHand) question() protocol.StartPoll {
	options, most := h.offered(h.view().Choices())
	return protocol.StartPoll{
		Question: protocol.Shorten(protocol.OneLine(h.view().Question().Plain()), protocol.MaxPollText), Options: options, Most: most,
		Disclosed: !h.covered(),
	}
}

// offered returns what can be chosen in the poll of the vote, and how much of it at once: nothing where a ballot is more than a
// choice of options.
func (v Vote) offered(choices []string) (options []protocol.Option, most int) {
	switch v.Tally.Method {
	case tally.Plurality, tally.Majority, tally.Supermajority, tally.Consent:
	default:
		return nil, 0
	}
	for i, choice := range choices {
		if v.objects(tally.Ballot{i}) {
			continue // an objection needs a reason
		}
		if v.Type != Poll {
			choice = upper(choice)
		}
		options = append(options, protocol.Option{Label: choice, Value: fmt.Sprintf("%d-%s-%d", v.ID, v.tag(), i+1)})
	}
	if v.Tally.Multiple {
		return options, len(options)
	}
	return options, 1
}

// offerPoll puts the vote to the room as a poll, below its message, where none stands.
func (h *atHand) offerPoll() error {
	if b := h.posting(); b.Poll != "" && live(h.tx.Delivery(b.Poll).State) || !h.hasPoll() {
		return nil
	}
	return h.startPoll()
}

func (h *atHand) startPoll() error {
	key, err := outbox.Send(h.tx, protocol.Outgoing{Room: h.room, Place: h.Place, Expires: h.Deadline, Act: h.question()})
	if err != nil {
		return err
	}
	b := h.posting()
	b.Poll = key
	h.putPosting(b)
	return nil
}

// pollStands reports whether there is a poll that can be pressed, or will be.
func (h *atHand) pollStands() bool {
	b := h.posting()
	if b.Poll == "" {
		return b.Key == "" && !b.PollDeleted && h.hasPoll() // it is sent with the message
	}
	return live(h.tx.Delivery(b.Poll).State)
}

// live reports whether what was sent stands, or may.
func live(s store.State) bool {
	return s == store.StateSent || s == store.StateQueued || s == store.StateAmbiguous
}

// endPoll ends the poll of the vote, and says there what came of it.
func (h *atHand) endPoll(text protocol.Text) error {
	b := h.posting()
	if b.Poll == "" || !live(h.tx.Delivery(b.Poll).State) {
		return nil
	}
	_, err := outbox.Send(h.tx, protocol.Outgoing{Room: h.room, Place: h.Place, Expires: outbox.Never,
		Act: protocol.EndPoll{Original: b.Poll, Text: text}})
	return err
}

// askAnew puts the vote to the room in another poll, as what the first one asks is no longer what is decided. Polls are not
// edited.
func (h *atHand) askAnew() error {
	if h.posting().Poll == "" {
		return nil
	}
	if err := h.endPoll(h.say("poll-anew", h.number())); err != nil {
		return err
	}
	return h.startPoll()
}

// pollDeleted is called when somebody has removed the poll of the vote. What was pressed in it stands. It is put to the room
// once more, but only once: nobody is kept from voting in another way.
func (h *atHand) pollDeleted() error {
	b := h.posting()
	again := !b.PollDeleted
	b.Poll, b.PollDeleted = "", true
	h.putPosting(b)
	h.unmark(isResponse)
	h.touch()
	if !again || h.Status != Running {
		return nil
	}
	return h.offerPoll()
}

// isPoll reports whether an event is the poll of the vote.
func (h *atHand) isPoll(event protocol.EventID) bool {
	key := h.posting().Poll
	return key != "" && h.tx.Delivery(key).Ref.Has(event)
}

// Polled reports whether a response is to the poll of an open vote.
func (f *Feature) Polled(tx *store.Tx, ev protocol.Event, r protocol.PollResponse) bool {
	return f.polledIn(tx, ev.Room, r) != nil || ev.Private && f.putTo(tx, ev, r.Target) != nil
}

// polledIn returns the vote to whose poll somebody responds: an open one, or that which the response names; nil if it is no
// poll of the bot.
func (f *Feature) polledIn(tx *store.Tx, room protocol.RoomID, r protocol.PollResponse) *atHand {
	for v := range f.openIn(tx, room) {
		if v.isPoll(r.Target) {
			return v
		}
	}
	if len(r.Answers) == 0 {
		return nil
	}
	number, _, _ := strings.Cut(r.Answers[0], "-")
	id, _ := strconv.ParseUint(number, 10, 64)
	if v := f.find(tx, room, id); v != nil && v.isPoll(r.Target) {
		return v
	}
	return nil
}

// responded handles what somebody chooses in a poll. It is their ballot, by the rules of any other: the last in the order in
// which the bot gets them counts, whatever the clock of its sender says.
func (f *Feature) responded(tx *store.Tx, ev protocol.Event, r protocol.PollResponse) (store.Outcome, error) {
	v := f.polledIn(tx, ev.Room, r)
	switch {
	case ev.Sender == "":
		return store.Outcome{}, nil
	case ev.Private && f.putTo(tx, ev, r.Target) != nil: // which is a command
		return store.Outcome{}, nil
	case v == nil:
		return store.WasIgnored("a response to a poll that the bot has not started, or that has ended: it is no ballot"), nil
	case !v.Open():
		return store.WasIgnored("a response to the poll of vote " + v.Number() + ", which has closed"), nil
	}
	info := seenBy(tx, v.info(), ev.Sender)
	if m, ok := rooms.Lookup(tx, v.room, ev.Sender); ok && (m.Bot || m.Self) {
		return store.WasIgnored("a response by a bot"), nil
	}
	s := v.to(ev.Sender)
	why := v.mayCast(s, info, ev.Sender, inPrivate(info))
	if why == nil {
		why = isOut(s, tx, info, ev.Sender)
	}
	if why != nil {
		return store.WasIgnored("a response by somebody who cannot vote, or too late"), v.once(ev.Sender, why)
	}
	b := v.chosenBy(r)
	who := voter(f.bus.Number(tx, ev.Sender))
	name := responseMark(b, ev.ID)
	v.forgetOldest(who)
	v.mark(who, name, ev.ID)
	tx.Put(madeBy, v.voterKey(who), []byte(name))
	if len(b) == 0 {
		return store.WasHandled("a ballot in vote " + v.Number() + " is withdrawn in its poll"), v.castByReaction(ev.Sender, b, viaPoll)
	}
	return store.WasHandled("a ballot in vote " + v.Number()), v.castByReaction(ev.Sender, b, viaPoll)
}

// chosenBy returns the ballot that a response is. One that names what the poll does not offer is spoiled, which is as good as
// none, and of too many answers the first count: so programs count them, too (MSC3381).
func (h *atHand) chosenBy(r protocol.PollResponse) (b tally.Ballot) {
	options, most := h.offered(h.choices())
	for _, a := range r.Answers {
		if !slices.ContainsFunc(options, func(o protocol.Option) bool { return o.Value == a }) {
			return nil
		}
	}
	for _, a := range r.Answers[:min(len(r.Answers), most)] {
		_, place, _ := strings.Cut(a[strings.Index(a, "-")+1:], "-")
		n, _ := strconv.Atoi(place) // it is one of the values
		b = append(b, n-1)
	}
	slices.Sort(b)
	return slices.Compact(b)
}

// Responses stand among the marks of a person, under names that no reaction has: who takes the last one back falls back on
// what was before, as with reactions. A name is the byte 2, how many options, the options, a byte each, and the event.
const responseByte = '\x02'

func responseMark(b tally.Ballot, event protocol.EventID) string {
	return string([]byte{responseByte, byte(len(b))}) + string(encodeBallot(b)) + string(event)
}

// isResponse reports whether a mark is a response to a poll.
func isResponse(name string) bool { return name != "" && name[0] == responseByte }

// ballotOfMark returns the ballot of a response.
func ballotOfMark(name string) tally.Ballot { return decodeBallot([]byte(name[2 : 2+int(name[1])])) }

// forgetOldest forgets the oldest response of somebody who has sent as many as are remembered.
func (h *atHand) forgetOldest(who string) {
	prefix, n := h.markKey(who, ""), 0
	var oldest string
	var least uint64
	for k, data := range h.tx.Prefix(marks, prefix) {
		if !isResponse(k[len(prefix):]) {
			continue
		}
		n++
		if order := store.ParseNumber(string(data[:8])); oldest == "" || order < least {
			oldest, least = k, order
		}
	}
	if n < maxMarks {
		return
	}
	h.tx.Delete(markEvents, store.Key(h.room, string(h.tx.Get(marks, oldest)[8:])))
	h.tx.Delete(marks, oldest)
}
