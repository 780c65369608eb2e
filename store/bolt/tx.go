package bolt

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// Tx is a transaction that writes.
type Tx struct {
	Bolt    *bbolt.Tx
	buckets map[string]*bucket
}

// bucket is one that the transaction writes to.
type bucket struct {
	*bbolt.Bucket
	last []byte // its last key before that
	put  bool   // whether something was put
}

// bucket returns a bucket, and makes it if it is to. The last key is looked for before anything is
// deleted: bbolt's cursor never comes back from a search for it among pages that were emptied in
// its transaction.
func (tx *Tx) bucket(name string, make bool) (*bucket, error) {
	if b := tx.buckets[name]; b != nil {
		return b, nil
	}
	in := tx.Bolt.Bucket([]byte(name))
	if in == nil {
		if !make {
			return nil, nil
		}
		var err error
		if in, err = tx.Bolt.CreateBucket([]byte(name)); err != nil {
			return nil, err
		}
	}
	last, _ := in.Cursor().Last()
	b := &bucket{Bucket: in, last: bytes.Clone(last)}
	if tx.buckets == nil {
		tx.buckets = map[string]*bucket{}
	}
	tx.buckets[name] = b
	return b, nil
}

// Put sets a value. Keys come in order; those behind all that a bucket holds fill its pages.
func (tx *Tx) Put(bucket, key string, value []byte) error {
	b, err := tx.bucket(bucket, true)
	if err != nil {
		return err
	}
	if !b.put && bytes.Compare([]byte(key), b.last) > 0 {
		b.FillPercent = 1
	}
	b.put = true
	return b.Put([]byte(key), value)
}

// Delete removes a key. One that is not there stays so.
func (tx *Tx) Delete(bucket, key string) error {
	if b, err := tx.bucket(bucket, false); err != nil || b == nil {
		return err
	}
	return tx.buckets[bucket].Bucket.Delete([]byte(key))
}
