package events

import "errors"

// Errors of this package. All are wrapped on their way out.
var (
	// ErrUnknownKind is the error of a Draft whose kind is not registered.
	ErrUnknownKind = errors.New("kind is not registered")
	// ErrIndex is the error of a name or value that cannot stand in the index.
	ErrIndex = errors.New("cannot be indexed")
	// ErrTooLarge is the error of a Draft that is larger than MaxFact.
	ErrTooLarge = errors.New("fact is too large")
	// ErrNested is the error of a Publish within Apply or Drop.
	ErrNested = errors.New("a projection publishes nothing")
	// ErrFact is the error of a record that is not a fact of a version known here.
	ErrFact = errors.New("record is not a readable fact")
	// ErrArchive is the error of an archive file that does not hold what was committed to it.
	ErrArchive = errors.New("the archive is damaged")
	// ErrStray is the error of an archive that holds something beside a store that never had one.
	ErrStray = errors.New("the archive belongs to another database")
	// ErrReadOnly is the error of a change to a log that was opened for reading.
	ErrReadOnly = errors.New("the log was opened for reading only")
	// ErrClosed is the error of a closed subscription, and of every one when the log is closed.
	ErrClosed = errors.New("closed")
)
