//go:build goolm

package crypto

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol/matrix/account"
)

// fake is the part of a homeserver that knows keys: it keeps what devices upload, and hands on what they send each other.
type fake struct {
	t      testing.TB
	server *httptest.Server

	mu      sync.Mutex
	keys    map[id.UserID]map[id.DeviceID]map[string]any // device keys
	onetime map[id.UserID]map[id.DeviceID]map[string]any
	// uploaded are all one-time keys there ever were, by user, device and name.
	uploaded map[string]string
	fall     map[id.UserID]map[id.DeviceID]any // fallback keys
	used     map[string]bool                   // whether the one of a device was used
	cross    map[string]map[id.UserID]any      // by master_keys, self_signing_keys, user_signing_keys
	data     map[string]json.RawMessage        // account data by user and type
	queue    map[id.UserID]map[id.DeviceID][]map[string]any
	changed  map[id.UserID]bool // since anybody looked last
	calls    []string
	fail     func(path string) int   // a status to answer with; zero means as usual
	rotate   int                     // messages a session is for
	uia      string                  // the password that an identity has to be confirmed with
	hold     func(path, body string) // called before a request is answered; set before it is made
	log      []string                // of what matters to the order: what was uploaded
	null     string                  // a path whose answer is null
	twisted  string                  // how the paths begin whose answers are changed
	change   func([]byte) []byte     // how; nil leaves them as they are
	whole    bool                    // whether clients take nothing for an answer that is none
}

func newFake(t testing.TB) *fake {
	f := &fake{
		t: t, uploaded: map[string]string{}, keys: map[id.UserID]map[id.DeviceID]map[string]any{}, onetime: map[id.UserID]map[id.DeviceID]map[string]any{},
		cross: map[string]map[id.UserID]any{}, data: map[string]json.RawMessage{}, queue: map[id.UserID]map[id.DeviceID][]map[string]any{},
		changed: map[id.UserID]bool{}, rotate: 3, fall: map[id.UserID]map[id.DeviceID]any{}, used: map[string]bool{},
	}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

// client is that of a device. Its token says who it is.
func (f *fake) client(user id.UserID, device id.DeviceID) *mautrix.Client {
	cli, err := mautrix.NewClient(f.server.URL, user, string(user)+" "+string(device))
	if err != nil {
		f.t.Fatal(err)
	}
	cli.DeviceID = device
	if f.whole {
		cli.Client = &http.Client{Transport: account.NoNull(nil)} // as that of the bot
	}
	return cli
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/_matrix/client/v3/")
	sent, _ := io.ReadAll(r.Body)
	if f.hold != nil {
		f.hold(path, string(sent))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, path)
	if path == f.null {
		_, _ = io.WriteString(w, "null")
		return
	}
	if f.change != nil && strings.HasPrefix(path, f.twisted) {
		usual := httptest.NewRecorder()
		defer func(to http.ResponseWriter) {
			to.WriteHeader(usual.Code)
			_, _ = to.Write(f.change(usual.Body.Bytes()))
		}(w)
		w = usual
	}
	if f.fail != nil {
		if status := f.fail(path); status != 0 {
			reply(w, status, map[string]any{"errcode": "M_UNKNOWN", "error": "on demand"})
			return
		}
	}
	who, device, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), " ")
	user := id.UserID(who)
	var body map[string]json.RawMessage
	_ = json.Unmarshal(sent, &body)
	switch {
	case path == "keys/upload":
		if name := f.taken(user, id.DeviceID(device), body); name != "" {
			reply(w, 400, map[string]any{"errcode": "M_UNKNOWN", "error": "One time key " + name + " already exists. Old key: {}; new key: {}"})
			return
		}
		f.upload(user, id.DeviceID(device), body)
		reply(w, 200, map[string]any{"one_time_key_counts": map[string]int{"signed_curve25519": len(f.onetime[user][id.DeviceID(device)])}})
	case path == "keys/query":
		reply(w, 200, f.query(body))
	case path == "keys/claim":
		reply(w, 200, f.claim(body))
	case strings.HasPrefix(path, "sendToDevice/"):
		kind, _, _ := strings.Cut(strings.TrimPrefix(path, "sendToDevice/"), "/")
		f.send(user, kind, body)
		reply(w, 200, map[string]any{})
	case path == "keys/device_signing/upload":
		f.identity(w, user, body)
	case path == "keys/signatures/upload":
		f.sign(user, body)
		reply(w, 200, map[string]any{})
	case strings.Contains(path, "/account_data/"):
		f.account(w, r.Method, path, body)
	case strings.Contains(path, "/state/m.room.encryption"):
		reply(w, 200, map[string]any{"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_msgs": f.rotate})
	default:
		f.t.Errorf("nobody expected %s %s", r.Method, path)
		reply(w, 404, map[string]any{"errcode": "M_UNRECOGNIZED"})
	}
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func into[T any](data json.RawMessage) (v T) {
	_ = json.Unmarshal(data, &v)
	return v
}

