// Package bolt is the bbolt file of the store: what is in it, checked before it is opened, read
// through views and written in transactions of one goroutine. Of bbolt's types only [Tx.Bolt] and
// [View.Bolt] can be seen from outside, for the record of seen events.
//
// # Promises
//
//   - A file that is locked, truncated, damaged or foreign is refused and not changed.
//   - A view holds up neither a transaction nor another view, however long it lasts: the file is
//     mapped once, with 64 GiB of address space, where that is possible (see mapped).
//   - A page that cannot be read is a [disk.Fault], which [disk.Guard] makes an error of.
//   - [File.Reserve] gives a transaction the blocks that it needs before it begins. One that fails
//     because the disk is full all the same changes nothing; after any other failure nobody knows
//     what the file holds.
package bolt
