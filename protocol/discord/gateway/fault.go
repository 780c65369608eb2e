package gateway

import (
	"errors"
	"slices"

	"github.com/gorilla/websocket"

	"moot/protocol/discord/rest"
)

// Errors that connections end with, and that [Gateway.RequestMembers] returns.
var (
	ErrOffline   = errors.New("the shard is not connected")
	errReconnect = errors.New("discord asks to reconnect (op 7)")
	errSilent    = errors.New("the connection was silent for two heartbeat intervals")
	errZombie    = errors.New("heartbeats are not acknowledged")
	errStuck     = errors.New("the connection did not open in time")
	errGarbage   = errors.New("the gateway sent something that is no gateway payload")
)

// invalidSession is op 9.
type invalidSession struct{ resumable bool }

func (e invalidSession) Error() string {
	if e.resumable {
		return "discord refuses the session for now (op 9)"
	}
	return "discord has forgotten the session (op 9)"
}

// FatalError ends Run: another attempt is of no use before somebody has changed something.
type FatalError struct {
	Code int // the close code; 4004 also where the REST API refuses the token
	Err  error
}

func (e *FatalError) Error() string { return e.Err.Error() }
func (e *FatalError) Unwrap() error { return e.Err }

// fatal makes a FatalError of a cause that ends Run; nil of any other.
func fatal(cause error) *FatalError {
	if errors.Is(cause, rest.ErrToken) {
		return &FatalError{4004, cause}
	}
	// authentication, shard, sharding required, version, intents, intents that are not allowed
	if closed, ok := closedWith(cause, 4004, 4010, 4011, 4012, 4013, 4014); ok {
		return &FatalError{closed.Code, closed}
	}
	return nil
}

// endsSession reports whether nothing can be resumed after a connection ended so.
func endsSession(cause error) bool {
	if invalid, ok := errors.AsType[invalidSession](cause); ok {
		return !invalid.resumable
	}
	// not authenticated, a sequence that Discord does not know, timed out
	_, ok := closedWith(cause, 4003, 4007, 4009)
	return ok
}

// closedWith returns the close of a connection that ended with one of these codes.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes
func closedWith(cause error, codes ...int) (*websocket.CloseError, bool) {
	closed, ok := errors.AsType[*websocket.CloseError](cause)
	return closed, ok && slices.Contains(codes, closed.Code)
}
