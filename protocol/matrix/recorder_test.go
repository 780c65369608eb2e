package matrix_test

import (
	"context"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/protocoltest"
)

// recorder runs an adapter and keeps what it admits.
type recorder struct {
	testing.TB
	protocoltest.Recorder
	cancel context.CancelFunc
	done   chan error
}

func newRecorder(t testing.TB, a protocol.Adapter) *recorder {
	ctx, cancel := context.WithCancel(context.Background())
	r := &recorder{TB: t, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- a.Run(ctx, &r.Recorder) }()
	t.Cleanup(cancel)
	return r
}

func (r *recorder) stop() {
	r.Helper()
	r.cancel()
	select {
	case err := <-r.done:
		if err != nil {
			r.Errorf("the adapter ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		r.Fatal("the adapter does not end")
	}
}
