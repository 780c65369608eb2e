// Package process runs the processes of clusters. It needs Linux.
//
// # Promises
//
//   - Each process leads a group of its own, to which every signal goes. What a process leaves behind in its group is killed when it ends.
//   - All of them are gone when the launcher is, however and whenever it ends: the kernel kills each process with it (PR_SET_PDEATHSIG),
//     and a guard, which is a process of its own, kills their groups. It knows of a group before the program of the process begins.
//   - A process has the standard output and error of the launcher, no input, and, as [LifelineVariable] says, a pipe that ends with the
//     launcher: what has left its group can look at that.
//   - The end of a process is told once, after all of its group is gone.
package process

import (
	"errors"
	"os"
)

// LifelineVariable has the number of a file that ends when the launcher does.
const LifelineVariable = "MOOT_LIFELINE"

// ErrUnsupported is the error of New where there is no Linux.
var ErrUnsupported = errors.New("clusters can be run on Linux only")

// ErrClosed is the error of Start after Close.
var ErrClosed = errors.New("no more processes are started")

// Config says what is started.
type Config struct {
	Argv   []string
	Folder string
	Env    []string
	// Out and Errs are where it writes.
	Out, Errs *os.File
	// Ended is called once, when the process and its group are gone: with its exit code, or -1 and what has ended it.
	Ended func(code int, how string)
}
