package events

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"moot/events/docbuf"
)

func openBuffer(backing io.ReadWriteSeeker, end int64) (*docbuf.DocumentBuffer[block], error) {
	buf, err := docbuf.Open(backing, blockCodec{}, end, 0)
	return buf, ofArchive(err)
}

// ofArchive says of damage that it is the archive's.
func ofArchive(err error) error {
	if errors.Is(err, docbuf.ErrCorrupt) || errors.Is(err, docbuf.ErrShort) {
		return fmt.Errorf("%w: %w", ErrArchive, err)
	}
	return err
}

// section is the part of a file that one reader reads.
type section struct{ *io.SectionReader }

// Write makes it a store of a DocumentBuffer. It always fails.
func (section) Write([]byte) (int, error) { return 0, ErrReadOnly }

// document is a fact as it is stored.
type document struct {
	seq  uint64
	data []byte
}

// block is a document of the archive: facts in order, which are read together. It is never empty.
type block []document

// A block is what is read to find one fact: that many facts and bytes, give or take one fact.
const (
	blockFacts = 64
	blockBytes = 64 << 10
)

// inBlocks divides documents into blocks.
func inBlocks(docs []document) (blocks []block) {
	bytes := 0
	for i, d := range docs {
		if n := len(blocks); n == 0 || len(blocks[n-1]) == blockFacts || bytes >= blockBytes {
			blocks, bytes = append(blocks, docs[i:i:len(docs)]), 0
		}
		last := &blocks[len(blocks)-1]
		*last = append(*last, d)
		bytes += len(d.data)
	}
	return blocks
}

// blockCodec writes of each fact: distance of its number to the one before uvarint | length uvarint
// | data.
type blockCodec struct{}

func (blockCodec) Encode(b block) ([]byte, error) { return b.encode(), nil }

func (b block) encode() (out []byte) {
	before := uint64(0)
	for _, d := range b {
		out = binary.AppendUvarint(out, d.seq-before)
		out = binary.AppendUvarint(out, uint64(len(d.data)))
		out = append(out, d.data...)
		before = d.seq
	}
	return out
}

// hash tells a block from every other.
func (b block) hash() string {
	sum := sha256.Sum256(b.encode())
	return string(sum[:])
}

func (blockCodec) Decode(data []byte) (b block, err error) {
	own := append([]byte{}, data...) // which all facts share
	seq := uint64(0)
	for rest := own; len(rest) > 0; {
		distance, used := binary.Uvarint(rest)
		if used <= 0 || distance == 0 || seq+distance < seq {
			return nil, fmt.Errorf("%w: fact %d of a block has no number", ErrArchive, len(b)+1)
		}
		seq, rest = seq+distance, rest[used:]
		size, used := binary.Uvarint(rest)
		if used <= 0 || size > uint64(len(rest)-used) {
			return nil, fmt.Errorf("%w: fact %d is longer than its block", ErrArchive, seq)
		}
		end := used + int(size)
		b, rest = append(b, document{seq, rest[used:end:end]}), rest[end:]
	}
	return b, nil
}
