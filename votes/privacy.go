package votes

import (
	"iter"
	"strconv"

	"moot/events"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Export goes through what is stored of a person beside the facts that name them and their own texts, which the log
// has.
func (f *Feature) Export(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for info := range rooms.All(tx) {
			for line := range f.exportRoom(tx, info, user) {
				if !yield(line) {
					return
				}
			}
		}
		exportReminders(f.to(tx, "", user), tx, user, yield)
		f.exportMoved(tx, user, yield)
	}
}

// exportRoom goes through what is stored of a person in one room.
func (f *Feature) exportRoom(tx *store.Tx, info rooms.Info, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		n := f.bus.Lookup(tx, user)
		s, room := f.to(tx, info.ID, user), say.Place("Room", titled(tx, info, user))
		var lines []protocol.Text
		add := func(id string, slots ...say.Slot) { lines = append(lines, s.Say(id, append(slots, room)...)) }
		if at := leftAt(tx, info.ID, user); !at.IsZero() {
			add("stored-left", say.Moment("At", at))
		}
		if at, ok := tenure(tx, info.ID, user); ok && !at.IsZero() {
			add("stored-before", say.Moment("At", at))
		}
		if o, ok := enrolmentIn(tx, info.ID); ok && o.Proposal.Opener == user {
			add("stored-opening", typeSlot(s, o.Proposal.Type), say.Quoted("Text", o.Proposal.Text, MaxReason))
		}
		if tx.Has(electing, store.Key(info.ID, voter(n))) {
			add("stored-electing")
		}
		for _, what := range []string{limitProtected, limitRest, limitRestore, limitAppeal} {
			if until := limited(tx, info.ID, what, n); n != 0 && until.After(tx.Now()) {
				add("stored-"+what, say.Moment("Until", until))
			}
		}
		for v := range f.openIn(tx, info.ID) {
			lines = append(lines, v.as(s).exportVote(room, user, n)...)
		}
		for _, line := range lines {
			if !yield(line) {
				return
			}
		}
	}
}

// exportVote returns what is stored of a person about a vote that is open.
func (h *atHand) exportVote(room say.Slot, user protocol.UserID, n events.Number) (lines []protocol.Text) {
	add := func(id string, slots ...say.Slot) {
		lines = append(lines, h.say(id, append(slots, h.number(), room)...))
	}
	if h.tx.Has(told, store.Key(h.room, store.Number(h.ID), string(user))) {
		add("stored-told")
	}
	if h.tx.Has(privatePolls, h.voterKey(string(user))) {
		add("stored-poll")
	}
	if n == 0 {
		return lines
	}
	if h.mayVote(n) {
		switch b := h.ballotOf(n); {
		case h.Secret:
			add("stored-may-secret")
		case b != nil:
			add("stored-may-ballot", say.Part("Ballot", h.view().Ballot(b)))
		default:
			add("stored-may")
		}
	}
	if h.tx.Has(partial, h.voterKey(voter(n))) {
		add("stored-partial")
	}
	made := string(h.tx.Get(madeBy, h.voterKey(voter(n))))
	prefix := h.markKey(voter(n), "")
	for k, data := range h.tx.Prefix(marks, prefix) {
		mark := k[len(prefix):]
		id := "stored-reaction"
		if isResponse(mark) {
			id = "stored-response"
		}
		if mark == made {
			id += "-ballot"
		}
		event := ""
		if len(data) > 8 {
			id, event = id+"-event", string(data[8:])
		}
		add(id, reactionSlot(mark), say.Code("Event", protocol.Code(event)))
	}
	for k := range h.tx.Prefix(lateMarks, prefix) {
		add("stored-late", reactionSlot(k[len(prefix):]))
	}
	if r := decodeRecast(h.tx.Get(recasts, h.voterKey(voter(n)))); r.waits {
		add("stored-waits")
	}
	return lines
}

func reactionSlot(mark string) say.Slot {
	return say.Words("Reaction", protocol.Plain(protocol.OneLine(mark)))
}

// titled names a room to somebody who may have left it: what it is called now is then not theirs to know.
func titled(tx *store.Tx, info rooms.Info, user protocol.UserID) protocol.Text {
	if was := titleAtDeparture(tx, info.ID, user); was != "" {
		return protocol.Plain(protocol.Quoted(was, 0))
	}
	return rooms.Titled(tx, info, user)
}

// exportMoved goes through what somebody has moved or asked. The words are those of the rooms, and so they are not
// among the texts of the person.
func (f *Feature) exportMoved(tx *store.Tx, user protocol.UserID, yield func(protocol.Text) bool) {
	n := f.bus.Lookup(tx, user)
	if n == 0 {
		return
	}
	q := events.Query{Kind: KindVote, Filters: map[string]string{keyWhat: whatOpened, roleOpener: n.String()}}
	for fact, err := range f.bus.Matching(tx, q) {
		id, bad := strconv.ParseUint(fact.Keys[keyVote], 10, 64)
		if err != nil || bad != nil {
			continue // the list of facts says that it cannot be read
		}
		info, _ := rooms.Get(tx, protocol.RoomID(fact.Scope))
		s := f.to(tx, info.ID, user)
		v, ok := Get(tx, info.ID, id)
		if ok && v.Type.timed() && !yield(s.Say("stored-words", say.Number("Vote", v.ID),
			say.Place("Room", titled(tx, info, user)), say.Quoted("Text", f.text(tx, s, v.Text), MaxReason))) {
			return
		}
	}
}

// Forget removes what is stored of a person beside the facts, before the log forgets who they are. Ballots stand:
// they are under a number that then leads to nobody.
func (f *Feature) Forget(tx *store.Tx, user protocol.UserID) (removed, stays protocol.Text) {
	left := false
	forgetReminders(tx, user)
	n := f.bus.Lookup(tx, user)
	for info := range rooms.All(tx) {
		in := tx.In(protocol.Scope(info.ID))
		if key := store.Key(info.ID, string(user)); in.Has(departures, key) {
			in.Delete(departures, key)
			left = true
		}
		if key := store.Key(info.ID, string(user)); in.Has(tenures, key) {
			in.Delete(tenures, key)
		}
		for v := range OpenIn(in, info.ID) {
			if MayVote(in, info.ID, v.ID, n) || v.Opener == n || v.Target == n {
				stays = f.to(tx, "", user).Say("forget-stays")
			}
			in.Delete(told, store.Key(info.ID, store.Number(v.ID), string(user)))
			in.Delete(privatePolls, voterKey(info.ID, v.ID, string(user)))
		}
	}
	if left {
		removed = f.to(tx, "", user).Say("forget-left")
	}
	return removed, stays
}
