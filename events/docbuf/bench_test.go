package docbuf

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

var benchDoc = bytes.Repeat([]byte("moot"), 64) // 256 bytes, about a fact

func benchStores(b *testing.B, run func(b *testing.B, store io.ReadWriteSeeker, cache int)) {
	for _, cache := range []int{0, 1, 1024} {
		b.Run(fmt.Sprintf("memory/cache=%d", cache), func(b *testing.B) {
			run(b, NewReadWriteSeekString(""), cache)
		})
		b.Run(fmt.Sprintf("file/cache=%d", cache), func(b *testing.B) {
			run(b, tempFile(b), cache)
		})
	}
}

func BenchmarkPush(b *testing.B) {
	benchStores(b, func(b *testing.B, store io.ReadWriteSeeker, cache int) {
		buf := opened(b, store, 0, cache)
		b.SetBytes(int64(len(benchDoc)))
		b.ReportAllocs()
		for b.Loop() {
			if err := buf.Push(benchDoc); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPop pushes 1,000 documents for 1,000 that it pops, outside the clock.
func BenchmarkPop(b *testing.B) {
	batch := make([][]byte, 1000)
	for i := range batch {
		batch[i] = benchDoc
	}
	benchStores(b, func(b *testing.B, store io.ReadWriteSeeker, cache int) {
		buf := opened(b, store, 0, cache)
		b.SetBytes(int64(len(benchDoc)))
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if i%len(batch) == 0 {
				b.StopTimer()
				if err := buf.Push(batch...); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			if _, err := buf.Pop(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkScan reads one document per operation, as part of long scans.
func BenchmarkScan(b *testing.B) {
	for name, store := range map[string]io.ReadWriteSeeker{"memory": NewReadWriteSeekString(""), "file": tempFile(b)} {
		b.Run(name, func(b *testing.B) {
			buf := opened(b, store, 0, 0)
			for range 10_000 {
				if err := buf.Push(benchDoc); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(benchDoc)))
			b.ReportAllocs()
			b.ResetTimer()
			for left := b.N; left > 0; {
				for _, err := range buf.Scan(0) {
					if err != nil {
						b.Fatal(err)
					}
					if left--; left == 0 {
						break
					}
				}
			}
		})
	}
}
