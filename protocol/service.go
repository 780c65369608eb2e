package protocol

import (
	"encoding/json"
	"errors"
	"strings"
)

// A service is a network whose only member is a program: what its collectors bring are events, what its tasks are to do are
// asks, and what came of them are answers. Its rooms are the conversations that it works for, so that their order is kept.

// servicePrefix begins the names of networks that are services.
const servicePrefix = "service."

// ServiceNetwork returns the network of the service of that name.
func ServiceNetwork(name string) Network { return Network(servicePrefix + name) }

// Service returns the name of the service that the network is, and whether it is one.
func (n Network) Service() (name string, is bool) { return strings.CutPrefix(string(n), servicePrefix) }

// AskTask wants a task of a service done. Its answer is a [TaskDone].
type AskTask struct {
	Task string
	// Input is what the task is given: one JSON object.
	Input json.RawMessage
	// Once is whether it may be done at most once: where an attempt may have begun before, nobody tries again, and it ends as
	// ambiguous.
	Once bool `json:",omitempty"`
}

// TaskDone says what came of a task, as the result of an [AskTask].
type TaskDone struct {
	Output json.RawMessage // one JSON object
}

// Order is what somebody who operates the bot wants of a service. Only services bring it.
type Order struct {
	What OrderKind
	Job  Key    // the job that is meant; zero for OrderRun
	Text string // what OrderRun works on
}

// Collected is something that a collector of a service has brought. Only services bring it.
type Collected struct {
	Kind string          // of the collector, as "webhook"
	Name string          // what its source calls it; zero where it does not
	Text string          `json:",omitempty"` // its words; zero where it has none
	Data json.RawMessage // what it is; nil where Text is all
}

// OrderKind is what an Order wants.
type OrderKind string

// The orders.
const (
	OrderRun   OrderKind = "run"   // a job as if a collector had brought the text
	OrderRetry OrderKind = "retry" // what has failed, or is ambiguous, once more
	OrderDrop  OrderKind = "drop"  // the job forgotten
)

// ErrNotService is the error of an event that only services bring, and no service has brought.
var ErrNotService = errors.New("only services bring that")

func (AskTask) want()  {}
func (TaskDone) body() {}
func (Order) body()    {}

func (Collected) body() {}
