package store

import "moot/protocol"

var cursors = SharedBucket("cursors")

// Cursor returns the saved cursor of that name, zero if there is none.
func (tx *Tx) Cursor(name string) string { return string(tx.Get(cursors, name)) }

// SetCursor saves a cursor with the transaction.
func (tx *Tx) SetCursor(c protocol.Cursor) {
	if c.Name != "" {
		tx.Put(cursors, c.Name, []byte(c.Value))
	}
}

// SetCursor saves an adapter's place with the commit.
func (c *Commit) SetCursor(cur protocol.Cursor) {
	if cur.Name != "" {
		c.layer.put(cursors.name, cur.Name, []byte(cur.Value))
	}
}
