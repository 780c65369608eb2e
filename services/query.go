package services

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

// JobQuery says which jobs are wanted.
type JobQuery struct {
	Service string  `json:"service,omitempty"` // zero means all
	States  []State `json:"states,omitempty"`  // none means all
	Job     string  `json:"job,omitempty"`     // the beginning of its name; zero means all
	Limit   int     `json:"limit,omitempty"`
}

// JobLine is a job as it is shown.
type JobLine struct {
	Job     protocol.Key   `json:"job"`
	Service string         `json:"service"`
	State   State          `json:"state"`
	Task    string         `json:"task,omitempty"`
	Tries   int            `json:"tries,omitempty"` // of that task
	From    string         `json:"from,omitempty"`  // the room, or how it came otherwise
	Created time.Time      `json:"created"`
	Changed time.Time      `json:"changed"`
	Fault   string         `json:"fault,omitempty"`
	Input   string         `json:"input,omitempty"` // JSON, without what nobody is to see
	Scope   protocol.Scope `json:"scope"`
	// Room is that which it came from, zero where it came from none, and Private whether that is a private conversation.
	Room    protocol.RoomID `json:"-"`
	Private bool            `json:"-"`
}

// JobPage is some of the jobs, the last change first.
type JobPage struct {
	Jobs []JobLine `json:"jobs"`
	More bool      `json:"more,omitempty"`
}

// maxJobs is how many jobs a page has at most, and scanned how many are looked at for it.
const (
	maxJobs = 200
	scanned = 50_000
)

// All goes through the jobs of all services.
func (f *Feature) All(tx *store.Tx) iter.Seq2[protocol.Scope, Job] {
	return func(yield func(protocol.Scope, Job) bool) {
		for k, v := range tx.Range(jobs, "", "") {
			var j Job
			scope, _, _ := strings.Cut(k, store.Sep)
			if json.Unmarshal(v, &j) == nil && !yield(protocol.Scope(scope), j) {
				return
			}
		}
	}
}

// Jobs returns the jobs that a query wants.
func (f *Feature) Jobs(tx *store.Tx, q JobQuery) (page JobPage) {
	if q.Limit <= 0 || q.Limit > maxJobs {
		q.Limit = maxJobs
	}
	page.Jobs = []JobLine{}
	looked := 0
	for scope, j := range f.All(tx) {
		if looked++; looked > scanned {
			page.More = true
			break
		}
		if q.Service != "" && j.Service != q.Service || !strings.HasPrefix(string(j.Key), q.Job) {
			continue
		}
		line := f.line(tx, scope, j)
		if len(q.States) > 0 && !slices.Contains(q.States, line.State) {
			continue
		}
		page.Jobs = append(page.Jobs, line)
	}
	slices.SortStableFunc(page.Jobs, func(a, b JobLine) int { return b.Changed.Compare(a.Changed) })
	if len(page.Jobs) > q.Limit {
		page.Jobs, page.More = page.Jobs[:q.Limit], true
	}
	return page
}

func (f *Feature) line(tx *store.Tx, scope protocol.Scope, j Job) JobLine {
	l := JobLine{
		Job: j.Key, Service: j.Service, State: j.State, From: string(j.Origin.Room), Created: j.Created, Changed: j.Changed,
		Fault: j.Fault, Scope: scope, Room: j.Origin.Room, Private: j.Origin.Private,
	}
	if l.From == "" {
		if l.From = j.Input.Kind; j.Input.Collector != "" {
			l.From = j.Input.Collector
		}
	}
	if s := f.byName[j.Service]; s != nil && j.State != Done && j.Task < len(s.tasks(j)) {
		l.Task = s.tasks(j)[j.Task].Name
	}
	d := tx.Delivery(j.Ask)
	l.Tries = d.Attempts
	if j.State == Waiting {
		for q := range tx.Queue(d.Lane, d.Number) {
			if q.Key == j.Ask && q.Attempts > 0 {
				l.Tries = q.Attempts
				if l.Fault = q.Fault; q.Due.IsZero() {
					l.State = Running
				}
			}
			break
		}
	}
	if j.State != Done {
		l.Input, l.Fault = f.shown(j, l.Fault)
	}
	return l
}

// Errors of Find, and of retrying what has not failed.
var (
	ErrNotFailed = errors.New("it can be retried only when it has failed, or is ambiguous")
	ErrNoJob     = errors.New("there is no such job")
	ErrManyJobs  = errors.New("several jobs begin so")
)

// Find returns the one job whose name begins so.
func (f *Feature) Find(tx *store.Tx, name string) (JobLine, error) {
	page := f.Jobs(tx, JobQuery{Job: name, Limit: 2})
	switch len(page.Jobs) {
	case 0:
		return JobLine{}, fmt.Errorf("%w: %s", ErrNoJob, protocol.Shorten(protocol.OneLine(name), 40))
	case 1:
		return page.Jobs[0], nil
	}
	return JobLine{}, fmt.Errorf("%w: %s", ErrManyJobs, protocol.Shorten(protocol.OneLine(name), 40))
}

// Unfinished returns how many jobs of all services have not come to an end.
func (f *Feature) Unfinished(tx *store.Tx) (n uint64) { return total(tx, load) }

// Stuck returns how many jobs of all services have failed, or are ambiguous, and wait for somebody.
func (f *Feature) Stuck(tx *store.Tx) (n uint64) { return total(tx, stuck) }

func total(tx *store.Tx, of store.Bucket) (n uint64) {
	for _, v := range tx.Range(of, "", "") {
		n += store.ParseNumber(string(v))
	}
	return n
}

// Export goes through what is stored of a person.
func (f *Feature) Export(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for _, j := range f.All(tx) {
			if j.Origin.Sender != user {
				continue
			}
			if !yield(to(tx, user).Say("stored-"+string(j.State), named("Service", j.Service), say.Moment("At", j.Created))) {
				return
			}
		}
	}
}

// Forget removes what is stored of a person, but for jobs that wait: they are done first.
func (f *Feature) Forget(tx *store.Tx, user protocol.UserID) (removed, stays protocol.Text) {
	for scope, j := range f.All(tx) {
		switch {
		case j.Origin.Sender != user:
		case j.State == Waiting:
			stays = to(tx, user).Say("stays")
		default:
			in := tx.In(scope)
			f.unbury(in, j)
			dropJob(in, j)
			removed = to(tx, user).Say("removed")
		}
	}
	return removed, stays
}
