package matrix_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/internal/record"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/matrixtest"
	"moot/store"
)

// toy is an Encryption that anybody can read, and that knows whom it is for. Keys whose name begins with "late" are missing
// until they come. Messages of a session whose name begins with "asks" wait for the devices of their sender.
type toy struct {
	mu       sync.Mutex
	audience map[string][]string // of the last message of a room
	came     bool
	moved    []string // changes of membership that it was told
	unsigned bool     // whether nobody's device is signed
	known    bool     // whether the devices are
	news     chan struct{}
}

func (e *toy) News() <-chan struct{} { return e.news }

func (e *toy) Receive(_ context.Context, resp *mautrix.RespSync, _ string) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range resp.ToDevice.Events {
		if ev.Type.Type == "toy.keys" {
			e.came = true
			return 1, nil
		}
	}
	return 0, nil
}

func (e *toy) Decrypt(_ context.Context, ev *event.Event) (*event.Event, protocol.Trust, error) {
	c := ev.Content.AsEncrypted()
	e.mu.Lock()
	defer e.mu.Unlock()
	if strings.HasPrefix(string(c.SessionID), "asks") && !e.known {
		return nil, "", matrix.ErrAsking
	}
	if strings.HasPrefix(string(c.SessionID), "late") && !e.came {
		return nil, "", fmt.Errorf("session %s: %w", c.SessionID, matrix.ErrNoKey)
	}
	data, err := base64.StdEncoding.DecodeString(string(c.MegolmCiphertext))
	if err != nil {
		return nil, "", err
	}
	var clear struct {
		Type    string
		Content json.RawMessage
	}
	if err := json.Unmarshal(data, &clear); err != nil {
		return nil, "", err
	}
	out := *ev
	out.Type, out.Content = event.Type{Type: clear.Type}, event.Content{VeryRaw: clear.Content}
	if e.unsigned {
		return &out, protocol.TrustUnsigned, nil
	}
	return &out, protocol.TrustSigned, nil
}

func (e *toy) Encrypt(_ context.Context, room id.RoomID, members []id.UserID, kind event.Type, content any) (*event.EncryptedEventContent, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.audience == nil {
		e.audience = map[string][]string{}
	}
	var names []string
	for _, m := range members {
		names = append(names, m.String())
	}
	slices.Sort(names)
	e.audience[room.String()] = names
	return &event.EncryptedEventContent{
		Algorithm: id.AlgorithmMegolmV1, SessionID: "session", MegolmCiphertext: seal(kind.Type, content),
	}, nil
}

func (e *toy) Member(_ context.Context, ev *event.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.moved = append(e.moved, fmt.Sprintf("%s %s", ev.GetStateKey(), ev.Content.AsMember().Membership))
	return nil
}

func seal(kind string, content any) []byte {
	data, err := json.Marshal(map[string]any{"Type": kind, "Content": content})
	if err != nil {
		panic(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(data))
}

// sealed is a message of a person in an encrypted room.
func sealed(session, text string) map[string]any {
	return sealedEvent(session, "m.room.message", map[string]any{"msgtype": "m.text", "body": text})
}

func sealedEvent(session, kind string, content map[string]any) map[string]any {
	return map[string]any{
		"algorithm": string(id.AlgorithmMegolmV1), "session_id": session, "sender_key": "k", "device_id": "D",
		"ciphertext": string(seal(kind, content)),
	}
}

// sealedKinds returns what the sealed events of the bot in a room are.
func (w *town) sealedKinds(room string) (kinds []string) {
	for _, ev := range w.Timeline(room) {
		if ev.Sender == w.bot && ev.Type == "m.room.encrypted" {
			data, _ := base64.StdEncoding.DecodeString(ev.Content["ciphertext"].(string))
			var c struct{ Type string }
			_ = json.Unmarshal(data, &c)
			kinds = append(kinds, c.Type)
		}
	}
	return kinds
}

func (w *town) encrypt(e *toy) {
	w.config = func(c *matrix.Config) {
		connect := c.Connect
		c.Connect = func(ctx context.Context) (*matrix.Session, error) {
			s, err := connect(ctx)
			if err == nil {
				s.Encryption = e
			}
			return s, err
		}
	}
}

// clear returns the messages of the bot in a room that everybody on the server can read.
func (w *town) clear(room string) (n int) {
	for _, ev := range w.Timeline(room) {
		if ev.Sender == w.bot && ev.Type == "m.room.message" {
			n++
		}
	}
	return n
}

// sealed returns the sealed messages of the bot in a room, opened.
func (w *town) sealed(room string) (texts []string) {
	for _, ev := range w.Timeline(room) {
		if ev.Sender != w.bot || ev.Type != "m.room.encrypted" {
			continue
		}
		data, _ := base64.StdEncoding.DecodeString(ev.Content["ciphertext"].(string))
		var c struct{ Content struct{ Body string } }
		_ = json.Unmarshal(data, &c)
		texts = append(texts, c.Content.Body)
	}
	return texts
}

var encrypted = map[string]map[string]any{"m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"}}

