package replica

import (
	"cmp"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"moot/backup"
	"moot/store"
)

// standEvery is after what time a standby asks again whether nobody leads.
const standEvery = 200 * time.Millisecond

// Node is a machine that may lead.
type Node struct {
	Log Log
	// Name is what people know it by; it is said to who asks another node to write.
	Name string
	// Folder is its data folder, and Version that of the program.
	Folder, Version string
	// TTL is for how long its lease runs; zero means TTL.
	TTL time.Duration
	// Wall is the clock of the day; nil means that of the machine.
	Wall func() time.Time
	// Logger is told what happens.
	Logger *slog.Logger

	seen atomic.Pointer[Sight]
}

// Sight is how a log stood when a standby looked last.
type Sight struct {
	Standing
	At time.Time
}

// Seen returns how the log stood when this node looked last, as a standby does some times a second; zero where it has not.
func (n *Node) Seen() Sight {
	if s := n.seen.Load(); s != nil {
		return *s
	}
	return Sight{}
}

// lead takes the lease where nobody has it.
func (n *Node) lead(ctx context.Context) (*Lease, error) {
	l := &Lease{log: n.Log, ttl: cmp.Or(n.TTL, TTL), wall: n.Wall, logger: n.Logger, fails: outage{logger: n.Logger}}
	if l.wall == nil {
		l.wall = time.Now
	}
	l.asked.Store(l.now())
	var err error
	if l.Term, err = n.Log.Lead(ctx, n.Name, l.ttl); err != nil {
		return nil, err
	}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	l.renews.Go(l.renew)
	return l, nil
}

// Identity says of what store a log is: of its file, and of its life since the last restore.
func Identity(st *store.Store) (id string, err error) {
	instance, _, err := st.Instance()
	if err == nil {
		err = st.View(func(tx *store.Tx) error {
			id = instance + "/" + backup.Life(tx)
			return nil
		})
	}
	return id, err
}
