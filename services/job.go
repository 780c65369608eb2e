package services

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"moot/protocol"
	"moot/store"
)

// State is how far a job is.
type State string

// The states. Running is told from Waiting only when somebody asks: the outbox knows.
const (
	Waiting   State = "pending"   // its next task has not begun
	Running   State = "running"   // a task works on it
	Done      State = "done"      // all tasks have
	Failed    State = "failed"    // a task has failed for good
	Ambiguous State = "ambiguous" // a task that may run only once may have, or not
)

// States are all states, in the order in which people think of them.
func States() []State { return []State{Waiting, Running, Done, Failed, Ambiguous} }

// Job is what a service does because of one message, tick or order.
type Job struct {
	Key     protocol.Key
	Service string
	Origin  Origin
	Input   Input
	// Results are those of the tasks that are done, merged in their order.
	Results map[string]json.RawMessage `json:",omitempty"`
	Task    int                        // the one that is next, or has failed
	Ask     protocol.Key               // the ask of it
	State   State
	Fault   string `json:",omitempty"` // why it is Failed or Ambiguous
	Round   int    `json:",omitempty"` // how often it was retried by hand
	// Progress is whether something stands already where its answer belongs.
	Progress bool `json:",omitempty"`
	Created  time.Time
	Changed  time.Time

	was State // as it stands in the store; zero where it does not
}

// Origin is where a job came from, and where its answer belongs.
type Origin struct {
	Room    protocol.RoomID  `json:",omitempty"` // zero where it is no room
	Place   protocol.PlaceID `json:",omitempty"`
	Event   protocol.EventID `json:",omitempty"`
	Sender  protocol.UserID  `json:",omitempty"`
	Handle  string           `json:",omitempty"`
	Private bool             `json:",omitempty"` // whether Room is a private conversation
	Typed   bool             `json:",omitempty"` // whether it was a message, to which one can reply
	Whisper bool             `json:",omitempty"` // whether only the sender is to see the answer
}

// Input is what the first task is given, and every later one beside the results of those before it.
type Input struct {
	Kind string `json:"kind"` // command, pattern, schedule, webhook, tail, feed, program or run
	// Collector is the name of the one that has brought it; zero where none has.
	Collector string         `json:"collector,omitempty"`
	Command   string         `json:"command,omitempty"`
	Args      map[string]any `json:"args,omitempty"`
	Text      string         `json:"text"`             // also where it is empty, so that a script need not ask whether it is there
	Groups    []string       `json:"groups,omitempty"` // what the pattern has found: all of it, and then its groups
	// Event and Data are what a webhook or a collector brought: what its sender calls it, and what it is.
	Event string          `json:"event,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"`

	Room     string    `json:"room,omitempty"`
	RoomName string    `json:"room_name,omitempty"`
	Place    string    `json:"place,omitempty"`
	Person   string    `json:"person,omitempty"`
	Name     string    `json:"name,omitempty"` // of the person
	Time     time.Time `json:"time"`           // when it was said, or was due
}

// handed is the line that a task reads.
type handed struct {
	Key     protocol.Key `json:"key"`
	Job     protocol.Key `json:"job"`
	Service string       `json:"service"`
	Task    string       `json:"task"`
	Input
	Results map[string]json.RawMessage `json:"results"`
}

// Line returns the line that a task reads, for whoever tries it without a bot.
func Line(key protocol.Key, service, task string, in Input, results map[string]json.RawMessage) ([]byte, error) {
	return line(handed{key, key, service, task, in, results})
}

func line(h handed) ([]byte, error) {
	if h.Results == nil {
		h.Results = map[string]json.RawMessage{}
	}
	data, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode the input of %s: %w", h.Task, err)
	}
	// What tasks and webhooks write may be JSON but for its bytes, which many languages refuse to read.
	return bytes.ToValidUTF8(data, []byte("\uFFFD")), nil
}

var (
	jobs = store.ScopedBucket("service-jobs")
	asks = store.ScopedBucket("service-asks")
	load = store.ScopedBucket("service-load")

	stuck = store.ScopedBucket("service-stuck")
)

func getJob(tx *store.Tx, scope protocol.Scope, key protocol.Key) (j Job, ok bool) {
	v := tx.Get(jobs, store.Key(scope, string(key)))
	ok = v != nil && json.Unmarshal(v, &j) == nil
	j.was = j.State
	return j, ok
}

// putJob writes a job under the scope of the transaction, once in each, and counts whether it waits, or has failed.
func putJob(tx *store.Tx, j Job) error {
	data, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encode job %s: %w", j.Key, err)
	}
	tx.Put(jobs, store.Key(tx.Scope(), string(j.Key)), data)
	recount(tx, j.was, j.State)
	return nil
}

func dropJob(tx *store.Tx, j Job) {
	tx.Delete(jobs, store.Key(tx.Scope(), string(j.Key)))
	tx.Delete(asks, store.Key(tx.Scope(), string(j.Ask)))
	recount(tx, j.State, "")
}

// recount keeps how many jobs of the scope wait, and how many somebody has to look at.
func recount(tx *store.Tx, was, is State) {
	count(tx, load, is == Waiting, was == Waiting)
	count(tx, stuck, is == Failed || is == Ambiguous, was == Failed || was == Ambiguous)
}

// count counts a job in or out.
func count(tx *store.Tx, in store.Bucket, is, was bool) {
	if is == was {
		return
	}
	n := store.ParseNumber(string(tx.Get(in, string(tx.Scope()))))
	switch {
	case is:
		n++
	case n > 0: // what had failed before there was such a count is in none
		n--
	}
	if n == 0 {
		tx.Delete(in, string(tx.Scope()))
		return
	}
	tx.Put(in, string(tx.Scope()), []byte(store.Number(n)))
}

func waitingJobs(tx *store.Tx) uint64 { return waitingIn(tx, tx.Scope()) }

func waitingIn(tx *store.Tx, scope protocol.Scope) uint64 {
	return store.ParseNumber(string(tx.Get(load, string(scope))))
}

// Free returns how many jobs of a conversation of a service may still be begun.
func (f *Feature) Free(tx *store.Tx, conversation protocol.RoomID) int {
	name, _ := conversation.Network().Service()
	s := f.byName[name]
	if s == nil {
		return 0
	}
	return max(0, s.Queue-int(waitingIn(tx, protocol.Scope(conversation))))
}

// scopeOf returns the scope of a conversation of a service.
func scopeOf(service string, o Origin, otherwise string) protocol.Scope {
	conversation := otherwise
	if o.Room != "" {
		conversation = string(o.Room)
		if o.Place != "" {
			conversation += "/" + string(o.Place)
		}
	}
	scope := string(protocol.ServiceNetwork(service)) + ":" + conversation
	if len(scope) > protocol.MaxID-64 {
		scope = string(protocol.ServiceNetwork(service)) + ":" + string(protocol.DeriveKey(conversation))
	}
	return protocol.Scope(scope)
}
