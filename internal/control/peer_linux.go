package control

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// checkPeer reports whether who calls is the user who runs the bot, or root.
func checkPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *syscall.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	switch {
	case err != nil:
		return err
	case credErr != nil:
		return credErr
	case cred.Uid != 0 && int(cred.Uid) != os.Getuid():
		return fmt.Errorf("user %d does not run the bot", cred.Uid)
	}
	return nil
}
