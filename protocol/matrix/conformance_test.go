package matrix_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"go.mau.fi/util/variationselector"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/matrixtest"
	"moot/protocol/protocoltest"
)

func TestConformance(t *testing.T) {
	protocoltest.Run(t, func(t testing.TB) protocoltest.Harness { return newHarness(t) })
}

// harness drives the fake homeserver as people do.
type harness struct {
	testing.TB
	*matrixtest.Server
	*ledger
	ann, ben, bot string
	town          string
	http          *http.Transport
	fault         func(error) error // of the sessions
}

func newHarness(t testing.TB) *harness {
	s := matrixtest.New()
	h := &harness{TB: t, Server: s, ledger: newLedger(), http: &http.Transport{}}
	t.Cleanup(func() {
		h.http.CloseIdleConnections()
		s.CloseClientConnections()
		s.Close()
	})
	s.Accept(true)
	h.ann, h.ben, h.bot = s.Account("ann", "Ann"), s.Account("ben", "Ben"), s.Account("moot", "Moot")
	h.town = s.Create(h.ann, "Town", map[string]map[string]any{"m.room.join_rules": {"join_rule": "public"}})
	s.Member(h.town, h.ben, h.ben, "join", nil)
	h.enter(h.town)
	return h
}

// enter lets the bot into a room.
func (h *harness) enter(room string) {
	h.Member(room, h.ann, h.bot, "invite", nil)
	h.Member(room, h.bot, h.bot, "join", nil)
}

func mx(id string) protocol.UserID       { return protocol.UserID("matrix:" + id) }
func mxRoom(id string) protocol.RoomID   { return protocol.RoomID("matrix:" + id) }
func (h *harness) Bot() protocol.UserID  { return mx(h.bot) }
func (h *harness) Room() protocol.RoomID { return mxRoom(h.town) }
func (h *harness) Patience() time.Duration {
	return 30 * time.Second
}
func (h *harness) People() (first, second protocol.UserID) { return mx(h.ann), mx(h.ben) }

// adapter tells the ledger what it admits.
type adapter struct {
	*matrix.Adapter
	*ledger
}

func (a adapter) Run(ctx context.Context, to protocol.Admitter) error {
	return a.Adapter.Run(ctx, tee{to, a.ledger})
}

func (h *harness) Adapter() protocol.Adapter {
	return adapter{matrix.New(matrix.Config{Connect: h.connect, Rooms: h.ledger}), h.ledger}
}

func (h *harness) connect(context.Context) (*matrix.Session, error) {
	client, err := mautrix.NewClient(h.URL, id.UserID(h.bot), "token-moot")
	if err != nil {
		return nil, err
	}
	client.DeviceID = "DEVICE"
	client.Client = &http.Client{Transport: account.NoNull(h.http)}
	return &matrix.Session{Client: client, Fault: h.fault, Close: func() error { h.http.CloseIdleConnections(); return nil }}, nil
}

func (h *harness) Ready() {
	h.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), h.Patience())
	defer cancel()
	if !h.Polled(h.bot, ctx.Done()) {
		h.Fatal("the adapter does not poll")
	}
}

func (h *harness) Say(in protocol.RoomID, by protocol.UserID, text string) protocol.EventID {
	return protocol.EventID(h.Server.Say(in.Local(), by.Local(), text))
}

// dm is the private conversation of a person with the bot, zero if there is none.
func (h *harness) dm(user string) string {
	for _, room := range h.Rooms(user, "join") {
		if room != h.town && h.Membership(room, h.bot) == "join" && h.Membership(room, h.ann) != h.Membership(room, h.ben) {
			return room
		}
	}
	return ""
}

func (h *harness) Tell(by protocol.UserID, text string) protocol.Ref {
	room := h.dm(by.Local())
	if room == "" {
		room = h.Create(by.Local(), "", nil)
		h.Member(room, by.Local(), h.bot, "invite", map[string]any{"is_direct": true})
		h.Member(room, h.bot, h.bot, "join", nil)
	}
	return protocol.Ref{Room: mxRoom(room), Event: protocol.EventID(h.Server.Say(room, by.Local(), text))}
}

