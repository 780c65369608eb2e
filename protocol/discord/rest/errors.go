package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Portal is where an application is configured.
const Portal = "https://discord.com/developers/applications"

var (
	// ErrToken says that Discord does not know the bot's token. It is final.
	ErrToken = errors.New("discord does not accept the bot's token, which is wrong or was reset: take a new one at " +
		Portal + " → your application → Bot → Reset Token, and put it where token in [discord] says that it is")
	// ErrRefused says that so many requests were refused that more would have Discord shut the
	// address out.
	ErrRefused = errors.New("too many requests were refused within ten minutes; holding back before Discord " +
		"bans this address")
)

// The codes of Discord's JSON errors that callers look for.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
const (
	CodeUnknownChannel      = 10003
	CodeUnknownGuild        = 10004
	CodeUnknownMember       = 10007
	CodeUnknownMessage      = 10008
	CodeUnknownUser         = 10013
	CodeUnknownWebhook      = 10015
	CodeUnknownInteraction  = 10062 // too late: the three seconds, or the fifteen minutes, are over
	CodeSlowMode            = 20016
	CodeQuarantined         = 20026
	CodeManyReactions       = 30010
	CodeOldEdits            = 30046 // of messages that are older than an hour
	CodeManyDirects         = 40003
	CodeLargeRequest        = 40005
	CodeAlreadyAcknowledged = 40060
	CodeMissingAccess       = 50001
	CodeCannotMessageUser   = 50007
	CodeMissingPermissions  = 50013
	CodeInvalidWebhookToken = 50027
	CodeThreadArchived      = 50083
	CodeNoSharedGuild       = 50278
	CodeThreadLocked        = 160005
	CodeAutoMod             = 200000
	CodeHarmfulLink         = 240000
)

// Error is a request that failed.
type Error struct {
	Method, Path string
	Status       int    // the HTTP status; zero where there was no answer
	Code         int    // Discord's own code; zero where it gave none
	Message      string // Discord's words, or the beginning of what came instead of them
	// Errors is Discord's account of which field is wrong; nil where it gave none.
	Errors json.RawMessage
	// RetryAfter is how long to leave Discord alone; zero where it does not matter.
	RetryAfter time.Duration
	// Global is whether RetryAfter holds for all requests.
	Global bool
	// Ambiguous is whether the request may have taken effect.
	Ambiguous bool
	Err       error // the cause below HTTP; nil where Discord answered

	held bool // whether it never went out
	shut bool // whether it was not Discord that answered, but what stands before it
}

// Error says what was asked, what came of it, and why. The tokens of interactions are left out.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: ", e.Method, withoutTokens(e.Path))
	switch {
	case e.Err != nil:
		s += e.Err.Error()
	case e.Status == http.StatusTooManyRequests:
		s += fmt.Sprintf("rate limited for %s", e.RetryAfter.Round(time.Millisecond))
	default:
		s += fmt.Sprintf("HTTP %d", e.Status)
	}
	if e.Code != 0 {
		s += fmt.Sprintf(", code %d", e.Code)
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if len(e.Errors) > 0 {
		s += " " + string(e.Errors)
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code that Discord gave for the error, zero if it gave none.
func CodeOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return 0
}

// StatusOf returns the HTTP status of the error, zero if there was no answer.
func StatusOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

// fill takes from an answer what it says about the failure.
func (e *Error) fill(resp *http.Response, body []byte) {
	e.Status = resp.StatusCode
	var said struct {
		Code       int             `json:"code"`
		Message    string          `json:"message"`
		Errors     json.RawMessage `json:"errors"`
		RetryAfter float64         `json:"retry_after"` // seconds
		Global     bool            `json:"global"`
	}
	if json.Unmarshal(body, &said) == nil {
		e.Code, e.Message, e.Global = said.Code, short(said.Message), said.Global
		if len(said.Errors) <= 1000 {
			e.Errors = said.Errors
		}
	} else {
		e.Message = short(string(body))
	}
	if e.Status != http.StatusTooManyRequests {
		return
	}
	e.RetryAfter = seconds(said.RetryAfter)
	if e.RetryAfter <= 0 {
		e.RetryAfter = headerSeconds(resp.Header, "Retry-After")
	}
	if e.RetryAfter <= 0 {
		// Cloudflare's page does not always say for how long. A minute is long enough not to make
		// it worse.
		e.RetryAfter = time.Minute
	}
	if resp.Header.Get("X-RateLimit-Global") == "true" {
		e.Global = true
	}
	if resp.Header.Get("Via") == "" && resp.Header.Get("X-RateLimit-Bucket") == "" && said.RetryAfter == 0 &&
		said.Code == 0 {
		// No part of Discord's API spoke here, but what stands before it: it means the address,
		// hence everything.
		e.Global, e.shut = true, true
	}
}

func short(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return s
}
