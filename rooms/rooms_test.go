package rooms

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moot/protocol"
	"moot/store"
)

func TestFirstJoinAsksForTheMembersAndTakesThemIn(t *testing.T) {
	w := newWorld(t)
	r := w.apply(lobby, ownJoin())
	if len(r.Notes) != 1 || r.Notes[0].What != BotJoined {
		t.Errorf("notes of a join: %+v", r.Notes)
	}
	if w.asks != 1 {
		t.Errorf("asked %d times for the members", w.asks)
	}
	if i := w.info(lobby); i.Members != Unknown || i.Generation != 1 || i.Floor != "e1" || !i.Joined() {
		t.Errorf("after the join: %+v", i)
	}
	w.apply(lobby, list("console:ann", "console:ben"))
	i := w.info(lobby)
	if i.Members != Known || i.Count != 3 {
		t.Errorf("after the list: %+v", i)
	}
	want := map[protocol.UserID]string{self: "moot", "console:ann": "ann", "console:ben": "ben"}
	if d := cmp.Diff(want, w.members(lobby)); d != "" {
		t.Error(d)
	}
	if !w.of("console:ann")[lobby] {
		t.Error("the room of ann is not found through her")
	}
}

func TestARenameIsNoJoin(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.apply(lobby, list("console:ann"))
	w.apply(lobby, change("console:ben", protocol.Joined))
	var since time.Time
	w.view(func(tx *store.Tx) { m, _ := Lookup(tx, lobby, "console:ben"); since = m.Since })
	if since.IsZero() {
		t.Fatal("it is not known since when ben is here")
	}
	w.apply(lobby, protocol.MemberChange{User: "console:ben", Membership: protocol.Joined, Profile: true, Name: "Benjamin"})
	w.apply(lobby, protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined, Profile: true, Name: "Moot"})
	w.view(func(tx *store.Tx) {
		m, _ := Lookup(tx, lobby, "console:ben")
		if m.Name != "Benjamin" || !m.Since.Equal(since) {
			t.Errorf("after the rename ben is %+v, was here since %v", m, since)
		}
	})
	if i := w.info(lobby); i.Generation != 1 || i.Count != 3 {
		t.Errorf("a change of the bot's own name made of the room %+v", i)
	}
}

func TestKickDropsTheMembersAndNothingElse(t *testing.T) {
	for _, how := range []protocol.Membership{protocol.Left, protocol.Kicked, protocol.Banned} {
		t.Run(string(how), func(t *testing.T) {
			w := newWorld(t)
			w.apply(lobby, protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: "Lobby"}}})
			w.apply(lobby, ownJoin())
			w.apply(lobby, list("console:ann", "console:ben"))
			w.apply(lobby, ownEnd(how))
			if m := w.members(lobby); len(m) != 0 {
				t.Errorf("members after the end: %v", m)
			}
			if w.of("console:ann")[lobby] {
				t.Error("the room is still found through ann")
			}
			i := w.info(lobby)
			if i.Name != "Lobby" || i.Floor == "" || i.Generation != 1 || i.Own != how || i.Members != Unknown {
				t.Errorf("what is left of the room: %+v", i)
			}
			w.timers(time.Minute)
			if n := w.rows(roomUsers) + w.rows(userRooms); n != 0 {
				t.Errorf("%d rows are left after the sweep", n)
			}
			if r := w.apply(lobby, change("console:eve", protocol.Joined)); r.Ignored == "" {
				t.Error("a join was taken in while the bot was not in the room")
			}
		})
	}
}

func TestRejoinStartsAGenerationThatOldEventsDoNotTouch(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.apply(lobby, list("console:ann", "console:ben"))
	w.apply(lobby, ownEnd(protocol.Kicked))
	// The rejoin comes before the sweep has cleared anything.
	for _, ev := range []protocol.Body{change("console:ghost", protocol.Joined), ownEnd(protocol.Kicked), change("console:ann", protocol.Left)} {
		w.next++
		w.event(protocol.Event{Room: lobby, ID: protocol.EventID(fmt.Sprint("h", w.next)), History: true, Body: ev})
	}
	w.apply(lobby, ownJoin())
	if i := w.info(lobby); i.Generation != 2 || i.Members != Unknown {
		t.Errorf("after the rejoin: %+v", i)
	}
	if m := w.members(lobby); len(m) != 1 {
		t.Errorf("before the list is in the members are %v", m)
	}
	w.apply(lobby, list("console:ann", "console:cleo"))
	w.timers(time.Minute)
	want := map[protocol.UserID]string{self: "moot", "console:ann": "ann", "console:cleo": "cleo"}
	if d := cmp.Diff(want, w.members(lobby)); d != "" {
		t.Error(d)
	}
	if w.of("console:ben")[lobby] || w.of("console:ghost")[lobby] || !w.of("console:ann")[lobby] {
		t.Error("user-rooms does not agree with the members")
	}
	if n := w.rows(roomUsers); n != 3 {
		t.Errorf("%d rows are left", n)
	}
}

func TestAFailedListIsUnknownAndTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.apply(lobby, list("console:ann"))
	r := w.apply(lobby, protocol.MemberList{Last: true, Fault: "500 Internal\nServer Error"})
	if len(r.Notes) != 1 || r.Notes[0].What != ListFailed {
		t.Errorf("notes: %+v", r.Notes)
	}
	i := w.info(lobby)
	if i.Members != Unknown || i.Fault != "500 Internal Server Error" || i.Count != 2 {
		t.Errorf("after a failed list: %+v", i)
	}
	if len(w.members(lobby)) != 2 {
		t.Error("a failed list emptied the room")
	}
	w.asks = 0
	if w.timers(firstRetry - time.Second); w.asks != 0 {
		t.Error("asked again too early")
	}
	if w.timers(2 * time.Second); w.asks != 1 {
		t.Errorf("asked %d times after the first wait", w.asks)
	}
	w.apply(lobby, protocol.MemberList{Last: true, Fault: "again"})
	if w.timers(firstRetry + time.Second); w.asks != 1 {
		t.Error("the second wait is not longer than the first")
	}
	if w.timers(firstRetry + time.Second); w.asks != 2 {
		t.Errorf("asked %d times after the second wait", w.asks)
	}
	w.apply(lobby, list("console:ann"))
	if i := w.info(lobby); i.Members != Known || i.Fault != "" {
		t.Errorf("after a list at last: %+v", i)
	}
	if n := w.timers(24 * time.Hour); n > 1 || w.asks != 2 {
		t.Errorf("%d timers went off and %d asks were made although the members are known", n, w.asks)
	}
}

func TestWhatHappensWhileAListIsReadWinsOverIt(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.apply(lobby, list("console:ann", "console:ben"))
	part := func(n int, last bool, users ...protocol.UserID) {
		l := list(users...)
		l.List, l.Part, l.Last = "l", n, last
		if n > 0 {
			l.Members = l.Members[1:]
		}
		w.apply(lobby, l)
	}
	part(0, false, "console:ann")
	w.apply(lobby, change("console:ben", protocol.Left))
	w.apply(lobby, change("console:dan", protocol.Joined))
	w.apply(lobby, change("console:ann", protocol.Kicked))
	w.timers(time.Minute) // a sweep in the middle keeps what the list needs
	part(1, true, "console:ben", "console:cleo")
	w.timers(time.Minute)
	want := map[protocol.UserID]string{self: "moot", "console:cleo": "cleo", "console:dan": "dan"}
	if d := cmp.Diff(want, w.members(lobby)); d != "" {
		t.Error(d)
	}
	if i := w.info(lobby); i.Count != 3 || i.Reading != nil {
		t.Errorf("%+v", i)
	}
	if n := w.rows(roomUsers); n != 3 {
		t.Errorf("%d rows are left", n)
	}
}

func TestPartsOfAnAbandonedListChangeNothing(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	a := protocol.MemberList{List: "a", Members: []protocol.Member{{User: "console:ann"}}}
	w.apply(lobby, a)
	b := list("console:ben")
	b.List = "b"
	w.apply(lobby, b)
	a.Part, a.Last, a.Members = 1, true, []protocol.Member{{User: "console:cleo"}}
	if r := w.apply(lobby, a); r.Ignored == "" {
		t.Error("the second part of a list was taken in after another list")
	}
	want := map[protocol.UserID]string{self: "moot", "console:ben": "ben"}
	if d := cmp.Diff(want, w.members(lobby)); d != "" {
		t.Error(d)
	}
}

func TestALeaveTakesAwayBothDirections(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.apply(lobby, list("console:ann"))
	w.apply(lobby, change("console:ann", protocol.Kicked))
	if n := w.rows(roomUsers); n != 1 {
		t.Errorf("%d rows by room", n)
	}
	if n := w.rows(userRooms); n != 1 {
		t.Errorf("%d rows by person", n)
	}
}

