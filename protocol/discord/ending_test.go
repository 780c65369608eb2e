package discord

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"moot/protocol"
	"moot/protocol/discord/gateway"
	"moot/protocol/discord/rest"
)

// TestTheEndSaysWhatToChange: after each close code that ends a run the operator reads which setting
// it is about, and the bot knows whether the next try can find another.
func TestTheEndSaysWhatToChange(t *testing.T) {
	a := New(Config{MessageContent: true})
	a.count.Store(3)
	for code, want := range map[int]struct {
		says  string
		retry protocol.Retry
	}{
		4004: {"token in [discord]", protocol.RetrySlowly},
		4010: {"shards in [discord] to 0, so that Discord says how many there are, instead of 3", protocol.RetryNever},
		4011: {"too many servers for 3 shards", protocol.RetryNever},
		4012: {"newer moot", protocol.RetryNever},
		4013: {"intents", protocol.RetryNever},
		4014: {"“Server Members Intent” or “Message Content Intent”", protocol.RetrySlowly},
	} {
		errClosed := errors.New("the close")
		err := a.ending(fmt.Errorf("in between: %w", &gateway.FatalError{Code: code, Err: errClosed}))
		ends, ok := errors.AsType[*protocol.RunError](err)
		if !ok || ends.Retry != want.retry || !strings.Contains(err.Error(), want.says) || !errors.Is(err, errClosed) {
			t.Errorf("%d: %#v: %v", code, ends, err)
		}
	}
	err := a.ending(&gateway.FatalError{Code: 4004, Err: rest.ErrToken})
	if n := strings.Count(err.Error(), "Reset Token"); n != 1 {
		t.Errorf("what to do is said %d times: %v", n, err)
	}
	if err := a.ending(errAny); errors.As(err, new(*protocol.RunError)) {
		t.Errorf("any other error ends the run for good: %v", err)
	}
}

var errAny = errors.New("any")