func TestAnEncryptedRoomIsAnsweredSealedForAllMembers(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	e := &toy{}
	w.encrypt(e)
	vault := w.Create(w.ann, "Vault", encrypted)
	w.enter(vault)
	w.Member(vault, w.ann, w.ben, "invite", nil)
	w.start()
	w.Send(vault, w.ann, "m.room.encrypted", sealed("s1", "ping 1"))
	w.eventually(func() bool { return len(w.sealed(vault)) == 1 })
	if got := w.sealed(vault); !slices.Equal(got, []string{"pong 1"}) || w.clear(vault) != 0 {
		t.Errorf("the bot has said %q, and %d messages in clear", got, w.clear(vault))
	}
	if got := e.audience[vault]; !slices.Equal(got, []string{w.ann, w.ben, w.bot}) {
		t.Errorf("the answer can be read by %q", got)
	}
	// Who is invited, joins, leaves is known for the next one.
	carl := w.Account("carl", "Carl")
	w.Member(vault, w.ann, w.ben, "leave", nil)
	w.Member(vault, w.ann, carl, "invite", nil)
	w.Send(vault, w.ann, "m.room.encrypted", sealed("s1", "ping 2"))
	w.eventually(func() bool { return len(w.sealed(vault)) == 2 })
	if got := e.audience[vault]; !slices.Equal(got, []string{w.ann, carl, w.bot}) {
		t.Errorf("the second answer can be read by %q", got)
	}
	if !slices.Contains(e.moved, w.ben+" leave") || !slices.Contains(e.moved, carl+" invite") {
		t.Errorf("the encryption was told of %q", e.moved)
	}
}

func TestAnEncryptedRoomIsNeverAnsweredInClear(t *testing.T) {
	t.Parallel()
	t.Run("without encryption it is refused", func(t *testing.T) {
		w := newTown(t)
		vault := w.Create(w.ann, "Vault", encrypted)
		w.enter(vault)
		w.start()
		w.Send(vault, w.ann, "m.reaction", map[string]any{
			"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": "$x", "key": "ping 1"},
		})
		w.settle()
		if n := w.clear(vault); n != 0 {
			t.Errorf("%d messages in clear", n)
		}
		if n := w.log.count("is encrypted, and this program was built without encryption"); n != 1 {
			t.Errorf("the refusal was logged %d times\n%s", n, w.log)
		}
	})
	t.Run("the server is asked where it is not known", func(t *testing.T) {
		w := newTown(t)
		w.start()
		w.Server.Say(w.town, w.ann, "ping 1")
		w.Server.Say(w.town, w.ann, "ping 2")
		w.settle()
		w.expect(w.town, "pong 1", "pong 2")
		asked := 0
		for _, r := range w.Requests() {
			if strings.HasSuffix(r, "/state/m.room.encryption") {
				asked++
			}
		}
		if asked != 1 {
			t.Errorf("the server was asked %d times", asked)
		}
	})
	t.Run("no answer of the server is no permission", func(t *testing.T) {
		w := newTown(t)
		w.start()
		w.Break("/state/m.room.encryption", -1, matrixtest.Refusal(http.StatusInternalServerError, "M_UNKNOWN"))
		w.Server.Say(w.town, w.ann, "ping 1")
		w.settle()
		if n := w.clear(w.town); n != 0 {
			t.Errorf("%d messages in clear", n)
		}
	})
	t.Run("a room that is encrypted from now on", func(t *testing.T) {
		w := newTown(t)
		w.encrypt(&toy{})
		w.start()
		w.Server.Say(w.town, w.ann, "ping 1")
		w.settle()
		w.State(w.town, w.ann, "m.room.encryption", "", map[string]any{"algorithm": "m.megolm.v1.aes-sha2"})
		w.Send(w.town, w.ann, "m.room.encrypted", sealed("s1", "ping 2"))
		w.eventually(func() bool { return len(w.sealed(w.town)) == 1 })
		if w.clear(w.town) != 1 || !slices.Equal(w.sealed(w.town), []string{"pong 2"}) {
			t.Errorf("%d messages in clear, and sealed %q", w.clear(w.town), w.sealed(w.town))
		}
		w.stop()
		w.start() // with no encryption asked for a second time
		w.Send(w.town, w.ann, "m.room.encrypted", sealed("s1", "ping 3"))
		w.eventually(func() bool { return len(w.sealed(w.town)) == 2 })
		if w.clear(w.town) != 1 {
			t.Errorf("%d messages in clear", w.clear(w.town))
		}
	})
}

func TestAMessageWhoseKeyIsMissingWaits(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.encrypt(&toy{})
	vault := w.Create(w.ann, "Vault", encrypted)
	w.enter(vault)
	w.start()
	id := w.Send(vault, w.ann, "m.room.encrypted", sealed("late1", "ping 1"))
	w.settle()
	if d := w.disposition(vault, id); d.Disposition != store.Waiting {
		t.Errorf("it is %s (%s)", d.Disposition, d.Reason)
	}
}

