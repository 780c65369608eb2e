package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"moot/protocol"
	"moot/store"
)

// The form of a fact in the file. Whoever changes it changes the encoding version, and reads the
// old form too.
func TestEncodingOfAFact(t *testing.T) {
	f := Fact{
		Time: time.Date(2026, 11, 21, 8, 0, 0, 1, time.UTC), Kind: "ballot", Version: 1,
		Cause: protocol.Ref{Room: "console:lobby", Event: "e7"}, Scope: lobby,
		People: map[string]Number{"voter": 300}, Keys: map[string]string{"vote": "3"},
		Payload: json.RawMessage(`{"choice":"yes"}`),
	}
	const head = "\x18\xea\x00\x8b[\xbb\x00\x01" + "\x06ballot" + "\x01" + "\x0dconsole:lobby" + "\x02e7" + "\x00" +
		"\x01" + "\x05voter" + "\xac\x02" + "\x01" + "\x04vote" + "\x013"
	const want = "\x01" + string(rune(len(head))) + head + `{"choice":"yes"}`
	got, err := encodeFact(f)
	if err != nil || string(got) != want {
		t.Errorf("encoded as %q, %v", got, err)
	}
	f.Seq = 9
	back, err := decodeFact(9, []byte(want))
	if d := cmp.Diff(f, back); d != "" || err != nil {
		t.Error(d, err)
	}
	terms := []string{
		"ballot␟␟", "ballot␟cause␟" + CauseValue(f.Cause), "ballot␟scope␟console:lobby", "ballot␟vote␟3", "ballot␟voter␟300",
	}
	for i := range terms {
		terms[i] = strings.ReplaceAll(terms[i], "␟", store.Sep)
	}
	if d := cmp.Diff(terms, f.terms()); d != "" {
		t.Error(d)
	}
	f.Time = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := encodeFact(f); err == nil {
		t.Error("a time that would come back as another one is encoded")
	}
}

func TestFactsThatCannotBeRead(t *testing.T) {
	whole, err := encodeFact(Fact{
		Time: time.Unix(1, 0), Kind: "a", Version: 1, Scope: lobby,
		People: map[string]Number{"by": 1 << 60}, Keys: map[string]string{"k": "v"},
	})
	if err != nil {
		t.Fatal(err)
	}
	unread := map[string][]byte{
		"of a newer version":    append([]byte{2}, whole[1:]...),
		"JSON":                  []byte(`{"v":1}`),
		"with more in its head": append([]byte{1, whole[1] + 1}, append(whole[2:], 0)...),
		"of no kind":            append(append([]byte{1, 14}, whole[2:10]...), 0, 1, 0, 0, 0, 0),
	}
	for n := range len(whole) {
		unread[fmt.Sprint("cut at ", n)] = whole[:n]
	}
	for name, data := range unread {
		f, err := decodeFact(3, data)
		if !errors.Is(err, ErrFact) || f.Seq != 3 || f.Kind != "" {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// Whatever the bytes are, reading them ends well; and what is decoded is encoded to the same again:
// so what Apply is given live is what it is given on replay.
func FuzzDecodeFact(f *testing.F) {
	for _, fact := range []Fact{
		{Time: time.Unix(0, 1), Kind: "a", Version: 1},
		{
			Time: time.Unix(1e9, 7), Kind: "ballot", Version: 3, Cause: protocol.Ref{Room: "console:lobby", Event: "e7"},
			Scope: lobby, Payload: json.RawMessage(`1`),
		},
		{
			Time: time.Unix(-1, 0), Kind: "ä", Scope: garden,
			People: map[string]Number{"by": 1 << 63, "voter": 0}, Keys: map[string]string{"": "", "k": "v"},
		},
	} {
		data, err := encodeFact(fact)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("\x01\x0a\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
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
		if d := cmp.Diff(fact, back); d != "" || err != nil {
			t.Fatalf("%q became %q: %v %s", data, again, err, d)
		}
	})
}

func TestFactsComeBack(t *testing.T) {
	number := func(n uint64) Number { return Number(n) }
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "console:lobby", strings.Repeat("x", 200)}))
		f := Fact{
			Seq: 7, Time: time.Unix(0, rapid.Int64().Draw(t, "ns")).UTC(), Kind: "k" + text.Draw(t, "kind"),
			Version: rapid.IntRange(0, math.MaxInt32).Draw(t, "version"),
			Cause:   protocol.Ref{Room: protocol.RoomID(text.Draw(t, "room")), Event: protocol.EventID(text.Draw(t, "event"))},
			Scope:   protocol.Scope(text.Draw(t, "scope")),
			People:  rapid.MapOfN(text, rapid.Map(rapid.Uint64(), number), 0, MaxKeys).Draw(t, "people"),
			Keys:    rapid.MapOfN(text, text, 0, MaxKeys).Draw(t, "keys"),
			Payload: json.RawMessage(text.Draw(t, "payload")),
		}
		if len(f.People) == 0 {
			f.People = nil
		}
		if len(f.Keys) == 0 {
			f.Keys = nil
		}
		if len(f.Payload) == 0 {
			f.Payload = nil
		}
		data, err := encodeFact(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeFact(7, data)
		if d := cmp.Diff(f, got); d != "" || err != nil {
			t.Fatal(d, err)
		}
	})
}

// What Publish gives to Apply is what comes back from the log, in every field, also for odd words
// in it.
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
			Kind:   "odd",
			Keys:   rapid.MapOfN(rapid.StringMatching(`k[a-z0-9_.-]{0,8}`), value, 0, 3).Draw(t, "keys"),
			People: map[string]protocol.UserID{},
			Payload: rapid.SampledFrom([]any{
				nil, 1, "", "<&>\u2028", []byte(nil), json.RawMessage(" [ 1,\n2 ] "), map[string]any{"b": 1, "a": "\xff"},
			}).Draw(t, "payload"),
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