func sub[K1, K2 comparable, V any](m map[K1]map[K2]V, k K1) map[K2]V {
	if m[k] == nil {
		m[k] = map[K2]V{}
	}
	return m[k]
}

// taken returns the name of a one-time key under which another was uploaded, as Synapse refuses it; zero if there is none.
func (f *fake) taken(user id.UserID, device id.DeviceID, body map[string]json.RawMessage) string {
	for name, key := range into[map[string]json.RawMessage](body["one_time_keys"]) {
		at := fmt.Sprint(user, device, name)
		if was, ok := f.uploaded[at]; ok && was != string(key) {
			return name
		}
	}
	for name, key := range into[map[string]json.RawMessage](body["one_time_keys"]) {
		f.uploaded[fmt.Sprint(user, device, name)] = string(key)
	}
	return ""
}

func (f *fake) upload(user id.UserID, device id.DeviceID, body map[string]json.RawMessage) {
	if keys := into[map[string]any](body["device_keys"]); keys != nil {
		sub(f.keys, user)[device] = keys
		f.changed[user] = true
		f.log = append(f.log, "device")
	}
	maps.Copy(f.onetimeOf(user, device), into[map[string]any](body["one_time_keys"]))
	for name, key := range into[map[string]any](body["fallback_keys"]) {
		sub(f.fall, user)[device] = map[string]any{name: key}
		f.used[string(device)] = false
		f.log = append(f.log, "fallback")
	}
}

func (f *fake) onetimeOf(user id.UserID, device id.DeviceID) map[string]any {
	if sub(f.onetime, user)[device] == nil {
		f.onetime[user][device] = map[string]any{}
	}
	return f.onetime[user][device]
}

func (f *fake) query(body map[string]json.RawMessage) any {
	devices := map[id.UserID]any{}
	for user := range into[map[id.UserID]any](body["device_keys"]) {
		if f.keys[user] != nil {
			devices[user] = f.keys[user]
		}
	}
	out := map[string]any{"device_keys": devices}
	for kind, keys := range f.cross {
		asked := map[id.UserID]any{}
		for user := range into[map[id.UserID]any](body["device_keys"]) {
			if keys[user] != nil {
				asked[user] = keys[user]
			}
		}
		out[kind] = asked
	}
	return out
}

func (f *fake) claim(body map[string]json.RawMessage) any {
	out := map[id.UserID]map[id.DeviceID]any{}
	for user, devices := range into[map[id.UserID]map[id.DeviceID]string](body["one_time_keys"]) {
		for device := range devices {
			keys := f.onetime[user][device]
			if len(keys) == 0 && f.fall[user][device] != nil {
				sub(out, user)[device] = f.fall[user][device]
				f.used[string(device)] = true
			}
			for _, name := range slices.Sorted(maps.Keys(keys))[:min(1, len(keys))] {
				sub(out, user)[device] = map[string]any{name: keys[name]}
				delete(keys, name)
			}
		}
	}
	return map[string]any{"one_time_keys": out}
}

