package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"moot/internal/files"
	"moot/internal/finding"
)

const (
	failFree = 20 << 20  // bytes free on the disk below which the bot will soon stop
	warnFree = 200 << 20 // and below which somebody should look
)

// Folder looks at the data folder: whether it is there, who can read it, how large it is, how much room is left. It opens
// none of the files.
func Folder(path string) []finding.Finding {
	const what = "data folder"
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []finding.Finding{finding.New(finding.OK, what, path+" is not there yet", "moot run makes it")}
	case err != nil:
		return []finding.Finding{finding.New(finding.Fail, what, err.Error(), "run the check as the user who runs the bot")}
	case !info.IsDir():
		return []finding.Finding{finding.New(finding.Fail, what, path+" is a file", "move it away, or name another folder as data in config.toml")}
	}
	found := []finding.Finding{finding.New(finding.OK, what, path, "")}
	total, open, err := walk(path)
	if err != nil {
		return []finding.Finding{finding.New(finding.Fail, what, err.Error(), "run the check as the user who runs the bot")}
	}
	found[0].Text += ", " + Bytes(total)
	if hasModes {
		found = append(found, permissions(path, info.Mode().Perm(), open)...)
	}
	if free, ok := files.Free(path); ok {
		found = append(found, freeLine(free))
	}
	return found
}

// hasModes is whether modes say who can read a file.
const hasModes = runtime.GOOS != "windows"

// Exposed returns the data folder and the files in it, as far as others may read them.
func Exposed(path string) (names []string, err error) {
	info, err := os.Stat(path)
	if err != nil || !hasModes {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		names = append(names, path)
	}
	_, open, err := walk(path)
	return append(names, open...), err
}

// walk returns how long the files in a folder are together, and those of them that others could read.
func walk(path string) (total int64, open []string, err error) {
	root := path + string(filepath.Separator) // so that a link is followed, as systemd makes one of /var/lib/moot
	err = filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		switch {
		case name == root:
			return err
		case err != nil: // it has gone, or somebody else put it there
			return nil
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			return nil
		}
		total += info.Size()
		if info.Mode().Perm()&0o077 != 0 {
			open = append(open, name)
		}
		return nil
	})
	return total, open, err
}

func permissions(path string, mode fs.FileMode, open []string) []finding.Finding {
	const what = "permissions"
	switch {
	case mode&0o077 != 0:
		return []finding.Finding{finding.New(finding.Warn, what, fmt.Sprintf("others on this machine can look into the data folder (its mode is %04o)", mode), "chmod 700 "+path)}
	case len(open) > 0:
		return []finding.Finding{finding.New(finding.Warn, what, "others could read files in it if the folder did not prevent it", "chmod 600 "+strings.Join(open, " "))}
	}
	return []finding.Finding{finding.New(finding.OK, what, "only you can look into it", "")}
}

func freeLine(free int64) finding.Finding {
	const what = "disk"
	text := Bytes(free) + " free"
	switch {
	case free < failFree:
		return finding.New(finding.Fail, what, text, "free some space: without it the bot handles no messages")
	case free < warnFree:
		return finding.New(finding.Warn, what, text, "free some space soon: without it the bot handles no messages")
	}
	return finding.New(finding.OK, what, text, "")
}
