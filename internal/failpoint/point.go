package failpoint

// Point is a place in the code, by its name.
type Point string

// The places. A new one stands here with what has happened when it is hit, and in All.
const (
	// CommitBefore: all runs of a commit are done; nothing is written to the file.
	CommitBefore Point = "commit-before"
	// CommitAfter: the commit is durable; nobody knows yet.
	CommitAfter Point = "commit-after"
	// AdmitReturns: the events of a batch and its cursor are durable; its Admit has not returned.
	AdmitReturns Point = "admit-returns"
	// AdmitReturned: Admit is about to return to the adapter, which has not acknowledged the events to the network.
	AdmitReturned Point = "admit-returned"
	// SendBefore: that an attempt to send begins is durable; the adapter has not been asked to make it.
	SendBefore Point = "send-before"
	// SendAfter: the network has taken the message; how the attempt ended is known to nobody else.
	SendAfter Point = "send-after"
	// AskBefore and AskAfter are the same for an attempt to ask.
	AskBefore Point = "ask-before"
	AskAfter  Point = "ask-after"
	// SweepSeen and SweepSent: a slice of what was seen, or sent, long ago is swept within a commit that is not made.
	SweepSeen Point = "sweep-seen"
	SweepSent Point = "sweep-sent"
	// ArchivePushed: facts are written to the archive, which is not synced.
	ArchivePushed Point = "archive-pushed"
	// ArchiveSynced: the archive holds them durably; the store still has them too, and the old end.
	ArchiveSynced Point = "archive-synced"
	// ArchiveMoved: the commit that takes them from the store and moves the end is durable.
	ArchiveMoved Point = "archive-moved"
	// LogAppended: the record of a commit is written to the log of commits, which is not synced.
	LogAppended Point = "log-appended"
	// SegmentMade: the next segment of the log of commits is whole and under its name; the folder is not synced.
	SegmentMade Point = "segment-made"
	// CheckpointBefore: a slice of a checkpoint is written to the file of the store, in a transaction that is not committed.
	CheckpointBefore Point = "checkpoint-before"
	// CheckpointAfter: the transaction with such a slice is durable; nobody knows yet.
	CheckpointAfter Point = "checkpoint-after"
	// LogTrim: the file of the store durably holds what segments of the log of commits hold; they are not removed.
	LogTrim Point = "log-trim"
	// CompactBefore: a compacted file is whole and durable, but not under its name.
	CompactBefore Point = "compact-before"
	// CompactAfter: it is under its name; the folder is not synced.
	CompactAfter Point = "compact-after"
	// KeysReceived: the keys of a sync response are taken, and wait for a commit; the events and the token of the same
	// response are in no store.
	KeysReceived Point = "keys-received"
	// KeysCarried: the keys of a file are durable in the store, which does not say yet that it has them all.
	KeysCarried Point = "keys-carried"
	// CreateBefore: a new file of the store is whole, but not under its name.
	CreateBefore Point = "create-before"
	// BackupStore, BackupKeys and BackupRest: the database, the keys, and everything else of a backup is copied; nothing is
	// under the name of the backup.
	BackupStore Point = "backup-store"
	BackupKeys  Point = "backup-keys"
	BackupRest  Point = "backup-rest"
	// BackupWhole: a backup is whole and durable, but not under its name.
	BackupWhole Point = "backup-whole"
	// BackupMade: it is under its name; nobody knows yet, and older ones are not removed.
	BackupMade Point = "backup-made"
	// RestoreCopied: the files of a backup are copied aside; nothing is under the name of the data folder.
	RestoreCopied Point = "restore-copied"
	// RestoreMarked: the copied database knows that it was restored.
	RestoreMarked Point = "restore-marked"
	// RestoreMade: the data folder is under its name; the folder above it is not synced.
	RestoreMade Point = "restore-made"
)

// All returns all places.
func All() []Point {
	return []Point{
		CommitBefore, CommitAfter, AdmitReturns, AdmitReturned, SendBefore, SendAfter, AskBefore, AskAfter,
		SweepSeen, SweepSent, ArchivePushed, ArchiveSynced, ArchiveMoved, CreateBefore,
		LogAppended, SegmentMade, CheckpointBefore, CheckpointAfter, LogTrim, CompactBefore, CompactAfter,
		KeysReceived, KeysCarried,
		BackupStore, BackupKeys, BackupRest, BackupWhole, BackupMade, RestoreCopied, RestoreMarked, RestoreMade,
	}
}
