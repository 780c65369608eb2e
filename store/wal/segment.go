package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"moot/store/disk"
)

const (
	magic   = "moot.wal"
	version = 1
	suffix  = ".wal"

	headSize   = 64
	headSummed = headSize - 4

	// Head is how many bytes stand before the body of a record. [Log.Append] fills them in.
	Head = 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// head is what a segment says of itself.
type head struct {
	sequence uint64
	instance [16]byte
	salt     uint64
}

func (h head) encode() []byte {
	b := make([]byte, 0, headSize)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, version)
	b = binary.BigEndian.AppendUint64(b, h.sequence)
	b = append(b, h.instance[:]...)
	b = binary.BigEndian.AppendUint64(b, h.salt)
	b = b[:headSummed]
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeHead(b []byte) (h head, err error) {
	switch {
	case len(b) < headSize || string(b[:8]) != magic:
		return h, fmt.Errorf("%w: it has no head of a segment", disk.ErrDamaged)
	case binary.BigEndian.Uint32(b[headSummed:]) != crc32.Checksum(b[:headSummed], castagnoli):
		return h, fmt.Errorf("%w: the checksum of its head is wrong", disk.ErrDamaged)
	case binary.BigEndian.Uint32(b[8:]) != version:
		return h, fmt.Errorf("%w: the segment has version %d, this version knows %d",
			disk.ErrNewer, binary.BigEndian.Uint32(b[8:]), version)
	}
	h.sequence = binary.BigEndian.Uint64(b[12:])
	copy(h.instance[:], b[20:])
	h.salt = binary.BigEndian.Uint64(b[36:])
	return h, nil
}

// seed is the checksum of the salt, with which those of the records begin.
func (h head) seed() uint32 {
	return crc32.Checksum(binary.BigEndian.AppendUint64(nil, h.salt), castagnoli)
}

// padded returns how many bytes a record with such a body takes.
func padded(body int) int64 { return (int64(body) + Head + 7) &^ 7 }

// seal fills in the head of a record, whose body stands behind it.
func seal(record []byte, seed uint32, number uint64) {
	binary.BigEndian.PutUint32(record[4:], uint32(len(record)-Head))
	binary.BigEndian.PutUint64(record[8:], number)
	binary.BigEndian.PutUint32(record, crc32.Update(seed, castagnoli, record[4:]))
}

// unseal returns the record at the beginning of b, and whether there is a whole one.
func unseal(b []byte, seed uint32) (number uint64, body []byte, ok bool) {
	if len(b) < Head {
		return 0, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b[4:]))
	number = binary.BigEndian.Uint64(b[8:])
	if n == 0 || number == 0 || n > uint64(len(b)-Head) {
		return 0, nil, false
	}
	record := b[:Head+n]
	if crc32.Update(seed, castagnoli, record[4:]) != binary.BigEndian.Uint32(record) {
		return 0, nil, false
	}
	return number, record[Head:], true
}

// segment is one file of the log. Its numbers belong to the log, and are guarded by its mutex.
type segment struct {
	head
	path        string
	file        *os.File // nil while nothing is appended to it
	first, last uint64   // the numbers of its records; zero where it has none
	end         int64    // of its records
	zeroed      int64    // up to where zeros were written and synced ahead
	size        int64    // up to where it has blocks
}

func segmentPath(folder string, sequence uint64) string {
	return filepath.Join(folder, fmt.Sprintf("%016x%s", sequence, suffix))
}

// sequences returns the sequence numbers of the segments in a folder, in order.
func sequences(folder string) ([]uint64, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var all []uint64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || len(name) != 16 {
			continue
		}
		if n, err := strconv.ParseUint(name, 16, 64); err == nil {
			all = append(all, n)
		}
	}
	return all, nil // ReadDir has them in order
}

// readSegment reads a segment and calls each with its records, in order. It returns what it found,
// and what stands behind the last record.
func readSegment(
	folder string, sequence uint64, each func(number uint64, body []byte) error,
) (*segment, []byte, error) {
	path := segmentPath(folder, sequence)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	h, err := decodeHead(b)
	if err == nil && h.sequence != sequence {
		err = fmt.Errorf("%w: it is segment %d", disk.ErrDamaged, h.sequence)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	s := &segment{head: h, path: path, end: headSize, size: int64(len(b)), zeroed: int64(len(b))}
	seed := h.seed()
	for {
		number, body, ok := unseal(b[s.end:], seed)
		if !ok || s.last != 0 && number != s.last+1 {
			break
		}
		if err := each(number, body); err != nil {
			return nil, nil, err
		}
		if s.first == 0 {
			s.first = number
		}
		s.last = number
		s.end = min(s.end+padded(len(body)), int64(len(b)))
	}
	return s, b[s.end:], nil
}

// tail says what stands behind the last record of a segment: whether there is anything, and the
// number of the first whole record in it, zero if there is none.
func (s *segment) tail(rest []byte) (any bool, number uint64) {
	if len(bytes.TrimLeft(rest, "\x00")) == 0 {
		return false, 0
	}
	seed := s.seed()
	for ; len(rest) >= Head; rest = rest[8:] {
		// The number is looked at first: a checksum at each place would take long.
		if n := binary.BigEndian.Uint64(rest[8:]); n <= s.last || s.last != 0 && n-s.last > uint64(s.size) {
			continue
		}
		if number, _, ok := unseal(rest, seed); ok {
			return true, number
		}
	}
	return true, 0
}

// cut puts zeros in place of what stands behind the last record, and syncs them.
func (s *segment) cut() error {
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(f, s.end), io.LimitReader(zeros{}, s.size-s.end))
	return errors.Join(err, f.Sync(), f.Close())
}

// zeros reads as nothing but zeros.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
