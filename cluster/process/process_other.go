//go:build !linux

package process

import "log/slog"

// Keeper starts processes.
type Keeper struct{}

// New fails: there is no Linux.
func New(*slog.Logger) (*Keeper, error) { return nil, ErrUnsupported }

// Close does nothing.
func (*Keeper) Close() {}

// Start fails.
func (*Keeper) Start(Config) (*Process, error) { return nil, ErrUnsupported }

// Process is one that runs.
type Process struct{ PID int }

// Signal does nothing.
func (*Process) Signal(kill bool) {}
