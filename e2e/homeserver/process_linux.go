package homeserver

import (
	"os/exec"
	"runtime"
	"syscall"
)

// DieWithParent lets a process end together with the one that starts it, however that ends.
func DieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// StartProcess starts a command. The kernel sends the signal of DieWithParent when the thread ends that has started the
// process (prctl(2), PR_SET_PDEATHSIG), so that is one that never does.
func StartProcess(cmd *exec.Cmd) error {
	errs := make(chan error)
	starts <- func() { errs <- cmd.Start() }
	return <-errs
}

var starts = func() chan func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
}()
