//go:build goolm

package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/homeserver"
)

// Patience is how long is waited for what should come at once. The machine may be a slow one that does other things too.
const Patience = time.Minute

// Client is an account that is logged in and listens.
type Client struct {
	*mautrix.Client
	Account homeserver.Account

	t     testing.TB
	mach  *crypto.OlmMachine
	state *mautrix.MemoryStateStore
	wire  *wire

	// crypto serialises what uses mach: its store in memory hands out maps that it goes on writing. It is taken before mu.
	crypto sync.Mutex

	patience time.Duration // belongs to the test

	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, whenever something below changes
	rooms   map[id.RoomID]*room
	sealed  []*event.Event                     // what cannot be decrypted yet
	devices map[id.UserID]map[id.DeviceID]bool // of those whose devices have changed since
	failed  error                              // why it listens no more
}

// room is what is known of a room.
type room struct {
	timeline  []Event
	invited   bool
	encrypted bool
}

// Event is an event of a timeline as the client understands it.
type Event struct {
	*event.Event
	// Encrypted is whether it came encrypted and was decrypted.
	Encrypted bool
}

// New registers an account and lets it listen. The name gets something behind it that no other has.
func New(t testing.TB, s *homeserver.Server, name string) *Client {
	t.Helper()
	return begin(t, s, name, true)
}

// NewUnsigned is New for an account without an identity: nothing has signed its device.
func NewUnsigned(t testing.TB, s *homeserver.Server, name string) *Client {
	t.Helper()
	return begin(t, s, name, false)
}

func begin(t testing.TB, s *homeserver.Server, name string, signed bool) *Client {
	t.Helper()
	account := Register(t, s, name)
	w := &wire{next: http.DefaultTransport}
	cli, err := mautrix.NewClient(s.URL, id.UserID(account.UserID), account.Token)
	if err != nil {
		t.Fatal(err)
	}
	cli.DeviceID = id.DeviceID(account.DeviceID)
	cli.Client = &http.Client{Transport: w, Timeout: 3 * time.Minute}
	c := &Client{
		Client: cli, Account: account, t: t, wire: w, patience: Patience, changed: make(chan struct{}), rooms: map[id.RoomID]*room{},
		devices: map[id.UserID]map[id.DeviceID]bool{},
		state:   mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore),
	}
	quiet := zerolog.Nop()
	c.mach = crypto.NewOlmMachine(cli, &quiet, crypto.NewMemoryStore(nil), c.state)
	ctx := context.Background()
	if err := c.mach.Load(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.mach.ShareKeys(ctx, -1); err != nil {
		t.Fatalf("%s: upload keys: %v", account.UserID, err)
	}
	// Without an identity nothing vouches for what a device says (MSC4153).
	if signed {
		if _, err := c.mach.GenerateAndVerifyWithRecoveryKey(ctx); err != nil {
			t.Fatalf("%s: make an identity: %v", account.UserID, err)
		}
	}
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); c.listen(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return c
}

var (
	named   sync.Mutex
	numbers = map[string]int{}
)

