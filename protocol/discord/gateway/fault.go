package gateway

import (
	"errors"
	"fmt"

	"github.com/gorilla/websocket"

	"moot/protocol/discord/rest"
)

// Errors that connections end with, and that [Gateway.RequestMembers] returns.
var (
	// ErrOffline says that the shard has no session at the moment.
	ErrOffline = errors.New("the shard is not connected")

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

// FatalError ends Run. Its text tells the operator in one sentence what to change.
type FatalError struct {
	Code int // the close code; 4004 also where the REST API refuses the token
	Do   string
	Err  error
}

func (e *FatalError) Error() string { return fmt.Sprintf("%s (%v)", e.Do, e.Err) }
func (e *FatalError) Unwrap() error { return e.Err }

// messageContent is a privileged intent. Another one, that for members, the bot cannot do without.
// https://discord.com/developers/docs/events/gateway#list-of-intents
const messageContent = 1 << 15

// fatal makes a FatalError of a cause after which it is of no use to try again; nil of any other.
func fatal(cause error, intents int, shards int) *FatalError {
	if errors.Is(cause, rest.ErrToken) {
		return &FatalError{Code: 4004, Do: cause.Error(), Err: errors.New("HTTP 401")}
	}
	closed, ok := errors.AsType[*websocket.CloseError](cause)
	if !ok {
		return nil
	}
	f := &FatalError{Code: closed.Code, Err: closed}
	switch closed.Code {
	case 4004:
		f.Do = rest.ErrToken.Error()
	case 4010:
		f.Do = fmt.Sprintf("Discord does not accept the shards: set shards in [discord] to 0, so that Discord says "+
			"how many there are, instead of %d", shards)
	case 4011:
		f.Do = fmt.Sprintf("the bot is in too many guilds for %d shards: set shards in [discord] to 0, so that "+
			"Discord says how many are needed", shards)
	case 4012:
		f.Do = "Discord no longer speaks version 10 of its gateway: install a newer moot, or see which proxy " +
			"gateway_url in [discord] names"
	case 4013:
		f.Do = fmt.Sprintf("Discord does not know one of the intents in %d: install a newer moot", intents)
	case 4014:
		f.Do = "Discord does not allow this bot “Server Members Intent”"
		if intents&messageContent != 0 {
			f.Do += " or “Message Content Intent”"
		}
		f.Do += ": switch it on at " + rest.Portal + " → your application → Bot → Privileged Gateway Intents, and save"
	default:
		return nil
	}
	return f
}

// endsSession reports whether nothing can be resumed after a connection ended so.
func endsSession(cause error) bool {
	if invalid, ok := errors.AsType[invalidSession](cause); ok {
		return !invalid.resumable
	}
	if closed, ok := errors.AsType[*websocket.CloseError](cause); ok {
		switch closed.Code {
		case 4003, 4007, 4009: // not authenticated, a sequence that Discord does not know, timed out
			return true
		}
	}
	return false
}
