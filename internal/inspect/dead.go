package inspect

import (
	"encoding/json"
	"fmt"
	"time"

	"moot/protocol"
	"moot/store"
)

// Letter is an event that could not be handled.
type Letter struct {
	ID     uint64          `json:"id"`
	Time   time.Time       `json:"time"` // of the last try
	Event  Ref             `json:"event"`
	Kind   string          `json:"kind"`
	Sender protocol.UserID `json:"sender,omitempty"`
	Error  string          `json:"error"`
	Tries  int             `json:"tries"`
	Retry  bool            `json:"retry,omitempty"` // whether it is about to be tried again
	// Stack and Content are shown by Letter only: where it failed, and the whole event but for its handle, and for
	// what nobody is to see.
	Stack   string          `json:"stack,omitempty"`
	Content json.RawMessage `json:"content,omitempty"`
}

func showLetter(l store.Letter) Letter {
	return Letter{
		ID: l.ID, Time: l.Time, Event: Ref{l.Event.Room, l.Event.ID}, Kind: protocol.KindOf(l.Event.Body),
		Sender: l.Event.Sender, Error: l.Error, Tries: l.Tries, Retry: l.Retry,
	}
}

// DeadPage is a part of the dead letters.
type DeadPage struct {
	Letters []Letter `json:"letters"`
	More    bool     `json:"more,omitempty"` // whether there are others behind the last
}

// Dead returns the dead letters behind a number, in their order.
func (in *Inspector) Dead(after uint64) (page DeadPage, err error) {
	page.Letters = []Letter{}
	err = in.Store.View(func(tx *store.Tx) error {
		for l := range tx.Letters(after + 1) {
			if len(page.Letters) == PageSize {
				page.More = true
				return nil
			}
			page.Letters = append(page.Letters, showLetter(l))
		}
		return nil
	})
	return page, err
}

// Letter returns one dead letter with all that is known of it.
func (in *Inspector) Letter(id uint64) (out Letter, err error) {
	err = in.Store.View(func(tx *store.Tx) error {
		l, ok := tx.Letter(id)
		if !ok {
			return NoLetter(id)
		}
		out = showLetter(l)
		out.Stack = l.Stack
		if in.Shown != nil {
			l.Event = in.Shown(tx, l.Event)
		}
		l.Event.Handle = "" // on Discord a secret, for a quarter of an hour
		content, err := json.Marshal(l.Event)
		if err != nil {
			return fmt.Errorf("write dead letter %d as JSON: %w", id, err)
		}
		out.Content = content
		return nil
	})
	return out, err
}

// Retryable returns why a dead letter cannot be tried again; nil if it can.
func Retryable(tx *store.Tx, id uint64) error {
	switch l, ok := tx.Letter(id); {
	case !ok:
		return NoLetter(id)
	case tx.Forgotten(l):
		return notFound("The event of dead letter %d is so old that the bot no longer remembers it; handling it again could do something twice. `moot dead drop %d` deletes the letter.", id, id)
	}
	return nil
}

// NoLetter is the error of a dead letter that is not there.
func NoLetter(id uint64) error {
	return notFound("There is no dead letter %d. `moot dead` lists those that there are.", id)
}
