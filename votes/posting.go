package votes

import (
	"slices"
	"time"

	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/store"
	"moot/votes/tally"
)

// posting is where a vote is shown. It is no projection: it says what was sent, which a replay does not send again.
type posting struct {
	Key     protocol.Key `json:",omitempty"` // of the message that is edited
	Posted  time.Time    `json:",omitzero"`
	Edited  time.Time    `json:",omitzero"`
	Deleted time.Time    `json:",omitzero"` // when it last was, by somebody else
	// Mentioned is whether the target was mentioned already, in the room from which the vote was carried over too.
	Mentioned bool         `json:",omitempty"`
	Notice    protocol.Key `json:",omitempty"` // of what the target was told in private
	Untold    bool         `json:",omitempty"` // it did not reach them
	Removed   int          `json:",omitempty"` // reactions that were removed by others than who gave them
	Ask       protocol.Key `json:",omitempty"` // about the reactions, when it closes
	Missed    protocol.Key `json:",omitempty"` // about those that the bot may have missed
	Poll      protocol.Key `json:",omitempty"` // the poll of the network's own
	// PollDeleted is whether somebody has removed one.
	PollDeleted bool `json:",omitempty"`
	// Half and Remind are reminders that were due while nobody could vote: those in private, from that place in the electorate on,
	// and the one in the room.
	Half   string `json:",omitempty"`
	Remind bool   `json:",omitempty"`

	Answers []protocol.Key `json:",omitempty"` // of the last that showed the vote to somebody who asked
}

var postings = store.ScopedBucket("votes-postings")

// post says that a vote is open, in the message that is edited from then on. The target is mentioned the first time
// only.
func (h *atHand) post() error {
	b := h.posting()
	first := !b.Mentioned
	if b.Key != "" {
		h.unmarkMessage() // the reactions went with the message; the ballots that they made stand
	}
	b.Mentioned = true
	key, err := outbox.Send(h.tx, protocol.Outgoing{
		Room: h.room, Place: h.Place, Expires: outbox.Never,
		Act: protocol.Say{Text: h.message(first, true), Controls: h.controls(), Notify: true},
	})
	if err != nil {
		return err
	}
	b.Key, b.Posted, b.Edited = key, h.tx.Now().Round(0), h.tx.Now().Round(0)
	h.putPosting(b)
	if !b.PollDeleted {
		if err := h.offerPoll(); err != nil {
			return err
		}
	}
	return h.offerReactions(key)
}

// offerReactions puts the reactions that are ballots under the message of a vote, where that helps people to press them. They
// are the bot's own, which is in no electorate.
func (h *atHand) offerReactions(message protocol.Key) error {
	if !h.reactable() || !slices.Contains(h.Reacts, h.room.Network()) {
		return nil
	}
	for _, reaction := range h.pressable() {
		_, err := outbox.Send(h.tx, protocol.Outgoing{Room: h.room, Place: h.Place, Expires: h.Deadline,
			Act: protocol.React{Original: message, Reaction: reaction}})
		if err != nil {
			return err
		}
	}
	return nil
}

// pressable returns the reactions that are ballots, one for each choice.
func (v Vote) pressable() []string {
	switch {
	case v.Type != Poll && v.objects(tally.Ballot{tally.No}): // an objection needs a reason
		return []string{"👍", "🤷"}
	case v.Type != Poll:
		return []string{"👍", "👎", "🤷"}
	}
	digits := []string{"1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣", "6️⃣", "7️⃣", "8️⃣", "9️⃣", "🔟"}
	return digits[:min(len(v.Options), len(digits))]
}

// touch has the message of a vote brought up to date, not sooner than its network bears it.
func (h *atHand) touch() {
	name := timerEdit + h.Number()
	if !h.tx.Timer(name).IsZero() {
		return
	}
	at := h.posting().Edited.Add(h.edits())
	if at.Before(h.tx.Now()) {
		at = h.tx.Now()
	}
	h.tx.SetTimer(name, at, nil)
}