// Read applies edits and reactions as a client does, which shows an emoji with variation selector 16 and one without it alike.
func (h *harness) Read(in protocol.RoomID) []protocoltest.Standing {
	var out []protocoltest.Standing
	at := map[string]int{}
	for _, ev := range h.Timeline(in.Local()) {
		rel, _ := ev.Content["m.relates_to"].(map[string]any)
		target, _ := rel["event_id"].(string)
		body, _ := ev.Content["body"].(string)
		switch i, known := at[target]; {
		case ev.Type == "m.reaction" && known:
			key, _ := rel["key"].(string)
			out[i].Reactions = append(out[i].Reactions, protocol.Reaction{User: mx(ev.Sender), Reaction: variationselector.Remove(key), Event: protocol.EventID(ev.ID), Bot: ev.Sender == h.bot})
		case ev.Type == "m.room.message" && rel["rel_type"] == "m.replace" && known:
			fresh, _ := ev.Content["m.new_content"].(map[string]any)
			out[i].Text, _ = fresh["body"].(string)
		case ev.Type == "m.room.message":
			at[ev.ID] = len(out)
			out = append(out, protocoltest.Standing{ID: protocol.EventID(ev.ID), By: mx(ev.Sender), Text: body})
		}
	}
	return out
}

func (h *harness) ReadPrivate(user protocol.UserID) []protocoltest.Standing {
	room := h.dm(user.Local())
	if room == "" {
		return nil
	}
	return h.Read(mxRoom(room))
}

func (h *harness) Edit(in protocol.RoomID, by protocol.UserID, target protocol.EventID, text string) {
	h.Send(in.Local(), by.Local(), "m.room.message", map[string]any{
		"msgtype": "m.text", "body": "* " + text, "m.new_content": map[string]any{"msgtype": "m.text", "body": text},
		"m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": string(target)},
	})
}

func (h *harness) Delete(in protocol.RoomID, by protocol.UserID, target protocol.EventID) {
	h.Redact(in.Local(), by.Local(), string(target), "")
}

func (h *harness) React(in protocol.RoomID, by protocol.UserID, target protocol.EventID, reaction string) {
	h.Send(in.Local(), by.Local(), "m.reaction", map[string]any{
		"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": string(target), "key": reaction},
	})
}

func (h *harness) Unreact(in protocol.RoomID, by protocol.UserID, target protocol.EventID, reaction string) {
	for _, ev := range h.Timeline(in.Local()) {
		rel, _ := ev.Content["m.relates_to"].(map[string]any)
		if ev.Type == "m.reaction" && ev.Sender == by.Local() && rel["event_id"] == string(target) && rel["key"] == reaction {
			h.Redact(in.Local(), by.Local(), ev.ID, "")
			return
		}
	}
	h.Fatalf("%s has not reacted with %s", by, reaction)
}

func (h *harness) KickBot(from protocol.RoomID) {
	h.Member(from.Local(), h.ann, h.bot, "leave", map[string]any{"reason": "for a test"})
}

func (h *harness) InviteBot(to protocol.RoomID) { h.enter(to.Local()) }

func (h *harness) Leave(from protocol.RoomID, user protocol.UserID) {
	h.Member(from.Local(), user.Local(), user.Local(), "leave", nil)
}

func (h *harness) Join(to protocol.RoomID, user protocol.UserID) {
	h.Member(to.Local(), user.Local(), user.Local(), "join", nil)
}

func (h *harness) Rename(room protocol.RoomID, name string) {
	h.State(room.Local(), h.ann, "m.room.name", "", map[string]any{"name": name})
}

func (h *harness) Nick(user protocol.UserID, name string) {
	for _, room := range h.Rooms(user.Local(), "join") {
		h.Member(room, user.Local(), user.Local(), "join", map[string]any{"displayname": name})
	}
}

func (h *harness) Call(in protocol.RoomID, by protocol.UserID, on bool) {
	content := map[string]any{}
	if on {
		content = map[string]any{"application": "m.call", "call_id": "", "device_id": "PHONE"}
	}
	h.State(in.Local(), by.Local(), "m.call.member", "_"+by.Local()+"_PHONE", content)
}

func (h *harness) FailMembers(on bool) {
	h.Heal()
	if on {
		h.Break("/members", -1, matrixtest.Refusal(http.StatusInternalServerError, "M_UNKNOWN"))
	}
}

func (h *harness) Again(in protocol.RoomID, id protocol.EventID) {
	h.Server.Again(in.Local(), string(id))
}

func (h *harness) Found(by protocol.UserID, said ...string) protocol.RoomID {
	room := h.Create(by.Local(), "Founded", nil)
	for _, text := range said {
		h.Server.Say(room, by.Local(), text)
	}
	return mxRoom(room)
}

func (h *harness) Disconnect() { h.CloseClientConnections() }
