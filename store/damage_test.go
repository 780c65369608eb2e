package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"moot/protocol"
)

// pageSize is that of the files that the tests make.
var pageSize = os.Getpagesize()

// used returns how many bytes of the file bbolt uses; what follows is room to grow.
func used(t *testing.T, data []byte) int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "used.db")
	writeFile(t, path, data)
	s, err := Open(Config{Path: path, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	size := 0
	if err := s.View(func(tx *Tx) error { size = int(tx.reader.(*file).tx.Size()); return nil }); err != nil {
		t.Fatal(err)
	}
	return size
}

// TestTruncated: a file of which something is missing is refused, at whatever length, and not changed. Reading behind
// its end in mapped memory would kill the process.
func TestTruncated(t *testing.T) {
	t.Parallel()
	data := filled(t)
	size := used(t, data)
	if size < 30*pageSize {
		t.Fatalf("only %d bytes in use", size)
	}
	lengths := []int{1, 15, 16, 17, 79, 80, 81, pageSize + 15, pageSize + 79, pageSize + 80, size - 1, size, size + 1, len(data) - 1}
	for end := pageSize; end < size; end += pageSize {
		lengths = append(lengths, end-1, end, end+1)
	}
	dir := t.TempDir()
	for _, n := range lengths {
		path := filepath.Join(dir, strconv.Itoa(n)+".db")
		writeFile(t, path, data[:n])
		if n < size {
			refused(t, path, ErrDamaged, ErrForeign)
			continue
		}
		b := openBox(t, path) // nothing is missing but room
		b.commit(func(c *Commit) { fillStep(t, c, 99) })
		b.reopen()
		b.Close()
		os.Remove(path)
	}
	empty := filepath.Join(dir, "empty.db")
	writeFile(t, empty, nil)
	if _, err := Open(Config{Path: empty, ReadOnly: true}); !errors.Is(err, ErrForeign) {
		t.Errorf("an empty file for reading: %v", err)
	}
}

// TestMetaPages: bbolt keeps two first pages and goes on with the other if the newer is damaged.
func TestMetaPages(t *testing.T) {
	data := filled(t)
	destroy := func(pages ...int) string {
		broken := bytes.Clone(data)
		for _, p := range pages {
			clear(broken[p*pageSize : (p+1)*pageSize])
		}
		path := filepath.Join(t.TempDir(), "moot.db")
		writeFile(t, path, broken)
		return path
	}
	garble := func(offset int) string {
		broken := bytes.Clone(data)
		broken[offset] ^= 0xff
		broken[pageSize+offset] ^= 0xff
		path := filepath.Join(t.TempDir(), "moot.db")
		writeFile(t, path, broken)
		return path
	}
	for _, p := range []int{0, 1} {
		s, err := Open(Config{Path: destroy(p)})
		if err != nil {
			t.Fatal(err)
		}
		b := &box{s, t, start.Add(time.Hour), Config{Path: s.Path()}}
		for i := range 2 { // each writes one of the pages anew
			if err := b.Commit(b.now, func(c *Commit) error { fillStep(t, c, 90+i); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		b.reopen()
		b.view(func(tx *Tx) {
			if n := tx.NextRecord(); n < 10 {
				t.Errorf("after page %d was lost, %d of 10 records are there", p, n-1)
			}
		})
		b.Close()
	}
	refused(t, destroy(0, 1), ErrForeign)
	refused(t, garble(boltHeader), ErrForeign)    // magic
	refused(t, garble(boltHeader+4), ErrDamaged)  // version
	refused(t, garble(boltHeader+8), ErrDamaged)  // page size
	refused(t, garble(boltHeader+40), ErrDamaged) // number of pages
	refused(t, garble(boltHeader+56), ErrDamaged) // checksum
}

// flips are the bytes in which TestFlippedBytes changes something: of each page the header, the first elements, and
// some others.
func flips(size int) (offsets []int) {
	for page := 0; page < size; page += pageSize {
		for _, at := range []int{0, 7, 8, 9, 10, 12, 15, 16, 17, 20, 21, 24, 25, 28, 31, 32, 36, 40, 47, 56, 63, 80, 100, 200, 1000, 3000, pageSize - 1} {
			offsets = append(offsets, page+at)
		}
	}
	if long {
		return offsets
	}
	sample := offsets[:0]
	for i := 0; i < len(offsets); i += 5 { // another byte in each page
		sample = append(sample, offsets[i])
	}
	return sample
}

// openFlipped is a child that uses files in which one byte is changed. It says what came of each.
func openFlipped(args []string) {
	data, err := os.ReadFile(args[0])
	if err != nil {
		panic(err)
	}
	size, _ := strconv.Atoi(args[1])
	offsets := flips(size)
	for i := range offsets {
		broken := bytes.Clone(data)
		broken[offsets[i]] ^= []byte{0xff, 0x01, 0x80}[i%3]
		path := filepath.Join(filepath.Dir(args[0]), "flipped.db")
		_ = os.Remove(path)
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			panic(err)
		}
		fmt.Printf("%d at byte %d: ", i, offsets[i])
		fmt.Println(strings.ReplaceAll(useFlipped(path), "\n", " "))
	}
	fmt.Println("done")
}

func useFlipped(path string) string {
	s, err := Open(Config{Path: path, LockTimeout: 100 * time.Millisecond})
	if err != nil {
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign) && !errors.Is(err, ErrNewer) {
			return fmt.Sprintf("WRONG ERROR %v", err)
		}
		return "refused"
	}
	defer s.Close()
	view := s.View(readAll)
	commit := s.Commit(start.Add(time.Hour), func(c *Commit) error {
		fillStep(failHard{}, c, 7)
		everything(failHard{}, c)
		return nil
	})
	if view != nil && !errors.Is(view, ErrDamaged) {
		return fmt.Sprintf("WRONG ERROR of a view: %v", view)
	}
	if err := s.Commit(start, func(*Commit) error { return nil }); commit != nil && !errors.Is(err, ErrBroken) {
		return fmt.Sprintf("WRONG after %v: %v", commit, err)
	}
	if check := s.Check(); view != nil || commit != nil || check != nil {
		return "damaged"
	}
	return "works"
}

// readAll reads everything in every manner.
func readAll(tx *Tx) error {
	for _, b := range []Bucket{facts, index, outbox, sent, sentByTime, timers, timerNames, dead, meta, ScopedBucket("rooms")} {
		for k := range tx.Range(b, "", "") {
			tx.Get(b, k)
		}
		for range tx.Backward(b, "", "") {
		}
	}
	for i := range 8 {
		for j := range 20 {
			tx.Seen(protocol.RoomID(fmt.Sprintf("c:room%d", i%3)), protocol.EventID(fmt.Sprintf("event-%d-%d", i, j)))
		}
	}
	for range tx.RecentlySent() {
	}
	for range tx.Queue("", 0) {
	}
	for range tx.Letters(0) {
	}
	for n := range tx.Records(0) {
		tx.Record(n)
	}
	for n := range tx.Indexed("vote", 0, 0, true) {
		tx.Record(n)
	}
	tx.NextTimer()
	return nil
}

// failHard is for a child, which has no test.
type failHard struct{}

func (failHard) Helper() {}

func (failHard) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// TestFlippedBytes: one wrong byte somewhere is noticed or harmless, and the process lives. The files are used in a child,
// as a crash in a goroutine of bbolt's could not be caught.
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	data := filled(t)
	size := used(t, data)
	path := filepath.Join(t.TempDir(), "good.db")
	writeFile(t, path, data)
	out, err := child("flip", path, strconv.Itoa(size)).CombinedOutput()
	text := string(out)
	if err != nil || !strings.HasSuffix(text, "done\n") {
		t.Fatalf("the child ended with %v after %s", err, text[max(0, len(text)-6000):])
	}
	counts := map[string]int{}
	for line := range strings.Lines(text) {
		if _, result, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			if counts[result]++; strings.HasPrefix(result, "WRONG") {
				t.Error(line)
			}
		}
	}
	t.Logf("%d bytes flipped in %d pages: %v", len(flips(size)), size/pageSize, counts)
	if counts["works"] == 0 || counts["refused"] == 0 || counts["damaged"] == 0 {
		t.Error("the sweep does not cover all outcomes")
	}
}

