package console

import (
	"errors"
	"io"
	"os"
	"time"
)

// stoppable returns a reader that reads from in, and a function that makes a read that blocks return an error, and
// all later ones. It does not close a file: standard input belongs to the process.
//
// What is neither a file nor an io.Closer must not block for ever; a strings.Reader does not.
func stoppable(in io.Reader) (r io.Reader, stop func(), err error) {
	switch in := in.(type) {
	case *os.File:
		if in.SetReadDeadline(time.Time{}) == nil {
			return in, func() { _ = in.SetReadDeadline(time.Unix(1, 0)) }, nil
		}
		return pollable(in)
	case io.Closer:
		return in.(io.Reader), func() { _ = in.Close() }, nil
	}
	return in, func() {}, nil
}

// errStopped is what a read returns that was stopped.
var errStopped = errors.New("reading was stopped")
