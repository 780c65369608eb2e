package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"moot/store/disk"
)

// Layout of a bbolt file, as far as it is read here (etcd-io/bbolt, internal/common: page.go,
// meta.go, bucket.go), in the byte order of the machine.
//
//	page      id u64, flags u16, count u16, overflow u32, then count elements, then their keys and values
//	branch    offset u32, key size u32, page u64         the offset counts from the element
//	leaf      flags u32, offset u32, key size u32, value size u32
//	bucket    root u64, sequence u64                     a value; where the root is 0 its only page follows
//	meta      magic u32, version u32, page size u32, flags u32, root u64, sequence u64, freelist u64, pages u64,
//	          txid u64, checksum u64 (FNV-1a over what is before it)
//
// The first two pages are meta pages; the newer whole one counts.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2
	boltHeader  = 16 // also the size of an element and of a bucket
	boltMeta    = 64
	boltSummed  = 56
	boltMinPage = 512
	boltMaxPage = 1 << 16
	boltBranch  = 0x01
	boltLeaf    = 0x02
	boltBucket  = 0x01 // flag of a leaf element
	boltDepth   = 64   // no tree that fits a disk is deeper
)

var order = binary.NativeEndian

// layout is what the newer meta page says.
type layout struct{ pageSize, root, pages, txid uint64 }

// preflight refuses a file that bbolt would crash on when it opens it: mapped memory behind the end
// of a file cannot be read.
func preflight(path string) error {
	if info, err := os.Stat(path); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: not a regular file", disk.ErrForeign)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = readLayout(f)
	return err
}

// readLayout finds the meta page that counts and compares the length of the file with it.
func readLayout(f *os.File) (best layout, err error) {
	magic, found := false, false
	look := func(offset int64) (size uint64) {
		buf := make([]byte, boltHeader+boltMeta)
		if n, err := f.ReadAt(buf, offset); n < len(buf) || err != nil && err != io.EOF {
			return 0
		}
		m := buf[boltHeader:]
		if order.Uint32(m) != boltMagic {
			return 0
		}
		magic = true
		sum := fnv.New64a()
		sum.Write(m[:boltSummed])
		size = uint64(order.Uint32(m[8:]))
		if order.Uint64(m[boltSummed:]) != sum.Sum64() || order.Uint32(m[4:]) != boltVersion ||
			size < boltMinPage || size > boltMaxPage {
			return 0
		}
		if id := order.Uint64(m[48:]); !found || id > best.txid {
			best, found = layout{size, order.Uint64(m[16:]), order.Uint64(m[40:]), id}, true
		}
		return size
	}
	if size := look(0); size != 0 {
		look(int64(size))
	} else {
		// The first meta page is lost; the second lies one page size further, which is then
		// unknown.
		for size := int64(boltMinPage); size <= boltMaxPage && !found; size *= 2 {
			look(size)
		}
	}
	// The length is asked for last: where another process writes, the file only grows.
	info, err := f.Stat()
	switch {
	case err != nil:
		return best, err
	case !found && magic:
		return best, fmt.Errorf("%w: neither of its two first pages is whole", disk.ErrDamaged)
	case !found:
		return best, disk.ErrForeign
	case uint64(info.Size())/best.pageSize < best.pages:
		return best, fmt.Errorf("%w: it has %d bytes of at least %d pages of %d; the rest is missing",
			disk.ErrDamaged, info.Size(), best.pages, best.pageSize)
	}
	return best, nil
}

// verify walks through all pages of the file and returns the first thing that is wrong with them.
// bbolt does the same when it looks for free pages, but in a goroutine of its own, whose panics end
// the process (etcd-io/bbolt#701). The caller holds the file, so that nobody writes to it.
func verify(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	l, err := readLayout(f)
	if err != nil {
		return err
	}
	v := &verifier{file: f, layout: l, taken: make([]bool, l.pages)}
	if err := v.page(l.root, nil, nil, 0); err != nil {
		return fmt.Errorf("%w: %w", disk.ErrDamaged, err)
	}
	return nil
}

type verifier struct {
	file io.ReaderAt
	layout
	taken   []bool
	buffers [boltDepth][]byte
}

