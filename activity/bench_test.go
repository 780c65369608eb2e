package activity

import (
	"fmt"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

// BenchmarkHandle handles messages in a room of 1,000 people, each in a run of its own within a commit of 512: those that
// become facts, and those that come too soon for it.
func BenchmarkHandle(b *testing.B) {
	for name, interval := range map[string]time.Duration{"fact": 1, "too soon": time.Hour} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b)
			r.feature.Interval = interval
			var evs []protocol.Event
			for i := range 1000 {
				user := protocol.UserID(fmt.Sprintf("console:u%d", i))
				r.does(lobby, user, protocol.MemberChange{User: user, Membership: protocol.Joined})
				evs = append(evs, r.Event(lobby, user, protocol.Message{Text: "hi"}))
			}
			r.Admit(evs...)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				r.Now = r.Now.Add(time.Second)
				err := r.Store.Commit(r.Now, func(c *store.Commit) error {
					for range min(512, b.N-n) {
						ev := evs[n%len(evs)]
						n++
						err := c.Run(ev.Scope(), ev.Ref(), func(tx *store.Tx) error {
							_, err := r.feature.Handle(tx, ev)
							return err
						})
						if err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDays asks for the days of somebody who was active all the time.
func BenchmarkDays(b *testing.B) {
	r := newRig(b)
	for range 10 * 24 * 2 {
		r.says(ann)
		r.Later(30 * minute)
	}
	err := r.Store.View(func(tx *store.Tx) error {
		b.ReportAllocs()
		for b.Loop() {
			if n := r.feature.Days(tx, lobby, ann, 0); n < 9 {
				b.Fatalf("active on %d days", n)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
