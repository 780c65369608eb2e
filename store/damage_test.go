package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol"
)

// pageHeader is how many bytes of a page stand before what it holds.
const pageHeader = 16

// pageSize is that of the files that the tests make.
var pageSize = os.Getpagesize()

// used returns how many bytes of the file bbolt uses; what follows is space to grow.
func used(t *testing.T, k kept) int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "used.db")
	k.at(t, path, k.data)
	s, err := Open(Config{Path: path, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	size := 0
	if err := s.View(func(tx *Tx) error { size = int(tx.seer.(*viewer).view.Bolt.Size()); return nil }); err != nil {
		t.Fatal(err)
	}
	return size
}

// TestTruncated: a file of which something is missing is refused, at whatever length, and not
// changed. Reading behind its end in mapped memory would kill the process.
func TestTruncated(t *testing.T) {
	t.Parallel()
	k := filled(t)
	data, size := k.data, used(t, k)
	if size < 30*pageSize {
		t.Fatalf("only %d bytes in use", size)
	}
	lengths := []int{
		1, 15, 16, 17, 79, 80, 81, pageSize + 15, pageSize + 79, pageSize + 80, size - 1, size, size + 1,
		len(data) - 1,
	}
	for end := pageSize; end < size; end += pageSize {
		lengths = append(lengths, end-1, end, end+1)
	}
	dir := t.TempDir()
	for _, n := range lengths {
		path := filepath.Join(dir, strconv.Itoa(n)+".db")
		k.at(t, path, data[:n])
		if n < size {
			refused(t, path, ErrDamaged, ErrForeign)
			continue
		}
		b := openBox(t, path) // nothing is missing but space
		b.commit(func(c *Commit) { fillStep(t, c, 99) })
		b.reopen()
		b.Close()
		remove(path)
	}
	empty := filepath.Join(dir, "empty.db")
	writeFile(t, empty, nil)
	if _, err := Open(Config{Path: empty, ReadOnly: true}); !errors.Is(err, ErrForeign) {
		t.Errorf("an empty file for reading: %v", err)
	}
}

// TestMetaPages: bbolt keeps two first pages and goes on with the other if the newer is damaged.
func TestMetaPages(t *testing.T) {
	k := filled(t)
	data := k.data
	destroy := func(pages ...int) string {
		broken := bytes.Clone(data)
		for _, p := range pages {
			clear(broken[p*pageSize : (p+1)*pageSize])
		}
		path := filepath.Join(t.TempDir(), "moot.db")
		k.at(t, path, broken)
		return path
	}
	garble := func(offset int) string {
		broken := bytes.Clone(data)
		broken[offset] ^= 0xff
		broken[pageSize+offset] ^= 0xff
		path := filepath.Join(t.TempDir(), "moot.db")
		k.at(t, path, broken)
		return path
	}
	for _, p := range []int{0, 1} {
		s, err := Open(Config{Path: destroy(p)})
		if err != nil {
			t.Fatal(err)
		}
		b := &box{s, t, start.Add(time.Hour), s.cfg}
		for i := range 2 { // each writes one of the pages anew
			err := b.Commit(b.now, func(c *Commit) error { fillStep(t, c, 90+i); return nil })
			if err := errors.Join(err, b.Checkpoint(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		b.reopen()
		b.view(func(tx *Tx) {
			if n := tx.NextFact(); n < 10 {
				t.Errorf("after page %d was lost, %d of 10 records are there", p, n-1)
			}
		})
		b.Close()
	}
	refused(t, destroy(0, 1), ErrForeign)
	refused(t, garble(pageHeader), ErrForeign)    // magic
	refused(t, garble(pageHeader+4), ErrDamaged)  // version
	refused(t, garble(pageHeader+8), ErrDamaged)  // page size
	refused(t, garble(pageHeader+40), ErrDamaged) // number of pages
	refused(t, garble(pageHeader+56), ErrDamaged) // checksum
}

// flips are the bytes in which TestFlippedBytes changes something: of each page the header, the
// first elements, and some others.
func flips(size int, short bool) (offsets []int) {
	for page := 0; page < size; page += pageSize {
		for _, at := range []int{0, 7, 8, 9, 10, 12, 15, 16, 17, 20, 21, 24, 25, 28, 31, 32, 36, 40, 47, 56,
			63, 80, 100, 200, 1000, 3000, pageSize - 1} {
			offsets = append(offsets, page+at)
		}
	}
	if long {
		return offsets
	}
	sample, step := offsets[:0], 19 // another byte in each page
	if short {
		step = 190
	}
	for i := 0; i < len(offsets); i += step {
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
	offsets := flips(size, args[2] == "true")
	for i := range offsets {
		broken := bytes.Clone(data)
		broken[offsets[i]] ^= []byte{0xff, 0x01, 0x80}[i%3]
		path := filepath.Join(filepath.Dir(args[0]), "flipped.db")
		remove(path)
		if err := errors.Join(
			os.WriteFile(path, broken, 0o600), os.CopyFS(logOf(path), os.DirFS(logOf(args[0]))),
		); err != nil {
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
	if err := s.Checkpoint(context.Background()); commit == nil {
		commit = err
	}
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
	for _, b := range []Bucket{
		facts, index, outbox, sent, sentByTime, timers, timerNames, dead, meta, ScopedBucket("rooms"),
	} {
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
	for range tx.RecentDeliveries() {
	}
	for range tx.Queue("", 0) {
	}
	for range tx.Letters(0) {
	}
	for n := range tx.Log(0) {
		tx.Fact(n)
	}
	for n := range tx.Indexed("vote", 0, 0, true) {
		tx.Fact(n)
	}
	tx.NextTimer()
	return nil
}

// failHard is for a child, which has no test.
type failHard struct{}

func (failHard) Helper() {}

func (failHard) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// TestFlippedBytes: one wrong byte somewhere is noticed or harmless, and the process lives. The
// files are used in a child, as a crash in a goroutine of bbolt's could not be caught.
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	k := filled(t)
	size := used(t, k)
	path := filepath.Join(t.TempDir(), "good.db")
	k.at(t, path, k.data)
	out, err := child("flip", path, strconv.Itoa(size), strconv.FormatBool(effort.Quick())).CombinedOutput()
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
	t.Logf("%d bytes flipped in %d pages: %v", len(flips(size, effort.Quick())), size/pageSize, counts)
	// The few bytes of a short run need not hit a page that is read late.
	if counts["works"] == 0 || counts["refused"] == 0 || counts["damaged"] == 0 && !effort.Quick() {
		t.Error("the sweep does not cover all outcomes")
	}
}