// TestWhoWaitsForTheirDevicesIsHeardInTheirOrder, also where the bot was restarted meanwhile; others do not wait for that.
func TestWhoWaitsForTheirDevicesIsHeardInTheirOrder(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	e := &toy{news: make(chan struct{}, 1)}
	w.encrypt(e)
	connected := w.config
	w.config = func(c *matrix.Config) {
		connected(c)
		c.Waiting = record.Matrix{Store: w.store}
	}
	vault := w.Create(w.ann, "Vault", encrypted)
	w.enter(vault)
	w.Member(vault, w.ben, w.ben, "join", nil)
	w.start()
	first := w.Send(vault, w.ann, "m.room.encrypted", sealed("asks", "ping 1"))
	w.eventually(func() bool { return w.disposition(vault, first).Disposition == store.Waiting })
	w.stop()
	w.Send(vault, w.ann, "m.room.encrypted", sealed("known", "ping 2"))
	w.start()
	w.Send(vault, w.ann, "m.room.encrypted", sealed("known", "ping 3"))
	w.Send(vault, w.ben, "m.room.encrypted", sealed("known", "ping 4"))
	w.eventually(func() bool { return len(w.sealed(vault)) == 1 })
	if got := w.sealed(vault); !slices.Equal(got, []string{"pong 4"}) {
		t.Fatalf("while the devices are not known, the answers are %q", got)
	}
	e.mu.Lock()
	e.known = true
	e.mu.Unlock()
	e.news <- struct{}{}
	w.eventually(func() bool { return len(w.sealed(vault)) == 4 })
	if got := w.sealed(vault); !slices.Equal(got, []string{"pong 4", "pong 1", "pong 2", "pong 3"}) {
		t.Errorf("the answers are %q\n%s", got, w.log)
	}
}

// TestABotWithoutItsKeysKnowsWhatItHasSaid, by the key beside the ciphertext, and says nothing twice.
func TestABotWithoutItsKeysKnowsWhatItHasSaid(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.encrypt(&toy{})
	vault := w.Create(w.ann, "Vault", encrypted)
	w.enter(vault)
	w.start()
	w.Send(vault, w.ann, "m.room.encrypted", sealed("s1", "ping 1"))
	w.eventually(func() bool { return len(w.sealed(vault)) == 1 })
	own := w.Timeline(vault)[len(w.Timeline(vault))-1]
	key, _ := own.Content["org.moot.key"].(string)
	if own.Sender != w.bot || len(key) != 24 {
		t.Fatalf("beside the ciphertext stands %+v", own)
	}
	echo := w.Send(vault, w.bot, "m.room.encrypted", map[string]any{
		"algorithm": string(id.AlgorithmMegolmV1), "session_id": "late", "ciphertext": "?", "org.moot.key": key,
	})
	w.eventually(func() bool { return w.disposition(vault, echo).Disposition != store.Unseen })
	if d := w.disposition(vault, echo); d.Disposition != store.Handled || d.Reason != "we sent it" {
		t.Errorf("it is %s (%s)", d.Disposition, d.Reason)
	}
}

// TestInAnEncryptedRoomTheSenderIsVouchedFor: what is in clear there, or comes from a device that its owner has not signed,
// is refused; what was said before the room was encrypted is not.
func TestInAnEncryptedRoomTheSenderIsVouchedFor(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	e := &toy{}
	w.encrypt(e)
	w.start()
	w.stop()
	before := w.Server.Say(w.town, w.ann, "ping 1") // while the bot is away, with all that follows
	w.State(w.town, w.ann, "m.room.encryption", "", map[string]any{"algorithm": "m.megolm.v1.aes-sha2"})
	clear := w.Server.Say(w.town, w.ann, "ping 2")
	reaction := w.Send(w.town, w.ann, "m.reaction", map[string]any{
		"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": before, "key": "👍"},
	})
	signed := w.Send(w.town, w.ann, "m.room.encrypted", sealed("s1", "ping 3"))
	w.start()
	w.eventually(func() bool { return w.disposition(w.town, signed).Disposition != store.Unseen })
	for id, want := range map[string]store.Seen{
		before: {Disposition: store.Handled}, clear: {Disposition: store.Refused, Reason: "in clear in an encrypted room"},
		signed: {Disposition: store.Handled}, reaction: {Disposition: store.Ignored},
	} {
		if s := w.disposition(w.town, id); s.Disposition != want.Disposition || want.Reason != "" && s.Reason != want.Reason {
			t.Errorf("%s is %s (%s), want %s", id, s.Disposition, s.Reason, want.Disposition)
		}
	}
	e.mu.Lock()
	e.unsigned = true
	e.mu.Unlock()
	unsigned := w.Send(w.town, w.ann, "m.room.encrypted", sealed("s1", "ping 4"))
	w.eventually(func() bool { return w.disposition(w.town, unsigned).Disposition != store.Unseen })
	if s := w.disposition(w.town, unsigned); s.Disposition != store.Refused || s.Reason != "from a device that its owner has not signed" {
		t.Errorf("from an unsigned device it is %s (%s)", s.Disposition, s.Reason)
	}
	for _, ev := range w.feature.events(w.town) {
		if m, ok := ev.Body.(protocol.Message); ok && (m.Text == "ping 2" || m.Text == "ping 4") {
			t.Errorf("a feature was shown %q", m.Text)
		}
	}
}
