package matrix

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// Send implements protocol.Adapter. It waits until the adapter has caught up: own echoes tell what an earlier life has
// sent. Sending a key again is safe, so that no error is ambiguous.
func (a *Adapter) Send(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt) (protocol.Ref, error) {
	if err := ctx.Err(); err != nil {
		return protocol.Ref{}, err
	}
	r, err := a.running(ctx)
	if err != nil {
		return protocol.Ref{}, err
	}
	ctx, done := r.within(ctx)
	defer done()
	if attempt.N > 1 && !attempt.First.IsZero() && attempt.First.Before(r.began) {
		if err := sleep(ctx, time.Until(r.late)); err != nil {
			return protocol.Ref{}, err
		}
	}
	if !out.Expires.IsZero() && time.Now().After(out.Expires) {
		return protocol.Ref{}, final("it expired while the homeserver could not be reached")
	}
	return r.send(ctx, out, attempt)
}

// within returns a context that ends with the Run too.
func (r *run) within(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(r.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

func (r *run) send(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt) (protocol.Ref, error) {
	room := out.Room
	if room == "" {
		room = attempt.Original.Room // of a whisper only the place where it stands is known
	}
	if w, ok := out.Act.(protocol.Whisper); ok && out.Room == "" {
		var err error
		if room, err = r.directRoom(ctx, w.User); err != nil {
			return protocol.Ref{}, err
		}
	}
	if room.Network() != Network || !isRoom(room.Local()) {
		return protocol.Ref{}, final("%w: %q is no room of Matrix", protocol.ErrGone, room)
	}
	switch act := out.Act.(type) {
	case protocol.Say:
		return r.sayParts(ctx, room, out.Key, out.Place, act.Text, act.ReplyTo)
	case protocol.Whisper:
		return r.sayParts(ctx, room, out.Key, "", act.Text, "") // the place is one in another room
	case protocol.Revise:
		if attempt.Original.Event == "" {
			return protocol.Ref{}, final("%w: the message to be edited", protocol.ErrGone)
		}
		return r.put(ctx, room, event.EventMessage, string(out.Key), editContent(shortened(act.Text), attempt.Original.Event))
	case protocol.React:
		target := orElse(act.Target, attempt.Original.Event)
		if target == "" {
			return protocol.Ref{}, final("%w: the message to react to", protocol.ErrGone)
		}
		ref, err := r.put(ctx, room, event.EventReaction, string(out.Key), reactionContent(target, act.Reaction))
		if isCode(err, duplicateAnnotation) {
			return r.ownReaction(ctx, room, target, act.Reaction)
		}
		return ref, err
	case protocol.Redact:
		target := orElse(act.Target, attempt.Original.Event)
		if target == "" {
			return protocol.Ref{}, final("%w: the message to be removed", protocol.ErrGone)
		}
		return r.redact(ctx, room, target, string(out.Key), act.Reason)
	}
	return protocol.Ref{}, final("Matrix does not know the act %s", protocol.KindOf(out.Act))
}

// duplicateAnnotation is what servers answer who do not let the same reaction be sent twice (Client-Server API,
// m.annotation).
var duplicateAnnotation = mautrix.RespError{ErrCode: "M_DUPLICATE_ANNOTATION"}

func orElse(id, other protocol.EventID) protocol.EventID {
	if id == "" {
		return other
	}
	return id
}

// shortened returns a text that fits into one message. An edit cannot become two.
func shortened(t protocol.Text) protocol.Text {
	if size(t) <= maxPart/2 {
		return t
	}
	head, _ := cut(t, len(protocol.Shorten(t.Plain()[:maxPart/2], maxPart/2))-3)
	return append(head, protocol.Span{Text: "…"})
}

// sayParts posts a text, in as many messages as it takes. It stands where the last of them does.
func (r *run) sayParts(ctx context.Context, room protocol.RoomID, key protocol.Key, place protocol.PlaceID, text protocol.Text, replyTo protocol.EventID) (ref protocol.Ref, err error) {
	if text.Plain() == "" {
		return ref, final("an empty message")
	}
	defer r.typing(room)()
	parts := split(text)
	for i, part := range parts {
		content := textContent(part)
		relate(content, place, replyTo)
		if ref, err = r.put(ctx, room, event.EventMessage, partKey(key, i, len(parts)), content); err != nil {
			return protocol.Ref{}, err
		}
		replyTo = ""
	}
	return ref, nil
}

// put sends one event under a transaction id, sealed if the room is.
func (r *run) put(ctx context.Context, room protocol.RoomID, kind event.Type, txn string, content map[string]any) (protocol.Ref, error) {
	if ref, ok := r.echoed(txn); ok {
		return ref, nil
	}
	content[keyField] = txn
	var body any = content
	if kind != event.EventReaction { // which clients send in clear: servers count them
		sealed, err := r.seal(ctx, room, kind, content)
		if err != nil {
			return protocol.Ref{}, err
		}
		if sealed != nil {
			body, kind = sealed, event.EventEncrypted
		}
	}
	var resp struct {
		Event word `json:"event_id"`
	}
	path := mautrix.ClientURLPath{"v3", "rooms", mxRoom(room), "send", kind.Type, txn}
	if err := r.request(ctx, http.MethodPut, path, nil, body, &resp); err != nil {
		return protocol.Ref{}, r.failure(ctx, "send to "+string(room), room, err)
	}
	return protocol.Ref{Room: room, Event: protocol.EventID(resp.Event)}, nil
}

// seal encrypts content for an encrypted room, and returns nil for another. It never returns nil in doubt.
func (r *run) seal(ctx context.Context, room protocol.RoomID, kind event.Type, content any) (*event.EncryptedEventContent, error) {
	encrypted, err := r.isEncrypted(ctx, room)
	if err != nil || !encrypted {
		return nil, err
	}
	if r.encryption == nil {
		return nil, final("%s is encrypted, and this program was built without encryption: build it with -tags goolm", room)
	}
	members, err := r.audience(ctx, room)
	if err != nil {
		return nil, err
	}
	sealed, err := r.encryption.Encrypt(ctx, mxRoom(room), members, kind, content)
	if errors.Is(err, ErrBroken) {
		r.stop(err)
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt for %s: %w", room, err)
	}
	if sealed == nil {
		return nil, fmt.Errorf("encrypt for %s: nothing came of it", room)
	}
	return sealed, nil
}

// isEncrypted tells whether a room is encrypted. Before the first message to one that is not known to be, it asks the
// server, whose no holds for this run or until the sync says otherwise.
func (r *run) isEncrypted(ctx context.Context, room protocol.RoomID) (bool, error) {
	recorded, err := r.rooms.Room(room)
	if err != nil {
		return false, fmt.Errorf("read what is recorded of %s: %w", room, err)
	}
	var encrypted, plain bool
	r.note(mxRoom(room), func(p *place) { encrypted, plain = p.encrypted || recorded.Encrypted, p.plain })
	if encrypted || plain {
		return encrypted, nil
	}
	var content object
	path := mautrix.ClientURLPath{"v3", "rooms", mxRoom(room), "state", event.StateEncryption.Type}
	err = r.request(ctx, http.MethodGet, path, nil, nil, &content)
	switch {
	case err == nil:
		r.note(mxRoom(room), func(p *place) { p.encrypted, p.plain = true, false })
		return true, nil
	case isCode(err, mautrix.MNotFound):
		r.note(mxRoom(room), func(p *place) { p.plain = !p.encrypted; encrypted = p.encrypted })
		return encrypted, nil
	}
	return false, r.failure(ctx, "ask whether "+string(room)+" is encrypted", room, err)
}

// audience returns who is to be able to read what is sent: all who have joined or are invited. Nobody may fall through
// between the two who joins at this very moment. So both are read in one, once in a run, and whoever is invited stays among
// them until they are out.
func (r *run) audience(ctx context.Context, room protocol.RoomID) ([]id.UserID, error) {
	var known bool
	r.note(mxRoom(room), func(p *place) {
		if known = p.listed; !known && p.invited == nil {
			p.invited = map[id.UserID]bool{} // from here on the sync tells
		}
	})
	var out []id.UserID
	if !known {
		joined, invited, err := r.inside(ctx, room)
		if err != nil {
			return nil, err
		}
		out = joined
		r.note(mxRoom(room), func(p *place) {
			if p.invited == nil {
				return // it was put out meanwhile, and what was known of the room is forgotten
			}
			for _, u := range invited {
				p.invited[u] = true
			}
			p.listed = true
		})
	} else {
		recorded, whole, err := r.rooms.Members(room)
		if err != nil {
			return nil, fmt.Errorf("read the members of %s: %w", room, err)
		}
		if !whole {
			if out, _, err = r.inside(ctx, room); err != nil {
				return nil, err
			}
		}
		for _, u := range recorded {
			out = append(out, mxUser(u))
		}
	}
	r.note(mxRoom(room), func(p *place) {
		for u := range p.invited {
			out = append(out, u)
		}
	})
	slices.Sort(out)
	return slices.Compact(out), nil
}

// redact removes an event.
func (r *run) redact(ctx context.Context, room protocol.RoomID, target protocol.EventID, txn, reason string) (protocol.Ref, error) {
	if ref, ok := r.echoed(txn); ok {
		return ref, nil
	}
	body := map[string]any{}
	if reason != "" {
		body["reason"] = reason
	}
	var resp struct {
		Event word `json:"event_id"`
	}
	path := mautrix.ClientURLPath{"v3", "rooms", mxRoom(room), "redact", mxEvent(target), txn}
	if err := r.request(ctx, http.MethodPut, path, nil, body, &resp); err != nil {
		return protocol.Ref{}, r.failure(ctx, "remove a message in "+string(room), room, err)
	}
	return protocol.Ref{Room: room, Event: protocol.EventID(resp.Event)}, nil
}

// echo keeps where something stands that an earlier life has sent.
func (r *run) echo(in reader, ev *rawEvent) {
	if string(ev.Sender) != string(r.self) || !r.late.IsZero() && time.Now().After(r.late) {
		return
	}
	c, _ := readMessage(ev.Content)
	key, part := in.ownKey(ev, string(c.Key))
	if key == "" {
		return
	}
	txn := string(key)
	if part != "" {
		txn += "." + part
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.receipts[txn] = protocol.Ref{Room: in.room, Event: protocol.EventID(ev.ID)}
}

// echoed returns where something stands that an earlier life has sent.
func (r *run) echoed(txn string) (protocol.Ref, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ref, ok := r.receipts[txn]
	return ref, ok
}

const (
	typingAfter = time.Second
	typingFor   = 30 * time.Second
)

// typing shows that the bot is at work if that takes longer than a second, until the returned function is called.
func (r *run) typing(room protocol.RoomID) (stop func()) {
	tell := func(on bool) {
		ctx, cancel := context.WithTimeout(r.ctx, 5*time.Second)
		defer cancel()
		body := map[string]any{"typing": on}
		if on {
			body["timeout"] = typingFor.Milliseconds()
		}
		path := mautrix.ClientURLPath{"v3", "rooms", mxRoom(room), "typing", r.self}
		_ = r.request(ctx, http.MethodPut, path, nil, body, nil) // it is only a courtesy
	}
	sent := make(chan struct{})
	r.begin(func(ctx context.Context) {
		t := time.NewTimer(typingAfter)
		defer t.Stop()
		select {
		case <-sent:
			return
		case <-ctx.Done():
			return
		case <-t.C:
		}
		tell(true)
		select {
		case <-sent:
		case <-ctx.Done():
		}
		tell(false)
	})
	return func() { close(sent) }
}
