//go:build !linux

package control

import "net"

// checkPeer reports whether who calls is the user who runs the bot. Here the modes of the socket and its folder say so.
func checkPeer(*net.UnixConn) error { return nil }
