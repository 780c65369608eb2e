//go:build goolm

package crypto

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol/matrix"
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

// What was sealed is handed on as it stands, also where the library would take it for no content: the adapter reads it.
func TestContentOfAnyShapeIsOpened(t *testing.T) {
	f := newFake(t)
	b, a := start(f, bot, "BOT"), start(f, alice, "ALICE")
	for i, content := range []map[string]any{
		{"msgtype": "m.text", "body": 7},
		{"msgtype": "m.text", "body": "x", "m.relates_to": []any{}},
		{"msgtype": []any{}, "m.mentions": "x"},
	} {
		sealed, err := a.machine.Encrypt(context.Background(), lobby, []id.UserID{alice, bot}, event.EventMessage, content)
		if err != nil {
			t.Fatal(err)
		}
		b.receive()
		ev := wire(t, i, alice, lobby, sealed)
		var opened *event.Event
		for err = matrix.ErrAsking; err == matrix.ErrAsking; {
			if opened, _, err = b.machine.Decrypt(context.Background(), ev); err == matrix.ErrAsking {
				<-b.machine.News()
			}
		}
		want, _ := json.Marshal(content)
		if err != nil || string(opened.Content.VeryRaw) != string(want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
