package gateway

import (
	"errors"
	"fmt"

	"github.com/bwmarrin/discordgo"

	"moot/protocol/discord/rest"
)

// Errors that connections end with, and that [Gateway.Send] returns.
var (
	// ErrOffline says that the shard has no session at the moment.
	ErrOffline = errors.New("the shard is not connected")

	errReconnect = errors.New("discord asks to reconnect (op 7)")
	errSilent    = errors.New("the connection was silent for two heartbeat intervals")
	errZombie    = errors.New("heartbeats are not acknowledged")
	errStuck     = errors.New("the connection did not open in time")
	errGarbage   = errors.New("the gateway sent something that is no gateway payload")
	errSelfClose = errors.New("discordgo closed the connection")
	errStopped   = errors.New("stopped")
	errPermit    = errors.New("an identify takes a permit of its own")
)

// invalidSession is op 9.
type invalidSession struct{ resumable bool }

func (e invalidSession) Error() string {
	if e.resumable {
		return "discord refuses the session for now (op 9)"
	}
	return "discord has forgotten the session (op 9)"
}

// CloseError is a connection that Discord closed with a code.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes
type CloseError struct {
	Code int
	Text string
}

func (e *CloseError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("discord closed the connection with code %d", e.Code)
	}
	return fmt.Sprintf("discord closed the connection with code %d: %s", e.Code, e.Text)
}

// FatalError ends Run. Its text tells the operator in one sentence what to change.
type FatalError struct {
	Code int // the close code; 4004 also where the REST API refuses the token
	Do   string
	Err  error
}

func (e *FatalError) Error() string { return fmt.Sprintf("%s (%v)", e.Do, e.Err) }
func (e *FatalError) Unwrap() error { return e.Err }

const (
	portal    = "https://discord.com/developers/applications"
	tokenHint = "Discord does not accept the bot's token, which is wrong or was reset: take a new one at " + portal +
		" → your application → Bot → Reset Token, and put it where token in [discord] says that it is"
)

// fatal makes a FatalError of a cause after which it is of no use to try again; nil of any other.
func fatal(cause error, intents discordgo.Intent, shards int) *FatalError {
	if errors.Is(cause, rest.ErrToken) {
		return &FatalError{Code: 4004, Do: tokenHint, Err: errors.New("HTTP 401")}
	}
	closed, ok := errors.AsType[*CloseError](cause)
	if !ok {
		return nil
	}
	f := &FatalError{Code: closed.Code, Err: closed}
	switch closed.Code {
	case 4004:
		f.Do = tokenHint
	case 4010:
		f.Do = fmt.Sprintf("Discord does not accept the shards: set shards in [discord] to 0, so that Discord says how many there are, instead of %d", shards)
	case 4011:
		f.Do = fmt.Sprintf("the bot is in too many guilds for %d shards: set shards in [discord] to 0, so that Discord says how many are needed", shards)
	case 4012:
		f.Do = "Discord no longer speaks version 10 of its gateway: install a newer moot, or see which proxy gateway_url in [discord] names"
	case 4013:
		f.Do = fmt.Sprintf("Discord does not know one of the intents in %d: install a newer moot", intents)
	case 4014:
		f.Do = "Discord does not allow this bot " + togglesFor(intents) + ": switch it on at " + portal +
			" → your application → Bot → Privileged Gateway Intents, and save"
	default:
		return nil
	}
	return f
}

// togglesFor names the switches in the portal that the intents need.
func togglesFor(intents discordgo.Intent) string {
	var names []string
	for _, t := range []struct {
		intent discordgo.Intent
		name   string
	}{
		{discordgo.IntentGuildPresences, "“Presence Intent”"},
		{discordgo.IntentGuildMembers, "“Server Members Intent”"},
		{discordgo.IntentMessageContent, "“Message Content Intent”"},
	} {
		if intents&t.intent != 0 {
			names = append(names, t.name)
		}
	}
	switch len(names) {
	case 0:
		return "a privileged intent"
	case 1:
		return names[0]
	}
	s := names[0]
	for i, n := range names[1:] {
		if i == len(names)-2 {
			s += " or " + n
		} else {
			s += ", " + n
		}
	}
	return s
}

// endsSession is whether nothing can be resumed after a connection ended so.
func endsSession(cause error) bool {
	if invalid, ok := errors.AsType[invalidSession](cause); ok {
		return !invalid.resumable
	}
	if closed, ok := errors.AsType[*CloseError](cause); ok {
		switch closed.Code {
		case 4003, 4007, 4009: // not authenticated, a sequence that Discord does not know, timed out
			return true
		}
	}
	return false
}
