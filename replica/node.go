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
	asked, ttl := time.Now(), cmp.Or(n.TTL, TTL)
	t, err := n.Log.Lead(ctx, n.Name, ttl)
	if err != nil {
		return nil, err
	}
	return newLease(n.Log, t, asked, ttl, n.Logger), nil
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
