package matrix

import (
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"

	"maunium.net/go/mautrix"

	"moot/protocol"
)

// FuzzSync: whatever a homeserver says of one room, what it says of others is read all the same; and a list of members is fit
// to enter, whatever the events are that it is made of.
func FuzzSync(f *testing.F) {
	for _, section := range []string{
		`{"timeline":{"events":[{"event_id":"$e","type":"m.room.message","sender":"@ann:fake.test"}],"limited":true,"prev_batch":"t1"},"state":{"events":[7,null]}}`,
		`{"timeline":[],"state":"x","summary":{"m.joined_member_count":"5"}}`, `{"timeline":{"events":{}}}`, `null`, `[]`,
		`{"timeline":{"events":[{"type":"m.room.member","state_key":"@moot:fake.test","content":{"membership":"join"}},{"type":"m.room.member","state_key":"@ann:fake.test","content":{"membership":"join","displayname":"\u202e\n"},"origin_server_ts":-1}]}}`,
		`{"invite_state":{"events":[{"type":"m.room.member","state_key":"@moot:fake.test","content":{"membership":"invite"}}]}}`,
	} {
		f.Add([]byte(section), []byte(`{"changed":["@ann:fake.test",7]}`), []byte(`{"users":{"@ann:fake.test":"50"}}`))
	}
	f.Fuzz(func(t *testing.T, section, lists, content []byte) {
		if !json.Valid(section) || !json.Valid(lists) || !json.Valid(content) {
			return
		}
		whole := `{"next_batch":"s1","device_lists":` + string(lists) + `,"device_one_time_keys_count":` + string(lists) + `,"rooms":{"join":{"!a:fake.test":` + string(section) + `,"!b:fake.test":{"timeline":{"events":[{"event_id":"$b"}]}}}}}`
		shallow, err := io.ReadAll(newShallow(strings.NewReader(whole)))
		if err != nil {
			t.Fatal(err)
		}
		resp := new(syncResponse)
		if err := json.Unmarshal(shallow, resp); err != nil {
			t.Fatalf("the whole response cannot be read: %v", err)
		}
		into(resp.DeviceLists, new(mautrix.DeviceLists))
		into(resp.KeyCounts, new(mautrix.OTKCount))
		other := new(syncRoom)
		if err := json.Unmarshal(resp.Rooms.it.Join.it["!b:fake.test"], other); err != nil || len(other.Timeline.Events) != 1 {
			t.Fatalf("the other room is %+v, %v", other, err)
		}
		room := new(syncRoom)
		if json.Unmarshal(resp.Rooms.it.Join.it["!a:fake.test"], room) != nil {
			return // it is refused as a whole
		}
		r := &run{self: "@moot:fake.test", log: slog.New(slog.DiscardHandler)}
		list, _ := r.membersIn("matrix:!a:fake.test", append(room.State.Events, room.Timeline.Events...), readPowers(content))
		ev := protocol.Event{Room: "matrix:!a:fake.test", ID: "$list", Body: list}
		if err := ev.Check(Network); err != nil {
			t.Errorf("the members are %+v: %v", list, err)
		}
	})
}
