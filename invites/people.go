package invites

import (
	"iter"

	"moot/protocol"
	"moot/store"
)

// Export goes through what is stored of a person's invitations beside the facts that name them.
func (f *Feature) Export(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for i := range f.Open(tx) {
			if i.By == user && !yield(protocol.Join("You invited me to ", protocol.Quoted(i.Title, 0), " (", protocol.Code(string(i.Room)), "), ", protocol.Moment(i.At), ": ", string(i.State), ".")) {
				return
			}
		}
		if n := len(tx.Get(rates, string(user))) / 8; n > 0 {
			yield(protocol.Plainf("How many invitations of yours I have accepted within the last hour or so: %d.", n))
		}
	}
}

// Forget says what stays of a person who is forgotten. The invitations name a number only; how many were accepted is what
// the limit rests on, and is over within the hour.
func (f *Feature) Forget(tx *store.Tx, user protocol.UserID) (gone, stays protocol.Text) {
	if !tx.Has(rates, string(user)) {
		return nil, nil
	}
	return nil, protocol.Plain("How many of your invitations I have accepted lately; I forget it within an hour.")
}
