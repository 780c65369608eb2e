package store

import "sync"

// Decoded remembers what values mean, so that one that is read with each event is decoded once. It
// goes by the bytes of the value alone, so it cannot be out of date. T must hold nothing that its
// users change. The zero value is ready to use; it may be used concurrently.
type Decoded[T any] struct {
	mu    sync.RWMutex
	known map[string]T // guarded by mu
}

// maxDecoded is how many values are remembered.
const maxDecoded = 1 << 14

// Get returns what the value means: what decode says, now or earlier. An error is not remembered.
func (d *Decoded[T]) Get(value []byte, decode func([]byte) (T, error)) (T, error) {
	d.mu.RLock()
	t, ok := d.known[string(value)]
	d.mu.RUnlock()
	if ok {
		return t, nil
	}
	t, err := decode(value)
	if err != nil {
		return t, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil || len(d.known) >= maxDecoded {
		d.known = make(map[string]T)
	}
	d.known[string(value)] = t
	return t, nil
}
