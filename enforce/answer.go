package enforce

import (
	"iter"

	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// answered handles what the network made of what was asked.
func (f *Feature) answered(tx *store.Tx, room protocol.RoomID, a protocol.Answer) (store.Outcome, error) {
	key := store.Key(room, string(a.Ask))
	user := protocol.UserID(tx.Get(asks, key))
	if user == "" {
		return store.Outcome{}, nil
	}
	tx.Delete(asks, key)
	r, known := get(tx, room, user)
	if !known || r.Ask != a.Ask {
		return store.WasHandled("holding back is no longer wanted"), nil
	}
	r.Ask = ""
	got, ok := a.Result.(protocol.Restrained)
	switch {
	case a.Fault != "" || !ok:
		r.Fails++
		r.Maybe = r.Maybe || r.Want
		put(tx, room, user, r)
		f.look(tx, user, tx.Now().Add(min(firstRetry<<min(r.Fails-1, 10), lastRetry)))
		return store.WasHandled("the network could not be asked to hold somebody back; it will be asked again"), nil
	case got.Refused == "":
		r.On, r.Maybe, r.Again, r.Refused, r.Noted, r.Fails = got.On, false, again(got.Until, tx.Now()), "", "", 0
		if !got.On {
			r.Before = ""
		} else if got.Before != "" {
			r.Before = got.Before
		}
		put(tx, room, user, r)
		f.look(tx, user, tx.Now()) // it may be wanted otherwise by now; and sees to it that it is asked for again in time
		return store.WasHandled("the network holds somebody back, or lets them go"), nil
	case got.Refused == protocol.RefusedOff:
		forget(tx, room, user)
		if r.On && !r.Want { // it was switched off while they were held back
			return store.WasHandled("holding back is switched off, and the network still holds somebody back"),
				f.say(tx, room, in(tx, room).Say("off", f.name(tx, room, user)))
		}
		return store.WasHandled("holding back is switched off"), nil
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
		return store.WasHandled("the network refused to hold somebody back, or to let them go: " + string(got.Refused)), nil
	}
	r.Noted = got.Refused
	put(tx, room, user, r)
	return store.WasHandled("the network refused to hold somebody back, or to let them go: " + string(got.Refused)), f.say(tx, room, note)
}

func (f *Feature) say(tx *store.Tx, room protocol.RoomID, text protocol.Text) error {
	_, err := outbox.Send(tx, protocol.Outgoing{
		Room: room, Place: f.Channel(tx, room), Expires: outbox.Never, Act: protocol.Say{Text: text},
	})
	return err
}

func (f *Feature) name(tx *store.Tx, room protocol.RoomID, user protocol.UserID) say.Slot {
	return say.Person("Who", rooms.Person(tx, room, user))
}

// note says to the room why the network does not go along; nil where there is nothing to say.
func (f *Feature) note(tx *store.Tx, room protocol.RoomID, user protocol.UserID, r row) protocol.Text {
	id := "off-"
	if r.Want {
		id = "on-"
	}
	speak := in(tx, room)
	if id += string(r.Refused); !speak.Has(id) {
		return nil
	}
	return speak.Say(id, f.name(tx, room, user))
}

// Export goes through what is stored of a person.
func (f *Feature) Export(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for info := range rooms.All(tx) {
			r, ok := get(tx, info.ID, user)
			if !ok {
				continue
			}
			id := "stored"
			if !r.On {
				id = "stored-not"
			}
			if !yield(to(tx, user, info.ID).Say(id, say.Place("Room", rooms.Titled(tx, info, user)))) {
				return
			}
		}
	}
}

// Forget removes what is stored of a person, but where the network still holds them back, since the bot has to know whom to
// let go, and where it is still to do so: to be forgotten is no way out.
func (f *Feature) Forget(tx *store.Tx, user protocol.UserID) (removed, stays protocol.Text) {
	speak := to(tx, user, "")
	for info := range rooms.All(tx) {
		switch r, ok := get(tx, info.ID, user); {
		case !ok && f.wanted(tx, info.ID, user): // nothing was asked yet, and only the row will lead to it
			put(tx.In(protocol.Scope(info.ID)), info.ID, user, row{})
			stays = speak.Say("stays-asked")
		case !ok:
		case r.On || r.Maybe || r.Ask != "":
			stays = speak.Say("stays-held")
		case f.wanted(tx, info.ID, user): // it goes on to be asked for, and would not be without the row
			stays = speak.Say("stays-asked")
		default:
			forget(tx.In(protocol.Scope(info.ID)), info.ID, user)
			removed = speak.Say("removed")
		}
	}
	return removed, stays
}
