// Package powerloss is a model of what a disk holds after its power has failed. With it tests show that a program loses
// nothing that it has said to be done. Only tests use it.
//
// A real run of a program is recorded from outside, system call by system call ([Record]). From the recording any number
// of power failures are made up ([Trace.Choose]), each as the folder that the next start may find ([Trace.After]). The
// test opens that folder with the real code and checks what the program had said by then ([Trace.Said]).
//
// # What a failure leaves
//
// What a sync covers is there: of a file, every write and change of length that had ended before the fsync or fdatasync
// began, once that has returned; of a folder, every change of a name in it. All else waits, and may be there or not:
//
//   - A file is made of sectors of 512 bytes, which a disk writes whole. Each sector that something waits for holds what
//     it last held durably, or any of the contents that it has had since: so writes are dropped, torn and reordered.
//   - The length of a file is the durable one or any that it has had since. What lies within the length and was never
//     written is zeros.
//   - A name is there, gone, or leads to the file that it led to before, whatever became of the file's contents: a file
//     may be there under its new name and be empty. A rename is whole.
//   - A call during which the power fails may have done all of its work, any part, or nothing.
//
// How names and lengths hang together is a matter of the file system, and each failure follows one of two [Rules]:
//
//	Journaled   names, and the lengths of one file, change in the order in which the program changed them, up to some
//	            point: whoever syncs a folder has all names up to there. What a file was cut to does not come back
//	            behind its end. ext4, XFS and Btrfs keep this order, so programs may come to rely on it by chance.
//	Loose       each change of a name is for itself, unless its own folder was synced; what was cut off may come back;
//	            and a sector that was never written, in a place for which no blocks were reserved, may hold what another
//	            file once held there. This is the least that POSIX lets a program count on, but for the rename, which
//	            every file system that is in use makes whole.
//
// Under neither does the sync of a file make its name durable, or the sync of one file another file, though ext4 does
// both on most days.
//
// # What the model leaves out
//
// Shared memory that is mapped for writing (the recording does not show it; bbolt maps its file for reading only, while
// SQLite has an index of its journal in such memory, which it does not trust after a failure), io_uring, direct and
// vectored I/O, links that are symbolic, folders that are renamed: what of it the recording shows is refused
// ([ErrTrace]), not passed over. Modes and owners of files, and quotas, are not modelled. A disk that says that it has
// synced and has not is outside, as is one that damages what it does not write.
//
// # Does it notice?
//
// A [Failure] can skip syncs, as though the program did not make them. A test that does so for one kind of sync after
// another, and finds something lost each time, has shown that the recording and the checks are strong enough to notice.
package powerloss
