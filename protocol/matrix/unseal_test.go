package matrix

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// locked is an encryption whose one key comes late.
type locked struct {
	Encryption
	key bool
}

func (l *locked) Decrypt(_ context.Context, ev *event.Event) (*event.Event, protocol.Trust, error) {
	if !l.key {
		return nil, "", fmt.Errorf("%w: it is on its way", ErrNoKey)
	}
	out := &event.Event{Type: event.EventMessage, ID: ev.ID, RoomID: ev.RoomID, Sender: ev.Sender}
	out.Content.VeryRaw = json.RawMessage(`{"msgtype": "m.text", "body": "!moot ping"}`)
	return out, protocol.TrustSigned, nil
}

// kept is what waits for its key, as it comes back from the database.
type kept []protocol.Event

func (k kept) Sealed() (events []protocol.Event, err error) {
	data, err := json.Marshal([]protocol.Event(k))
	if err == nil {
		err = json.Unmarshal(data, &events)
	}
	return events, err
}

// What was sealed is the same event when its key has come as it would have been at once.
func TestWhatIsSealedIsReadLater(t *testing.T) {
	for _, text := range []string{
		`{"event_id": "$1", "type": "m.room.encrypted", "sender": "@ann:x", "origin_server_ts": 1700000000000, "content": {"algorithm": "m.megolm.v1.aes-sha2", "session_id": "S", "ciphertext": "x"}}`,
		`{"event_id": "$1", "type": "m.room.encrypted", "sender": "@ann:x", "origin_server_ts": 1700000000000, "state_key": null, "unsigned": {"redacted_because": null, "prev_content": null, "age": 3}, "content": {"algorithm": "m.megolm.v1.aes-sha2", "session_id": "S", "ciphertext": "x"}}`,
	} {
		l := &locked{}
		r := &run{adapter: New(Config{}), log: slog.New(slog.DiscardHandler), client: &mautrix.Client{}, encryption: l, self: "@moot:x", ctx: t.Context(), receipts: map[string]protocol.Ref{}}
		in := reader{self: r.self, room: "matrix:!r:x", private: true}
		raw := new(rawEvent)
		if !into(json.RawMessage(text), raw) {
			t.Fatal("the event cannot be read")
		}
		sealed, err := r.readOpened(in, id.RoomID("!r:x"), raw)
		body, ok := sealed.Body.(protocol.Sealed)
		if err != nil || !ok || body.Session != "S" || sealed.Check(Network) != nil {
			t.Fatalf("without its key it is %+v, %v", sealed, err)
		}
		r.adapter.config.Waiting = kept{sealed}
		var b batch
		if err := r.unseal(&b); err != nil || len(b.events) != 0 {
			t.Fatalf("still without its key: %v, %v", b.events, err)
		}
		l.key = true
		if err := r.unseal(&b); err != nil || len(b.events) != 1 {
			t.Fatalf("with its key: %v, %v", b.events, err)
		}
		got := b.events[0]
		if m, ok := got.Body.(protocol.Message); !ok || m.Text != "!moot ping" || got.Ref() != sealed.Ref() || got.Sender != sealed.Sender || !got.Time.Equal(sealed.Time) || !got.Private {
			t.Errorf("with its key it is %+v", got)
		}
	}
}
