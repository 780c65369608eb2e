package store

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/protocol"
)

func TestAfter(t *testing.T) {
	for prefix, want := range map[string]string{
		"": "", "a": "b", "a\xff": "b", "\xff": "", "\xff\xff": "", "\x00": "\x01", "\x00\xff\xff": "\x01",
		"c:a" + Sep: "c:a ", "a\xfe\xff": "a\xff",
	} {
		if got := After(prefix); got != want {
			t.Errorf("After(%q) = %q, want %q", prefix, got, want)
		}
	}
}

// byteKey draws a short string of the bytes at which orders and ends go wrong.
func byteKey(min, max int) *rapid.Generator[string] {
	bytes := rapid.SliceOfN(rapid.SampledFrom([]byte{0x00, 0x1e, 0x1f, 0x20, 'a', 'b', 0xfe, 0xff}), min, max)
	return rapid.Map(bytes, func(b []byte) string { return string(b) })
}

func TestAfterEndsPrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix, key := byteKey(0, 3).Draw(t, "prefix"), byteKey(0, 4).Draw(t, "key")
		end := After(prefix)
		inRange := key >= prefix && (end == "" || key < end)
		if inRange != strings.HasPrefix(key, prefix) {
			t.Fatalf("%q from %q to %q: %v", key, prefix, end, inRange)
		}
	})
}

func TestTimeEdges(t *testing.T) {
	last := time.Unix(0, math.MaxInt64)
	for _, c := range []struct{ in, want time.Time }{
		{time.Time{}, time.Unix(0, 0)},
		{time.Unix(-1, 999_999_999), time.Unix(0, 0)},
		{time.Unix(0, -1), time.Unix(0, 0)},
		{time.Unix(0, 0), time.Unix(0, 0)},
		{time.Unix(0, 1), time.Unix(0, 1)},
		{start, start},
		{last.Add(-2 * time.Second), last.Add(-2 * time.Second)},
		{last, last},
		{last.Add(1), last},
		{start.Add(math.MaxInt64), last}, // the longest duration from now
		{time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), last},
		{time.Unix(1<<60, 0), last},
		{time.Unix(-1<<60, 0), time.Unix(0, 0)},
	} {
		if got := ParseTime(Time(c.in)); !got.Equal(c.want) {
			t.Errorf("%v became %v, want %v", c.in, got, c.want)
		}
	}
	for _, short := range []string{"", "1234567"} {
		if at, n := ParseTime(short), ParseNumber(short); !at.IsZero() || n != 0 {
			t.Errorf("%q is %v and %d", short, at, n)
		}
	}
}

func FuzzKey(f *testing.F) {
	f.Add("c:room", "event", "")
	f.Add("", "", "")
	f.Add("\x00", "\xff", "a b")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		parts := []string{a, b, c}
		joined := Key(a, b, c)
		if joined != strings.Join(parts, Sep) || Key(a) != a {
			t.Fatalf("Key(%q) = %q", parts, joined)
		}
		// The keys under one part lie together, and those under another part outside.
		in := joined >= a+Sep && joined < After(a+Sep)
		if !in {
			t.Fatalf("%q is not between %q and %q", joined, a+Sep, After(a+Sep))
		}
		if other := Key(b, c); !strings.Contains(a+b, Sep) && a != b && other >= a+Sep && other < After(a+Sep) {
			t.Fatalf("%q lies under %q", other, a)
		}
	})
}

func FuzzNumber(f *testing.F) {
	f.Add(uint64(0), uint64(1), "a")
	f.Add(uint64(255), uint64(256), "")
	f.Add(uint64(math.MaxUint64), uint64(math.MaxUint64-1), Sep)
	f.Fuzz(func(t *testing.T, a, b uint64, prefix string) {
		if (a < b) != (Number(a) < Number(b)) || (a == b) != (Number(a) == Number(b)) {
			t.Fatalf("%d and %d sort as %q and %q", a, b, Number(a), Number(b))
		}
		if got := ParseNumber(Key(prefix, Number(a))); got != a {
			t.Fatalf("%d became %d", a, got)
		}
	})
}

func FuzzTime(f *testing.F) {
	f.Add(int64(0), int64(0), int64(1), int64(0), "a")
	f.Add(int64(-1), int64(5), int64(math.MaxInt64/1_000_000_000), int64(999), "")
	f.Add(int64(math.MaxInt64), int64(0), int64(math.MinInt64), int64(0), "")
	f.Fuzz(func(t *testing.T, s1, n1, s2, n2 int64, rest string) {
		s1, n1, s2, n2 = s1>>8, n1>>8, s2>>8, n2>>8 // package time itself wraps around further out
		x, y := time.Unix(s1, n1), time.Unix(s2, n2)
		kx, ky := Time(x), Time(y)
		if len(kx) != 8 || x.Before(y) && kx > ky || y.Before(x) && ky > kx || x.Equal(y) && kx != ky {
			t.Fatalf("%v and %v sort as %x and %x", x, y, kx, ky)
		}
		low, high := time.Unix(0, 0), time.Unix(0, math.MaxInt64)
		if got := ParseTime(kx + rest); x.Before(low) && !got.Equal(low) || x.After(high) && !got.Equal(high) ||
			!x.Before(low) && x.Before(high.Add(-time.Second)) && !got.Equal(x) {
			t.Fatalf("%v became %v", x, got)
		}
	})
}

// FuzzChunk compares chunks with slices of numbers, and reads bytes that are none.
func FuzzChunk(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add([]byte{200, 1, 1, 1}, []byte{1, 0, 255})
	f.Add([]byte{1, 1}, []byte{2})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, bytes.Repeat([]byte{255}, 9))
	f.Fuzz(func(t *testing.T, raw, distances []byte) {
		_ = chunk(raw).with(math.MaxUint64).numbers()
		for numbers, i := chunk(raw).numbers(), 1; i < len(numbers); i++ {
			if numbers[i] >= numbers[i-1] {
				t.Fatalf("%x gives %d", raw, numbers)
			}
		}
		var c chunk
		var want []uint64
		n := uint64(0)
		for _, d := range distances {
			n += uint64(d)*uint64(d)*uint64(d) + 1
			c, want = c.with(n), append(want, n)
			if last, _ := c.last(); last != n {
				t.Fatalf("the last is %d and not %d", last, n)
			}
		}
		slices.Reverse(want)
		if got := c.numbers(); !slices.Equal(got, want) || !bytes.Equal(c, chunkOf(want)) {
			t.Fatalf("%x gives %d and not %d", c, got, want)
		}
	})
}

func FuzzTimerKey(f *testing.F) {
	f.Add(int64(0x1f1f1f1f1f1f1f1f), "c:room", "name")
	f.Add(int64(0), "", "")
	f.Fuzz(func(t *testing.T, nanos int64, scope, name string) {
		if strings.Contains(scope, Sep) || nanos < 0 {
			t.Skip()
		}
		at := time.Unix(0, nanos).UTC()
		got := decodeTimer(Key(Time(at), scope, name), nil)
		if got.Scope != protocol.Scope(scope) || got.Name != name || !got.At.Equal(at) {
			t.Fatalf("%v %q %q became %+v", at, scope, name, got)
		}
	})
}
