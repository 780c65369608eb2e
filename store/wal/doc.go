// Package wal is the log of commits: one record for each commit, appended to preallocated segments
// and made durable with one sync. It knows numbers and bytes, and nothing of what they mean.
//
// # Promises
//
//   - [Log.Append] returns when the record is durable. Its number is the one after the record
//     before.
//   - A record that was appended is read again byte for byte, or the log is refused as damaged.
//   - What a crash leaves of a record that was being appended is cut off when the log is next
//     opened for writing: it is the last one, and nothing whole stands behind it. A record that
//     cannot be read, with a whole one behind it, is damage ([disk.ErrDamaged]), and nothing is
//     changed then.
//   - After [Log.Reserve] a record of up to Config.Least has its blocks on the disk.
//   - [Log.Trim] removes whole segments only, and none that a [Reader] still needs, up to a limit.
//
// # The segments
//
// The folder holds one file for each segment, named by its sequence number. A segment becomes a
// segment by a rename, when it and its name are about to be synced; what ends in ".new" never was
// one.
//
//	segment   head (64 bytes) | record | record | … | zeros
//	head      "moot.wal" | version u32 | sequence u64 | instance (16 bytes) | salt u64 | zeros | CRC-32C u32
//	record    CRC-32C u32 | length u32 | number u64 | body | zeros up to a multiple of 8
//
// Numbers are big-endian. The checksum of a record covers the salt, which is random for each
// segment, and everything behind it: bytes of another segment are no record here, nor are bytes
// that somebody has sent as a message. Records do not span segments; where one does not fit, the
// next segment begins.
//
// The blocks of a segment are allocated when it is made, and zeros are written ahead of the records
// and synced, beside the commits: so an append changes neither the length of the file nor where its
// blocks lie, and its sync has nothing but the record to write.
package wal
