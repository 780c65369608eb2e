package inspect

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"moot/protocol"
)

// seen returns all pages of a query, in the order of time.
func (w *world) seen(q SeenQuery) (all []string) {
	w.Helper()
	for pages := 0; ; pages++ {
		page, err := w.inspector.Seen(q)
		if err != nil || page.Room != lobby || page.RoomName != "Lobby" || pages > 100 {
			w.Fatalf("page %d is %+v, %v", pages, page, err)
		}
		for _, e := range page.Events {
			if e.Event.Room != lobby || e.Time.IsZero() {
				w.Errorf("an event is %+v", e)
			}
			all = append(all, fmt.Sprintf("%s %s", e.Event.Event, e.Disposition))
		}
		if !page.More {
			break
		}
		if q.Backward {
			q.Before = page.Last
		} else {
			q.After = page.Last
		}
	}
	if q.Backward {
		slices.Reverse(all)
	}
	return all
}

// TestSeenListsARoom: the events of a room come in their order, each once, in pages of any size, and in
// both directions; of one commit as well.
func TestSeenListsARoom(t *testing.T) {
	w := newWorld(t)
	w.join(lobby, "Lobby", "console:ann")
	w.join("console:other", "Other", "console:ann")
	began := w.Now
	var want []string
	for i := range 12 {
		text, outcome := "hello", "handled"
		switch i % 4 {
		case 1:
			text, outcome = "hush", "ignored"
		case 2:
			text, outcome = "fail", "failed"
		}
		id := fmt.Sprintf("e%02d", i)
		w.say("console:other", protocol.EventID(id), "console:ann", "hello")
		w.say(lobby, protocol.EventID(id), "console:ann", text)
		want = append(want, id+" "+outcome)
	}
	var together []protocol.Event
	for i := range 5 {
		id := fmt.Sprintf("f%d", i)
		together = append(together, protocol.Event{Room: lobby, ID: protocol.EventID(id), Sender: "console:ann", Time: w.Now, Body: protocol.Message{Text: "hush"}})
		want = append(want, id+" ignored")
	}
	w.admit(together...)

	for _, backward := range []bool{false, true} {
		for _, limit := range []int{0, 1, 2, 7} {
			q := SeenQuery{Room: "lobby", Since: began, Backward: backward, Limit: limit}
			if got := w.seen(q); !slices.Equal(got, want) {
				t.Errorf("backward %v, pages of %d:\n%q\nwant\n%q", backward, limit, got, want)
			}
			q.Outcome = "failed"
			if got := w.seen(q); !slices.Equal(got, []string{"e02 failed", "e06 failed", "e10 failed"}) {
				t.Errorf("backward %v, pages of %d: %q failed", backward, limit, got)
			}
		}
	}
	// The clock of the store is behind the machine's: everything is older than an hour.
	if got := w.seen(SeenQuery{Room: string(lobby), Ago: time.Hour}); len(got) > 0 {
		t.Errorf("in the last hour there are %q", got)
	}
	if got := w.seen(SeenQuery{Room: string(lobby)}); len(got) != len(want)+3 {
		t.Errorf("in all there are %q", got)
	}
}

func TestSeenAsksBackWhereItIsNotClear(t *testing.T) {
	w := newWorld(t)
	w.join(lobby, "Lobby", "console:ann")
	_, err := w.inspector.Seen(SeenQuery{Room: "attic"})
	wantErr(t, err, ErrNotFound, "does not know the room «attic»", "console:lobby")
	_, err = w.inspector.Seen(SeenQuery{})
	wantErr(t, err, ErrNotFound, "Which room?", "console:lobby")
	_, err = w.inspector.Seen(SeenQuery{Room: "lobby", Outcome: "lost"})
	wantErr(t, err, ErrNotFound, "No event ends as «lost»", "handled, ignored, refused, failed, waiting")
}
