package store

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
)

func TestDecoded(t *testing.T) {
	var d Decoded[int]
	calls := 0
	get := func(v string) (int, error) {
		return d.Get([]byte(v), func(b []byte) (int, error) { calls++; return strconv.Atoi(string(b)) })
	}
	for range 3 {
		for n := range 10 {
			if got, err := get(fmt.Sprint(n)); got != n || err != nil {
				t.Fatalf("%d is %d (%v)", n, got, err)
			}
		}
	}
	if calls != 10 {
		t.Errorf("%d calls for 10 values", calls)
	}
	for range 2 {
		if _, err := get("x"); !errors.Is(err, strconv.ErrSyntax) {
			t.Errorf("got %v", err)
		}
	}
	if calls != 12 {
		t.Errorf("an error was remembered")
	}
	buf := []byte("77")
	_, _ = d.Get(buf, func([]byte) (int, error) { return 77, nil })
	copy(buf, "78") // the bytes are those of a transaction
	if got, _ := get("77"); got != 77 || calls != 12 {
		t.Errorf("77 is %d after %d calls", got, calls)
	}
	for n := range 3 * maxDecoded {
		if got, _ := get(fmt.Sprint(n)); got != n || len(d.known) > maxDecoded {
			t.Fatalf("%d is %d, %d are remembered", n, got, len(d.known))
		}
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for n := range 1000 {
				if got, _ := d.Get(
					[]byte(fmt.Sprint(n)), func(b []byte) (int, error) { return strconv.Atoi(string(b)) },
				); got != n {
					t.Errorf("goroutine %d: %d is %d", g, n, got)
				}
			}
		})
	}
	all.Wait()
}
