//go:build !unix

package console

import (
	"io"
	"os"
)

// pollable: without poll(2) a blocked read of standard input ends with the process. The reads are made by a
// goroutine of their own, so that whoever reads can stop all the same.
func pollable(file *os.File) (io.Reader, func(), error) {
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, file)
		w.CloseWithError(err)
	}()
	return r, func() { r.CloseWithError(errStopped) }, nil
}
