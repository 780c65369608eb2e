package docbuf

import (
	"io"
	"os"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func TestReadWriteSeekStringReads(t *testing.T) {
	const text = "a store for tests"
	if err := iotest.TestReader(NewReadWriteSeekString(text), []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestReadWriteSeekStringWithoutTruncate(t *testing.T) {
	s := NewReadWriteSeekString("abc")
	w := s.WithoutTruncate()
	if _, ok := w.(interface{ Truncate(int64) error }); ok {
		t.Error("it can be truncated")
	}
	if _, err := io.WriteString(w, "AB"); err != nil || s.String() != "ABc" {
		t.Errorf("%q, %v", s, err)
	}
}

// Does ReadWriteSeekString do what a file does?
func TestReadWriteSeekStringLikeFile(t *testing.T) {
	file := tempFile(t)
	rapid.Check(t, func(t *rapid.T) {
		if err := file.Truncate(0); err != nil {
			t.Fatal(err)
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		var s ReadWriteSeekString
		same := func(a, b int64, aerr, berr error) {
			t.Helper()
			if a != b || (aerr == nil) != (berr == nil) || (aerr == io.EOF) != (berr == io.EOF) {
				t.Fatalf("%d, %v; the file says %d, %v", a, aerr, b, berr)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				p := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "p")
				a, aerr := s.Write(p)
				b, berr := file.Write(p)
				same(int64(a), int64(b), aerr, berr)
			},
			"read": func(t *rapid.T) {
				n := rapid.IntRange(0, 20).Draw(t, "n")
				p, q := make([]byte, n), make([]byte, n)
				a, aerr := s.Read(p)
				b, berr := file.Read(q)
				same(int64(a), int64(b), aerr, berr)
				if string(p) != string(q) {
					t.Fatalf("%q; the file says %q", p, q)
				}
			},
			"seek": func(t *rapid.T) {
				offset := rapid.Int64Range(-30, 30).Draw(t, "offset")
				whence := rapid.IntRange(0, 2).Draw(t, "whence")
				a, aerr := s.Seek(offset, whence)
				b, berr := file.Seek(offset, whence)
				same(a, b, aerr, berr)
			},
			"truncate": func(t *rapid.T) {
				size := rapid.Int64Range(-1, 60).Draw(t, "size")
				same(0, 0, s.Truncate(size), file.Truncate(size))
			},
			"": func(t *rapid.T) {
				if want, err := os.ReadFile(file.Name()); err != nil || s.String() != string(want) {
					t.Fatalf("%q; the file says %q, %v", s.String(), want, err)
				}
			},
		})
	})
}
