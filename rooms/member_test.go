package rooms

import (
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

func TestTimesThatNobodyCanHaveMeantAreNotTakenOver(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	l := list("console:ann", "console:ben", "console:cleo")
	l.Members[1].Since = time.UnixMilli(1 << 60)
	l.Members[2].Since = time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)
	l.Members[3].Since = w.now.Add(48 * time.Hour)
	w.apply(lobby, l)
	w.view(func(tx *store.Tx) {
		info, _ := Get(tx, lobby)
		if info.Members != Known || info.Count != 4 {
			t.Fatalf("%+v", info)
		}
		for m := range Members(tx, lobby) {
			if since := Since(info, m); since.After(tx.Now()) || since.Year() != 2026 {
				t.Errorf("%s is here since %v", m.User, since)
			}
		}
	})
}

func TestAChangedProfileSaysNothingAboutWhenSomebodyCame(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.apply(lobby, protocol.MemberChange{User: "console:ann", Membership: protocol.Joined, Profile: true, Name: "Ann"})
	w.apply(lobby, list("console:ann"))
	w.view(func(tx *store.Tx) {
		if m, ok := Lookup(tx, lobby, "console:ann"); !ok || !m.Since.IsZero() {
			t.Errorf("%+v", m)
		}
	})
}

func TestALeaveOfWhomThePastGenerationKnewLeavesNothing(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.apply(lobby, list("console:ann", "console:ben"))
	w.apply(lobby, ownEnd(protocol.Kicked))
	w.apply(lobby, ownJoin()) // before the sweep
	w.apply(lobby, change("console:ann", protocol.Left))
	w.apply(lobby, list())
	w.timers(time.Minute)
	if n := w.rows(userRooms); n != 1 {
		t.Errorf("%d rows by person are left", n)
	}
}

func TestPowersEndWithTheOwnMembership(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.apply(lobby, list("console:ann"))
	w.apply(lobby, protocol.RoomChange{Changes: []protocol.Change{protocol.PowersChanged{Moderators: []protocol.UserID{"console:ann"}}}})
	w.apply(lobby, ownEnd(protocol.Kicked))
	w.apply(lobby, ownJoin())
	w.apply(lobby, list("console:ann"))
	w.view(func(tx *store.Tx) {
		if IsModerator(tx, lobby, "console:ann") {
			t.Error("ann moderates by what was known before the bot was thrown out")
		}
	})
}
