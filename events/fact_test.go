package events

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"moot/protocol"
	"moot/store"
)

// The form of a fact in the file. Whoever changes it changes the encoding version, and reads the old form too.
func TestEncodingOfAFact(t *testing.T) {
	f := Fact{
		Time: time.Date(2026, 11, 21, 8, 0, 0, 1, time.UTC), Kind: "ballot", Version: 1,
		Cause: protocol.Ref{Room: "console:lobby", Event: "e7"}, Scope: lobby,
		People: map[string]Number{"voter": 12}, Keys: map[string]string{"vote": "3"}, Payload: json.RawMessage(`{"choice":"yes"}`),
	}
	const want = `{"v":1,"time":"2026-11-21T08:00:00.000000001Z","kind":"ballot","version":1,` +
		`"cause":["console:lobby","e7"],"scope":"console:lobby",` +
		`"people":{"voter":12},"keys":{"vote":"3"},"payload":{"choice":"yes"}}`
	got, err := encodeFact(f)
	if err != nil || string(got) != want {
		t.Errorf("encoded as %s, %v", got, err)
	}
	f.Seq = 9
	back, err := decodeFact(9, []byte(want))
	if d := cmp.Diff(f, back); d != "" || err != nil {
		t.Error(d, err)
	}
	entries := []string{
		"ballot␟", "ballot␟cause␟" + CauseValue(f.Cause), "ballot␟person␟12", "ballot␟scope␟console:lobby",
		"ballot␟vote␟3", "ballot␟voter␟12",
	}
	for i := range entries {
		entries[i] = strings.ReplaceAll(entries[i], "␟", store.Sep)
	}
	if d := cmp.Diff(entries, f.indexed()); d != "" {
		t.Error(d)
	}
	f.People["author"] = 12 // the same person once more
	if got := f.indexed(); len(got) != len(entries)+1 {
		t.Errorf("%q", got)
	}
}

