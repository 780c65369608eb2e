//go:build linux && (amd64 || arm64 || loong64 || mips64 || mips64le || ppc64 || ppc64le || riscv64 || s390x)

package bolt

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReleasedPagesComeBack: pages of the file that were read leave the memory of the process, and
// a view that is open reads what it did before.
func TestReleasedPagesComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := Create(path, func(*Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	f, err := Open(Config{Path: path, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // nothing of it is kept
	const rows = 4000
	if _, err := f.Update(func(tx *Tx) error {
		for i := range rows {
			if err := tx.Put("b", fmt.Sprintf("%06d", i), []byte(strings.Repeat("x", 1000))); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	v, err := f.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close() //nolint:errcheck // it was only read
	read := func() (n int) {
		for i := range rows {
			n += len(v.Get("b", fmt.Sprintf("%06d", i)))
		}
		return n
	}
	if n := read(); n != 1000*rows {
		t.Fatalf("%d bytes are in the file", n)
	}
	before := resident(t, path)
	f.Release()
	after := resident(t, path)
	if before < 3000 || after > 1000 {
		t.Errorf("%d kB of the file are in memory, and then %d kB", before, after)
	}
	if n := read(); n != 1000*rows {
		t.Errorf("%d bytes come back", n)
	}
}

// resident is how much of a file is in the memory of this process, in kB.
func resident(t *testing.T, path string) (kb int) {
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip("this machine does not tell")
	}
	for part := range strings.SplitSeq(string(maps), path+"\n") {
		if strings.HasPrefix(part, "Size:") {
			_, rss, _ := strings.Cut(part, "\nRss:")
			if _, err := fmt.Sscan(rss, &kb); err != nil {
				t.Fatal(err)
			}
		}
	}
	return kb
}
