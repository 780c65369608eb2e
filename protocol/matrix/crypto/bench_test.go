//go:build goolm

package crypto

import (
	"testing"

	"maunium.net/go/mautrix/event"
)

// A message that comes, whose key is there.
func BenchmarkDecrypt(b *testing.B) {
	f := newFake(b)
	f.rotate = 10_000
	bo, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	var evs []*event.Event
	for n := range min(b.N, 5000) {
		evs = append(evs, wire(b, n, alice, lobby, a.say("hello", alice, bot)))
	}
	bo.receive()
	b.ResetTimer()
	for n := range b.N {
		if _, _, err := bo.machine.Decrypt(b.Context(), evs[n%len(evs)]); err != nil {
			b.Fatal(err)
		}
	}
}

// A message that goes, in a session that is shared already.
func BenchmarkEncrypt(b *testing.B) {
	f := newFake(b)
	f.rotate = 10_000
	bo := start(f, bot, "BOT")
	bo.say("hello", bot)
	b.ResetTimer()
	for range b.N {
		bo.say("hello", bot)
	}
}

// A key that comes.
func BenchmarkReceive(b *testing.B) {
	f := newFake(b)
	f.rotate = 1
	bo, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	for range b.N {
		b.StopTimer()
		a.say("hello", alice, bot)
		b.StartTimer()
		bo.receive()
	}
}