// edit brings the message of a vote up to date, and posts it where none stands.
func (h *atHand) edit() error {
	if !h.info().Joined() {
		return nil // it is brought up to date when the bot is back
	}
	b := h.posting()
	switch h.tx.Delivery(b.Key).State {
	case store.StateSent, store.StateQueued, store.StateAmbiguous:
	default:
		again := b.Posted.Add(repostEvery)
		switch {
		case !h.Open():
			return nil
		case !b.Deleted.IsZero() && again.After(h.tx.Now()):
			h.tx.SetTimer(timerEdit+h.Number(), again, nil)
			return nil
		}
		return h.post()
	}
	b.Edited = h.tx.Now().Round(0)
	h.putPosting(b)
	_, err := outbox.Send(h.tx, protocol.Outgoing{
		Room: h.room, Place: h.Place, Expires: outbox.Never,
		Act: protocol.Revise{Original: b.Key, Text: h.message(false, true), Controls: h.controls()},
	})
	return err
}

// repostEvery is how far apart a vote whose message is deleted is shown once more, but for the first time.
const repostEvery = time.Hour

// repost shows a vote once more whose message was deleted: at once the first time, and then an hour after it was
// shown last, so that a vote is never hidden for long, nor a room filled with it.
func (h *atHand) repost() error {
	if !h.Open() {
		return nil
	}
	b := h.posting()
	first := b.Deleted.IsZero()
	b.Key, b.Deleted = "", h.tx.Now().Round(0)
	h.putPosting(b)
	h.unmarkMessage() // the reactions went with the message; the ballots that they made stand
	if first {
		return h.post()
	}
	return h.edit()
}

// voteOn returns the open vote that a message of the room shows, or a poll; nil if it shows none.
func (f *Feature) voteOn(tx *store.Tx, room protocol.RoomID, message protocol.EventID) *atHand {
	for v := range f.openIn(tx, room) {
		if key := v.posting().Key; key != "" && tx.Delivery(key).Ref.Has(message) || v.isPoll(message) {
			return v
		}
	}
	return nil
}

// answeredWith returns the open vote that somebody was shown by a message of the room, when they asked; nil if it shows none.
func (f *Feature) answeredWith(tx *store.Tx, room protocol.RoomID, message protocol.EventID) *atHand {
	for v := range f.openIn(tx, room) {
		for _, key := range v.posting().Answers {
			if tx.Delivery(key).Ref.Has(message) {
				return v
			}
		}
	}
	return nil
}

// sayOutcome says what became of a vote, and finds a place for it: where the vote was held, else the channel of the room for
// votes, else one that all can see, else it is told those whom it concerns most.
func (h *atHand) sayOutcome(text protocol.Text) error {
	there := protocol.Say{Text: text}
	var people []protocol.Outgoing
	for _, who := range slices.Compact([]protocol.UserID{h.userOf(h.Opener), h.userOf(h.Target)}) {
		if who != "" {
			private := h.to(who).Say("cannot-write", say.Place("Room", protocol.Plain(protocol.Quoted(seenBy(h.tx, h.info(), who).Title(), 0))),
				say.Part("Text", text))
			people = append(people, protocol.Outgoing{Act: protocol.Whisper{User: who, Text: private}})
		}
	}
	o := protocol.Outgoing{Room: h.room, Act: there, Else: people}
	for _, place := range []protocol.PlaceID{h.settings.Announces(h.tx, h.room), h.Place} {
		if place != "" && place != o.Place && !shut(h.tx, h.room, place) { // it may have been closed since
			o = protocol.Outgoing{Room: h.room, Place: place, Act: there, Else: []protocol.Outgoing{o}}
		}
	}
	if file := h.pictureOf(); file != nil {
		if firsts := h.firsts(); firsts != nil {
			text = protocol.Lines(text, firsts)
		}
		o = protocol.Outgoing{Room: h.room, Place: o.Place, Act: protocol.Say{Text: text, File: file}, Else: []protocol.Outgoing{o}}
	}
	o.Expires = outbox.Never
	_, err := outbox.Send(h.tx, o)
	return err
}

