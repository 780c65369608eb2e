//go:build goolm

package crypto

import (
	"encoding/json"
	"errors"
	"testing"

	"maunium.net/go/mautrix/event"
)

// Whatever a server says is an encrypted event is opened or refused, and breaks nothing.
func FuzzDecrypt(f *testing.F) {
	f.Add([]byte(`{"algorithm": "m.megolm.v1.aes-sha2", "session_id": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "ciphertext": "AwgAEnACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`))
	f.Add([]byte(`{"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": {}, "m.relates_to": {"rel_type": "m.replace"}}`))
	f.Add([]byte(`{"algorithm": "m.olm.v1.curve25519-aes-sha2", "ciphertext": {"x": {"type": 0, "body": "y"}}}`))
	f.Add([]byte(`[]`))
	server := newFake(f)
	b, a := start(server, bot, "BOT"), start(server, alice, "ALICE")
	content, err := json.Marshal(a.say("hello", alice, bot))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	b.receive()
	f.Fuzz(func(t *testing.T, data []byte) {
		ev := &event.Event{ID: "$1", RoomID: lobby, Sender: alice, Type: event.EventEncrypted, Timestamp: 1}
		ev.Content.VeryRaw = data
		opened, _, err := b.machine.Decrypt(t.Context(), ev)
		if errors.Is(err, ErrBroken) || (opened == nil) == (err == nil) {
			t.Errorf("opened %v, %v", opened, err)
		}
	})
}
