package inspect

import (
	"slices"
	"strings"
	"time"

	"moot/internal/alike"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// SeenQuery says which events of a room are wanted: those that the bot has seen in a span of time.
type SeenQuery struct {
	Room string `json:"room"` // by id or name
	// Outcome is what became of them, such as ignored, or waiting; empty means anything.
	Outcome string    `json:"outcome,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	// Ago is how old they may be; it counts from now, or from the last commit where the clock of the store is ahead.
	Ago time.Duration `json:"ago,omitempty"`
	// After and Before are places between which the events lie, themselves excluded; zero means no bound.
	After  SeenPlace `json:"after,omitzero"`
	Before SeenPlace `json:"before,omitzero"`
	// Backward is whether the last comes first.
	Backward bool `json:"backward,omitempty"`
	// Limit is how many are wanted; zero, and what is above it, means PageSize.
	Limit int `json:"limit,omitempty"`
}

// SeenPlace is a place in what a room had. Events of one commit have one time.
type SeenPlace struct {
	Time  time.Time        `json:"time"`
	Event protocol.EventID `json:"event"`
}

// SeenEvent is an event, and what became of it.
type SeenEvent struct {
	Event       Ref       `json:"event"`
	Disposition string    `json:"disposition"`
	Reason      string    `json:"reason,omitempty"`
	Time        time.Time `json:"time"` // of the commit that first recorded it
}

// SeenPage is a part of what a room had.
type SeenPage struct {
	Room     protocol.RoomID `json:"room"`
	RoomName string          `json:"room_name,omitempty"`
	Events   []SeenEvent     `json:"events"`
	// More is whether there may be further ones behind Last, which is the After of the next page, or its Before where the
	// query goes backward.
	More bool      `json:"more"`
	Last SeenPlace `json:"last,omitzero"`
}

// seenScan is how many events one page looks at.
const seenScan = 20_000

// Outcomes returns what can become of an event, in words.
func Outcomes() (words []string) {
	for _, d := range outcomes {
		words = append(words, outcomeName(d))
	}
	return words
}

// outcomes are the dispositions that an event can be recorded with.
var outcomes = []store.Disposition{store.Handled, store.Ignored, store.Refused, store.Failed, store.Waiting}

// outcomeName is the one word for a disposition.
func outcomeName(d store.Disposition) string {
	name, _, _ := strings.Cut(d.String(), " ")
	return name
}

// Seen returns the first page of the events that a query wants.
func (in *Inspector) Seen(q SeenQuery) (page SeenPage, err error) {
	if q.Limit <= 0 || q.Limit > PageSize {
		q.Limit = PageSize
	}
	wanted := outcomes
	if q.Outcome != "" {
		i := slices.IndexFunc(outcomes, func(d store.Disposition) bool { return outcomeName(d) == alike.Fold(q.Outcome) })
		if i < 0 {
			return page, notFound("No event ends as %s. The outcomes are %s.", protocol.Quoted(q.Outcome, 0), strings.Join(Outcomes(), ", "))
		}
		wanted = outcomes[i : i+1]
	}
	err = in.Store.View(func(tx *store.Tx) error {
		page, err = seenPage(tx, q, wanted)
		return err
	})
	return page, err
}

func seenPage(tx *store.Tx, q SeenQuery, wanted []store.Disposition) (SeenPage, error) {
	room, err := seenRoom(tx, q.Room)
	if err != nil {
		return SeenPage{}, err
	}
	page := SeenPage{Room: room.ID, RoomName: title(tx, room.ID), Events: []SeenEvent{}}
	from, to := store.SeenPlace(q.After), store.SeenPlace(q.Before)
	if since := sinceTime(tx, q.Since, q.Ago); from.Time.Before(since) {
		from = store.SeenPlace{Time: since}
	}
	scanned := 0
	for e := range tx.SeenIn(room.ID, from, to, q.Backward) {
		if e.Event == q.After.Event && e.Time.Equal(q.After.Time) {
			continue
		}
		if len(page.Events) == q.Limit || scanned == seenScan {
			page.More = true
			break
		}
		scanned++
		page.Last = SeenPlace{e.Time, e.Event}
		if slices.Contains(wanted, e.Disposition) {
			page.Events = append(page.Events, SeenEvent{Ref{room.ID, e.Event}, e.Disposition.String(), e.Reason, e.Time})
		}
	}
	return page, nil
}

// seenRoom returns the room that is meant. One that was never told about, such as the place of an answer, has events too.
func seenRoom(tx *store.Tx, text string) (rooms.Info, error) {
	if text == "" {
		return rooms.Info{}, notFound("Which room? %s", roomList(tx))
	}
	if _, known := rooms.Get(tx, protocol.RoomID(text)); !known {
		for range tx.SeenIn(protocol.RoomID(text), store.SeenPlace{}, store.SeenPlace{}, false) {
			return rooms.Info{ID: protocol.RoomID(text)}, nil
		}
	}
	return oneRoom(tx, text)
}
