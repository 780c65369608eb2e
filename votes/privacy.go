package votes

import (
	"iter"

	"moot/events"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Export goes through what is stored of a person beside the facts that name them and their own texts, which the log has.
func (f *Feature) Export(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		n := f.bus.Lookup(tx, user)
		for info := range rooms.All(tx) {
			title := protocol.Quoted(info.Title(), 0)
			if at := leftAt(tx, info.ID, user); !at.IsZero() && !yield(protocol.Join("You left ", title, " on ", protocol.Moment(at), ".")) {
				return
			}
			if at, ok := elder(tx, info.ID, user); ok && !at.IsZero() &&
				!yield(protocol.Join("You had been in the room before ", title, " since ", protocol.Moment(at), ".")) {
				return
			}
			if n == 0 {
				continue
			}
			for _, l := range []struct{ what, text string }{
				{limitProtected, "nobody can challenge you in "}, {limitRest, "you cannot challenge anybody in "},
				{limitRestore, "nobody else asks again for your restore in "}, {limitAppeal, "you cannot appeal again in "},
			} {
				if until := limited(tx, info.ID, l.what, n); until.After(tx.Now()) && !yield(protocol.Join("Until ", protocol.Moment(until), " ", l.text, title, ".")) {
					return
				}
			}
			for v := range OpenIn(tx, info.ID) {
				if !f.exportVote(tx, info, v, n, yield) {
					return
				}
			}
		}
	}
}

func (f *Feature) exportVote(tx *store.Tx, info rooms.Info, v Vote, n events.Number, yield func(protocol.Text) bool) bool {
	if !MayVote(tx, info.ID, v.ID, n) {
		return true
	}
	text := protocol.Join("You may vote in vote ", v.ID, " in ", protocol.Quoted(info.Title(), 0))
	switch b := ballotOf(tx, info.ID, v.ID, voter(n)); {
	case v.Secret:
		text = protocol.Join(text, "; it is secret, and nothing shows whether you did.")
	case b != nil:
		text = protocol.Join(text, "; your ballot is ", v.shown(b), ".")
	default:
		text = protocol.Join(text, ".")
	}
	return yield(text)
}

// Forget removes what is stored of a person beside the facts, before the log forgets who they are. Ballots stand: they are
// under a number that then leads to nobody.
func (f *Feature) Forget(tx *store.Tx, user protocol.UserID) (removed, stays protocol.Text) {
	any := false
	n := f.bus.Lookup(tx, user)
	for info := range rooms.All(tx) {
		in := tx.In(protocol.Scope(info.ID))
		if key := store.Key(info.ID, string(user)); in.Has(gone, key) {
			in.Delete(gone, key)
			any = true
		}
		if key := store.Key(info.ID, string(user)); in.Has(elders, key) {
			in.Delete(elders, key)
		}
		for v := range OpenIn(in, info.ID) {
			if MayVote(in, info.ID, v.ID, n) || v.Opener == n || v.Target == n {
				stays = protocol.Plain("Ballots that you have cast in votes that are open, votes that you have opened and votes about you: without your name.")
			}
			in.Delete(told, store.Key(info.ID, store.Number(v.ID), string(user)))
		}
	}
	if any {
		removed = protocol.Plain("When you left rooms.")
	}
	return removed, stays
}
