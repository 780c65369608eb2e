package matrix_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"moot/internal/generation"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/matrixtest"
	"moot/protocol/protocoltest"
)

// life is a Run of a data folder of its own, which is nothing here but its cursors.
type life struct {
	cancel context.CancelFunc
	done   chan error
}

func (h *harness) live(folder *protocoltest.Recorder) *life {
	ctx, cancel := context.WithCancel(h.Context())
	l := &life{cancel, make(chan error, 1)}
	a := h.Adapter()
	go func() { l.done <- a.Run(ctx, folder) }()
	return l
}

// claims returns a Run when it has left something on the account, or tried to.
func (h *harness) claims(do func() *life) *life {
	h.Helper()
	next := "GET /_matrix/client/v3/user/" + h.bot + "/account_data/m.direct" // comes when that is answered
	ctx, cancel := context.WithTimeout(h.Context(), h.Patience())
	defer cancel()
	before := h.Count(next)
	l := do()
	if !h.Asked(next, before+1, ctx.Done()) {
		h.Fatal("nothing is left on the account")
	}
	return l
}

// ends returns how it has ended.
func (l *life) ends(t *testing.T) error {
	t.Helper()
	select {
	case err := <-l.done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
		return nil
	}
}

func (l *life) stop(t *testing.T) {
	t.Helper()
	l.cancel()
	if err := l.ends(t); err != nil {
		t.Fatal(err)
	}
}

// copyOf is a data folder that was copied.
func copyOf(t *testing.T, folder *protocoltest.Recorder) *protocoltest.Recorder {
	other := &protocoltest.Recorder{}
	for _, name := range []string{"matrix", matrix.GenerationCursor} {
		value, err := folder.Cursor(name)
		if err == nil {
			err = other.Admit(t.Context(), nil, protocol.Cursor{Name: name, Value: value})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return other
}

func TestACopyOfTheDataFolderIsNoticed(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	older := &protocoltest.Recorder{}
	start := func(folder *protocoltest.Recorder) *life { return h.claims(func() *life { return h.live(folder) }) }
	start(older).stop(t)
	first := start(older)
	newer := copyOf(t, older)
	second := h.live(newer)
	isOlder := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, generation.ErrOlder) || protocol.RetryOf(err) != protocol.RetryNever {
			t.Fatalf("%s: %v", what, err)
		}
	}
	isOlder("the older one, while it runs", first.ends(t))
	sends := h.Count("/send/")
	isOlder("the older one, when it is started again", h.live(older).ends(t))
	if n := h.Count("/send/"); n != sends {
		t.Errorf("it says %d things", n-sends)
	}
	second.stop(t)
	isOlder("the older one, when the newer one is gone", h.live(older).ends(t))
	start(newer).stop(t) // which has heard of no other

	start(copyWithout(t, older)).stop(t)
	isOlder("the one before the restore", h.live(newer).ends(t))
}

// copyWithout is a data folder that was put back from a backup: see cmd/bot, forgetFuture.
func copyWithout(t *testing.T, folder *protocoltest.Recorder) *protocoltest.Recorder {
	other := copyOf(t, folder)
	if err := other.Admit(t.Context(), nil, protocol.Cursor{Name: matrix.GenerationCursor}); err != nil {
		t.Fatal(err)
	}
	return other
}

// What goes wrong between the two writes, or on the account, keeps no bot from going on.
func TestAGenerationThatIsHalfWritten(t *testing.T) {
	t.Parallel()
	const put = "PUT /_matrix/client/v3/user"
	for name, fault := range map[string]matrixtest.Fault{
		"the request is lost": {Cut: true},
		"its answer is lost":  {Late: true},
		"the server is busy":  matrixtest.TooMany("1"),
		"the server refuses":  matrixtest.Refusal(http.StatusForbidden, "M_FORBIDDEN"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			folder := &protocoltest.Recorder{}
			h.Break(put, 1, fault)
			for range 2 {
				h.claims(func() *life { return h.live(folder) }).stop(t)
			}
			saved, err := folder.Cursor(matrix.GenerationCursor)
			var claim generation.Claim
			if err == nil {
				err = json.Unmarshal([]byte(saved), &claim)
			}
			if err != nil || claim.Number < 2 {
				t.Errorf("the folder remembers %q, %v", saved, err)
			}
		})
	}
}