var errBounds = errors.New("something in it is out of bounds")

// page verifies the page and all below it. Its keys are not below low, and below high unless that
// is nil.
func (v *verifier) page(id uint64, low, high []byte, depth int) error {
	if depth == boltDepth || id < 2 || id >= v.pages {
		return fmt.Errorf("page %d of %d, %d levels deep: %w", id, v.pages, depth, errBounds)
	}
	var head [boltHeader]byte
	if _, err := v.file.ReadAt(head[:], int64(id*v.pageSize)); err != nil {
		return err
	}
	flags, count, more := order.Uint16(head[8:]), int(order.Uint16(head[10:])), uint64(order.Uint32(head[12:]))
	switch {
	case order.Uint64(head[:]) != id || flags != boltBranch && flags != boltLeaf || flags == boltBranch && count == 0:
		return fmt.Errorf("page %d has the head %x", id, head)
	case more >= v.pages-id:
		return fmt.Errorf("page %d with %d more: %w", id, more, errBounds)
	}
	for i := id; i <= id+more; i++ {
		if v.taken[i] {
			return fmt.Errorf("page %d is in use twice", i)
		}
		v.taken[i] = true
	}
	size := int((more + 1) * v.pageSize)
	if cap(v.buffers[depth]) < size {
		v.buffers[depth] = make([]byte, size)
	}
	p := v.buffers[depth][:size]
	if _, err := v.file.ReadAt(p, int64(id*v.pageSize)); err != nil {
		return err
	}
	if err := v.elements(p, flags, count, low, high, depth); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// elements verifies the elements of the page p.
func (v *verifier) elements(p []byte, flags uint16, count int, low, high []byte, depth int) error {
	var before []byte
	for i := range count {
		key, rest, err := element(p, flags, i)
		if err != nil {
			return err
		}
		if i == 0 && bytes.Compare(key, low) < 0 || i > 0 && bytes.Compare(key, before) <= 0 ||
			high != nil && bytes.Compare(key, high) >= 0 {
			return fmt.Errorf("key %.80q is not in order", key)
		}
		before = key
		switch {
		case flags == boltBranch:
			end := high
			if i+1 < count {
				if end, _, err = element(p, flags, i+1); err != nil {
					return err
				}
			}
			if err := v.page(order.Uint64(rest), key, end, depth+1); err != nil {
				return err
			}
		case rest != nil:
			if err := v.bucket(rest, depth); err != nil {
				return fmt.Errorf("bucket %.80q: %w", key, err)
			}
		}
	}
	return nil
}

// element returns the key of an element, and the page of a branch, or the value of a leaf that is a
// bucket.
func element(p []byte, flags uint16, i int) (key, rest []byte, err error) {
	at := uint64(boltHeader + i*boltHeader)
	if at+boltHeader > uint64(len(p)) {
		return nil, nil, errBounds
	}
	e := p[at : at+boltHeader]
	if flags == boltBranch {
		start := at + uint64(order.Uint32(e))
		end := start + uint64(order.Uint32(e[4:]))
		if end > uint64(len(p)) {
			return nil, nil, errBounds
		}
		return p[start:end], e[8:], nil
	}
	start := at + uint64(order.Uint32(e[4:]))
	middle := start + uint64(order.Uint32(e[8:]))
	end := middle + uint64(order.Uint32(e[12:]))
	if kind := order.Uint32(e); end > uint64(len(p)) || kind > boltBucket {
		return nil, nil, errBounds
	} else if kind == boltBucket {
		rest = p[middle:end]
	}
	return p[start:middle], rest, nil
}

// bucket verifies a bucket, which has a tree of its own or lies within the value.
func (v *verifier) bucket(value []byte, depth int) error {
	if len(value) < boltHeader {
		return errBounds
	}
	if root := order.Uint64(value); root != 0 {
		return v.page(root, nil, nil, depth+1)
	}
	p := value[boltHeader:]
	if len(p) < boltHeader || order.Uint16(p[8:]) != boltLeaf {
		return errBounds
	}
	return v.elements(p, boltLeaf, int(order.Uint16(p[10:])), nil, nil, depth)
}
