package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// What no engine can be faster than, on the same disk and processor.

// tape is a file that is written from its beginning to its end. There is always space ahead that
// was written before: the sync of a batch then has its bytes to write and nothing else.
type tape struct {
	file  *os.File
	end   int64
	ahead int64
}

const tapeAhead = 64 << 20

func openTape(path string) (t *tape, err error) {
	t = &tape{}
	t.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	return t, err
}

// prepare writes zeros ahead of the end.
func (t *tape) prepare() error {
	zeros := make([]byte, 1<<20)
	for t.ahead = t.end; t.ahead < t.end+tapeAhead; t.ahead += int64(len(zeros)) {
		if _, err := t.file.WriteAt(zeros, t.ahead); err != nil {
			return err
		}
	}
	return t.file.Sync()
}

func (t *tape) append(b []byte) error {
	if t.end+int64(len(b)) > t.ahead {
		if err := t.prepare(); err != nil {
			return err
		}
	}
	if _, err := t.file.WriteAt(b, t.end); err != nil {
		return err
	}
	t.end += int64(len(b))
	return syscall.Fdatasync(int(t.file.Fd()))
}

func (t *tape) close() error {
	return errors.Join(t.file.Truncate(t.end), t.file.Sync(), t.file.Close())
}

// bareEvent is how many bytes moot's log of commits has for an event of this work.
const bareEvent = 40

// bareEngine appends as many bytes as moot does, and knows nothing: it cannot say what is new.
type bareEngine struct {
	*tape
	bytes []byte
}

func (b *bareEngine) open(dir string) (err error) {
	if b.tape, err = openTape(filepath.Join(dir, "bare")); err != nil {
		return err
	}
	b.bytes = make([]byte, 5000*2*bareEvent)
	return b.prepare()
}

func (b *bareEngine) admit(events []event, _ time.Time) (int, error) {
	return 0, b.append(b.bytes[:len(events)*bareEvent])
}

func (b *bareEngine) finish() error            { return nil }
func (b *bareEngine) count() (int, int, error) { return 0, 0, nil }

// mapEngine is the least that does the work: a hash table in memory that has all events, and a file
// to which a batch is encoded and appended. It keeps no order, drops nothing, and holds no more
// than the memory does.
type mapEngine struct {
	*tape
	known map[mapEvent]struct{}
	rooms map[string]uint16
	bytes []byte
}

type mapEvent struct {
	room uint16
	id   [32]byte
}

const (
	mapHead = 4 + 8 // length, time
	mapRow  = 2 + 32
)

func (m *mapEngine) open(dir string) (err error) {
	m.known, m.rooms = map[mapEvent]struct{}{}, map[string]uint16{}
	for i, r := range rooms {
		m.rooms[r] = uint16(i)
	}
	if m.tape, err = openTape(filepath.Join(dir, "map")); err != nil {
		return err
	}
	all, err := io.ReadAll(m.file)
	if err != nil {
		return err
	}
	for rest := all; len(rest) > 0; {
		size := binary.LittleEndian.Uint32(rest)
		body, sum := rest[:size], binary.LittleEndian.Uint32(rest[size:])
		if crc32.Checksum(body, castagnoli) != sum {
			return fmt.Errorf("the map's file is damaged at %d", len(all)-len(rest))
		}
		for rows := body[mapHead:]; len(rows) > 0; rows = rows[mapRow:] {
			m.known[mapEvent{binary.LittleEndian.Uint16(rows), [32]byte(rows[2:])}] = struct{}{}
		}
		rest = rest[size+4:]
	}
	m.end = int64(len(all))
	return m.prepare()
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (m *mapEngine) admit(events []event, at time.Time) (fresh int, err error) {
	b := append(m.bytes[:0], make([]byte, mapHead)...)
	for _, e := range events {
		k := mapEvent{room: m.rooms[e.room]}
		if _, err := base64.RawURLEncoding.Decode(k.id[:], []byte(e.id[1:])); err != nil {
			return 0, err
		}
		if _, known := m.known[k]; known {
			continue
		}
		m.known[k] = struct{}{}
		b = binary.LittleEndian.AppendUint16(b, k.room)
		b = append(b, k.id[:]...)
		fresh++
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint64(b[4:], uint64(at.UnixNano()))
	m.bytes = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return fresh, m.append(m.bytes)
}

func (m *mapEngine) finish() error { return nil }

func (m *mapEngine) count() (events, indexed int, err error) { return len(m.known), len(m.known), nil }
