package control

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// SocketName is the name of the socket in the data folder.
const SocketName = "moot.sock"

// maxPath is the longest path of a socket that every system takes: macOS allows 103 bytes, Linux 107.
const maxPath = 100

// places returns where the socket of a data folder may be, in the order in which they are tried.
func places(folder string) ([]string, error) {
	abs, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("find the socket of %s: %w", folder, err)
	}
	// However somebody came to the folder, its name is the same.
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	sum := sha256.Sum256([]byte(abs))
	name := hex.EncodeToString(sum[:8]) + ".sock"
	all := []string{filepath.Join(abs, SocketName)}
	if run := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) {
		all = append(all, filepath.Join(run, "moot", name))
	}
	all = append(all, filepath.Join(os.TempDir(), "moot-"+strconv.Itoa(os.Getuid()), name))
	short := all[:0]
	for _, p := range all {
		if len(p) <= maxPath {
			short = append(short, p)
		}
	}
	if len(short) == 0 {
		return nil, fmt.Errorf("there is no place for a socket: the paths of %s and of %s are both longer than %d bytes", abs, os.TempDir(), maxPath)
	}
	return short, nil
}

// Clear removes the sockets of a data folder that nobody listens on any more, and returns their paths. It is for the holder of the lock
// on the store alone.
func Clear(folder string) (gone []string, err error) {
	paths, err := places(folder)
	if err != nil {
		return nil, nil // then there is none
	}
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&fs.ModeSocket == 0 || !owned(info) {
			continue
		}
		conn, err := net.Dial("unix", path)
		if err == nil {
			conn.Close()
			continue
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			continue
		}
		if err := os.Remove(path); err != nil {
			return gone, err
		}
		gone = append(gone, path)
	}
	return gone, nil
}

// ownFolder reports whether a folder belongs to this user and to nobody else, so that no other can have put a socket there.
func ownFolder(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", path)
	case !owned(info):
		return fmt.Errorf("%s belongs to somebody else", path)
	}
	return nil
}
