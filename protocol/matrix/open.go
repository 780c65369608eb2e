package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// readOpened reads an event, and opens it first if it is sealed.
func (r *run) readOpened(in reader, room id.RoomID, ev *rawEvent) (protocol.Event, error) {
	if ev.Key != nil || string(ev.Type) != event.EventEncrypted.Type || in.history || ev.redacted() {
		r.echo(in, ev)
		out := in.read(ev)
		if in.encrypted && ev.Key == nil {
			out.Trust = protocol.TrustClear
		} else if !in.history && !in.encrypted {
			r.declineVerification(in, ev)
		}
		return out, nil
	}
	out := in.read(ev)
	if _, bad := out.Body.(protocol.Malformed); bad {
		return out, nil
	}
	opened, trust, err := r.opened(room, ev)
	err = r.inTurn(speaker{room, id.UserID(ev.Sender)}, err)
	switch {
	case err == nil:
		r.echo(in, opened)
		r.declineVerification(in, opened)
		out := in.read(opened)
		out.Trust = trust
		return out, nil
	case r.ctx.Err() != nil:
		return out, r.ctx.Err()
	case errors.Is(err, ErrBroken):
		return out, err
	case errors.Is(err, ErrNoKey):
		c, _ := readMessage(ev.Content)
		if own, is := in.receipt(ev, c); is { // of a later life than that of the keys
			r.echo(in, ev)
			out.Body = own
			return out, nil
		}
		if out.Body, err = sealed(ev, err); err == nil {
			return out, nil
		}
	}
	// The disposition says why. People can write as many of them as they like: the log has the first of a room.
	level := slog.LevelDebug
	if r.undecrypted == nil {
		r.undecrypted = map[id.RoomID]bool{}
	}
	if !r.undecrypted[room] {
		r.undecrypted[room], level = true, slog.LevelWarn
	}
	out.Body = in.malformed(ev, "it cannot be decrypted: "+err.Error())
	r.log.Log(r.ctx, level, "a message could not be decrypted", "room", out.Room, "event", out.ID, "user", out.Sender, "err", err)
	return out, nil
}

// speaker is somebody in a room.
type speaker struct {
	room id.RoomID
	user id.UserID
}

// inTurn holds back what somebody says after a message that waits for their devices to be known, so that it is acted on in the order
// in which they said it: until all of it is looked at again.
func (r *run) inTurn(who speaker, err error) error {
	switch {
	case errors.Is(err, ErrAsking):
		if r.asking == nil {
			r.asking = map[speaker]bool{}
		}
		r.asking[who] = true
	case err == nil && r.asking[who]:
		return ErrAsking
	}
	return err
}

// opened decrypts an event.
func (r *run) opened(room id.RoomID, ev *rawEvent) (*rawEvent, protocol.Trust, error) {
	if r.encryption == nil {
		return nil, "", errors.New("this program was built without encryption, or it is switched off")
	}
	clear, trust, err := r.encryption.Decrypt(r.ctx, ev.event(room))
	if err != nil {
		return nil, "", err
	}
	if clear.StateKey != nil || clear.Type.Type == event.EventRedaction.Type || clear.Type.Type == event.EventEncrypted.Type {
		// A server decides who may do such things, and cannot where it does not see them.
		return nil, "", fmt.Errorf("what is sealed in it must not be: %s", protocol.Shorten(clear.Type.Type, 100))
	}
	out := *ev
	out.Type, out.Content = word(clear.Type.Type), withRelation(clear.Content.VeryRaw, ev.Content)
	return &out, trust, nil
}

const (
	requestLasts = 10 * time.Minute
	maxDeclined  = 1000
)

// declineVerification answers whoever asks in a conversation to verify the bot by emoji or QR code (Client-Server API, "Key
// verification framework"): their program would wait for somebody. A request is void after ten minutes, and for so long the same
// person is not answered again, so that nobody has the bot fill a room.
func (r *run) declineVerification(in reader, ev *rawEvent) {
	var c struct {
		Kind word `json:"msgtype"`
		To   word `json:"to"`
	}
	into(ev.Content, &c)
	who := speaker{mxRoom(in.room), id.UserID(ev.Sender)}
	if c.Kind != "m.key.verification.request" || string(c.To) != string(r.self) || time.Since(ev.time()) > requestLasts ||
		time.Since(r.declined[who]) < requestLasts {
		return
	}
	if r.declined == nil || len(r.declined) > maxDeclined {
		r.declined = map[speaker]time.Time{}
	}
	r.declined[who] = time.Now()
	r.begin(func(ctx context.Context) {
		key := protocol.DeriveKey(string(in.room), string(ev.ID), "verification")
		cancel := map[string]any{
			"code": "m.user", "reason": NoVerification, "m.relates_to": map[string]any{"rel_type": "m.reference", "event_id": string(ev.ID)},
		}
		_, err := r.put(ctx, in.room, event.InRoomVerificationCancel, partKey(key, 0, 2), cancel)
		if err == nil {
			_, err = r.put(ctx, in.room, event.EventMessage, partKey(key, 1, 2), textContent(protocol.Plain(NoVerification)))
		}
		if err != nil && ctx.Err() == nil {
			r.log.Debug("a request to verify the bot could not be answered", "room", in.room, "err", err)
		}
	})
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
	reason := strings.TrimLeft(strings.TrimPrefix(why.Error(), ErrNoKey.Error()), ": ")
	return protocol.Sealed{
		Session: protocol.Shorten(string(content.Session), 100), Content: kept, Reason: protocol.Shorten(reason, 200),
		Withheld: errors.Is(why, ErrWithheld),
	}, nil
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
	slices.SortStableFunc(waiting, func(a, b protocol.Event) int { return a.Time.Compare(b.Time) })
	clear(r.asking)
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
		if now, still := out.Body.(protocol.Sealed); still && (body.Withheld || !now.Withheld) {
			continue // nothing is new
		}
		out.ID, out.Private = ev.ID, ev.Private
		b.events = append(b.events, out)
	}
	return nil
}
