package store

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"moot/protocol"
)

func someRecords(at uint64) *rapid.Generator[[]recorded] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) recorded {
		r := recorded{
			address: address{
				protocol.RoomID(rapid.SampledFrom([]string{"c:a", "c:b", "matrix:!x:example.org"}).Draw(t, "room")),
				protocol.EventID(rapid.String().Draw(t, "event")),
			},
			at:          at,
			disposition: Disposition(rapid.IntRange(0, 127).Draw(t, "disposition")),
			fresh:       rapid.Bool().Draw(t, "fresh"),
			reason:      rapid.SampledFrom([]string{"", "a reason", "another"}).Draw(t, "reason"),
		}
		if !r.fresh {
			r.at = rapid.Uint64().Draw(t, "at")
		}
		return r
	}), 0, 20)
}

func TestEntry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Uint64().Draw(t, "time")
		records := someRecords(at).Draw(t, "records")
		b := encodeEntry(at, records)
		gotAt, got, err := decodeEntry(b)
		if err != nil || gotAt != at || len(got) != len(records) || len(got) > 0 && !reflect.DeepEqual(got, records) {
			t.Fatalf("%v at %d became %v at %d (%v)", records, at, got, gotAt, err)
		}
		// One wrong bit, and whatever is missing, is noticed.
		bit := rapid.IntRange(0, 8*len(b)-1).Draw(t, "bit")
		wrong := bytes.Clone(b)
		wrong[bit/8] ^= 1 << (bit % 8)
		if _, _, err := decodeEntry(wrong); !errors.Is(err, errEntry) {
			t.Fatalf("bit %d of %x changed: %v", bit, b, err)
		}
		if _, _, err := decodeEntry(b[:bit/8]); !errors.Is(err, errEntry) {
			t.Fatalf("%d bytes of %x: %v", bit/8, b, err)
		}
	})
}

// FuzzEntry: bytes of any kind are refused or mean something, and what they mean is encoded to something that means the
// same. The checksum is made right, as it would keep the fuzzer out.
func FuzzEntry(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{entryVersion, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0})
	at := uint64(7)
	e := encodeEntry(at, []recorded{
		{address{"c:a", "1"}, at, Handled, true, ""}, {address{"c:b", "2"}, 3, Waiting, false, "no key"}, {address{"c:a", "3"}, at, Ignored, true, "no key"},
	})
	f.Add(e[:len(e)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		at, records, err := decodeEntry(checksummed(body))
		if err != nil {
			return
		}
		again := encodeEntry(at, records)
		at2, records2, err := decodeEntry(again)
		if err != nil || at2 != at || len(records) > 0 && !reflect.DeepEqual(records, records2) {
			t.Fatalf("%v became %v (%v)", records, records2, err)
		}
	})
}

// FuzzFilter: a filter of any bytes is refused or can be asked.
func FuzzFilter(f *testing.F) {
	filter := newFilter(10)
	filter.Add([]byte("key"))
	f.Add(encodeFilter(filter))
	f.Add([]byte{filterVersion, filterHashes, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if filter, err := decodeFilter(b); err == nil {
			filter.Test([]byte("key"))
			if !bytes.Equal(encodeFilter(filter), b) {
				t.Fatal("it became another")
			}
		}
	})
}

func TestFilter(t *testing.T) {
	const rows = 5000
	filter := newFilter(rows)
	key := func(i int) []byte { return []byte(Number(uint64(i))) }
	for i := range rows {
		filter.Add(key(i))
	}
	again, err := decodeFilter(encodeFilter(filter))
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for i := range 20 * rows {
		if known := again.Test(key(i)); i < rows && !known {
			t.Fatalf("%d is not known any more", i)
		} else if i >= rows && known {
			wrong++
		}
	}
	if wrong > 19*rows/500 { // one in a thousand is expected
		t.Errorf("%d of %d are known wrongly", wrong, 19*rows)
	}
}
