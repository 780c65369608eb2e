package bolt

import (
	"fmt"

	"moot/internal/failpoint"
	"moot/store/disk"
)

// Update makes a transaction of what f does, and returns its number: a view with that number or a
// larger one sees it. It is disk.ErrFull where there is no space for it; nothing has happened then.
func (f *File) Update(do func(*Tx) error) (id int, err error) {
	if err := f.reserve(); err != nil {
		return 0, err
	}
	btx, err := f.db.Begin(true)
	if err != nil {
		return 0, err
	}
	defer btx.Rollback() //nolint:errcheck // after a successful commit it has nothing to do
	err = disk.Guard(func() error {
		defer disk.Faulted()
		if err := do(&Tx{Bolt: btx}); err != nil {
			return err
		}
		id = btx.ID()
		failpoint.Hit(failpoint.CheckpointBefore)
		if err := btx.Commit(); err != nil {
			return err
		}
		failpoint.Hit(failpoint.CheckpointAfter)
		return nil
	})
	if err != nil && disk.IsFull(err) {
		err = fmt.Errorf("%w: %w", disk.ErrFull, err)
	}
	return id, err
}
