package enforce

import (
	"iter"

	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// answered handles what the network made of what was asked.
func (f *Feature) answered(tx *store.Tx, room protocol.RoomID, a protocol.Answer) (Outcome, error) {
	key := store.Key(room, string(a.Ask))
	user := protocol.UserID(tx.Get(asks, key))
	if user == "" {
		return Outcome{}, nil
	}
	tx.Delete(asks, key)
	r, known := get(tx, room, user)
	if !known || r.Ask != a.Ask {
		return Outcome{store.Handled, "what the network was to hold back is wanted no more"}, nil
	}
	r.Ask = ""
	got, ok := a.Result.(protocol.Restrained)
	switch {
	case a.Fault != "" || !ok:
		r.Fails++
		r.Maybe = r.Maybe || r.Want
		put(tx, room, user, r)
		f.look(tx, user, tx.Now().Add(min(firstRetry<<min(r.Fails-1, 10), lastRetry)))
		return Outcome{store.Handled, "the network could not be asked to hold somebody back; it will be again"}, nil
	case got.Refused == "":
		r.On, r.Maybe, r.Again, r.Refused, r.Noted, r.Fails = got.On, false, again(got.Until, tx.Now()), "", "", 0
		put(tx, room, user, r)
		f.look(tx, user, tx.Now()) // it may be wanted otherwise by now; and sees to it that it is asked for again in time
		return Outcome{store.Handled, "the network holds somebody back, or lets them go"}, nil
	case got.Refused == protocol.RefusedOff:
		forget(tx, room, user)
		if r.On && !r.Want { // it was switched off while they were held back
			name := f.name(tx, room, user)
			return Outcome{store.Handled, "the network is not to let anybody go"}, f.say(tx, room, protocol.Join(name,
				" is restored. But what holds them back in this room I cannot lift any more, because that is switched off in my configuration. A moderator can."))
		}
		return Outcome{store.Handled, "the network is not to hold anybody back"}, nil
	}
	r.Refused, r.Fails = got.Refused, 0
	note := f.note(tx, room, user, r)
	if got.Refused == protocol.RefusedAbsent { // they are looked at when they come back
		r.On = r.On && !r.Want // where they are to be let go, what they left with may still be so then
	} else {
		f.look(tx, user, tx.Now().Add(ruleRetry))
	}
	if note == nil || r.Noted == got.Refused {
		put(tx, room, user, r)
		return Outcome{store.Handled, "the network refused to hold somebody back, or to let them go: " + string(got.Refused)}, nil
	}
	r.Noted = got.Refused
	put(tx, room, user, r)
	return Outcome{store.Handled, "the network refused to hold somebody back, or to let them go: " + string(got.Refused)}, f.say(tx, room, note)
}

func (f *Feature) say(tx *store.Tx, room protocol.RoomID, text protocol.Text) error {
	_, err := outbox.Send(tx, protocol.Outgoing{
		Room: room, Place: f.Channel(tx, room), Expires: outbox.Never, Act: protocol.Say{Text: text},
	})
	return err
}

func (f *Feature) name(tx *store.Tx, room protocol.RoomID, user protocol.UserID) protocol.Text {
	if m, ok := rooms.Lookup(tx, room, user); ok {
		return protocol.Person(user, m.Name)
	}
	return protocol.Person(user, protocol.OneLine(user.Local()))
}

// note says to the room why the network does not go along; nil where there is nothing to say.
func (f *Feature) note(tx *store.Tx, room protocol.RoomID, user protocol.UserID, r row) protocol.Text {
	why := map[protocol.Refusal]string{
		protocol.RefusedPower:     "I lack the permission for that. Whoever runs this room can give it to me; I try again then.",
		protocol.RefusedOutranked: "they stand as high in it as I do, or higher. Whoever runs this room can change that; I try again then.",
		protocol.RefusedMeans:     "what I do that with stands as high in it as I do, or higher. Whoever runs this room can move me up; I try again then.",
		protocol.RefusedSetting:   "what my configuration names for that does not exist here. Whoever operates me can change that.",
	}[r.Refused]
	if why == "" {
		return nil
	}
	name := f.name(tx, room, user)
	if r.Want {
		return protocol.Join(name, " is challenged and cannot use my features here, which stays so. But I cannot hold them back in this room otherwise: ", why)
	}
	return protocol.Join(name, " is restored. But I cannot lift what holds them back in this room: ", why)
}

// Export goes through what is stored of a person.
func (f *Feature) Export(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for info := range rooms.All(tx) {
			r, ok := get(tx, info.ID, user)
			if !ok {
				continue
			}
			text := protocol.Join("In ", protocol.Quoted(info.Title(), 0), " I have asked the network to hold you back while you are challenged")
			if !r.On {
				text = protocol.Join(text, ", which it does not")
			}
			if !yield(protocol.Join(text, ".")) {
				return
			}
		}
	}
}

// Forget removes what is stored of a person, but where the network still holds them back, since the bot has to know whom to
// let go, and where it is still to do so: to be forgotten is no way out.
func (f *Feature) Forget(tx *store.Tx, user protocol.UserID) (removed, stays protocol.Text) {
	for info := range rooms.All(tx) {
		switch r, ok := get(tx, info.ID, user); {
		case !ok && f.wanted(tx, info.ID, user): // nothing was asked yet, and only the row will lead to it
			put(tx.In(protocol.Scope(info.ID)), info.ID, user, row{})
			stays = protocol.Plain("That I ask the network to hold you back, until you are restored.")
		case !ok:
		case r.On || r.Maybe || r.Ask != "":
			stays = protocol.Plain("That the network holds you back for me, until you are restored: I have to know whom to let go.")
		case f.wanted(tx, info.ID, user): // it goes on to be asked for, and would not be without the row
			stays = protocol.Plain("That I ask the network to hold you back, until you are restored.")
		default:
			forget(tx.In(protocol.Scope(info.ID)), info.ID, user)
			removed = protocol.Plain("That I have asked the network to hold you back.")
		}
	}
	return removed, stays
}
