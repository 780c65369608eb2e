//go:build !linux

package homeserver

import "os/exec"

// DieWithParent does nothing: this system has no way to say it.
func DieWithParent(*exec.Cmd) {}

// StartProcess starts a command.
func StartProcess(cmd *exec.Cmd) error { return cmd.Start() }
