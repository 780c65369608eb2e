package discord

import "testing"

// TestAReplayIsSavedOnceAllOfItIsAdmitted, and not before: a bot that dies within seconds, again and
// again, then has less replayed each time.
func TestAReplayIsSavedOnceAllOfItIsAdmitted(t *testing.T) {
	p := &progress{}
	first, resumed := p.arrived(1), p.arrived(2)
	first.hold() // for the lane of its room
	told := 0
	resumed.whenDone(func() { told++ })
	resumed.done()
	first.done()
	if told != 0 {
		t.Error("it is told before what came first is admitted")
	}
	first.done()
	p.arrived(3).done()
	if told != 1 || p.seq != 3 {
		t.Errorf("it is told %d times, and %d is reached", told, p.seq)
	}
}
