package votes

import (
	"iter"
	"strconv"

	"moot/events"
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
		exportReminders(tx, user, yield)
		f.exportMoved(tx, user, yield)
	}
}

// exportRoom goes through what is stored of a person in one room.
func (f *Feature) exportRoom(tx *store.Tx, info rooms.Info, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		n := f.bus.Lookup(tx, user)
		title := titled(tx, info, user)
		var lines []protocol.Text
		say := func(parts ...any) { lines = append(lines, protocol.Join(parts...)) }
		if at := leftAt(tx, info.ID, user); !at.IsZero() {
			say("You left ", title, " on ", protocol.Moment(at), ".")
		}
		if at, ok := tenure(tx, info.ID, user); ok && !at.IsZero() {
			say("You had been in the room before ", title, " since ", protocol.Moment(at), ".")
		}
		if o, ok := enrolmentIn(tx, info.ID); ok && o.Proposal.Opener == user {
			say("A vote of yours is about to open in ", title, ": ", string(o.Proposal.Type), ", ",
				protocol.Quoted(o.Proposal.Text, MaxReason), ".")
		}
		if tx.Has(electing, store.Key(info.ID, voter(n))) {
			say("I am finding out whether you may vote in a vote that is about to open in ", title, ".")
		}
		for _, l := range []struct{ what, text string }{
			{limitProtected, "nobody can challenge you in "}, {limitRest, "you cannot challenge anybody in "},
			{limitRestore, "you cannot ask to restore anybody in "}, {limitAppeal, "you cannot appeal again in "},
		} {
			if until := limited(tx, info.ID, l.what, n); n != 0 && until.After(tx.Now()) {
				say("Until ", protocol.Moment(until), " ", l.text, title, ".")
			}
		}
		for v := range f.openIn(tx, info.ID) {
			lines = append(lines, v.exportVote(title, user, n)...)
		}
		for _, line := range lines {
			if !yield(line) {
				return
			}
		}
	}
}

// exportVote returns what is stored of a person about a vote that is open.
func (h *atHand) exportVote(title protocol.Text, user protocol.UserID, n events.Number) (lines []protocol.Text) {
	of := protocol.Join("vote ", h.ID, " in ", title)
	if h.tx.Has(told, store.Key(h.room, store.Number(h.ID), string(user))) {
		lines = append(lines, protocol.Join("I have told you that your reaction to ", of, " is no ballot."))
	}
	if h.tx.Has(privatePolls, h.voterKey(string(user))) {
		lines = append(lines, protocol.Join("You have asked me in private for a poll of ", of, "."))
	}
	if n == 0 {
		return lines
	}
	if h.mayVote(n) {
		text := protocol.Join("You may vote in ", of)
		switch b := h.ballotOf(n); {
		case h.Secret:
			text = protocol.Join(text, "; it is secret: if you have, your ballot is in its box until it closes, and I show it to nobody")
		case b != nil:
			text = protocol.Join(text, "; your ballot is ", h.shown(b))
		}
		lines = append(lines, protocol.Join(text, "."))
	}
	if h.tx.Has(partial, h.voterKey(voter(n))) {
		lines = append(lines, protocol.Join("You have cast a ballot in ", of, ", and moderate, so you cannot cancel it."))
	}
	made := string(h.tx.Get(madeBy, h.voterKey(voter(n))))
	prefix := h.markKey(voter(n), "")
	for k, data := range h.tx.Prefix(marks, prefix) {
		text := protocol.Join("Your reaction ", protocol.OneLine(k[len(prefix):]), " to ", of, " stands")
		if isResponse(k[len(prefix):]) {
			text = protocol.Join("Your response to the poll of ", of, " stands")
		}
		if k[len(prefix):] == made {
			text = protocol.Join(text, " and makes your ballot")
		}
		if len(data) > 8 {
			text = protocol.Join(text, "; its event is ", protocol.Code(string(data[8:])))
		}
		lines = append(lines, protocol.Join(text, "."))
	}
	for k := range h.tx.Prefix(lateMarks, prefix) {
		lines = append(lines, protocol.Join("Your reaction ", protocol.OneLine(k[len(prefix):]), " to ", of,
			" came when it took no more ballots."))
	}
	if r := decodeRecast(h.tx.Get(recasts, h.voterKey(voter(n)))); r.waits {
		lines = append(lines, protocol.Join("Your last reaction to ", of, " is about to change your ballot."))
	}
	return lines
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
		v, ok := Get(tx, info.ID, id)
		if ok && v.Type.timed() && !yield(protocol.Join("Your words in vote ", v.ID, " in ",
			titled(tx, info, user),
			", which belong to the room: ", protocol.Quoted(f.text(tx, v.Text), MaxReason), ".")) {
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
				stays = protocol.Plain("Ballots that you have cast in votes that are open, votes that you have " +
					"opened and votes about you: without your name.")
			}
			in.Delete(told, store.Key(info.ID, store.Number(v.ID), string(user)))
			in.Delete(privatePolls, voterKey(info.ID, v.ID, string(user)))
		}
	}
	if left {
		removed = protocol.Plain("When you left rooms.")
	}
	return removed, stays
}
