package matrix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	t.Parallel()
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
		if body.Reason != "it is on its way" { // that the key has not come is said by whoever shows it
			t.Errorf("of why it waits is kept %q", body.Reason)
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

// shut is an encryption that opens what is sealed to a content of its own, or to nothing.
type shut struct {
	Encryption
	content string
}

func (s shut) Decrypt(_ context.Context, ev *event.Event) (*event.Event, protocol.Trust, error) {
	if c := ev.Content.AsEncrypted(); c.Algorithm != id.AlgorithmMegolmV1 || c.SessionID != "S" || string(c.MegolmCiphertext) != "x" {
		return nil, "", fmt.Errorf("it is %+v", c)
	}
	if s.content == "" {
		return nil, "", errors.New("it is no ciphertext")
	}
	out := &event.Event{Type: event.EventMessage, ID: ev.ID, RoomID: ev.RoomID, Sender: ev.Sender}
	out.Content.VeryRaw = json.RawMessage(s.content)
	return out, protocol.TrustSigned, nil
}

// Values of the wrong type count as none, and that alone, whether they were sealed or not.
func TestWhatIsSealedReadsAsWhatIsNot(t *testing.T) {
	t.Parallel()
	read := func(e Encryption, kind, content string) protocol.Event {
		t.Helper()
		r := &run{adapter: New(Config{}), log: slog.New(slog.DiscardHandler), client: &mautrix.Client{}, encryption: e, self: "@moot:x", ctx: t.Context(), receipts: map[string]protocol.Ref{}}
		raw := new(rawEvent)
		if !into(json.RawMessage(`{"event_id": "$1", "type": "`+kind+`", "sender": "@ann:x", "origin_server_ts": 1700000000000, "content": `+content+`}`), raw) {
			t.Fatal("the event cannot be read")
		}
		ev, err := r.readOpened(reader{self: r.self, room: "matrix:!r:x"}, id.RoomID("!r:x"), raw)
		if err != nil {
			t.Fatal(err)
		}
		ev.Trust = ""
		return ev
	}
	const sealed = `{"algorithm": "m.megolm.v1.aes-sha2", "session_id": "S", "ciphertext": "x"`
	for _, c := range []struct{ inner, outer, clear string }{
		{`"body": "!moot ping"`, `"m.relates_to": []`, `"body": "!moot ping", "m.relates_to": []`},
		{`"body": "!moot ping", "m.relates_to": []`, `"m.relates_to": 5`, `"body": "!moot ping", "m.relates_to": []`},
		{`"body": 7`, `"sender_key": {}`, `"body": 7`},
		{`"body": "!moot ping", "m.mentions": 5, "formatted_body": []`, `"m.mentions": "x"`, `"body": "!moot ping", "m.mentions": 5, "formatted_body": []`},
		{`"body": "!moot ping"`, `"device_id": 7, "m.relates_to": {"m.in_reply_to": []}`, `"body": "!moot ping", "m.relates_to": {"m.in_reply_to": []}`},
		// The relation stands in clear, for servers.
		{`"body": "yes"`, `"m.relates_to": {"m.in_reply_to": {"event_id": "$v"}}`, `"body": "yes", "m.relates_to": {"m.in_reply_to": {"event_id": "$v"}}`},
		{`"body": "yes"`, `"m.relates_to": {"rel_type": "m.thread", "event_id": "$t"}`, `"body": "yes", "m.relates_to": {"rel_type": "m.thread", "event_id": "$t"}`},
		{`"body": "yes", "m.relates_to": {"m.in_reply_to": {"event_id": "$v"}}`, `"m.relates_to": {"m.in_reply_to": {"event_id": "$w"}}`, `"body": "yes", "m.relates_to": {"m.in_reply_to": {"event_id": "$v"}}`},
	} {
		got := read(shut{content: `{"msgtype": "m.text", ` + c.inner + `}`}, "m.room.encrypted", sealed+`, `+c.outer+`}`)
		want := read(nil, "m.room.message", `{"msgtype": "m.text", `+c.clear+`}`)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("sealed %s beside %s (-clear +sealed):\n%s", c.inner, c.outer, d)
		}
	}
}

// People can write as many messages as they like that nobody can open: the log has one line of a room.
func TestTheLogIsNotFilledByWhatCannotBeOpened(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &run{adapter: New(Config{}), log: slog.New(slog.NewTextHandler(&out, nil)), client: &mautrix.Client{}, encryption: shut{}, self: "@moot:x", ctx: t.Context(), receipts: map[string]protocol.Ref{}}
	for i := range 50 {
		raw := new(rawEvent)
		into(json.RawMessage(fmt.Sprintf(`{"event_id": "$%d", "type": "m.room.encrypted", "sender": "@ann:x", "content": {"algorithm": "m.megolm.v1.aes-sha2", "session_id": "S", "ciphertext": "x"}}`, i)), raw)
		ev, err := r.readOpened(reader{self: r.self, room: "matrix:!r:x"}, id.RoomID("!r:x"), raw)
		if _, bad := ev.Body.(protocol.Malformed); err != nil || !bad {
			t.Fatalf("it is %+v, %v", ev, err)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
}
