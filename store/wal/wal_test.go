package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"moot/store/disk"
)

var instance = [16]byte{'t', 'e', 's', 't'}

func tiny(folder string) Config {
	return Config{Folder: folder, Instance: instance, Segment: 1024, Ahead: 256}
}

// fresh makes a log of its own.
func fresh(t testing.TB) Config {
	t.Helper()
	c := tiny(filepath.Join(t.TempDir(), "moot.wal"))
	if err := Create(c, From{Segment: 1}); err != nil {
		t.Fatal(err)
	}
	return c
}

// opened opens a log and returns what it replays.
func opened(t testing.TB, c Config, from From) (*Log, map[uint64]string) {
	t.Helper()
	replayed := map[uint64]string{}
	l, err := Open(c, from, func(number uint64, body []byte) error {
		if len(replayed) > 0 && replayed[number-1] == "" {
			t.Errorf("record %d is replayed out of order", number)
		}
		replayed[number] = string(body)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, replayed
}

func appendTo(t testing.TB, l *Log, body string) uint64 {
	t.Helper()
	if err := l.Reserve(); err != nil {
		t.Fatal(err)
	}
	n, err := l.Append(append(make([]byte, Head), body...))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// body is that of a numbered record.
func body(n uint64, size int) string {
	return fmt.Sprint(n, ":", string(bytes.Repeat([]byte{byte(n)}, size)))
}

func closeLog(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// files returns the content of a folder.
func files(t testing.TB, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

func restore(t testing.TB, folder string, content map[string]string) {
	t.Helper()
	for name := range files(t, folder) {
		os.Remove(filepath.Join(folder, name))
	}
	for name, b := range content {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestModel: what was appended is replayed and read, whatever the sizes, restarts and trims.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		folder := filepath.Join(t.TempDir(), fmt.Sprint(rapid.Uint64().Draw(rt, "name")))
		c := tiny(folder)
		if err := Create(c, From{Segment: 1}); err != nil {
			rt.Fatal(err)
		}
		from, model := From{Segment: 1}, map[uint64]string{}
		l, _ := opened(t, c, from)
		last := uint64(0)
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				b := body(last+1, rapid.SampledFrom([]int{0, 1, 7, 8, 100, 500, 3000}).Draw(rt, "size"))
				if n := appendTo(t, l, b); n != last+1 {
					rt.Fatalf("%d follows %d", n, last)
				}
				last++
				model[last] = b
			},
			"checkpoint": func(rt *rapid.T) {
				from = l.Place(rapid.Uint64Range(from.Change, last).Draw(rt, "change"))
				if _, err := l.Trim(from); err != nil {
					rt.Fatal(err)
				}
			},
			"reopen": func(rt *rapid.T) {
				closeLog(t, l)
				var replayed map[uint64]string
				l, replayed = opened(t, c, from)
				want := maps.Clone(model)
				maps.DeleteFunc(want, func(n uint64, _ string) bool { return n <= from.Change })
				if !maps.Equal(replayed, want) || l.Last() != last {
					rt.Fatalf("replayed up to %d:\n%v\nnot up to %d\n%v", l.Last(), replayed, last, want)
				}
			},
			"": func(rt *rapid.T) {
				r, err := l.Reader(from.Change)
				if err != nil {
					rt.Fatal(err)
				}
				defer r.Close()
				for n := from.Change + 1; n <= last; n++ {
					if got, b, err := r.Next(); err != nil || got != n || string(b) != model[n] {
						rt.Fatalf("record %d: %d %q (%v)", n, got, b, err)
					}
				}
				if _, _, err := r.Next(); err != io.EOF {
					rt.Fatalf("behind the last: %v", err)
				}
				if err := l.Check(); err != nil {
					rt.Fatal(err)
				}
			},
		})
		closeLog(t, l)
	})
}

// TestTorn: whatever a crash leaves of the record that was being appended is cut, at each byte.
func TestTorn(t *testing.T) {
	c := fresh(t)
	l, _ := opened(t, c, From{Segment: 1})
	for n := range uint64(5) {
		appendTo(t, l, body(n+1, 20))
	}
	start := l.active().end
	appendTo(t, l, body(6, 40))
	end := l.active().end
	closeLog(t, l)
	whole := files(t, c.Folder)
	name := "0000000000000001.wal"
	for at := start; at < end; at++ {
		for _, what := range []string{"before", "behind", "flip"} {
			torn := []byte(whole[name])
			switch what {
			case "before":
				clear(torn[at:end])
			case "behind":
				clear(torn[start : at+1])
			default:
				torn[at] ^= 0x10
			}
			if bytes.Equal(torn, []byte(whole[name])) {
				continue // what was lost were zeros
			}
			restore(t, c.Folder, map[string]string{name: string(torn)})
			reading := c
			reading.ReadOnly = true
			_, replayed := opened(t, reading, From{Segment: 1})
			whole := bytes.Equal(torn[start:end-7], []byte(whole[name])[start:end-7]) // padding means nothing
			if n := len(replayed); n != 5 && !(whole && n == 6) {
				t.Fatalf("%s byte %d: %d records", what, at-start, n)
			}
			if now := files(t, c.Folder); now[name] != string(torn) {
				t.Fatal("reading has changed the file")
			}
			l, replayed := opened(t, c, From{Segment: 1})
			if n := appendTo(t, l, "next"); int(n) != len(replayed)+1 {
				t.Fatalf("%s byte %d: the next is %d", what, at-start, n)
			}
			end := l.active().end
			closeLog(t, l)
			if rest := files(t, c.Folder)[name][end:]; strings.Trim(rest, "\x00") != "" {
				t.Fatalf("%s byte %d: behind the last record stands %q", what, at-start, rest)
			}
			if _, again := opened(
				t, reading, From{Segment: 1},
			); len(again) != len(replayed)+1 || again[uint64(len(again))] != "next" {
				t.Fatalf("%s byte %d: then %d records", what, at-start, len(again))
			}
		}
	}
}

// TestStrangers: a whole record with the right number that was written to another segment, or belongs
// to another number, is none here.
func TestStrangers(t *testing.T) {
	c := fresh(t)
	l, _ := opened(t, c, From{Segment: 1})
	appendTo(t, l, body(1, 20))
	end := l.active().end
	closeLog(t, l)
	name := "0000000000000001.wal"
	good := files(t, c.Folder)[name]
	other := l.active().head
	other.salt++
	for what, seed := range map[string]uint32{"its own": l.active().seed(), "another": other.seed()} {
		record := append(make([]byte, Head), body(2, 20)...)
		seal(record, seed, 2)
		restore(t, c.Folder, map[string]string{name: good[:end] + string(record) + strings.Repeat("\x00", 500)})
		reading := c
		reading.ReadOnly = true
		_, replayed := opened(t, reading, From{Segment: 1})
		if n := len(replayed); n != 1 && what != "its own" || n != 2 && what == "its own" {
			t.Errorf("with the salt of %s segment %d records are there", what, n)
		}
	}
}

// TestTrimKeeps: trimming leaves all that is behind the place which the file of the store holds, and
// nothing else.
func TestTrimKeeps(t *testing.T) {
	c := fresh(t)
	l, _ := opened(t, c, From{Segment: 1})
	const last = 60
	for n := range uint64(last) {
		appendTo(t, l, body(n+1, 100))
	}
	for change := uint64(0); change <= last; change++ {
		from := l.Place(change)
		if left, err := l.Trim(from); left > 0 || err != nil {
			t.Fatal(left, err)
		}
		if first := l.segments[0]; first.sequence != from.Segment {
			t.Fatalf("the first segment is %d, and change %d begins in %d", first.sequence, change+1, from.Segment)
		}
		reading := c
		reading.ReadOnly = true
		if _, replayed := opened(t, reading, from); uint64(len(replayed)) != last-change {
			t.Fatalf("behind change %d are %d changes of %d", change, len(replayed), last)
		}
	}
}

// refused fails unless the log is refused, with an error of that kind, and not changed.
func refused(t *testing.T, c Config, from From, want error) {
	t.Helper()
	before := files(t, c.Folder)
	l, err := Open(c, from, func(uint64, []byte) error { return nil })
	if err == nil {
		l.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("it is %v, and should be %v", err, want)
	}
	if !maps.Equal(files(t, c.Folder), before) {
		t.Error("what was refused was changed")
	}
}

// TestDamaged: a record that cannot be read, with a whole one behind it, is damage at each of its
// bytes.
func TestDamaged(t *testing.T) {
	c := fresh(t)
	l, _ := opened(t, c, From{Segment: 1})
	var ends []int64
	for n := range uint64(40) {
		appendTo(t, l, body(n+1, 24))
		ends = append(ends, l.active().end)
	}
	closeLog(t, l)
	whole := files(t, c.Folder)
	first := "0000000000000001.wal"
	if len(whole) < 2 {
		t.Fatalf("segments: %v", slices.Collect(maps.Keys(whole)))
	}
	for at := ends[1]; at < ends[2]; at++ {
		if whole[first][at] == 0 && at >= ends[2]-7 {
			continue // padding
		}
		bad := []byte(whole[first])
		bad[at] ^= 0x01
		restore(t, c.Folder, whole)
		os.WriteFile(filepath.Join(c.Folder, first), bad, 0o600)
		refused(t, c, From{Segment: 1}, disk.ErrDamaged)
	}
	// The last record of a segment, with another segment behind it.
	last := ends[slices.IndexFunc(ends, func(e int64) bool { return e == slices.Max(ends) })]
	bad := []byte(whole[first])
	bad[last-8] ^= 1
	restore(t, c.Folder, whole)
	os.WriteFile(filepath.Join(c.Folder, first), bad, 0o600)
	refused(t, c, From{Segment: 1}, disk.ErrDamaged)
	for at := range headSize {
		bad := []byte(whole[first])
		bad[at] ^= 0x01
		os.WriteFile(filepath.Join(c.Folder, first), bad, 0o600)
		refused(t, c, From{Segment: 1}, disk.ErrDamaged)
	}
}

// TestRefused: a log that does not fit the file beside it.
func TestRefused(t *testing.T) {
	c := fresh(t)
	l, _ := opened(t, c, From{Segment: 1})
	for n := range uint64(60) {
		appendTo(t, l, body(n+1, 24))
	}
	from := l.Place(40)
	closeLog(t, l)
	whole := files(t, c.Folder)
	refused(t, c, From{70, from.Segment}, disk.ErrDamaged) // the file is newer
	refused(t, c, From{40, 1000}, disk.ErrDamaged)         // far newer
	os.Remove(segmentPath(c.Folder, 1))                    // the file is older
	refused(t, c, From{Segment: 1}, disk.ErrDamaged)
	restore(t, c.Folder, whole)
	os.Remove(segmentPath(c.Folder, 2)) // one is missing
	refused(t, c, From{Segment: 1}, disk.ErrDamaged)
	restore(t, c.Folder, map[string]string{}) // all are
	refused(t, c, From{Segment: 1}, disk.ErrDamaged)
	restore(t, c.Folder, whole)
	other := c
	other.Instance[0]++ // of another store
	refused(t, other, From{Segment: 1}, disk.ErrForeign)
	newer := []byte(whole["0000000000000001.wal"])
	h, _ := decodeHead(newer)
	copy(newer, reversioned(h))
	os.WriteFile(segmentPath(c.Folder, 1), newer, 0o600) // of a newer version
	refused(t, c, From{Segment: 1}, disk.ErrNewer)
	restore(t, c.Folder, whole)
	if err := Create(c, From{Segment: 1}); !errors.Is(err, disk.ErrDamaged) {
		t.Errorf("a new log in place of one with records: %v", err)
	}
	if !maps.Equal(files(t, c.Folder), whole) {
		t.Error("it was changed")
	}
}

// TestReaders: they hold segments back, up to a limit, and whoever comes late is told.
func TestReaders(t *testing.T) {
	c := fresh(t)
	c.Held = 4096
	l, _ := opened(t, c, From{Segment: 1})
	r, err := l.Reader(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := l.Reader(1); !errors.Is(err, ErrAhead) {
		t.Errorf("ahead: %v", err)
	}
	for range 20 {
		appendTo(t, l, body(l.Last()+1, 100))
		if _, err := l.Trim(l.Place(l.Last())); err != nil {
			t.Fatal(err)
		}
	}
	for n := range uint64(10) {
		if got, _, err := r.Next(); err != nil || got != n+1 {
			t.Fatalf("it reads %d (%v)", got, err)
		}
	}
	if _, err := l.Reader(0); err != nil {
		t.Errorf("a second one: %v", err)
	}
	for range 60 {
		appendTo(t, l, body(l.Last()+1, 100))
		if _, err := l.Trim(l.Place(l.Last())); err != nil {
			t.Fatal(err)
		}
	}
	for err == nil {
		_, _, err = r.Next()
	}
	if !errors.Is(err, ErrGone) {
		t.Errorf("the log went on without it: %v", err)
	}
	if _, err := l.Reader(0); !errors.Is(err, ErrGone) {
		t.Errorf("too late: %v", err)
	}
	if n := len(files(t, c.Folder)); n > 8 {
		t.Errorf("%d files are left", n)
	}
}

// TestKeep: Config.Keep leaves segments for whoever comes later, also over a restart.
func TestKeep(t *testing.T) {
	c := fresh(t)
	c.Keep = 3000
	l, _ := opened(t, c, From{Segment: 1})
	for range 60 {
		appendTo(t, l, body(l.Last()+1, 100))
	}
	from := l.Place(l.Last())
	if _, err := l.Trim(from); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	l, replayed := opened(t, c, from)
	if len(replayed) > 0 {
		t.Errorf("replayed: %d", len(replayed))
	}
	first := l.first()
	if first == 1 || 60-first < 20 {
		t.Errorf("the first is %d", first)
	}
	r, err := l.Reader(first - 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for n := first; n <= 60; n++ {
		if got, b, err := r.Next(); err != nil || got != n || string(b) != body(n, 100) {
			t.Fatalf("%d: %d %q %v", n, got, b, err)
		}
	}
}

func reversioned(h head) []byte {
	b := h.encode()
	b[11]++
	return binary.BigEndian.AppendUint32(b[:headSummed], crc32.Checksum(b[:headSummed], castagnoli))
}