func TestModerators(t *testing.T) {
	w := newWorld(t)
	is := func(user protocol.UserID) (yes bool) {
		w.view(func(tx *store.Tx) { yes = IsModerator(tx, lobby, user) })
		return yes
	}
	w.apply(lobby, ownJoin())
	l := list("console:ann", "console:ben")
	l.Members[1].Power = protocol.PowerModerator
	w.apply(lobby, l)
	if !is("console:ann") || is("console:ben") || is("console:nobody") {
		t.Error("the list's powers were not taken in")
	}
	w.apply(lobby, protocol.MemberChange{User: "console:ann", Membership: protocol.Joined, Profile: true, Power: protocol.PowerMember})
	if is("console:ann") {
		t.Error("ann is still a moderator")
	}
	w.apply(lobby, protocol.RoomChange{Changes: []protocol.Change{protocol.PowersChanged{Moderators: []protocol.UserID{"console:ben", "console:eve"}}}})
	if is("console:ann") || !is("console:ben") || is("console:eve") {
		t.Error("a moderator is who is named and a member")
	}
	w.apply(lobby, change("console:ben", protocol.Left))
	if is("console:ben") {
		t.Error("who left moderates")
	}
}

func TestUpgradeLeadsToTheSuccessor(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.asks = 0
	r := w.apply(lobby, protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: "console:lobby-2"}}})
	if len(r.Notes) != 1 || r.Notes[0].What != RoomMoved || r.Notes[0].Detail != "console:lobby-2" {
		t.Errorf("notes: %+v", r.Notes)
	}
	if i := w.info(lobby); i.Successor != "console:lobby-2" || w.asks != 1 {
		t.Errorf("old room %+v, asks %d", i, w.asks)
	}
	if i := w.info("console:lobby-2"); i.Predecessor != lobby {
		t.Errorf("new room %+v", i)
	}
	if r := w.apply(lobby, protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: lobby}}}); len(r.Notes) != 0 {
		t.Error("a room went on in itself")
	}
}

func TestInviteDoesNotEndAMembership(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownEnd(protocol.Invited))
	if i := w.info(lobby); i.Own != protocol.Invited {
		t.Errorf("%+v", i)
	}
	w.apply(lobby, ownJoin())
	w.apply(lobby, ownEnd(protocol.Invited))
	if i := w.info(lobby); !i.Joined() {
		t.Errorf("%+v", i)
	}
}

func TestSplit(t *testing.T) {
	big := protocol.MemberList{Last: true}
	for i := range 2*PartSize + 1 {
		big.Members = append(big.Members, protocol.Member{User: protocol.UserID(fmt.Sprintf("console:%06d", 2*PartSize-i))})
	}
	ev := protocol.Event{Room: lobby, ID: "e", Body: big}
	parts := Split(ev)
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	var users []protocol.UserID
	for n, p := range parts {
		l := p.Body.(protocol.MemberList)
		if l.List != "e" || l.Part != n || l.Last != (n == 2) || p.ID != protocol.EventID(fmt.Sprintf("e/%d", n)) {
			t.Errorf("part %d: %s of %s, last %v, event %s", n, fmt.Sprint(l.Part), l.List, l.Last, p.ID)
		}
		for _, m := range l.Members {
			users = append(users, m.User)
		}
	}
	if len(users) != len(big.Members) || !slices.IsSorted(users) {
		t.Errorf("%d members in the parts, sorted %v", len(users), slices.IsSorted(users))
	}
	ev.Body = protocol.Answer{Ask: "k", Result: list("console:ann")}
	parts = Split(ev)
	if len(parts) != 2 || parts[0].ID != "e/0" || parts[1].ID != "e" || parts[1].Body.(protocol.Answer).Result != nil {
		t.Errorf("an answer became %+v", parts)
	}
	for _, body := range []protocol.Body{list("console:ann"), protocol.Message{}, protocol.Answer{Ask: "k"}} {
		if parts := Split(protocol.Event{Room: lobby, ID: "e", Body: body}); len(parts) != 1 || parts[0].ID != "e" {
			t.Errorf("%T was split", body)
		}
	}
}

