package discord

import (
	"fmt"
	"testing"

	"moot/protocol"
)

// TestTheMostRecentConversationsComeFirst where a session was lost, and there are no more than a
// budget of them.
func TestTheMostRecentConversationsComeFirst(t *testing.T) {
	g := &gate{open: make(chan struct{}), cursors: map[string]string{}}
	a, end := alone(nobody{}, g)
	defer end()
	var rooms []protocol.RoomID
	for i := range 10_000 {
		room := directRoom(fmt.Sprint(i + 1))
		rooms = append(rooms, room)
		if i%2 == 0 { // of the others it is not known
			g.cursors[roomCursor(room)] = fmt.Sprintf("s.%d.%d", 20_000-i, 1_000_000+i)
		}
	}
	got := a.mostRecent(rooms)
	if len(got) != maxPrivate {
		t.Fatalf("%d are looked into", len(got))
	}
	for i, room := range got {
		if want := directRoom(fmt.Sprint(9999 - 2*i)); room != want {
			t.Fatalf("number %d is %s, not %s", i, room, want)
		}
	}
}
