package inspect

import (
	"strings"
	"time"

	"moot/events"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// WhyQuery names an event: by itself, or with its room by id or name.
type WhyQuery struct {
	Room  string `json:"room,omitempty"`
	Event string `json:"event"`
}

// Why is what became of an event.
type Why struct {
	Event       Ref       `json:"event"`
	RoomName    string    `json:"room_name,omitempty"`
	Disposition string    `json:"disposition"`
	Reason      string    `json:"reason,omitempty"`
	Time        time.Time `json:"time"` // of the commit that first recorded it
	Sent        []Sending `json:"sent,omitempty"`
	Facts       []Fact    `json:"facts,omitempty"`
	MoreFacts   bool      `json:"more_facts,omitempty"`
	Fault       string    `json:"fault,omitempty"` // why the facts cannot be read
}

const (
	// maxSends is how many things one event can have sent, as far as Why looks, and maxGap how many keys of them in a
	// row may have been given out and not used.
	maxSends = 500
	maxGap   = 8
)

// Why returns what became of an event. Where only the event is named, all rooms that are known are searched.
func (in *Inspector) Why(q WhyQuery) (out Why, err error) {
	err = in.Store.View(func(tx *store.Tx) error {
		ref, err := findEvent(tx, q)
		if err != nil {
			return err
		}
		out = in.why(tx, ref)
		return nil
	})
	return out, err
}

func (in *Inspector) why(tx *store.Tx, ref protocol.Ref) Why {
	seen := tx.Seen(ref.Room, ref.Event)
	w := Why{
		Event: Ref{ref.Room, ref.Event}, RoomName: title(tx, ref.Room),
		Disposition: seen.Disposition.String(), Reason: seen.Reason, Time: seen.Time,
	}
	for n, gap := 1, 0; n <= maxSends && gap < maxGap; n++ {
		s := tx.Delivery(store.CauseKey(ref, n))
		if s.State == "" {
			gap++
			continue
		}
		gap = 0
		w.Sent = append(w.Sent, sending(tx, s))
	}
	bus, err := in.bus()
	if err != nil {
		w.Fault = err.Error()
		return w
	}
	query := events.Query{Filters: map[string]string{events.KeyCause: events.CauseValue(ref)}, Limit: PageSize}
	bytes := 0
	for f, err := range bus.Matching(tx, query) {
		w.Facts = append(w.Facts, showFact(tx, bus, f, err))
		if bytes += len(f.Payload); bytes > pageBytes {
			w.MoreFacts = true
			break
		}
	}
	w.MoreFacts = w.MoreFacts || len(w.Facts) == PageSize
	return w
}

// sending returns all that is known of something that was enqueued.
func sending(tx *store.Tx, s store.Delivery) Sending {
	if s.State == store.StateQueued {
		for q := range tx.Queue(s.Lane, s.Number) {
			if q.Number == s.Number {
				return showQueued(q)
			}
			break
		}
	}
	return showDelivery(s)
}

// findEvent returns the event that is meant.
func findEvent(tx *store.Tx, q WhyQuery) (protocol.Ref, error) {
	event := protocol.EventID(q.Event)
	if event == "" {
		return protocol.Ref{}, notFound("Which event? Give its id, such as e12, and before it the room if several rooms have that id.")
	}
	if q.Room == "" {
		return searchEvent(tx, event)
	}
	// A room that was never told about, such as the place of an answer, has events too.
	if room := protocol.RoomID(q.Room); tx.Seen(room, event).Disposition != store.Unseen {
		return protocol.Ref{Room: room, Event: event}, nil
	}
	info, err := oneRoom(tx, q.Room)
	if err != nil {
		return protocol.Ref{}, err
	}
	if tx.Seen(info.ID, event).Disposition == store.Unseen {
		return protocol.Ref{}, notFound("The bot has seen no event %s in %s. Either it never arrived, or it is too old for the bot to remember.",
			protocol.Quoted(q.Event, 0), info.ID)
	}
	return protocol.Ref{Room: info.ID, Event: event}, nil
}

// searchEvent looks for an event in all rooms.
func searchEvent(tx *store.Tx, event protocol.EventID) (protocol.Ref, error) {
	var found []rooms.Info
	for info := range rooms.All(tx) {
		if tx.Seen(info.ID, event).Disposition != store.Unseen {
			found = append(found, info)
		}
	}
	switch len(found) {
	case 0:
		return protocol.Ref{}, notFound("The bot has seen no event %s in any room that it knows. Either it never arrived, or it is too old for the bot to remember.",
			protocol.Quoted(string(event), 0))
	case 1:
		return protocol.Ref{Room: found[0].ID, Event: event}, nil
	}
	var ways strings.Builder
	for i, info := range found {
		if i == 10 {
			ways.WriteString("\n  …")
			break
		}
		ways.WriteString("\n  moot why " + string(info.ID) + " " + string(event))
	}
	return protocol.Ref{}, ambiguous("%d rooms have an event %s. Ask for one of them:%s", len(found), protocol.Quoted(string(event), 0), ways.String())
}
