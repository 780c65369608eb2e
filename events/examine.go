package events

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Condition is how an archive file stands to what was committed to it.
type Condition string

// The conditions of an archive. Only those up to ArchiveLonger let a log open.
const (
	ArchiveAbsent  Condition = "absent"  // nothing was committed, and there is no file
	ArchiveEmpty   Condition = "empty"   // nothing was committed, and the file holds nothing
	ArchiveWhole   Condition = "whole"   // it holds what was committed, and nothing else
	ArchiveLonger  Condition = "longer"  // a crash left something behind what was committed; Open cuts it off
	ArchiveMissing Condition = "missing" // something was committed, and there is no file: ErrArchive
	ArchiveShort   Condition = "short"   // the file ends before what was committed: ErrArchive
	ArchiveForeign Condition = "foreign" // what stands in the place of what was committed is not that: ErrArchive
	ArchiveStray   Condition = "stray"   // the file holds something, and the store never had an archive: ErrStray
)

// Examine reports how the archive file at path stands to a store, by the header and the last
// document that count, and changes nothing. The error says why a log cannot open with it; nil if it
// can. With an error of the disk, which is neither ErrArchive nor ErrStray, there is no condition.
func Examine(path string, c Commitment) (Condition, error) {
	condition, err := examine(path, c)
	if err != nil {
		err = fmt.Errorf("archive %s: %w", path, err)
	}
	return condition, err
}

func examine(path string, c Commitment) (Condition, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.End > 0:
		return ArchiveMissing, fmt.Errorf("%w: there is no such file, where %d bytes were committed", ErrArchive, c.End)
	case errors.Is(err, fs.ErrNotExist):
		return ArchiveAbsent, nil
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return ArchiveForeign, fmt.Errorf("%w: it is not a regular file", ErrArchive)
	case info.Size() < c.End:
		return ArchiveShort, fmt.Errorf("%w: it has %d bytes, where %d were committed", ErrArchive, info.Size(), c.End)
	case info.Size() == 0:
		return ArchiveEmpty, nil
	case !c.Begun:
		return ArchiveStray, fmt.Errorf("%w: it has %d bytes, and the database has never archived anything; "+
			"put the database back from the same backup, or move the archive away", ErrStray, info.Size())
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if c.End > 0 {
		if err := tip(section{io.NewSectionReader(f, 0, c.End)}, c); errors.Is(err, ErrArchive) {
			return ArchiveForeign, err
		} else if err != nil {
			return "", err
		}
	}
	if info.Size() > c.End {
		return ArchiveLonger, nil
	}
	return ArchiveWhole, nil
}

// tip reports why the newest block that counts is not the one that was committed; nil if it is.
func tip(file io.ReadWriteSeeker, c Commitment) error {
	buf, err := openBuffer(file, c.End)
	if err != nil {
		return err
	}
	newest, err := buf.Peek()
	switch {
	case err != nil:
		return ofArchive(err)
	case newest.hash() != c.Tip:
		return fmt.Errorf("%w: its newest block is not the one that was committed; it may be the archive of another bot", ErrArchive)
	}
	return nil
}
