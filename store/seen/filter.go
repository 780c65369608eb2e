package seen

import "math/bits"

// filter says of a fingerprint "no" for certain, or "maybe", which is wrong about once in six
// hundred times. It is a split block filter: 32 bytes for every 16 events, half of a cache line, of
// which a fingerprint has one bit in each of eight words.
type filter [][8]uint32

const filterShare = 16 // events for each block: 16 bits an event

// salts are odd numbers without a pattern, one for each word.
var salts = [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

func newFilter(events int) filter { return make(filter, (events+filterShare-1)/filterShare) }

// block returns the block of a fingerprint. Those of a sorted list come in the order of the blocks.
func (f filter) block(fp uint32) *[8]uint32 {
	hi, _ := bits.Mul64(uint64(fp)<<32, uint64(len(f)))
	return &f[hi]
}

func (f filter) add(fp uint32) {
	b := f.block(fp)
	for i, salt := range salts {
		b[i] |= 1 << (fp * salt >> 27)
	}
}

func (f filter) has(fp uint32) bool {
	// Four words at a time: of a fingerprint that is not there one in forty passes the first four, so
	// that the processor guesses right where to go on.
	b := f.block(fp)
	return b[0]>>(fp*salts[0]>>27)&(b[1]>>(fp*salts[1]>>27))&
		(b[2]>>(fp*salts[2]>>27))&(b[3]>>(fp*salts[3]>>27))&1 != 0 &&
		b[4]>>(fp*salts[4]>>27)&(b[5]>>(fp*salts[5]>>27))&
			(b[6]>>(fp*salts[6]>>27))&(b[7]>>(fp*salts[7]>>27))&1 != 0
}
