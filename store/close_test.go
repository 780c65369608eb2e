package store

import (
	"path/filepath"
	"testing"
	"testing/synctest"
)

// TestCloseWaitsForSorting: nothing of the store runs any more when it is closed.
func TestCloseWaitsForSorting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moot.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		sorted, closed := make(chan struct{}), make(chan error, 1)
		s.journal.sorting.Go(func() { <-sorted })
		go func() { closed <- s.Close() }()
		synctest.Wait()
		select {
		case err := <-closed:
			t.Errorf("it did not wait: %v", err)
			close(sorted)
			return
		default:
		}
		close(sorted)
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}
