package store

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/protocol"
)

// sameText are texts of which some need to be escaped.
var sameText = rapid.OneOf(
	rapid.StringMatching(`[a-z:!~?]{0,20}`), rapid.String(),
	rapid.SampledFrom([]string{"<&>", "\u2028", "a\xffb", "\x7f", `"\`, "\n\x00", "\U0001F600", "tab\t"}),
)

func drawTime(t *rapid.T, name string) time.Time {
	if rapid.Bool().Draw(t, name+" is zero") {
		return time.Time{}
	}
	at := time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, name), rapid.Int64Range(0, 999999999).Draw(t, name+" ns"))
	return plainTime(at)
}

func drawRef(t *rapid.T, name string) protocol.Ref {
	if rapid.Bool().Draw(t, name+" is zero") {
		return protocol.Ref{}
	}
	return protocol.Ref{
		Room: protocol.RoomID(sameText.Draw(t, name+" room")), Event: protocol.EventID(sameText.Draw(t, name+" event")), More: sameText.Draw(t, name+" more"),
	}
}

// TestEncodings: what is written by hand is, byte for byte, what encoding/json writes, and what is remembered of it what
// encoding/json reads.
func TestEncodings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payload, err := json.Marshal(map[string]string{"text": sameText.Draw(t, "payload")})
		if err != nil {
			t.Fatal(err)
		}
		q := Queued{
			Entry: Entry{
				Key: protocol.Key(sameText.Draw(t, "key")), Lane: sameText.Draw(t, "lane"), Message: protocol.Key(sameText.Draw(t, "message")),
				Edit: rapid.Bool().Draw(t, "edit"), Expires: drawTime(t, "expires"), Cause: drawRef(t, "cause"), Payload: payload,
			},
			Number: rapid.Uint64().Draw(t, "number"), Created: drawTime(t, "created"), Attempts: rapid.Int().Draw(t, "attempts"),
			First: drawTime(t, "first"), Due: drawTime(t, "due"), Fault: sameText.Draw(t, "fault"), Doubt: drawTime(t, "doubt"),
		}
		want, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		got := appendQueued(nil, &q)
		if !slices.Equal(got, want) {
			t.Fatalf("wrote\n%s\nwant\n%s", got, want)
		}
		var l lately
		l.queued.put("k", got, q)
		remembered, _ := l.queuedAt("k", got)
		read, ok := (*lately)(nil).queuedAt("k", got)
		if !ok || !reflect.DeepEqual(remembered, read) {
			t.Fatalf("remembered\n%+v\nread\n%+v", remembered, read)
		}

		d := Delivery{
			State: State(sameText.Draw(t, "state")), Lane: q.Lane, Number: q.Number, Ref: drawRef(t, "ref"), Reason: q.Fault, Cause: q.Cause,
			Time: q.Created, Attempts: q.Attempts,
		}
		if want, err = json.Marshal(d); err != nil {
			t.Fatal(err)
		}
		if got = appendDelivery(nil, &d); !slices.Equal(got, want) {
			t.Fatalf("wrote\n%s\nwant\n%s", got, want)
		}
		l.deliveries.put("k", got, d)
		if remembered, read := l.deliveryAt("k", got), (*lately)(nil).deliveryAt("k", got); remembered != read {
			t.Fatalf("remembered\n%+v\nread\n%+v", remembered, read)
		}
	})
}

// TestWritten: what is remembered counts only where its bytes stand, and is bounded.
func TestWritten(t *testing.T) {
	var w written[int]
	w.put("k", []byte("1"), 1)
	if n, ok := w.get("k", []byte("1")); !ok || n != 1 {
		t.Errorf("it remembers %d, %v", n, ok)
	}
	for _, other := range []string{"2", ""} {
		if _, ok := w.get("k", []byte(other)); ok {
			t.Errorf("it takes %q for what it has written", other)
		}
	}
	w.put("large", make([]byte, maxWrittenRow+1), 2)
	for i := range 10 * maxWritten {
		w.put(Number(uint64(i)), make([]byte, 8<<10), i)
		if w.size > maxWrittenSize+maxWrittenRow || len(w.young)+len(w.old) > 2*maxWritten || w.young["large"].value != nil {
			t.Fatalf("it holds %d and %d rows, %d bytes", len(w.young), len(w.old), w.size)
		}
	}
	if _, ok := w.get("k", []byte("1")); ok {
		t.Error("it forgets nothing")
	}
	last := Number(10*maxWritten - 1)
	w.drop(last)
	if _, ok := w.get(last, make([]byte, 8<<10)); ok {
		t.Error("what was dropped is remembered")
	}
}
