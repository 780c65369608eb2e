package rooms

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/protocol"
	"moot/store"
)

// fetched is a list of members on its way: it shows the room at some moment after it was asked for.
type fetched struct {
	answer protocol.EventID
	users  []protocol.UserID // nil until the network has looked
	part   int
}

// TestModel races lists that come in parts, at any moment and as of any moment since they were asked for, against joins,
// leaves, kicks of the bot, rejoins, sweeps and restarts. Where the members are said to be known they are exactly those
// that the events have told of.
func TestModel(t *testing.T) {
	people := []protocol.UserID{"console:ann", "console:ben", "console:cleo", "console:dan"}
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		members, in := map[protocol.UserID]bool{}, false
		var coming *fetched
		user := func(t *rapid.T) protocol.UserID { return rapid.SampledFrom(people).Draw(t, "user") }
		rt.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) { checkModel(t, w, members, in, people) },
			"join": func(t *rapid.T) {
				u := user(t)
				members[u] = true
				w.apply(lobby, change(u, protocol.Joined))
			},
			"leave": func(t *rapid.T) {
				u := user(t)
				delete(members, u)
				w.apply(lobby, change(u, protocol.Left))
			},
			"ask": func(t *rapid.T) {
				w.next++
				coming = &fetched{answer: protocol.EventID(fmt.Sprintf("answer/%d", w.next))}
				w.commit(protocol.Scope(lobby), func(tx *store.Tx) error { return Await(tx, lobby, coming.answer) })
			},
			"look": func(*rapid.T) {
				if coming != nil && coming.users == nil {
					coming.users = append([]protocol.UserID{self}, slices.Sorted(maps.Keys(members))...)
				}
			},
			"part": func(t *rapid.T) {
				if coming == nil || coming.users == nil {
					return
				}
				n := rapid.IntRange(0, len(coming.users)).Draw(t, "members")
				l := protocol.MemberList{List: string(coming.answer), Part: coming.part, Last: n == len(coming.users)}
				for _, u := range coming.users[:n] {
					l.Members = append(l.Members, protocol.Member{User: u, Self: u == self, Name: u.Local()})
				}
				w.apply(lobby, l)
				if coming.users, coming.part = coming.users[n:], coming.part+1; l.Last {
					coming = nil
				}
			},
			"fault": func(*rapid.T) {
				if coming != nil {
					w.apply(lobby, protocol.MemberList{Last: true, Fault: "500"})
					coming = nil
				}
			},
			"botJoins": func(*rapid.T) {
				in, coming = true, nil // what was asked before has ended
				w.apply(lobby, ownJoin())
			},
			"botIsKicked": func(*rapid.T) {
				in, coming = false, nil
				w.apply(lobby, ownEnd(protocol.Kicked))
			},
			"timers":  func(*rapid.T) { w.timers(time.Second) },
			"restart": func(*rapid.T) { w.reopen() },
		})
		if !in {
			w.apply(lobby, ownJoin())
		}
		w.apply(lobby, list(slices.Sorted(maps.Keys(members))...))
		w.timers(time.Minute)
		checkModel(rt, w, members, true, people)
		if r, u := w.rows(roomUsers), w.rows(userRooms); r != len(members)+1 || u != r {
			rt.Fatalf("%d rows by room and %d by person are left of %d members", r, u, len(members)+1)
		}
		if err := w.store.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

func checkModel(t *rapid.T, w *world, members map[protocol.UserID]bool, in bool, people []protocol.UserID) {
	info := w.info(lobby)
	got := w.members(lobby)
	delete(got, self)
	if info.Joined() != in || !in && len(got) > 0 {
		t.Fatalf("joined %v, want %v; members %v", info.Joined(), in, got)
	}
	if info.Members == Known {
		if !maps.EqualFunc(got, members, func(string, bool) bool { return true }) || info.Count != len(members)+1 {
			t.Fatalf("members %v, counted %d, want %v", got, info.Count, members)
		}
	}
	for _, u := range people {
		if _, ok := got[u]; ok != w.of(u)[lobby] {
			t.Fatalf("%s is a member: %v; by user-rooms: %v", u, ok, !ok)
		}
	}
}
