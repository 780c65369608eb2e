package events

import (
	"fmt"
	"io"

	"moot/store"
)

// shelvedName is under what a commit carries what it has added to the archive.
const shelvedName = "archive"

// Shelved is what a change has added to the archive file. Whoever keeps a copy of the store writes it
// to their copy of the file, and syncs that, before they apply the change.
type Shelved struct {
	At   int64 // where it stands in the file
	Data []byte
}

// ShelvedIn returns what a change has added to the archive; ok is false where that is nothing.
func ShelvedIn(ch store.Change) (s Shelved, ok bool, err error) {
	data, err := ch.Attached(shelvedName)
	if err != nil || data == nil {
		return s, false, err
	}
	if len(data) < 8 {
		return s, false, fmt.Errorf("%w: change %d adds nothing that can be read", ErrArchive, ch.Number)
	}
	return Shelved{int64(store.ParseNumber(string(data[:8]))), data[8:]}, true, nil
}

// shelved returns what a commit that moves the end of the archive carries.
func (a *archive) shelved(from, end int64) ([]byte, error) {
	data := append(make([]byte, 0, 8+end-from), store.Number(uint64(from))...)
	data = data[:8+end-from]
	_, err := io.ReadFull(io.NewSectionReader(a.read, from, end-from), data[8:])
	return data, err
}
