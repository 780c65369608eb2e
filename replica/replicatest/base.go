package replicatest

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"moot/protocol"
	"moot/replica"
	"moot/store"
)

var rows = store.SharedBucket("rows")

// baseInTheEnd: a standby whose base is cut short, and then replaced while it is read, and then not there for a moment, has one in the
// end.
func baseInTheEnd(t *testing.T, l, other replica.Log) {
	dir := t.TempDir()
	node := func(name string, log replica.Log) *replica.Node {
		n := &replica.Node{Log: log, Name: name, Folder: filepath.Join(dir, name), Version: "test", Logger: slog.New(slog.DiscardHandler)}
		ok(t, os.MkdirAll(n.Folder, 0o700))
		return n
	}
	open := func(n *replica.Node) *store.Store {
		st, err := store.Open(store.Config{Path: filepath.Join(n.Folder, "moot.db")})
		ok(t, err)
		return st
	}
	a := node("a", l)
	lease, err := a.Prepare(t.Context())
	ok(t, err)
	st := open(a)
	write := func(key string) {
		noise := make([]byte, 3<<20) // which cannot be compressed
		_, _ = rand.Read(noise)      // never fails
		ok(t, st.Commit(time.Now(), func(c *store.Commit) error {
			return c.Run("", protocol.Ref{}, func(tx *store.Tx) error { tx.Put(rows, key, noise); return nil })
		}))
	}
	write("first")
	lease, err = a.Stand(t.Context(), st, lease)
	ok(t, err)
	st.Ship(lease.Ship)
	again := func() {
		write("second")
		_, err := a.MakeBase(t.Context(), st, lease)
		ok(t, err)
	}
	b := node("b", &hindered{Log: other, do: []func(io.Reader) io.Reader{
		nil,
		func(r io.Reader) io.Reader { return io.MultiReader(io.LimitReader(r, 1<<20), failing{}) },
		func(r io.Reader) io.Reader { return &interrupted{from: r, after: 1 << 20, do: again} },
	}})
	ok(t, b.TakeBase(t.Context()))
	took := open(b)
	if got, want := took.Change(), st.Change(); got != want {
		t.Errorf("its base is of change %d, and the last one is of %d", got, want)
	}
	ok(t, errors.Join(took.Close(), lease.Release(t.Context()), st.Close()))
}

// hindered is a log whose base is read with hindrances, one after the other; nil is one that is not reached.
type hindered struct {
	replica.Log
	do []func(io.Reader) io.Reader
}

func (h *hindered) Base(ctx context.Context) (uint64, io.ReadCloser, error) {
	if len(h.do) == 0 {
		return h.Log.Base(ctx)
	}
	do := h.do[0]
	h.do = h.do[1:]
	if do == nil {
		return 0, nil, errCut
	}
	n, r, err := h.Log.Base(ctx)
	if err != nil {
		return n, r, err
	}
	return n, struct {
		io.Reader
		io.Closer
	}{do(r), r}, nil
}

// interrupted does something after so many bytes.
type interrupted struct {
	from  io.Reader
	after int
	do    func() // nil once it is done
}

func (i *interrupted) Read(b []byte) (int, error) {
	if i.after <= 0 && i.do != nil {
		i.do()
		i.do = nil
	}
	n, err := i.from.Read(b)
	i.after -= n
	return n, err
}
