package rooms

import (
	"fmt"
	"testing"

	"moot/protocol"
	"moot/store"
)

// manyMembers is a list of n members with names in no order.
func manyMembers(n int) protocol.MemberList {
	l := list()
	for i := range n {
		l.Members = append(l.Members, protocol.Member{User: protocol.UserID(fmt.Sprintf("console:%08x", uint32(i)*2654435761)), Name: "Somebody"})
	}
	return l
}

// BenchmarkSnapshot takes in the whole list of members of a room that the bot has just joined, durably, in commits of
// one part each.
func BenchmarkSnapshot(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			members := manyMembers(n)
			for b.Loop() {
				b.StopTimer()
				w := newWorld(b)
				w.apply(lobby, ownJoin())
				b.StartTimer()
				w.apply(lobby, members)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "members/s")
		})
	}
}

// BenchmarkOf finds the rooms of one person among 1,000 rooms of 100 members each, of which the person is in 20.
func BenchmarkOf(b *testing.B) {
	w := newWorld(b)
	for r := range 1000 {
		room := protocol.RoomID(fmt.Sprintf("console:room%04d", r))
		w.apply(room, ownJoin())
		l := list()
		for i := range 100 {
			l.Members = append(l.Members, protocol.Member{User: protocol.UserID(fmt.Sprintf("console:%05d", (r*100+i)%50_000))})
		}
		if r%50 == 0 {
			l.Members = append(l.Members, protocol.Member{User: "console:ann"})
		}
		w.apply(room, l)
	}
	b.ResetTimer()
	err := w.store.View(func(tx *store.Tx) error {
		for b.Loop() {
			n := 0
			for range Of(tx, "console:ann") {
				n++
			}
			if n != 20 {
				b.Fatalf("found %d rooms", n)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
