package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/internal/pause"
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
	if attempt.N > 1 && (attempt.Earlier || time.Since(attempt.First) >= time.Since(r.began)) {
		if err := pause.Sleep(ctx, time.Until(r.late)); err != nil {
			return protocol.Ref{}, err
		}
	}
	if !attempt.Until.IsZero() && time.Now().After(attempt.Until) {
		return protocol.Ref{}, final("it expired while the homeserver could not be reached")
	}
	ref, err := r.send(ctx, out, attempt)
	return ref, lookedTwice(err, attempt)
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
		if room, err = r.directRoom(ctx, w.User, w.Asked); err != nil {
			return protocol.Ref{}, err
		}
	}
	if room.Network() != Network || !isRoom(room.Local()) {
		return protocol.Ref{}, final("%w: %q is no room of Matrix", protocol.ErrGone, room)
	}
	switch act := out.Act.(type) {
	case protocol.Say:
		r.describeAnew(mxRoom(room))
		if act.File != nil {
			return r.sayFile(ctx, room, out.Key, out.Place, act.Text, act.File, act.ReplyTo)
		}
		return r.sayParts(ctx, room, out.Key, out.Place, act.Text, act.ReplyTo, act.Notify || len(act.Text.Mentions()) > 0)
	case protocol.Whisper:
		if act.File != nil {
			return r.sayFile(ctx, room, out.Key, "", act.Text, act.File, "")
		}
		return r.sayParts(ctx, room, out.Key, "", act.Text, "", !act.Asked) // the place is one in another room
	case protocol.Revise:
		if attempt.Original.Event == "" {
			return protocol.Ref{}, final("%w: the message to be edited", protocol.ErrGone)
		}
		return r.revise(ctx, room, out.Key, act.Text, attempt.Original)
	case protocol.React:
		target := act.Target
		if parts := attempt.Original.Parts(); target == "" && len(parts) > 0 {
			target = parts[len(parts)-1] // where people have read to
		}
		if target == "" {
			return protocol.Ref{}, final("%w: the message to react to", protocol.ErrGone)
		}
		ref, err := r.put(ctx, room, event.EventReaction, string(out.Key), reactionContent(target, act.Reaction))
		if isCode(err, duplicateAnnotation) {
			return r.ownReaction(ctx, room, target, act.Reaction)
		}
		return ref, err
	case protocol.StartPoll:
		return r.startPoll(ctx, room, out.Key, out.Place, act)
	case protocol.EndPoll:
		return r.endPoll(ctx, room, out.Key, act.Text, attempt.Original.Event)
	}
	return protocol.Ref{}, final("Matrix does not know the act %s", protocol.KindOf(out.Act))
}

// duplicateAnnotation is what servers answer who do not let the same reaction be sent twice (Client-Server API,
// m.annotation).
var duplicateAnnotation = mautrix.RespError{ErrCode: "M_DUPLICATE_ANNOTATION"}

// shortened returns a text of at most so many bytes.
func shortened(t protocol.Text, most int) protocol.Text {
	if size(t) <= most {
		return t
	}
	plain, at := t.Plain(), most-len("…")
	for !utf8.RuneStart(plain[at]) {
		at--
	}
	head, _ := cut(t, at)
	return append(head, protocol.Span{Text: "…"})
}

// sayParts posts a text, in as many messages as it takes. It is a notice, and so nobody is notified of it, not even who is mentioned
// (Client-Server API, "Predefined Rules", .m.rule.suppress_notices), unless people are to notice it: then its first part is none.
func (r *run) sayParts(ctx context.Context, room protocol.RoomID, key protocol.Key, place protocol.PlaceID, text protocol.Text, replyTo protocol.EventID, notify bool) (protocol.Ref, error) {
	if text.Plain() == "" {
		return protocol.Ref{}, final("an empty message")
	}
	defer r.typing(room)()
	parts := split(text)
	var stand []protocol.EventID
	for i, part := range parts {
		content := textContent(part)
		if notify && i == 0 {
			content["msgtype"] = "m.text"
		}
		relate(content, place, replyTo)
		if i > 0 && i == len(parts)-1 {
			content[partsField] = stand
		}
		ref, err := r.put(ctx, room, event.EventMessage, partKey(key, i, len(parts)), content)
		if err != nil {
			return protocol.Ref{}, err
		}
		stand = append(stand, ref.Event)
		replyTo = ""
	}
	return protocol.PartsRef(room, stand...), nil
}

// revise edits a message part by part. Parts do not become more: the last then ends in "…", and those that are left over show that
// alone.
func (r *run) revise(ctx context.Context, room protocol.RoomID, key protocol.Key, text protocol.Text, original protocol.Ref) (ref protocol.Ref, err error) {
	stand := original.Parts()
	parts := split(text)
	if len(parts) > len(stand) {
		parts = parts[:len(stand)]
		last := &parts[len(parts)-1]
		*last = shortened(append(slices.Clone(*last), protocol.Span{Text: " …"}), maxPart)
	}
	for i, at := range stand {
		part := protocol.Plain("…")
		if i < len(parts) {
			part = parts[i]
		}
		if ref, err = r.put(ctx, room, event.EventMessage, partKey(key, i, len(stand)), editContent(part, at)); err != nil {
			return protocol.Ref{}, err
		}
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
			if body, err = withKey(sealed, txn); err != nil {
				return protocol.Ref{}, err
			}
			kind = event.EventEncrypted
		}
	}
	var resp struct {
		Event word `json:"event_id"`
	}
	path := mautrix.ClientURLPath{"v3", "rooms", mxRoom(room), "send", kind.Type, txn}
	if err := r.request(ctx, http.MethodPut, path, nil, body, &resp); err != nil {
		return protocol.Ref{}, ofAccount(r.failure(ctx, "send to "+string(room), room, err))
	}
	if protocol.CheckID(string(resp.Event)) != nil {
		// It may be sent. Its own echo says so, or the next attempt, which has the same transaction id.
		return protocol.Ref{}, fmt.Errorf("send to %s: the homeserver does not say what has become of it", room)
	}
	return protocol.Ref{Room: room, Event: protocol.EventID(resp.Event)}, nil
}

// withKey puts the key of what is sent beside the ciphertext too: a bot whose keys are from a backup cannot open what it said
// after that, and must not say it once more. It is a hash, and says nothing to others.
func withKey(sealed *event.EncryptedEventContent, txn string) (map[string]any, error) {
	data, err := json.Marshal(sealed)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	all[keyField] = txn
	return all, nil
}

// ofAccount says of a limit that it is one of all messages of the account, as servers have it (Synapse: rc_message): to try
// other rooms meanwhile would only lengthen it. Other limits, as that on joins, hold up nothing else.
func ofAccount(err error) error {
	var limited *protocol.SendError
	if errors.As(err, &limited) && limited.RetryAfter > 0 {
		limited.Limits = protocol.LimitAccount
	}
	return err
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

// isEncrypted reports whether a room is encrypted. Before the first message to one that is not known to be, it asks the
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