// TestVerify damages what only a walk through the pages finds.
func TestVerify(t *testing.T) {
	good := filledWith(t, defaultLimits) // the buckets of runs would make the root a branch
	path := filepath.Join(t.TempDir(), "moot.db")
	writeFile(t, path, good)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := readLayout(f)
	if err != nil {
		t.Fatal(err)
	}
	page := func(data []byte, id uint64) []byte { return data[id*l.pageSize:] }
	// The root lists the buckets. One of them has a branch page.
	var buckets [][2]int // where the number of a bucket's root page stands, and the number
	branch := uint64(0)
	for i := range int(order.Uint16(page(good, l.root)[10:])) {
		_, value, err := element(page(good, l.root), boltLeaf, i)
		if err != nil {
			t.Fatal(err)
		}
		if id := order.Uint64(value); id != 0 {
			buckets = append(buckets, [2]int{len(good) - cap(value), int(id)})
			if order.Uint16(page(good, id)[8:]) == boltBranch {
				branch = id
			}
		}
	}
	if len(buckets) < 3 || branch == 0 {
		t.Fatalf("buckets %v, branch %d", buckets, branch)
	}
	for name, c := range map[string]struct {
		damage func(data []byte)
		want   string
	}{
		"nothing":               {func([]byte) {}, ""},
		"a page twice":          {func(d []byte) { order.PutUint64(d[buckets[0][0]:], uint64(buckets[1][1])) }, "in use twice"},
		"a meta page as a root": {func(d []byte) { order.PutUint64(d[buckets[0][0]:], 1) }, "out of bounds"},
		"a page behind the end": {func(d []byte) { order.PutUint64(d[buckets[0][0]:], l.pages) }, "out of bounds"},
		"a page far away":       {func(d []byte) { order.PutUint64(d[buckets[0][0]:], 1<<63) }, "out of bounds"},
		"a circle":              {func(d []byte) { order.PutUint64(page(d, branch)[boltHeader+8:], branch) }, "in use twice"},
		"a child of another":    {func(d []byte) { copy(page(d, branch)[2*boltHeader+8:][:8], page(d, branch)[boltHeader+8:]) }, "in use twice"},
		"a wrong number":        {func(d []byte) { page(d, branch)[0]++ }, "has the head"},
		"another kind":          {func(d []byte) { order.PutUint16(page(d, branch)[8:], 0x10) }, "has the head"},
		"both kinds":            {func(d []byte) { order.PutUint16(page(d, branch)[8:], boltBranch|boltLeaf) }, "has the head"},
		"an empty branch":       {func(d []byte) { order.PutUint16(page(d, branch)[10:], 0) }, "has the head"},
		"too many elements":     {func(d []byte) { order.PutUint16(page(d, branch)[10:], 0xffff) }, ""},
		"too long":              {func(d []byte) { order.PutUint32(page(d, branch)[12:], uint32(l.pages-branch)) }, "out of bounds"},
		"far too long":          {func(d []byte) { order.PutUint32(page(d, branch)[12:], 1<<32-1) }, "out of bounds"},
		"a key outside":         {func(d []byte) { order.PutUint32(page(d, branch)[boltHeader:], 1<<32-1) }, "out of bounds"},
		"a long key":            {func(d []byte) { order.PutUint32(page(d, branch)[boltHeader+4:], 1<<32-1) }, "out of bounds"},
		"keys in disorder": {func(d []byte) {
			e := page(d, l.root)[boltHeader:]
			e[order.Uint32(e[4:])] = 0xff
		}, "not in order"},
		"a key of the parent too high": {func(d []byte) {
			e := page(d, branch)[boltHeader:]
			e[order.Uint32(e)] = 0xff
		}, "not in order"},
		"a value outside": {func(d []byte) { order.PutUint32(page(d, l.root)[boltHeader+12:], 1<<32-1) }, "out of bounds"},
		"a short bucket":  {func(d []byte) { order.PutUint32(page(d, l.root)[boltHeader+12:], 15) }, "out of bounds"},
		"an odd flag":     {func(d []byte) { order.PutUint32(page(d, l.root)[boltHeader:], 2) }, "out of bounds"},
	} {
		t.Run(name, func(t *testing.T) {
			data := bytes.Clone(good)
			c.damage(data)
			writeFile(t, path, data)
			err := verify(path)
			if name == "nothing" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			refused(t, path, ErrDamaged)
		})
	}
}
