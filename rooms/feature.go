package rooms

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"moot/events"
	"moot/outbox"
	"moot/protocol"
	"moot/store"
)

// Feature brings what is known of a room up to date with each event that says something of it, before other features see
// the event, and publishes what others may want to know of it.
type Feature struct {
	Bus *events.Bus  // nil publishes nothing
	Log *slog.Logger // nil logs nothing
}

// Handle brings the room up to date. Its outcome is final where the event changes nothing, so that nobody acts on it. An
// answer always goes on, to the feature that asked.
func (f Feature) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	state := ev
	switch b := ev.Body.(type) {
	case protocol.Gap:
		return store.Outcome{}, f.publish(tx, gapFact(b))
	case protocol.Answer:
		if tx.Delivery(b.Ask).State == store.StateEnded {
			return store.Outcome{}, nil // asked before the bot left: it says nothing of the room as it is now
		}
		state.Body = b.Result
	}
	result, err := Apply(tx, state)
	if err == nil {
		err = stillListed(tx, ev)
	}
	if err != nil {
		return store.Outcome{}, err
	}
	for _, n := range result.Notes {
		if err := f.publish(tx, roomFact(n)); err != nil {
			return store.Outcome{}, err
		}
		if f.Log != nil {
			who := []any{"what", n.What, "room", n.Room}
			if n.User != "" {
				who = append(who, "user", n.User)
			}
			f.Log.Info("a room has changed", who...)
		}
	}
	if _, ok := ev.Body.(protocol.Answer); ok || result.Ignored == "" {
		return store.Outcome{}, nil
	}
	return store.Outcome{Disposition: store.Ignored, Reason: result.Ignored, Final: true}, nil
}

// listedEvery is how often it is noted, at least, that the list of members still holds.
const listedEvery = time.Hour

// stillListed notes with what happens in a room that its list of members still holds.
func stillListed(tx *store.Tx, ev protocol.Event) error {
	if ev.Backlog || ev.History {
		return nil
	}
	info, ok := Get(tx, ev.Room)
	if !ok || info.Members != Known || info.Reading != nil || tx.Now().Sub(info.ListedAt) < listedEvery {
		return nil
	}
	info.ListedAt = tx.Now()
	return put(tx, info)
}

func (f Feature) publish(tx *store.Tx, d events.Draft) error {
	if f.Bus == nil {
		return nil
	}
	return f.Bus.Publish(tx, d)
}

// Told handles what a room tells a person or another room. It returns false where that is not of this package.
func (Feature) Told(tx *store.Tx, what protocol.Internal) (bool, error) {
	switch what.Kind {
	case tellShared:
		var s sharing
		if err := json.Unmarshal(what.Data, &s); err != nil {
			return true, fmt.Errorf("decode %s: %w", what.Kind, err)
		}
		key := store.Key(tx.Scope(), string(s.Room))
		switch has := tx.Has(userRooms, key); {
		case s.In && !has:
			tx.Put(userRooms, key, nil)
		case !s.In && has:
			tx.Delete(userRooms, key)
		}
		return true, nil
	case tellTalk:
		var t talk
		if err := json.Unmarshal(what.Data, &t); err != nil {
			return true, fmt.Errorf("decode %s: %w", what.Kind, err)
		}
		return true, talks(tx, t)
	case tellSucceeds:
		var old protocol.RoomID
		if err := json.Unmarshal(what.Data, &old); err != nil {
			return true, fmt.Errorf("decode %s: %w", what.Kind, err)
		}
		info, _ := Get(tx, protocol.RoomID(tx.Scope()))
		if info.Predecessor != "" || !info.FirstJoined.IsZero() {
			// Anybody can say of a room of theirs that it goes on in one of others, which then would inherit from it.
			return true, nil
		}
		info.Predecessor = old
		return true, put(tx, info)
	}
	return false, nil
}

// Timed handles a timer of the room. It returns false where that is not of this package.
func (Feature) Timed(tx *store.Tx, t protocol.Timer) (bool, error) {
	room := protocol.RoomID(tx.Scope())
	switch t.Name {
	case timerSweep:
		sweep(tx, room, string(t.Data))
		return true, nil
	case timerPutOut:
		forgetPutOut(tx, room)
		return true, nil
	case timerTalk:
		forgetTalks(tx)
		return true, nil
	case timerRead:
		info, _ := Get(tx, room)
		if !info.Joined() || info.Members == Known {
			return true, nil
		}
		// The count of failures is kept while the list is being asked for.
		tx.SetTimer(timerRead, tx.Now().Add(2*listDeadline), t.Data)
		_, err := outbox.Ask(tx, protocol.Ask{Room: room, Want: protocol.AskMembers{}, Expires: tx.Now().Add(listDeadline)})
		return true, err
	}
	return false, nil
}