// announce says something in a room.
func (f *Feature) announce(tx *store.Tx, room protocol.RoomID, place protocol.PlaceID, text protocol.Text) error {
	_, err := outbox.Send(tx, protocol.Outgoing{Room: room, Place: place, Expires: outbox.Never,
		Act: protocol.Say{Text: text}})
	return err
}

// How long it takes until it is looked whether the target was told.
const (
	firstLook  = time.Minute
	secondLook = outbox.DefaultExpiry + time.Minute
)

// tellTarget tells somebody in private that a vote is about them.
func (h *atHand) tellTarget() error {
	user := h.userOf(h.Target)
	if user == "" || h.Appeal {
		return nil
	}
	info := seenBy(h.tx, h.info(), user)
	b := h.posting()
	s, in := h.to(user), " --in "+info.Word()
	id := "target-challenge"
	if h.Type == Restore {
		id = "target-restore"
	}
	text := s.Say(id, say.Place("Room", protocol.Plain(protocol.Quoted(info.Title(), 0))), say.Person("Opener", h.as(s).name(h.Opener)),
		say.Quoted("Reason", h.text(h.Text), MaxReason), h.as(s).when(), say.Code("Reply", protocol.Code("vote reply "+h.Number()+" TEXT"+in)),
		say.Code("Appeal", protocol.Code("vote appeal REASON"+in)))
	key, err := outbox.Send(h.tx, protocol.Outgoing{Act: protocol.Whisper{User: user, Text: text,
		Controls: h.answerControl(s)}})
	if err != nil {
		return err
	}
	b.Notice = key
	h.putPosting(b)
	h.tx.SetTimer(timerNotice+h.Number(), h.tx.Now().Add(firstLook), nil)
	return nil
}

// tellOutcome tells whom a vote is about that it ended without anything following for them. Of what follows they are told
// by those who keep challenges. Voted is whether a ballot stood.
func (h *atHand) tellOutcome(voted bool) error {
	user := h.userOf(h.Target)
	if user == "" || h.Outcome == tally.Passed || h.Outcome == Replaced {
		return nil
	}
	s := h.to(user)
	text := h.as(s).closing()
	if h.costs(h.Outcome, voted).protects {
		text = protocol.Lines(text, s.Say("after-protected", say.Moment("Until", h.tx.Now().Add(h.Rules.Protected))))
	}
	if until := limited(h.tx, h.room, limitAppeal, h.Target); h.Appeal && until.After(h.tx.Now()) {
		text = protocol.Lines(text, s.Say("after-appeal", say.Moment("Until", until)))
	}
	_, err := outbox.Send(h.tx, protocol.Outgoing{Act: protocol.Whisper{
		User: user, Text: s.Say("in", say.Place("Room", titled(h.tx, h.info(), user)), say.Part("Text", text)),
	}})
	return err
}

// notice looks whether the target was told.
func (h *atHand) notice() error {
	b := h.posting()
	switch h.tx.Delivery(b.Notice).State {
	case store.StateSent, store.StateAmbiguous:
		return nil
	case store.StateQueued:
		h.tx.SetTimer(timerNotice+h.Number(), h.tx.Now().Add(secondLook), nil)
		return nil
	}
	b.Untold = true
	h.putPosting(b)
	h.touch()
	return nil
}

// remind says that a vote soon ends.
func (h *atHand) remind() error {
	switch {
	case h.Status != Running:
		return nil
	case h.away():
		b := h.posting()
		b.Remind = true
		h.putPosting(b)
		return nil
	}
	return h.announce(h.say("remind", say.Part("Title", h.titleOf()), h.when(), say.Count("Ballots", h.Turnout), say.Number("Size", h.Size)))
}
