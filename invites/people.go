package invites

import (
	"iter"

	"moot/internal/languages"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

// Export goes through what is stored of a person's invitations beside the facts that name them.
func (f *Feature) Export(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		s := catalogue.In(languages.To(tx, user, ""))
		for i := range f.Open(tx) {
			if i.By == user && !yield(s.Say("yours", placeSlot(i.Title), idSlot(i.Room), say.Moment("At", i.At),
				say.Part("State", s.Say("state-"+string(i.State))))) {
				return
			}
		}
		if n := len(tx.Get(rates, string(user))) / 8; n > 0 {
			yield(s.Say("lately", say.Count("N", n)))
		}
	}
}

// Forget says what stays of a person who is forgotten. The invitations name a number only; how many were accepted is what
// the limit rests on, and is over within the hour.
func (f *Feature) Forget(tx *store.Tx, user protocol.UserID) (gone, stays protocol.Text) {
	if !tx.Has(rates, string(user)) {
		return nil, nil
	}
	return nil, catalogue.In(languages.To(tx, user, "")).Say("lately-stays")
}
