package docbuf

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
)

// FuzzFrames reads data as frames, and then as documents whose frames have one
// byte changed: data is cut into documents of size bytes, and mask is laid over
// the byte at offset at.
func FuzzFrames(f *testing.F) {
	store, _ := filled(f, damaged...)
	frames := []byte(store.String()[headerSize:])
	f.Add([]byte{}, uint16(0), uint32(0), byte(0))
	f.Add(frames, uint16(7), uint32(30), byte(0x80))
	f.Add(frames[:len(frames)-1], uint16(0), uint32(3), byte(1))
	f.Add(append(frames, frames...), uint16(1000), uint32(9), byte(0xff))
	f.Add([]byte("\xff\xff\xff\xffsum!\xff\xff\xff\xff"), uint16(4), uint32(8), byte(0))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), uint16(1), uint32(100), byte(3))

	f.Fuzz(func(t *testing.T, data []byte, size uint16, at uint32, mask byte) {
		readAnything(t, data)

		var docs []string
		for chunk := range slices.Chunk(data, int(size)+1) {
			docs = append(docs, string(chunk))
		}
		store, bounds := filled(t, docs...)
		whole := []byte(store.String())
		if len(whole) == 0 {
			return
		}
		whole[int(at)%len(whole)] ^= mask
		got, err := readAll(t, whole, bounds[len(bounds)-1])
		if mask == 0 {
			if err != nil || !slices.Equal(got, docs) {
				t.Errorf("%q, %v; want %q", got, err, docs)
			}
		} else if !errors.Is(err, ErrCorrupt) || len(got) > len(docs) || !slices.Equal(got, docs[:len(got)]) {
			t.Errorf("damaged: %q, %v; want some of %q and an error", got, err, docs)
		}
	})
}

// readAnything holds what is read from arbitrary bytes against the bytes: only
// what a buffer would have written may be taken for documents.
func readAnything(t *testing.T, data []byte) {
	text := append([]byte(header), data...)
	docs, err := readAll(t, text, int64(len(text)))
	if err != nil && !errors.Is(err, ErrCorrupt) {
		t.Errorf("error %v", err)
	}
	written := []byte(header)
	for _, doc := range docs {
		written = appendFrame(written, int64(len(written)), []byte(doc))
	}
	if !bytes.HasPrefix(text, written) || err == nil && len(text) != len(written) {
		t.Errorf("read %q, %v from %q", docs, err, text)
	}
}

// readAll reads a store in both directions, which have to agree. It returns what
// Scan found before its first error, and that error.
func readAll(t *testing.T, text []byte, end int64) ([]string, error) {
	b, err := Open(NewReadWriteSeekString(string(text)), Bytes{}, end, 3)
	if err != nil {
		return nil, err
	}
	forth, err := scan(b, 0)
	back, berr := drain(b)
	if berr == io.EOF {
		berr = nil
	}
	if (err == nil) != (berr == nil) || err == nil && !slices.Equal(forth, back) {
		t.Errorf("oldest first %q, %v; newest first %q, %v", forth, err, back, berr)
	}
	return forth, err
}
