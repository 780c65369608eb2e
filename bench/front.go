package main

import (
	"hash/maphash"
	"math/bits"
)

// front is the filter that moot keeps in memory, for engines that have none like it: 16 bits an
// event in blocks of 32 bytes, one of which is looked at. It says "no" for certain, or "maybe".
type front struct {
	seed   maphash.Seed
	blocks [][8]uint32
}

// frontEvents is how many events a filter in front is made for: those of the preload and of all
// turns.
const frontEvents = 5_000_000

func newFront() *front {
	return &front{maphash.MakeSeed(), make([][8]uint32, frontEvents/16)}
}

var salts = [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

func (f *front) place(key string) (*[8]uint32, uint32) {
	h := maphash.String(f.seed, key)
	i, _ := bits.Mul64(h, uint64(len(f.blocks)))
	return &f.blocks[i], uint32(h)
}

func (f *front) add(key string) {
	b, h := f.place(key)
	for i, salt := range salts {
		b[i] |= 1 << (h * salt >> 27)
	}
}

func (f *front) maybe(key string) bool {
	b, h := f.place(key)
	for i, salt := range salts {
		if b[i]&(1<<(h*salt>>27)) == 0 {
			return false
		}
	}
	return true
}

// admit adds what is new to the filter when the engine has made it durable.
func (f *front) admit(fresh []event) {
	for _, e := range fresh {
		f.add(e.key())
	}
}
