package bot

import (
	"errors"
	"time"

	"moot/protocol"
	"moot/store"
)

// Meter hears what the loop does, which calls it: it must not block.
type Meter interface {
	// Stepped is called after each step that was made, with how long that took, the sync of its commit included.
	Stepped(took time.Duration, did Counts)
}

// Counts are what a step has done.
type Counts struct {
	Events   map[EventCount]int // events that got a disposition
	Attempts map[Result]int     // attempts to send or to ask that ended
}

// EventCount is what events are counted by.
type EventCount struct {
	Network     protocol.Network
	Disposition store.Disposition
}

// Result is how an attempt ended.
type Result string

// The results.
const (
	ResultDone      Result = "done"
	ResultRefused   Result = "refused"   // and it is of no use to try again
	ResultAmbiguous Result = "ambiguous" // nobody knows whether it was sent
	ResultLimited   Result = "limited"   // the network wants to be left alone for a while
	ResultFailed    Result = "failed"    // it is tried again
)

func (c *Counts) event(network protocol.Network, d store.Disposition) {
	if c.Events == nil {
		c.Events = map[EventCount]int{}
	}
	c.Events[EventCount{network, d}]++
}

func (c *Counts) attempt(err error) {
	if c.Attempts == nil {
		c.Attempts = map[Result]int{}
	}
	c.Attempts[resultOf(err)]++
}

func resultOf(err error) Result {
	var se *protocol.SendError
	switch errors.As(err, &se); {
	case err == nil:
		return ResultDone
	case se == nil:
		return ResultFailed
	case se.Ambiguous:
		return ResultAmbiguous
	case se.Final:
		return ResultRefused
	case se.RetryAfter > 0:
		return ResultLimited
	}
	return ResultFailed
}
