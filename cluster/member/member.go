// Package member is what a process does that a launcher of clusters has started: mewld as it is, or `moot cluster`. It knows nothing of
// what the cluster is for.
//
// # Promises
//
//   - A cluster's number is one process's at a time, by a lease: a launcher that starts a cluster twice has the second process wait.
//   - "launch_next" is said once in a process, when all of its shards are ready, after "shards_launched" has been written to the action log.
//   - A ping is answered if it is for this cluster: once, at once, or not at all. Nothing else that stands on the channel is
//     obeyed, and nothing is ever evaluated.
//   - A process whose launcher is gone ends, within a second.
package member

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Start is how a launcher has started a cluster.
type Start struct {
	Shards  []int // in their order
	Total   int   // of how many
	ID      int   // of the cluster
	Name    string
	Channel string // of Redis
}

// IsStart reports whether the arguments of a program are those of a launcher: the first is a list of shards.
func IsStart(args []string) bool { return len(args) > 0 && strings.HasPrefix(args[0], "[") }

// ParseStart reads the arguments of a program, without its name, in either of the two forms in use:
//
//	"[0, 1]" "5" "0" "Pika" "0" "/dir"      shards, total, number, name, "0", folder: mewld's
//	"[0, 1]" "5" "0" "Pika" "3" "channel"   shards, total, number, name, clusters, channel: where the last is $MEWLD_CHANNEL
func ParseStart(args []string, env func(string) string) (s Start, err error) {
	if len(args) != 6 {
		return s, fmt.Errorf("a launcher of clusters gives six arguments, and there are %d", len(args))
	}
	if err := json.Unmarshal([]byte(args[0]), &s.Shards); err != nil || len(s.Shards) == 0 {
		return s, fmt.Errorf("%q is no list of shards, such as [0, 1]", args[0])
	}
	var err1, err2 error
	s.Total, err1 = strconv.Atoi(args[1])
	s.ID, err2 = strconv.Atoi(args[2])
	slices.Sort(s.Shards)
	switch {
	case err1 != nil || err2 != nil || s.ID < 0:
		return s, fmt.Errorf("%q and %q are not how many shards there are and the number of a cluster", args[1], args[2])
	case s.Shards[0] < 0 || s.Shards[len(s.Shards)-1] >= s.Total:
		return s, fmt.Errorf("there are no shards %v of %d", s.Shards, s.Total)
	}
	s.Name, s.Channel = args[3], env("MEWLD_CHANNEL")
	if s.Channel == "" {
		return s, errors.New("MEWLD_CHANNEL does not say on which channel the launcher is")
	}
	return s, nil
}

// Orphaned returns a context that ends with the launcher: when the file that it has handed over ends, or this process gets another parent.
// That is looked at, since the kernel would tell of the end of the thread that started this process, which is not that of the launcher.
func Orphaned(ctx context.Context, lifeline string) (context.Context, error) {
	ctx, end := context.WithCancelCause(ctx)
	if lifeline != "" {
		fd, err := strconv.Atoi(lifeline)
		if err != nil || fd < 3 {
			end(nil)
			return nil, fmt.Errorf("%q is not the number of a file", lifeline)
		}
		go func() { // until the process ends
			f := os.NewFile(uintptr(fd), "lifeline")
			_, _ = f.Read(make([]byte, 1))
			end(ErrOrphaned)
		}()
	}
	parent := os.Getppid()
	go watchParent(ctx, parent, end)
	return ctx, nil
}

// ErrOrphaned is why a cluster ends whose launcher is gone.
var ErrOrphaned = errors.New("the launcher of this cluster is gone")