func TestFactsThatCannotBeRead(t *testing.T) {
	for name, data := range map[string]string{
		"empty":          ``,
		"no JSON":        `{`,
		"newer encoding": `{"v":2,"time":"2026-11-21T08:00:00Z","kind":"ballot","version":1}`,
		"no kind":        `{"v":1,"time":"2026-11-21T08:00:00Z","version":1}`,
		"half a cause":   `{"v":1,"time":"2026-11-21T08:00:00Z","kind":"ballot","version":1,"cause":["a"]}`,
	} {
		f, err := decodeFact(3, []byte(data))
		if !errors.Is(err, ErrFact) || f.Seq != 3 {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// What is decoded is encoded to the same again: so what Apply is given live is what it is given on replay.
func FuzzDecodeFact(f *testing.F) {
	f.Add([]byte(`{"v":1,"time":"2026-11-21T08:00:00.000000001Z","kind":"ballot","version":1,"cause":["console:lobby","e7"],` +
		`"scope":"console:lobby","people":{"voter":12},"keys":{"vote":"3"},"payload":{"choice":"<yes>"}}`))
	f.Add([]byte(`{"v":1,"time":"2026-11-21T08:00:00+01:00","kind":"x","payload":null,"people":{},"keys":null,"cause":[]}`))
	f.Add([]byte(`{"v":1,"KIND":"x","payload":[ 1, "\u2028\ud800" ],"cause":["",""]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		fact, err := decodeFact(1, data)
		if err != nil {
			if !errors.Is(err, ErrFact) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		if fact.Time.Location() != time.UTC {
			t.Fatalf("the time is %v", fact.Time)
		}
		again, err := encodeFact(fact)
		if err != nil {
			t.Fatalf("%+v cannot be encoded: %v", fact, err)
		}
		back, err := decodeFact(1, again)
		if err != nil {
			t.Fatal(err)
		}
		once, err := encodeFact(back)
		if err != nil || string(once) != string(again) {
			t.Fatalf("%s became %s (%v)", again, once, err)
		}
	})
}

// What Publish gives to Apply is what comes back from the log, in every field, also for odd words in it.
func TestApplyIsGivenWhatTheLogHolds(t *testing.T) {
	var live Fact
	w := newWorld(t, func(c *Config) {
		c.Kinds = append(c.Kinds, Kind{
			Name: "odd", Version: 3, Buckets: []store.Bucket{store.ScopedBucket("odd")},
			Apply: func(_ *store.Tx, f Fact) error { live = f; return nil },
		})
	})
	value := rapid.StringMatching(`[^\x00-\x1f\x7f]{1,20}`)
	rapid.Check(t, func(t *rapid.T) {
		w.tester = t
		d := Draft{
			Kind:    "odd",
			Keys:    rapid.MapOfN(rapid.StringMatching(`k[a-z0-9_.-]{0,8}`), value, 0, 3).Draw(t, "keys"),
			People:  map[string]protocol.UserID{},
			Payload: rapid.SampledFrom([]any{nil, 1, "", "<&>\u2028", []byte(nil), json.RawMessage(" [ 1,\n2 ] "), map[string]any{"b": 1, "a": "\xff"}}).Draw(t, "payload"),
		}
		for _, role := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"voter", "by"}), rapid.ID).Draw(t, "roles") {
			d.People[role] = protocol.UserID("console:" + value.Draw(t, "user"))
		}
		w.now = time.Now() // with a monotonic reading
		w.publish(lobby, d)
		w.view(func(tx *store.Tx) {
			for f, err := range w.bus.Matching(tx, Query{Kind: "odd", Backward: true, Limit: 1}) {
				if f.Seq = 0; err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(live, f); d != "" {
					t.Fatal(d)
				}
				if live.Time.String() != f.Time.String() {
					t.Fatalf("live %v, then %v", live.Time, f.Time)
				}
			}
		})
	})
}

func TestDecode(t *testing.T) {
	f := Fact{Kind: "note", Payload: json.RawMessage(`7`)}
	n := 0
	if err := f.Decode(&n); n != 7 || err != nil {
		t.Error(n, err)
	}
	var s string
	if err := f.Decode(&s); err == nil || !strings.Contains(err.Error(), "note") {
		t.Error(err)
	}
	n = 3
	if err := (Fact{}).Decode(&n); n != 3 || err != nil {
		t.Error(n, err)
	}
}

// The quick way to read a fact reads nothing otherwise than the slow one, and everything that encodeFact writes but for
// what has to be escaped.
func FuzzDecodeQuick(f *testing.F) {
	for _, data := range []string{
		`{"v":1,"time":"2026-11-21T08:00:00.000000001Z","kind":"ballot","version":1,"cause":["console:lobby","e7"],"scope":"console:lobby","people":{"voter":12},"keys":{"vote":"3"},"payload":{"choice":"yes"}}`,
		`{"v":1,"time":"2026-11-21T08:00:00+02:00","kind":"ballot","version":1}`,
		`{"v":1,"time":"2026-11-21T08:00:00Z","kind":"","version":1}`,
		`{"v":1,"time":"2026-11-21T08:00:00Z","kind":"b","version":01}`,
		`{"v":1,"time":"2026-11-21T08:00:00Z","kind":"b","version":1,"people":{"a":1,"a":2}}`,
		`{"v":1,"time":"2026-11-21T08:00:00Z","kind":"b","version":1,"people":{"a":18446744073709551616}}`,
		`{"v":1,"time":"2026-11-21T08:00:00Z","kind":"b","version":1,"keys":{"a":"\u003c"},"payload":null}`,
		`{"v":1,"time":"2026-11-21T08:00:00Z","kind":"b","version":1,"payload": {"a":1} }`,
		`{"v":1,"time":"2026-11-21T08:00:00Z","kind":"b","version":1,"payload":1},"v":2}`,
		`{"v":1,"time":"2026-11-21T08:00:00Z","kind":"b","version":1,"keys":{}}`,
		`{"v":1,"time":"2026-11-21T08:00:00Z","kind":"äÿ","version":1}`,
		`{"v":1,"time":"2026-02-30T08:00:00Z","kind":"b","version":1}`,
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		quick := Fact{Seq: 7}
		if !decodeQuick(&quick, data) {
			return
		}
		slow, err := decodeSlow(7, data)
		if d := cmp.Diff(slow, quick); d != "" || err != nil {
			t.Errorf("%q is read otherwise: %v\n%s", data, err, d)
		}
	})
}

func TestWhatIsWrittenIsReadQuickly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zA-Z0-9:$!@._äß-]{1,12}`)
		f := Fact{
			Seq: 7, Time: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC(),
			Kind: text.Draw(t, "kind"), Version: rapid.IntRange(1, 99).Draw(t, "version"),
		}
		if rapid.Bool().Draw(t, "caused") {
			f.Cause = protocol.Ref{Room: protocol.RoomID(text.Draw(t, "room")), Event: protocol.EventID(text.Draw(t, "event"))}
		}
		if rapid.Bool().Draw(t, "scoped") {
			f.Scope = protocol.Scope(text.Draw(t, "scope"))
		}
		if m := rapid.MapOfN(text, rapid.Uint64Range(1, 1e9), 0, 3).Draw(t, "people"); len(m) > 0 {
			f.People = map[string]Number{}
			for role, n := range m {
				f.People[role] = Number(n)
			}
		}
		if m := rapid.MapOfN(text, text, 0, 3).Draw(t, "keys"); len(m) > 0 {
			f.Keys = m
		}
		if rapid.Bool().Draw(t, "paid") {
			f.Payload = json.RawMessage(`{"a":[1,2],"b":{"c":"}"}}`)
		}
		data, err := encodeFact(f)
		if err != nil {
			t.Fatal(err)
		}
		got := Fact{Seq: 7}
		if !decodeQuick(&got, data) {
			t.Fatalf("%s is not read quickly", data)
		}
		if d := cmp.Diff(f, got); d != "" {
			t.Fatal(d)
		}
	})
}
