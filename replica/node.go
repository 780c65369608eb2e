package replica

import (
	"context"
	"log/slog"
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
	// Logger is told what happens.
	Logger *slog.Logger
}

// lead takes the lease where nobody has it.
func (n *Node) lead(ctx context.Context) (*Lease, error) {
	asked := time.Now()
	t, err := n.Log.Lead(ctx, n.Name, TTL)
	if err != nil {
		return nil, err
	}
	return newLease(n.Log, t, asked, n.Logger), nil
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
