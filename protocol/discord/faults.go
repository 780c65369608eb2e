package discord

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"moot/protocol"
	"moot/protocol/discord/rest"
)

const (
	// editPause is after how long an edit that cannot be made now is tried again for the first
	// time; then the pauses double, up to slowest.
	editPause   = 5 * time.Second
	editSlowest = 5 * time.Minute
	// editPatience is for how long it is tried. A newer edit takes its place in any case.
	editPatience = 24 * time.Hour
	// dmPause is how long no private conversation is opened after Discord found that there were too
	// many.
	dmPause = 10 * time.Minute
)

// meaning is what a code of Discord's means for the sender, where its HTTP status does not tell.
type meaning struct {
	why string // for the operator; zero where Discord's own words say it
	as  error  // what is wrapped; nil for nothing
	// again is after how long it can be tried again at the soonest; zero means never.
	again time.Duration
}

// meanings are those of the codes that the bot may meet.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
var meanings = map[int]meaning{
	rest.CodeUnknownChannel:     {as: protocol.ErrGone},
	rest.CodeUnknownGuild:       {as: protocol.ErrGone},
	rest.CodeUnknownMessage:     {as: protocol.ErrGone},
	rest.CodeUnknownUser:        {as: protocol.ErrGone},
	rest.CodeMissingAccess:      {as: protocol.ErrGone},
	rest.CodeSlowMode:           {why: "the channel is in slow mode, and the bot may not bypass it", again: time.Minute},
	rest.CodeQuarantined:        {why: "Discord has flagged the bot and lets it write to nobody new"},
	rest.CodeManyReactions:      {why: "the message has as many kinds of reactions as Discord allows"},
	rest.CodeOldEdits:           {why: "Discord takes few edits of messages that are older than an hour", again: 20 * time.Second},
	rest.CodeManyDirects:        {why: "the bot has opened many private conversations in a short time", again: dmPause},
	rest.CodeLargeRequest:       {why: "Discord takes no file of that size there"},
	rest.CodeCannotMessageUser:  {why: "the person takes no private messages of the bot"},
	rest.CodeNoSharedGuild:      {why: "the person is in no server with the bot any more"},
	rest.CodeMissingPermissions: {why: "the bot lacks a permission in that channel"},
	rest.CodeThreadLocked:       {why: "the thread is locked"},
	rest.CodeAutoMod:            {why: "AutoMod of the server blocks what the message says"},
	rest.CodeHarmfulLink:        {why: "Discord blocks a link in the message"},
}

// final is an error after which trying again is of no use.
func final(err error) error { return &protocol.SendError{Final: true, Err: err} }

// noSuch is the error of what is not there.
func noSuch(format string, args ...any) error {
	return final(fmt.Errorf("%w: "+format, append([]any{protocol.ErrGone}, args...)...))
}

// later is the error of an edit that cannot be made now: in an archived thread until somebody writes
// there, in a channel that the bot does not see until it does.
func later(err error, attempt protocol.Attempt) error {
	if attempt.N > 1 && time.Since(attempt.First) > editPatience {
		return final(err)
	}
	return &protocol.SendError{RetryAfter: min(editPause<<min(max(attempt.N-1, 0), 10), editSlowest), Err: err}
}

// editFault is fault, for an edit.
func (a *Adapter) editFault(err error, attempt protocol.Attempt) error {
	switch rest.CodeOf(err) {
	case rest.CodeThreadArchived, rest.CodeMissingAccess, rest.CodeMissingPermissions:
		return later(err, attempt)
	}
	return a.fault(err)
}

// fault says what an error of Discord means for the sender.
func (a *Adapter) fault(err error) error {
	var e *rest.Error
	var se *protocol.SendError
	switch {
	case err == nil, errors.As(err, &se):
		return err
	case errors.Is(err, rest.ErrToken):
		a.fail(err) // the run ends, and what waits is sent by the next
		return err
	case errors.Is(err, errUndeliverable) && !errors.As(err, &e):
		return final(err)
	case !errors.As(err, &e):
		return err
	}
	m, known := meanings[e.Code]
	switch {
	case m.why != "":
		err = fmt.Errorf("%s: %w", m.why, err)
	case m.as != nil:
		err = fmt.Errorf("%w: %w", m.as, err)
	}
	switch {
	case known && m.again == 0:
		return final(err)
	case known:
		return &protocol.SendError{RetryAfter: max(m.again, e.RetryAfter), Err: err}
	case e.Ambiguous:
		return &protocol.SendError{Ambiguous: true, Err: err}
	case e.RetryAfter > 0:
		limited := &protocol.SendError{RetryAfter: e.RetryAfter, Err: err}
		if e.Global {
			limited.Limits = protocol.LimitAccount
		}
		return limited
	case e.Status >= 400 && e.Status < 500 && e.Status != http.StatusRequestTimeout &&
		e.Status != http.StatusTooManyRequests && e.Status != http.StatusUnauthorized:
		return final(err)
	}
	return err
}
