package process

import (
	"bufio"
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

func init() {
	if len(os.Args) == 1 && os.Args[0] == guardName {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		guard(os.Stdin, func(group int) { _ = syscall.Kill(-group, syscall.SIGKILL) })
		os.Exit(0)
	}
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
