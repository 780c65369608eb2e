package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
	"moot/protocol/matrix/crypto"
	"moot/protocol/matrix/matrixtest"
	"moot/store"
)

// matrixTown is a room on a homeserver; and one that is encrypted, where the tests can encrypt (with the tag goolm).
func matrixTown(t *testing.T) *netTown {
	s := matrixtest.New()
	t.Cleanup(s.Close)
	self := s.Account("moot", "Moot")
	var people []string
	for _, name := range []string{"ann", "ben", "cem", "dan"} {
		people = append(people, s.Account(name, name))
	}
	room := s.Create(people[0], "Lab", nil)
	for _, p := range people[1:] {
		s.Member(room, p, p, "join", nil)
	}
	dir := t.TempDir()
	n := &netTown{
		rooms: 1, data: filepath.Join(dir, "data"),
		kick:   func() { s.Member(room, people[0], self, "leave", nil) },
		invite: func() { s.Member(room, people[0], self, "invite", nil) },
		names:  map[string]string{},
		host:   strings.TrimPrefix(s.URL, "http://"),
	}
	n.online = func() bool { return len(s.Rooms(self, "join")) == n.rooms } // what was said before is not the bot's
	n.invite()
	var vault *vault
	if crypto.Able {
		vault, n.rooms = newVault(t, s, people[0], self), 2
	}
	n.say = func(i int) protocol.Ref {
		if vault != nil && i%2 == 1 {
			return protocol.Ref{Room: protocol.RoomID("matrix:" + vault.room), Event: protocol.EventID(vault.say("!moot ping"))}
		}
		return protocol.Ref{Room: protocol.RoomID("matrix:" + room), Event: protocol.EventID(s.Say(room, people[uint(i/2)%4], "!moot ping"))}
	}
	n.answers = func() map[protocol.EventID][]string {
		got := map[protocol.EventID][]string{}
		read := func(in string, open func(matrixtest.Event) string) {
			for _, ev := range s.Timeline(in) {
				relates, _ := ev.Content["m.relates_to"].(map[string]any)
				to, _ := relates["m.in_reply_to"].(map[string]any)
				if target, _ := to["event_id"].(string); target != "" && ev.Sender == self {
					got[protocol.EventID(target)] = append(got[protocol.EventID(target)], open(ev))
				}
			}
		}
		read(room, func(ev matrixtest.Event) string { return fmt.Sprint(ev.Type, " ", ev.Content["body"]) })
		if vault != nil {
			read(vault.room, vault.open)
		}
		return got
	}
	config := filepath.Join(dir, "config.toml")
	// A greeting waits until a room is at rest: whether a life lasts so long would be chance.
	text := fmt.Sprintf("data = %q\n[invites]\ngreet = false\n[commands]\nrate_burst = 1000\n[matrix]\nuser = %q\nhomeserver = %q\naccess_token = { env = \"MOOT_TOKEN\" }\n", n.data, self, s.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n.command = func(args ...string) *exec.Cmd {
		cmd := exec.Command("bot", append(args, "--config", config)...)
		cmd.Env = append(os.Environ(), "MOOT_TOKEN=token-moot")
		return cmd
	}
	return n
}

// vault is an encrypted room with a person who has a device of her own. Each of her messages has another key.
type vault struct {
	t       *testing.T
	s       *matrixtest.Server
	room    string
	members []id.UserID

	mu      sync.Mutex // held while the machine is used
	client  *mautrix.Client
	machine *crypto.Machine
	since   string
	opened  map[string]string // by event
}

func newVault(t *testing.T, s *matrixtest.Server, ann, bot string) *vault {
	t.Helper()
	v := &vault{t: t, s: s, members: []id.UserID{id.UserID(ann), id.UserID(bot)}, opened: map[string]string{}}
	v.room = s.Create(ann, "Vault", map[string]map[string]any{
		"m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_msgs": 1},
	})
	s.Member(v.room, ann, bot, "invite", nil)
	var err error
	if v.client, err = mautrix.NewClient(s.URL, id.UserID(ann), "token-ann"); err != nil {
		t.Fatal(err)
	}
	v.client.DeviceID = "DEVICE"
	folder := t.TempDir()
	st, err := store.Open(store.Config{Path: filepath.Join(folder, "moot.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	keys, err := crypto.Open(t.Context(), crypto.Config{Folder: folder, Store: st, Secret: []byte("0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	if v.machine, err = keys.Connect(t.Context(), v.client, crypto.ConnectConfig{Rooms: v}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.machine.Close() })
	return v
}

// Shared implements crypto.Rooms.
func (v *vault) Shared(protocol.UserID) ([]protocol.RoomID, error) {
	return []protocol.RoomID{protocol.RoomID("matrix:" + v.room)}, nil
}

// say says a text, sealed, and returns the id of the event.
func (v *vault) say(text string) string {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.receive()
	sealed, err := v.machine.Encrypt(v.t.Context(), id.RoomID(v.room), v.members, event.EventMessage, map[string]any{"msgtype": "m.text", "body": text})
	if err != nil {
		v.t.Fatal(err)
	}
	data, err := json.Marshal(sealed)
	if err != nil {
		v.t.Fatal(err)
	}
	var content map[string]any
	if err := json.Unmarshal(data, &content); err != nil {
		v.t.Fatal(err)
	}
	return v.s.Send(v.room, string(v.members[0]), "m.room.encrypted", content)
}

// receive takes in what has come for the device.
func (v *vault) receive() {
	v.t.Helper()
	resp, err := v.client.SyncRequest(v.t.Context(), 0, v.since, "", false, "")
	if err != nil {
		v.t.Fatal(err)
	}
	if _, err := v.machine.Receive(v.t.Context(), resp, v.since); err != nil {
		v.t.Fatal(err)
	}
	v.since = resp.NextBatch
}

// open returns what stands in an event, as its readers see it.
func (v *vault) open(ev matrixtest.Event) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if ev.Type != "m.room.encrypted" {
		return ev.Type + " in clear"
	}
	if text, ok := v.opened[ev.ID]; ok {
		return text
	}
	v.receive()
	data, err := json.Marshal(map[string]any{
		"type": ev.Type, "event_id": ev.ID, "sender": ev.Sender, "room_id": v.room, "content": ev.Content, "origin_server_ts": 1,
	})
	if err != nil {
		v.t.Fatal(err)
	}
	sealed := new(event.Event)
	if err := json.Unmarshal(data, sealed); err != nil {
		v.t.Fatal(err)
	}
	sealed.Type.Class = event.MessageEventType
	opened, _, err := v.machine.Decrypt(v.t.Context(), sealed)
	if err != nil {
		return "sealed: " + err.Error()
	}
	v.opened[ev.ID] = "m.room.message " + opened.Content.AsMessage().Body
	return v.opened[ev.ID]
}
