package redistest

import (
	"os/exec"
	"syscall"
)

// bind has a command end with the thread that starts it.
func bind(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
