package protocol

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// Retry says whether another Run can help after one has ended. It is a closed set.
type Retry string

const (
	// RetrySoon: the cause may pass by itself. It is what an error means that says nothing else.
	RetrySoon Retry = ""
	// RetrySlowly: somebody has to change something outside of the bot, and a later Run notices that: an account that is
	// locked, an intent that is switched off, a token that was reset and stands in a file.
	RetrySlowly Retry = "slowly"
	// RetryNever: the configuration or the data folder is wrong, which only a restart reads again.
	RetryNever Retry = "never"
)

// RunError is why a Run ended, for an adapter that knows whether another one can help. Its text tells the operator in one
// sentence what is the matter and what to do.
type RunError struct {
	Retry Retry
	Err   error
}

func (e *RunError) Error() string { return e.Err.Error() }
func (e *RunError) Unwrap() error { return e.Err }

// Ends says of an error of Run whether another Run can help. It returns nil for nil, and does not overrule what an error
// says already.
func Ends(retry Retry, err error) error {
	if known := (*RunError)(nil); err == nil || errors.As(err, &known) {
		return err
	}
	return &RunError{retry, err}
}

// RetryOf returns whether another Run can help after an error of Run.
func RetryOf(err error) Retry {
	if known := (*RunError)(nil); errors.As(err, &known) {
		return known.Retry
	}
	return RetrySoon
}

// Guard calls f and returns a panic in it as an error with its stack. An adapter calls so what its own goroutines do, since
// a panic there would otherwise take the other networks with it.
func Guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}