func TestAHundredThousandMembers(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	big := manyMembers(100_000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	w.apply(lobby, big)
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("100,000 members in %v, heap grown by %d MB", time.Since(began).Round(time.Millisecond), (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>20)
	if i := w.info(lobby); i.Count != 100_001 || i.Members != Known {
		t.Errorf("%+v", i)
	}
	if !w.of(big.Members[77].User)[lobby] {
		t.Error("a member's room is not found")
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}

func TestTheFaultOfAnOldListDoesNotEndANewOne(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.commit(protocol.Scope(lobby), func(tx *store.Tx) error { return Await(tx, lobby, "new") })
	w.event(protocol.Event{Room: lobby, ID: "old", Body: protocol.MemberList{Last: true, Fault: "expired"}})
	w.apply(lobby, change("console:ben", protocol.Joined)) // after the network has looked, before its answer is here
	w.event(protocol.Event{Room: lobby, ID: "new", Body: list("console:ann")})
	want := map[protocol.UserID]string{self: "moot", "console:ann": "ann", "console:ben": "ben"}
	if d := cmp.Diff(want, w.members(lobby)); d != "" {
		t.Error(d)
	}
}

func TestNobodyMakesARoomOfOthersTheirSuccessor(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.apply("console:trap", ownJoin())
	w.apply("console:trap", protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: lobby}, protocol.Upgraded{Successor: "console:new"}}})
	w.apply("console:trap-2", protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: "console:new"}}})
	if p := w.info(lobby).Predecessor; p != "" {
		t.Errorf("the lobby was made to inherit from %s", p)
	}
	if p := w.info("console:new").Predecessor; p != "console:trap" {
		t.Errorf("the predecessor is %q, want the first that said so", p)
	}
}

func TestAConversationOfTwoThatAThirdJoinsIsARoom(t *testing.T) {
	w := newWorld(t)
	say := func(user protocol.UserID, self, private, history bool) {
		w.next++
		w.event(protocol.Event{
			Room: lobby, ID: protocol.EventID(fmt.Sprintf("e%d", w.next)), Private: private, History: history,
			Body: protocol.MemberChange{User: user, Self: self, Membership: protocol.Joined},
		})
	}
	private := func() (is bool) {
		w.commit(protocol.Scope(lobby), func(tx *store.Tx) error {
			info, _ := Get(tx, lobby)
			is = info.Private
			return nil
		})
		return is
	}
	say("console:moot", true, false, false)
	say("console:ann", false, true, false)
	if !private() {
		t.Error("a conversation of two is not private")
	}
	w.apply(lobby, protocol.MemberList{Last: true, Members: []protocol.Member{{User: "console:moot", Self: true}, {User: "console:ann"}}})
	if !private() {
		t.Error("a list of members has ended the privacy of a conversation")
	}
	say("console:old", false, false, true)
	if !private() {
		t.Error("history has ended the privacy of a conversation")
	}
	say("console:ben", false, false, false)
	if private() {
		t.Error("a room of three is private")
	}
}

// TestWhatIsOutdatedAgainAndAgainIsReadOnce: however often the network says that the members may be others, one list is being
// read and one more waits.
func TestWhatIsOutdatedAgainAndAgainIsReadOnce(t *testing.T) {
	w := newWorld(t)
	outdated := protocol.RoomChange{Changes: []protocol.Change{protocol.Outdated{}}}
	storm := func(asks int) {
		t.Helper()
		for range 100 {
			w.apply(lobby, outdated)
		}
		if w.asks != asks {
			t.Fatalf("the members were asked for %d times, not %d", w.asks, asks)
		}
	}
	// next begins the attempt at an ask, and ends that before it.
	var before store.Queued
	next := func() {
		t.Helper()
		err := w.store.Commit(w.now, func(c *store.Commit) error {
			if before.Key != "" {
				c.Finish(before, store.StateSent, protocol.Ref{}, "")
			}
			for q := range c.Read().Queue("", 0) {
				if q.Key != before.Key {
					before = c.Begin(q)
					break
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.apply(lobby, protocol.MemberChange{User: "console:moot", Self: true, Bot: true, Membership: protocol.Joined})
	storm(1) // what the join has asked will tell
	next()
	storm(2) // that may show how it was before
	next()
	storm(3)
}

// TestABackDatedJoinCountsFromWhenTheListWasLastKnown, whatever the server of the newcomer says.
func TestABackDatedJoinCountsFromWhenTheListWasLastKnown(t *testing.T) {
	w := newWorld(t)
	w.apply(lobby, ownJoin())
	w.apply(lobby, list("console:ann"))
	known := w.now
	w.now = w.now.Add(time.Hour)
	l := list("console:ann", "console:new")
	for i := range l.Members {
		l.Members[i].Since = known.Add(-20 * 24 * time.Hour)
	}
	w.apply(lobby, l)
	var since time.Time
	if err := w.store.View(func(tx *store.Tx) error {
		m, _ := Lookup(tx, lobby, "console:new")
		since = m.Since
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if since.Before(known) {
		t.Errorf("they are a member since %s, and were not there at %s", since, known)
	}
}
