//go:build unix

package console

import (
	"os"
	"syscall"
)

// sizeChanged is the signal that tells of another size of the window.
var sizeChanged os.Signal = syscall.SIGWINCH
