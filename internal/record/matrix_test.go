package record_test

import (
	"slices"
	"testing"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/bot/bottest"
	"moot/internal/record"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/rooms"
)

const (
	hall protocol.RoomID = "matrix:!hall:a"
	den  protocol.RoomID = "matrix:!den:a"
	self protocol.UserID = "matrix:@moot:a"
	ann  protocol.UserID = "matrix:@ann:a"
	ben  protocol.UserID = "matrix:@ben:a"
)

// TestMatrix: what the adapter reads is what the bot has recorded, as of the last commit, also after a start.
func TestMatrix(t *testing.T) {
	r := &bottest.Rig{
		TB: t, Dir: t.TempDir(), Network: "matrix", Kinds: []events.Kind{rooms.Kind},
		Features: func(*bottest.Rig) []bot.Feature { return nil },
	}
	r.Open()
	defer func() { r.Close() }()
	var m record.Matrix
	var reads matrix.Rooms = &m
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	m.Store = r.Store
	if state, err := reads.Room(hall); err != nil || state != (matrix.RoomState{Language: "en"}) {
		t.Errorf("of a room that nobody knows: %+v, %v", state, err)
	}
	join := r.Event(hall, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined})
	r.Admit(join, r.Event(hall, ann, protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: "Hall"}, protocol.EncryptionEnabled{}}}))
	if users, whole, err := reads.Members(hall); err != nil || whole {
		t.Errorf("before the list: %v, whole %v, %v", users, whole, err)
	}
	list := protocol.MemberList{Last: true, Members: []protocol.Member{{User: self, Self: true}, {User: ann}}}
	r.Admit(r.Event(hall, "", list))
	dm := r.Event(den, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined})
	dm.Private = true
	r.Admit(dm)
	r.Admit(r.Event(den, "", list))
	secret := r.Event(hall, ann, protocol.Sealed{Session: "S", Content: []byte("{}")})
	r.Admit(secret)
	for range 2 {
		m.Store = r.Store
		state, err := reads.Room(hall)
		must(err)
		want := matrix.RoomState{Own: protocol.Joined, Floor: join.ID, Encrypted: true, Named: true, Known: true, Count: 2, Language: "en"}
		if state != want {
			t.Errorf("the hall is %+v, want %+v", state, want)
		}
		if state, err = reads.Room(den); err != nil || !state.Private || state.Named {
			t.Errorf("the private conversation is %+v, %v", state, err)
		}
		users, whole, err := reads.Members(hall)
		must(err)
		if !whole || !slices.Equal(users, []protocol.UserID{ann, self}) {
			t.Errorf("members %v, whole %v", users, whole)
		}
		for user, want := range map[protocol.UserID]bool{ann: true, ben: false} {
			if is, err := reads.IsMember(hall, user); err != nil || is != want {
				t.Errorf("%s is a member: %v, %v", user, is, err)
			}
		}
		shared, err := reads.Shared(ann)
		must(err)
		if !slices.Equal(shared, []protocol.RoomID{den, hall}) {
			t.Errorf("shared with ann: %v", shared)
		}
		for id, want := range map[protocol.EventID]bool{join.ID: true, "$never": false} {
			if seen, err := reads.Seen(hall, id); err != nil || seen != want {
				t.Errorf("%s is seen: %v, %v", id, seen, err)
			}
		}
		waiting, err := m.Sealed()
		must(err)
		if len(waiting) != 1 || waiting[0].Ref() != secret.Ref() {
			t.Errorf("waiting %v", waiting)
		}
		r.Down(0)
	}
}
