package process

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

// guardName is the name, as argv[0], under which the program is the guard: it reads on its standard input which groups there are, and
// kills them when that ends.
const guardName = "moot-cluster-guard"

// startName is the name under which the program is about to become a process of a cluster: its arguments are a path, and what that
// is run with. It tells the guard of its group first. So whatever a cluster starts is in a group that the guard knows, however soon
// after a start the launcher is killed.
const startName = "moot-cluster-start"

// The files of a process that is about to become one of a cluster, behind the usual three. The cluster keeps the first.
const (
	lifelineFile = 3 + iota
	guardFile    // to which it writes its group
	failureFile  // to which it writes why it becomes nothing
)

func init() {
	switch {
	case len(os.Args) == 1 && os.Args[0] == guardName:
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		guard(os.Stdin, func(group int) { _ = syscall.Kill(-group, syscall.SIGKILL) })
		os.Exit(0)
	case len(os.Args) > 2 && os.Args[0] == startName:
		os.Exit(become(os.Args[1], os.Args[2:]))
	}
}

// become runs a program in this process, and returns where that cannot be. It is called on the first thread, with which the process
// keeps the signal that it gets at the death of the launcher (prctl(2)).
func become(path string, argv []string) int {
	syscall.CloseOnExec(guardFile)
	syscall.CloseOnExec(failureFile)
	_, _ = fmt.Fprintln(os.NewFile(guardFile, "guard"), os.Getpid()) // a guard that has ended is started again, and told by the launcher
	err := syscall.Exec(path, argv, os.Environ())
	_, _ = fmt.Fprintln(os.NewFile(failureFile, "failure"), err)
	return 127 // as of a shell
}

// guard reads lines, "GROUP" for one that has begun and "-GROUP" for one that is gone. At the end it kills what is left. A line that was
// cut off in the middle would name another group: it does not count.
func guard(lines io.Reader, kill func(int)) {
	groups := map[int]bool{}
	for in := bufio.NewReader(lines); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			break
		}
		group, err := strconv.Atoi(strings.TrimSuffix(line, "\n"))
		switch {
		case err != nil || group == 0:
		case group > 0:
			groups[group] = true
		default:
			delete(groups, -group)
		}
	}
	for group := range groups {
		kill(group)
	}
}