// Register makes an account whose name begins as given and is nobody else's.
func Register(t testing.TB, s *homeserver.Server, name string) homeserver.Account {
	t.Helper()
	named.Lock()
	numbers[name]++
	name = fmt.Sprintf("%s%d", name, numbers[name])
	named.Unlock()
	account, err := s.Register(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// filter asks for all that happens, in one piece.
const filter = `{"room":{"timeline":{"limit":1000}},"presence":{"not_types":["*"]}}`

// listen syncs until the context ends.
func (c *Client) listen(ctx context.Context) {
	for since := ""; ; {
		resp, err := c.SyncRequest(ctx, 10_000, since, filter, false, event.PresenceOnline)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.mu.Lock()
			c.failed = err
			c.tell()
			c.mu.Unlock()
			return
		}
		c.take(ctx, resp, since)
		since = resp.NextBatch
	}
}

// tell lets all who wait look again. The caller holds mu.
func (c *Client) tell() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// take takes in a response.
func (c *Client) take(ctx context.Context, resp *mautrix.RespSync, since string) {
	c.crypto.Lock()
	defer c.crypto.Unlock()
	c.mach.ProcessSyncResponse(ctx, resp, since)
	type arrival struct {
		room  id.RoomID
		event *event.Event
	}
	var arrivals []arrival
	invited := map[id.RoomID]bool{}
	read := func(where id.RoomID, list []*event.Event, live bool) {
		for _, ev := range list {
			ev.RoomID = where
			ev.Type.Class = event.MessageEventType
			if ev.StateKey != nil {
				ev.Type.Class = event.StateEventType
			}
			if err := ev.Content.ParseRaw(ev.Type); err != nil && !errors.Is(err, event.ErrUnsupportedContentType) {
				c.t.Errorf("%s: the content of %s: %v", c.UserID, ev.ID, err)
			}
			if ev.StateKey != nil {
				mautrix.UpdateStateStore(ctx, c.state, ev)
				if ev.Type == event.StateMember && live {
					c.mach.HandleMemberEvent(ctx, ev)
				}
			}
			if live {
				arrivals = append(arrivals, arrival{where, ev})
			}
		}
	}
	for where, r := range resp.Rooms.Invite {
		read(where, r.State.Events, false)
		invited[where] = true
	}
	for where, r := range resp.Rooms.Join {
		read(where, r.State.Events, false)
		read(where, r.Timeline.Events, true)
		invited[where] = false
	}
	for where, r := range resp.Rooms.Leave {
		read(where, r.State.Events, false)
		read(where, r.Timeline.Events, true)
		invited[where] = false
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	for _, user := range resp.DeviceLists.Changed {
		c.devices[user] = c.devicesOf(user)
	}
	for where, is := range invited {
		r := c.room(where)
		r.invited = is
		r.encrypted, _ = c.state.IsEncrypted(ctx, where)
	}
	for _, a := range arrivals {
		c.arrive(ctx, a.room, a.event)
	}
	waiting := c.sealed // their keys may have come with this response
	c.sealed = nil
	for _, ev := range waiting {
		c.arrive(ctx, ev.RoomID, ev)
	}
	c.tell()
}

// devicesOf returns the devices of somebody that are known now. The caller holds crypto.
func (c *Client) devicesOf(user id.UserID) map[id.DeviceID]bool {
	known, _ := c.mach.CryptoStore.GetDevices(context.Background(), user) // one in memory never fails
	all := map[id.DeviceID]bool{}
	for d := range known {
		all[d] = true
	}
	return all
}

// arrive adds an event to its timeline, as far as it can be read. The caller holds mu.
func (c *Client) arrive(ctx context.Context, where id.RoomID, ev *event.Event) {
	r := c.room(where)
	if ev.Type != event.EventEncrypted {
		r.timeline = append(r.timeline, Event{ev, false})
		return
	}
	opened, err := c.mach.DecryptMegolmEvent(ctx, ev)
	if err != nil {
		c.sealed = append(c.sealed, ev)
		return
	}
	opened.Type.Class = event.MessageEventType
	r.timeline = append(r.timeline, Event{opened, true})
}

func (c *Client) room(where id.RoomID) *room {
	r := c.rooms[where]
	if r == nil {
		r = &room{}
		c.rooms[where] = r
	}
	return r
}

// Await waits until the function says yes, which is called whenever something has changed.
func (c *Client) Await(what string, yes func() bool) {
	c.t.Helper()
	c.AwaitOr(what, nil, yes)
}

// AwaitOr is Await that also ends when the channel is closed.
func (c *Client) AwaitOr(what string, over <-chan struct{}, yes func() bool) {
	c.t.Helper()
	deadline := time.NewTimer(c.patience)
	defer deadline.Stop()
	for {
		c.mu.Lock()
		done, changed, failed := yes(), c.changed, c.failed
		c.mu.Unlock()
		switch {
		case done:
			return
		case failed != nil:
			c.t.Fatalf("%s waits for %s, and listens no more: %v", c.UserID, what, failed)
		}
		select {
		case <-changed:
		case <-over:
			return
		case <-deadline.C:
			c.t.Fatalf("%s has waited %s in vain for %s\n%s", c.UserID, c.patience, what, c.transcript())
		}
	}
}

// Patient makes the client wait for times as long as Patience from here on.
func (c *Client) Patient(times int) { c.patience = time.Duration(times) * Patience }

// transcript writes down what the client has seen.
func (c *Client) transcript() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for where, r := range c.rooms {
		fmt.Fprintf(&b, "%s (encrypted: %v, invited: %v)\n", where, r.encrypted, r.invited)
		for _, ev := range r.timeline {
			fmt.Fprintf(&b, "  %s %s %s enc=%v %s\n", ev.ID, ev.Sender, ev.Type.Type, ev.Encrypted, shorten(string(ev.Content.VeryRaw)))
		}
	}
	for _, ev := range c.sealed {
		fmt.Fprintf(&b, "cannot read %s %s\n", ev.RoomID, ev.ID)
	}
	return b.String()
}

func shorten(s string) string {
	if len(s) > 400 {
		return s[:400] + "…"
	}
	return s
}

// Timeline returns what the client has seen in a room, in the order of the server.
func (c *Client) Timeline(where id.RoomID) []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Event(nil), c.room(where).timeline...)
}

// Sealed returns how many messages the client could not read.
func (c *Client) Sealed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sealed)
}

// Unreadable is how many messages of a room the client could not read. It is for use within Await.
func (c *Client) Unreadable(where id.RoomID) (n int) {
	for _, ev := range c.sealed {
		if ev.RoomID == where {
			n++
		}
	}
	return n
}

// must fails the test where the server has refused something.
func (c *Client) must(what string, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%s: %s: %v", c.UserID, what, err)
	}
}

// seal encrypts content to everybody who is in a room or invited. The library is not given the state of rooms: it would
// note what it asks for as if it had happened, and so take a join that was faster for an invitation.
func (c *Client) seal(ctx context.Context, where id.RoomID, typ event.Type, content any) (*event.EncryptedEventContent, error) {
	c.crypto.Lock()
	defer c.crypto.Unlock()
	sealed, err := c.mach.EncryptMegolmEvent(ctx, where, typ, content)
	if err == nil {
		return sealed, nil // the room's session is there and shared
	}
	users, err := c.state.GetRoomJoinedOrInvitedMembers(ctx, where)
	if err != nil {
		return nil, err
	}
	if err := c.mach.ShareGroupSession(ctx, where, users); err != nil {
		return nil, err
	}
	return c.mach.EncryptMegolmEvent(ctx, where, typ, content)
}
