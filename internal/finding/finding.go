// Package finding has the one form in which a check says what it has seen: of the data folder, of the configuration, and of the
// networks.
package finding

import (
	"context"
	"time"
)

// Status is how one thing is.
type Status string

// The states. Warn is what somebody should look at; Fail is what keeps the bot from doing its work.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
	// Mended is what was wrong and has been put right.
	Mended Status = "fixed"
)

// Finding is one line of a check.
type Finding struct {
	Status Status `json:"status"`
	What   string `json:"what"` // the thing that was looked at
	Text   string `json:"text"` // how it is
	Do     string `json:"do,omitempty"`
}

// New is a finding; do is what to do about it, zero where there is nothing.
func New(status Status, what, text, do string) Finding { return Finding{status, what, text, do} }

// Part is the context of one question of a check that has a deadline: it ends after a third of the time that is left, so that a
// question that hangs leaves the others theirs.
func Part(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/3)
}
