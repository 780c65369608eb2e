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
	// MigrateBefore: a migration of the store has done its work within a transaction that is not committed.
	MigrateBefore Point = "migrate-before"
	// MigrateAfter: the transaction of a migration is durable; the next one has not begun.
	MigrateAfter Point = "migrate-after"
	// JournalBefore: a slice of a flush or merge of the journal is done in a transaction that is not committed.
	JournalBefore Point = "journal-before"
	// JournalAfter: the transaction with such a slice is durable.
	JournalAfter Point = "journal-after"
	// MigrateCopied: a slice of what a migration copies is durable; the file is still of the old version.
	MigrateCopied Point = "migrate-copied"
	// CompactBefore: a compacted file is whole and durable, but not under its name.
	CompactBefore Point = "compact-before"
	// CompactAfter: it is under its name; the folder is not synced.
	CompactAfter Point = "compact-after"
	// KeysReceived: the keys of a sync response are durable in the store of the encryption; the events and the token of the
	// same response are in no store.
	KeysReceived Point = "keys-received"
	// CreateBefore: a new file of the store is whole, but not under its name.
	CreateBefore Point = "create-before"
)

// All returns all places.
func All() []Point {
	return []Point{
		CommitBefore, CommitAfter, AdmitReturns, AdmitReturned, SendBefore, SendAfter, AskBefore, AskAfter,
		SweepSeen, SweepSent, ArchivePushed, ArchiveSynced, ArchiveMoved, MigrateBefore, MigrateAfter, CreateBefore,
		JournalBefore, JournalAfter, MigrateCopied, CompactBefore, CompactAfter,
		KeysReceived,
	}
}
