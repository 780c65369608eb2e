package matrix

import (
	"encoding/json"
	"errors"
	"fmt"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// readOpened reads an event, and opens it first if it is sealed.
func (r *run) readOpened(in reader, room id.RoomID, ev *rawEvent) (protocol.Event, error) {
	if ev.Key != nil || string(ev.Type) != event.EventEncrypted.Type || in.history || ev.redacted() {
		r.echo(in, ev)
		return in.read(ev), nil
	}
	out := in.read(ev)
	if _, bad := out.Body.(protocol.Malformed); bad {
		return out, nil
	}
	opened, err := r.opened(room, ev)
	switch {
	case err == nil:
		r.echo(in, opened)
		return in.read(opened), nil
	case r.ctx.Err() != nil:
		return out, r.ctx.Err()
	case errors.Is(err, ErrBroken):
		return out, err
	case errors.Is(err, ErrNoKey):
		if out.Body, err = sealed(ev, err); err == nil {
			return out, nil
		}
	}
	out.Body = in.malformed(ev, "it cannot be decrypted: "+err.Error())
	r.log.Warn("a message could not be decrypted", "room", out.Room, "event", out.ID, "user", out.Sender, "err", err)
	return out, nil
}

// opened decrypts an event.
func (r *run) opened(room id.RoomID, ev *rawEvent) (*rawEvent, error) {
	if r.encryption == nil {
		return nil, errors.New("this program was built without encryption, or it is switched off")
	}
	sealed, err := ev.event(room)
	if err != nil {
		return nil, err
	}
	clear, err := r.encryption.Decrypt(r.ctx, sealed)
	if err != nil {
		return nil, err
	}
	if clear.StateKey != nil || clear.Type.Type == event.EventRedaction.Type || clear.Type.Type == event.EventEncrypted.Type {
		// A server decides who may do such things, and cannot where it does not see them.
		return nil, fmt.Errorf("what is sealed in it must not be: %s", protocol.Shorten(clear.Type.Type, 100))
	}
	out := *ev
	out.Type, out.Content = word(clear.Type.Type), clear.Content.VeryRaw
	return &out, nil
}

// sealed is the body of an event whose key has not come.
func sealed(ev *rawEvent, why error) (protocol.Body, error) {
	var content struct {
		Session word `json:"session_id"`
	}
	into(ev.Content, &content)
	kept, err := ev.keep()
	if err != nil {
		return nil, fmt.Errorf("keep it until its key comes: %w", err)
	}
	return protocol.Sealed{Session: protocol.Shorten(string(content.Session), 100), Content: kept, Reason: protocol.Shorten(why.Error(), 200)}, nil
}

// keep writes a message as readEvents reads it. What it does not have it leaves out: a null would be read as something.
func (ev *rawEvent) keep() ([]byte, error) {
	kept := map[string]any{"event_id": ev.ID, "type": ev.Type, "sender": ev.Sender, "content": ev.Content}
	if ev.Stamp.given {
		kept["origin_server_ts"] = ev.Stamp.value
	}
	if ev.Unsigned.Transaction != "" {
		kept["unsigned"] = map[string]any{"transaction_id": ev.Unsigned.Transaction}
	}
	return json.Marshal(kept)
}

// unseal tries again the events whose key had not come, and adds those that can be read now.
func (r *run) unseal(b *batch) error {
	if r.adapter.config.Waiting == nil || r.encryption == nil {
		return nil
	}
	waiting, err := r.adapter.config.Waiting.Sealed()
	if err != nil {
		return fmt.Errorf("read what waits for its key: %w", err)
	}
	for _, ev := range waiting {
		body, ok := ev.Body.(protocol.Sealed)
		raw := new(rawEvent)
		if !ok || ev.Room.Network() != Network || !into(body.Content, raw) {
			continue
		}
		in := reader{self: r.self, name: r.name, room: ev.Room, private: ev.Private, backlog: true}
		out, err := r.readOpened(in, mxRoom(ev.Room), raw)
		if err != nil {
			return err
		}
		if _, still := out.Body.(protocol.Sealed); still {
			continue
		}
		out.ID, out.Private = ev.ID, ev.Private
		b.events = append(b.events, out)
	}
	return nil
}
