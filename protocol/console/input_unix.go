//go:build unix

package console

import (
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// polled reads a file that the Go runtime cannot wait for together with something else, as standard input: it waits
// by poll(2) until the file has something to read or its own pipe is closed.
type polled struct {
	file *os.File
	wake *os.File // readable when its other end is closed
}

func pollable(file *os.File) (io.Reader, func(), error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	return &polled{file, r}, sync.OnceFunc(func() { w.Close() }), nil
}

func (p *polled) Read(b []byte) (int, error) {
	fds := []unix.PollFd{{Fd: int32(p.file.Fd()), Events: unix.POLLIN}, {Fd: int32(p.wake.Fd()), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return 0, os.NewSyscallError("poll", err)
		}
		if fds[1].Revents != 0 {
			return 0, errStopped
		}
		return p.file.Read(b)
	}
}
