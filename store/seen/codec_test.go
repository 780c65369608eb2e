package seen

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"moot/protocol"
)

func FuzzID(f *testing.F) {
	for n := range 20 {
		f.Add(string(eventID(n)))
	}
	for _, s := range []string{
		"", "$", "0", "-", "00", "1-", "-1", "1-2-3", "1-02", "18446744073709551615", "18446744073709551616",
		"18446744073709551615-18446744073709551615",
		"$" + strings.Repeat("A", 43), "$" + strings.Repeat("A", 42) + "B", "$" + strings.Repeat("A",
			42) + "=", "$" + strings.Repeat("\n", 43),
		"$" + strings.Repeat("+", 43), strings.Repeat("x", 32), strings.Repeat("x", 33), "+1", "1_0",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k := newHasher(nil).key("c:r", protocol.EventID(s))
		kind, id := k.name()
		if got := unpack(kind, id); string(got) != s {
			t.Fatalf("%q comes back as %q", s, got)
		}
		d := decoder{rest: appendID(nil, kind, id)}
		if got := d.name(kind); d.failed || len(d.rest) > 0 || !bytes.Equal(got, id) {
			t.Fatalf("%q: %x is read as %x", s, id, got)
		}
	})
}

// TestIDSizes: what networks give out is short.
func TestIDSizes(t *testing.T) {
	for id, want := range map[string]int{
		"$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg": 32,
		"1123456789012345678":                          8,
		"1123456789012345678-1223456789012345678":      16,
		"e12":                            4,
		"reaction-1123456789012345678":   29,
		"$143273582443PhrSn:example.org": 31,
		"$+/nc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg": 45,
	} {
		k := newHasher(nil).key("c:r", protocol.EventID(id))
		kind, name := k.name()
		if got := len(appendID(nil, kind, name)); got != want {
			t.Errorf("%s takes %d bytes, want %d", id, got, want)
		}
	}
}

func genRows() *rapid.Generator[[]row] {
	return rapid.Custom(func(t *rapid.T) []row {
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) row {
			e := genEvent().Draw(t, "event")
			k := newHasher(nil).key(e.room, e.event)
			kind, id := k.name()
			return row{[]byte(e.room), rapid.Uint64().Draw(t, "at"), kind, id, e.disposition, []byte(e.reason)}
		}), 1, 30).Draw(t, "rows")
		slices.SortFunc(rows, func(a, b row) int { return a.compare(&b) })
		return rows
	})
}

func sameRow(a, b *row) bool {
	return a.compare(b) == 0 && a.disposition == b.disposition && bytes.Equal(a.reason, b.reason)
}

// TestBlock: rows come back as they were, from two blocks of one writer.
func TestBlock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w blockWriter
		for n := range 2 {
			rows := genRows().Draw(t, "rows")
			size := 0
			for i := range rows {
				size = w.size(&rows[i])
				w.add(&rows[i])
			}
			place := partPlace(7, keyRows, uint32(n))
			block := w.finish(place[:])
			if len(block) > size {
				t.Fatalf("%d bytes, %d were said", len(block), size)
			}
			body, ok := unseal(place[:], block)
			if !ok {
				t.Fatalf("the block is not sealed")
			}
			r := readBlock(body)
			for i := range rows {
				if !r.next() || !sameRow(&r.row, &rows[i]) {
					t.Fatalf("row %d is %+v, want %+v", i, r.row, rows[i])
				}
			}
			if r.next() || r.failed {
				t.Fatalf("there is more: %+v, %v", r.row, r.failed)
			}
			if !w.empty() {
				t.Fatalf("the writer is not empty")
			}
		}
	})
}

// FuzzBlock: no bytes make the reader panic or read without end, and what it takes reads the same
// again.
func FuzzBlock(f *testing.F) {
	var w blockWriter
	for n := range 12 {
		k := newHasher(nil).key(protocol.RoomID(fmt.Sprint("c:", n/4)), eventID(n))
		kind, id := k.name()
		w.add(&row{[]byte(k.Room), uint64(n), kind, id, Handled, []byte(strings.Repeat("r", n%3))})
	}
	f.Add(w.finish(nil))
	f.Add([]byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var rows []row
		r := readBlock(b)
		for r.next() {
			rows = append(rows, r.row)
			if len(rows) > len(b) {
				t.Fatalf("%d rows of %d bytes", len(rows), len(b))
			}
		}
		var w blockWriter
		for i := range rows {
			w.add(&rows[i])
		}
		body, _ := unseal(nil, w.finish(nil))
		again := readBlock(body)
		for i := range rows {
			if !again.next() || !sameRow(&again.row, &rows[i]) {
				t.Fatalf("row %d is %+v, was %+v", i, again.row, rows[i])
			}
		}
	})
}

// TestRecords: what a change recorded comes back.
func TestRecords(t *testing.T) {
	ix := &Index{hasher: newHasher([]byte("secret"))}
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Uint64().Draw(t, "at")
		var want []Record
		for _, e := range rapid.SliceOf(genEvent()).Draw(t, "events") {
			r := Record{Key: ix.Key(e.room, e.event), At: at, Disposition: e.disposition, Reason: e.reason}
			if rapid.Bool().Draw(t, "again") {
				r.At = rapid.Uint64().Draw(t, "first")
			}
			want = append(want, r)
		}
		b := AppendRecords([]byte("before"), at, want)
		got, rest, err := ix.DecodeRecords(append(b, "behind"...)[6:], at)
		if err != nil || string(rest) != "behind" || !slices.Equal(got, want) {
			t.Fatalf("%+v, %q, %v; want %+v", got, rest, err, want)
		}
		for n := range len(b) - 6 {
			if _, _, err := ix.DecodeRecords(b[6:6+n], at); err == nil {
				t.Fatalf("%d of %d bytes are read", n, len(b)-6)
			}
		}
	})
}

func FuzzRecords(f *testing.F) {
	ix := &Index{hasher: newHasher(nil)}
	var records []Record
	for n := range 10 {
		records = append(
			records,
			Record{
				Key: ix.Key("c:r", eventID(n)), At: uint64(n % 3), Disposition: Waiting,
				Reason: strings.Repeat("r", n%2),
			},
		)
	}
	f.Add(AppendRecords(nil, 1, records))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, rest, err := ix.DecodeRecords(b, 7)
		if err != nil {
			return
		}
		again, more, err := ix.DecodeRecords(append(AppendRecords(nil, 7, records), rest...), 7)
		if err != nil || !slices.Equal(again, records) || !bytes.Equal(more, rest) {
			t.Fatalf("%+v becomes %+v, %v", records, again, err)
		}
	})
}

// TestBatch: the newest record of each event, in the order in which the events came, also where
// hashes are the same.
func TestBatch(t *testing.T) {
	h := newHasher(nil)
	var b Batch
	for round := range 2 {
		for n := range 100 {
			k := h.key("c:r", eventID(n))
			k.hash %= 7 // many of one
			if _, ok := b.Find(&k); ok {
				t.Fatalf("round %d: %d is there", round, n)
			}
			b.Put(Record{Key: k, Disposition: Waiting})
			b.Put(Record{Key: k, Disposition: Handled})
		}
		for n, r := range b.Records() {
			if got, ok := b.Find(&r.Key); r.Event != eventID(n) || !ok || got != r || r.Disposition != Handled {
				t.Fatalf("record %d is %+v, found %+v", n, r, got)
			}
		}
		if b.Reset(); len(b.Records()) > 0 {
			t.Fatal("it is not empty")
		}
	}
}
