package console

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"moot/internal/files"
)

// FileName is the name of the log in its folder.
const FileName = "console.jsonl"

const (
	formatName    = "console"
	formatVersion = 1
	// maxLine is far above any line that World writes, whose texts are limited by MaxText.
	maxLine = 16 << 20
)

// header is the first line of the log.
type header struct {
	Moot    string    `json:"moot"`
	Version int       `json:"version"`
	World   string    `json:"world"` // tells this world from any other
	At      time.Time `json:"at"`
}

func newHeader(at time.Time, fixed bool) header {
	h := header{Moot: formatName, Version: formatVersion, At: at}
	if fixed {
		// A transcript must come out the same each time, cursors included.
		h.World = fmt.Sprintf("fixed-%d", at.Unix())
	} else {
		h.World = strings.ToLower(rand.Text()[:12])
	}
	return h
}

// journal is the file behind a World. The zero value keeps nothing.
type journal struct {
	file  *os.File
	dirty bool // whether something was written that is not synced
}

// readJournal reads a log and hands over its records in order. It returns how many bytes of it are whole; what lies
// behind was torn by a crash. A log of which not even the header is whole has no good bytes and is no error.
func readJournal(in io.Reader, each func(record) error) (h header, good int64, err error) {
	r := bufio.NewReaderSize(in, 64<<10)
	corrupt := func(n int, cause error) error { return fmt.Errorf("line %d is %w: %w", n, ErrCorrupt, cause) }
	for n := 1; ; n++ {
		text, err := readLine(r)
		if errors.Is(err, io.EOF) {
			if n == 1 && len(text) > 0 && text[0] != '{' {
				return h, 0, ErrForeign // a file without a newline that we never began
			}
			return h, good, nil
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return h, good, err
		}
		if bytes.IndexByte(text, 0) >= 0 {
			return h, good, nil // no line has a zero: a sector that was not synced when the power failed, like all behind it
		}
		if n == 1 {
			if h, err = readHeader(text); err != nil {
				return h, 0, err
			}
		} else {
			if err != nil {
				return h, good, corrupt(n, err)
			}
			rec, err := decode(text)
			if err != nil {
				return h, good, corrupt(n, err)
			}
			if err := each(rec); err != nil {
				return h, good, corrupt(n, err)
			}
		}
		good += int64(len(text)) + 1
	}
}

func readHeader(text []byte) (h header, err error) {
	if json.Unmarshal(text, &h) != nil || h.Moot != formatName || h.World == "" {
		return h, ErrForeign
	}
	if h.Version > formatVersion {
		return h, fmt.Errorf("%w: it has version %d, this moot knows %d", ErrNewer, h.Version, formatVersion)
	}
	if h.Version < 1 {
		return h, ErrForeign
	}
	return h, nil
}

var errLongLine = fmt.Errorf("the line is longer than %d bytes", maxLine)

// readLine returns the next line without its newline. At the end of the file it returns what is left with io.EOF.
func readLine(r *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(text)+len(part) > maxLine+1 {
			return text, errLongLine
		}
		text = append(text, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return text, err
		default:
			return bytes.TrimSuffix(text, []byte("\n")), nil
		}
	}
}

// openJournal opens the log in a folder, handing over its records. A log that is missing, or in which nothing is
// whole, is made anew with what fresh returns, at once or not at all.
func openJournal(dir string, each func(record) error, fresh func() (header, []record)) (j journal, h header, made bool, err error) {
	path := filepath.Join(dir, FileName)
	fail := func(err error) (journal, header, bool, error) {
		if j.file != nil {
			j.file.Close()
		}
		return journal{}, h, false, fmt.Errorf("%s: %w", path, err)
	}
	j.file, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(err)
	}
	var good int64
	if err == nil {
		if h, good, err = readJournal(j.file, each); err != nil {
			return fail(err)
		}
	}
	if good > 0 {
		if err := j.cut(good); err != nil {
			return fail(err)
		}
		return j, h, false, nil
	}

	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
	h, recs := fresh()
	if err := writeWhole(path, h, recs); err != nil {
		return fail(err)
	}
	if j.file, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0); err != nil {
		return fail(err)
	}
	return j, h, true, nil
}

// writeWhole writes a new log beside its place and then moves it there.
func writeWhole(path string, h header, recs []record) error {
	var out bytes.Buffer
	first, err := json.Marshal(h)
	if err != nil {
		return err
	}
	out.Write(append(first, '\n'))
	for _, r := range recs {
		text, err := r.encode()
		if err != nil {
			return err
		}
		out.Write(text)
	}
	return files.Write(path, out.Bytes())
}

// cut takes away what a crash has left behind the last whole line.
func (j *journal) cut(good int64) error {
	at, err := j.file.Seek(0, io.SeekEnd)
	if err != nil || at == good {
		return err
	}
	if err := j.file.Truncate(good); err != nil {
		return fmt.Errorf("cut the torn last line: %w", err)
	}
	return j.file.Sync()
}

// write appends the records in one piece.
func (j *journal) write(recs []record) error {
	if j.file == nil {
		return nil
	}
	var out []byte
	for _, r := range recs {
		text, err := r.encode()
		if err != nil {
			return err
		}
		out = append(out, text...)
	}
	j.dirty = true
	_, err := j.file.Write(out)
	return err
}

// sync puts on disk what was written.
func (j *journal) sync() error {
	if j.file == nil || !j.dirty {
		return nil
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.dirty = false
	return nil
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return errors.Join(j.sync(), j.file.Close())
}
