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
		var read Queued
		ok := json.Unmarshal(got, &read) == nil
		byHand, _ := (*lately)(nil).queuedAt("k", got)
		if !reflect.DeepEqual(byHand, read) {
			t.Fatalf("read by hand\n%+v\nread\n%+v", byHand, read)
		}
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
		var kept Delivery
		err = json.Unmarshal(got, &kept)
		if remembered, byHand := l.deliveryAt("k", got), (*lately)(nil).deliveryAt("k", got); err != nil || remembered != kept || byHand != kept {
			t.Fatalf("remembered\n%+v\nread by hand\n%+v\nread\n%+v", remembered, byHand, kept)
		}
	})
}

// samples are values as they stand in the outbox.
func samples() (queued, deliveries [][]byte) {
	at := time.Date(2026, 11, 29, 20, 0, 0, 5, time.UTC)
	ref := protocol.Ref{Room: "console:lobby", Event: "$1", More: "$2"}
	for _, payload := range []string{`{"Ask":{"Want":{"AskTask":{"Input":{"text":"}\\\"]","n":[1,{}]}}}}}`, `{}`} {
		e := Entry{Key: "k", Lane: "?console:lobby", Payload: json.RawMessage(payload)}
		queued = append(queued, appendQueued(nil, &Queued{Entry: e, Number: 7, Created: at}))
		e.Message, e.Edit, e.Expires, e.Cause = "m", true, at, ref
		queued = append(queued, appendQueued(nil, &Queued{Entry: e, Number: 8, Created: at, Attempts: 2, First: at, Due: at, Fault: "lost", Doubt: at}))
	}
	deliveries = append(deliveries, appendDelivery(nil, &Delivery{State: StateQueued, Lane: "console:lobby", Number: 7, Time: at}),
		appendDelivery(nil, &Delivery{State: StateFailed, Lane: "console:lobby", Number: 7, Time: at, Ref: ref, Cause: ref, Reason: "lost", Attempts: 3}))
	return queued, deliveries
}

// TestReadByHand: what is written as a rule is read by hand, and so not by encoding/json.
func TestReadByHand(t *testing.T) {
	queued, deliveries := samples()
	for _, value := range queued {
		if _, ok := readQueued(value); !ok {
			t.Errorf("%s is not read by hand", value)
		}
	}
	for _, value := range deliveries {
		if _, ok := readDelivery(value); !ok {
			t.Errorf("%s is not read by hand", value)
		}
	}
}

// FuzzReadByHand: what is read by hand of any bytes that are JSON is what encoding/json reads.
func FuzzReadByHand(f *testing.F) {
	queued, deliveries := samples()
	for _, value := range append(queued, deliveries...) {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		var q Queued
		if got, ok := readQueued(value); ok && json.Unmarshal(value, &q) == nil && !reflect.DeepEqual(got, q) {
			t.Errorf("read by hand\n%+v\nread\n%+v", got, q)
		}
		var d Delivery
		if got, ok := readDelivery(value); ok && (json.Unmarshal(value, &d) != nil || got != d) {
			t.Errorf("read by hand\n%+v\nread\n%+v", got, d)
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
