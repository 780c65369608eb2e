//go:build !linux

package exec

import (
	"errors"
	"time"
)

var errLinux = errors.New("programs of services are run on Linux only")

// Delegated returns nothing: there are no control groups.
func Delegated() string { return "" }

// Sweep does nothing.
func Sweep(string) {}

type spawner struct{}

func newSpawner() (*spawner, error) { return nil, errLinux }

func (*spawner) close() {}

func (*spawner) start(Config, []string) (*process, error) { return nil, errLinux }

type process struct{ since time.Time }

func (*process) finish()                           {}
func (*process) dismiss()                          {}
func (*process) end()                              {}
func (*process) silent() bool                      { return false }
func (*process) alive() bool                       { return false }
func (*process) fate() error                       { return errLinux }
func (*process) read() ([]byte, error)             { return nil, errLinux }
func (*process) once([]byte) ([]byte, error)       { return nil, errLinux }
func (*process) write([]byte, time.Duration) error { return errLinux }

func (*process) exchange([]byte) ([]byte, error) { return nil, errLinux }
