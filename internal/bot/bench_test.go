package bot

import (
	"fmt"
	"testing"

	"moot/protocol"
	"moot/store"
)

// BenchmarkStep takes batches of messages that nobody has to act on the whole way from Admit to a durable disposition,
// spread over rooms.
func BenchmarkStep(b *testing.B) {
	for _, rooms := range []int{1, 100} {
		for _, size := range []int{1, 50, 500} {
			b.Run(fmt.Sprintf("rooms=%d/batch=%d", rooms, size), func(b *testing.B) {
				r := newRig(b)
				r.feature.handle = func(*store.Tx, protocol.Event) (store.Outcome, error) {
					return store.WasIgnored("not addressed to the bot"), nil
				}
				var ids []protocol.RoomID
				for i := range rooms {
					ids = append(ids, protocol.RoomID(fmt.Sprintf("console:%d", i)))
				}
				r.joined(ids...)
				for b.Loop() {
					evs := make([]protocol.Event, size)
					for i := range evs {
						evs[i] = r.say(ids[i%rooms], "just talking")
					}
					r.admit(evs...)
				}
				b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}