func (f *fake) send(from id.UserID, kind string, body map[string]json.RawMessage) {
	for user, devices := range into[map[id.UserID]map[id.DeviceID]any](body["messages"]) {
		for device, content := range devices {
			ev := map[string]any{"type": kind, "sender": from, "content": content}
			sub(f.queue, user)[device] = append(sub(f.queue, user)[device], ev)
		}
	}
}

func (f *fake) identity(w http.ResponseWriter, user id.UserID, body map[string]json.RawMessage) {
	auth := into[map[string]any](body["auth"])
	if f.uia != "" && auth["password"] != f.uia {
		reply(w, 401, map[string]any{"session": "s", "flows": []any{map[string]any{"stages": []string{"m.login.password"}}}})
		return
	}
	for _, kind := range []string{"master_key", "self_signing_key", "user_signing_key"} {
		sub(f.cross, kind+"s")[user] = into[map[string]any](body[kind])
	}
	f.changed[user] = true
	f.log = append(f.log, "identity")
	reply(w, 200, map[string]any{})
}

// sign adds signatures to the keys of devices and to the master key.
func (f *fake) sign(user id.UserID, body map[string]json.RawMessage) {
	for name, signed := range into[map[string]map[string]any](body[string(user)]) {
		target := f.keys[user][id.DeviceID(name)]
		if target == nil {
			target, _ = f.cross["master_keys"][user].(map[string]any)
		}
		for signer, sigs := range signed["signatures"].(map[string]any) {
			all := target["signatures"].(map[string]any)
			if all[signer] == nil {
				all[signer] = map[string]any{}
			}
			maps.Copy(all[signer].(map[string]any), sigs.(map[string]any))
		}
	}
	f.changed[user] = true
	f.log = append(f.log, "signature")
}

func (f *fake) account(w http.ResponseWriter, method, path string, body map[string]json.RawMessage) {
	path, _ = url.PathUnescape(path)
	if method == http.MethodPut {
		f.data[path], _ = json.Marshal(body)
		reply(w, 200, map[string]any{})
		return
	}
	if f.data[path] == nil {
		reply(w, 404, map[string]any{"errcode": "M_NOT_FOUND"})
		return
	}
	reply(w, 200, f.data[path])
}

// sync is what the next sync of a device brings. What was queued stays queued until done is called.
func (f *fake) sync(user id.UserID, device id.DeviceID) (resp *mautrix.RespSync, done func()) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	unused := []string{}
	if used, ok := f.used[string(device)]; ok && !used {
		unused = append(unused, "signed_curve25519")
	}
	data, err := json.Marshal(map[string]any{
		"device_unused_fallback_key_types": unused,
		"to_device":                        map[string]any{"events": f.queue[user][device]},
		"device_lists":                     map[string]any{"changed": slices.Collect(maps.Keys(f.changed))},
		"device_one_time_keys_count":       map[string]int{"signed_curve25519": len(f.onetime[user][device])},
		"next_batch":                       "s",
	})
	if err != nil {
		f.t.Fatal(err)
	}
	resp = new(mautrix.RespSync)
	if err := json.Unmarshal(data, resp); err != nil {
		f.t.Fatal(err)
	}
	n := len(f.queue[user][device])
	return resp, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		sub(f.queue, user)[device] = f.queue[user][device][n:]
	}
}

// count tells how many calls of a path there were.
func (f *fake) count(path string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if strings.HasPrefix(c, path) {
			n++
		}
	}
	return n
}

// wire is how an event comes from the server.
func wire(t testing.TB, n int, sender id.UserID, room id.RoomID, content *event.EncryptedEventContent) *event.Event {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"type": "m.room.encrypted", "event_id": fmt.Sprintf("$%d", n), "sender": sender, "room_id": room, "origin_server_ts": 1000 + n, "content": content,
	})
	if err != nil {
		t.Fatal(err)
	}
	ev := new(event.Event)
	if err := json.Unmarshal(data, ev); err != nil {
		t.Fatal(err)
	}
	ev.Type.Class = event.MessageEventType
	if err := ev.Content.ParseRaw(ev.Type); err != nil {
		t.Fatal(err)
	}
	return ev
}
