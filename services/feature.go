package services

import (
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/store"
)

const (
	timerTick  = "services.tick"
	timerClear = "services.clear"
	toldTick   = "services.schedule" // to the scope of a schedule: its service is there

	// punctual is how late a tick may be that counts as one that was not missed.
	punctual = time.Minute
	// clearTurn is how many jobs one transaction looks at that may be forgotten.
	clearTurn = 500
)

// Handle handles an event in its scope.
func (f *Feature) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	switch b := ev.Body.(type) {
	case protocol.Message:
		return f.patterns(tx, ev, b)
	case protocol.Order:
		return f.ordered(tx, ev, b)
	case protocol.Collected:
		return f.collected(tx, ev, b)
	case protocol.Answer:
		if _, is := ev.Room.Network().Service(); is {
			return f.answered(tx, b)
		}
	}
	return store.Outcome{}, nil
}

// Told handles what another scope tells this one, and returns false where that is not of this package.
func (f *Feature) Told(tx *store.Tx, what protocol.Internal) (bool, error) {
	switch what.Kind {
	case toldJob:
		var j Job
		if err := json.Unmarshal(what.Data, &j); err != nil {
			return true, fmt.Errorf("decode %s: %w", what.Kind, err)
		}
		return true, f.admit(tx, j)
	case toldTick:
		f.aim(tx)
		return true, nil
	}
	return false, nil
}

// Timed handles a timer of the scope, and returns false where it was not set here.
func (f *Feature) Timed(tx *store.Tx, t protocol.Timer) (bool, error) {
	switch t.Name {
	case timerTick:
		return true, f.ticked(tx, t.Data)
	case timerClear:
		f.clear(tx, string(t.Data))
		return true, nil
	}
	return false, nil
}

// Reach tells the schedule of a service that the service is there: it may be new, or another than before.
func (f *Feature) Reach(_ *store.Tx, network protocol.Network, up bool, _ time.Time) iter.Seq[store.Told] {
	return func(yield func(store.Told) bool) {
		name, is := network.Service()
		if s := f.byName[name]; is && up && s != nil && s.Schedule != nil {
			yield(store.Told{To: scopeOf(name, Origin{}, "schedule"), What: protocol.Internal{Kind: toldTick}})
		}
	}
}

// service returns the service of the scope of the transaction; nil where the configuration has none any more.
func (f *Feature) service(tx *store.Tx) *Spec {
	name, _ := protocol.RoomID(tx.Scope()).Network().Service()
	return f.byName[name]
}

// admit begins a job in its scope.
func (f *Feature) admit(tx *store.Tx, j Job) error {
	s := f.service(tx)
	if s == nil {
		return f.tell(tx, j, of(tx, j.Origin).Say("gone", named("Service", j.Service)), "gone")
	}
	if tx.Has(jobs, store.Key(tx.Scope(), string(j.Key))) {
		return nil
	}
	if waitingJobs(tx) >= uint64(s.Queue) {
		return f.tell(tx, j, of(tx, j.Origin).Say("busy", named("Service", j.Service)), "busy")
	}
	j.Created = tx.Now()
	if s.Progress != "" && j.Origin.Room != "" && (!j.Origin.Whisper || j.Origin.Private) {
		if err := f.tell(tx, j, markup(s.Progress), progressKey); err != nil {
			return err
		}
		j.Progress = true
	}
	return f.next(tx, s, j)
}

// next asks for the next task of a job.
func (f *Feature) next(tx *store.Tx, s *Spec, j Job) error {
	if j.Ask != "" {
		tx.Delete(asks, store.Key(tx.Scope(), string(j.Ask)))
	}
	tasks := s.tasks(j)
	for len(tasks[j.Task].Torch) > 0 { // another task follows
		sorry := read(of(tx, j.Origin).Language(), f.trees[s.Name], tasks[j.Task].Torch, &j.Input)
		j.Task++
		switch {
		case sorry == nil:
		case len(tasks) == len(s.Tasks):
			return f.ends(tx, s, j, sorry)
		default: // the collector is told what became of what it has found, as of all else
			if err := refuse(&j, sorry); err != nil {
				return err
			}
			j.Task = len(s.Tasks)
		}
	}
	task := tasks[j.Task]
	j.Ask = protocol.DeriveKey("task", string(j.Key), fmt.Sprint(j.Task), fmt.Sprint(j.Round))
	j.State, j.Fault, j.Changed = Waiting, "", tx.Now()
	key := protocol.DeriveKey("task", string(j.Key), fmt.Sprint(j.Task))
	if task.Once {
		key = j.Ask // what is retried by hand is another doing; otherwise what was done in part is found by its key
	}
	input, err := line(handed{key, j.Key, s.Name, task.Name, j.Input, j.Results})
	if err != nil {
		return err
	}
	_, err = outbox.Ask(tx, protocol.Ask{
		Key: j.Ask, Room: protocol.RoomID(tx.Scope()), Expires: outbox.Never,
		Want: protocol.AskTask{Task: task.Name, Input: input, Once: task.Once},
	})
	if err != nil {
		return err
	}
	tx.Put(asks, store.Key(tx.Scope(), string(j.Ask)), []byte(j.Key))
	return putJob(tx, j)
}

// ordered does what an operator wants.
func (f *Feature) ordered(tx *store.Tx, ev protocol.Event, o protocol.Order) (store.Outcome, error) {
	s := f.service(tx)
	if s == nil {
		return store.WasIgnored("there is no such service"), nil
	}
	if o.What == protocol.OrderRun {
		j := Job{
			Key: protocol.DeriveKey("job", s.Name, string(ev.Room), string(ev.ID)), Service: s.Name,
			Input: Input{Kind: "run", Text: o.Text, Time: tx.Now()},
		}
		return store.WasHandled("a job of " + s.Name), f.admit(tx, j)
	}
	j, ok := getJob(tx, tx.Scope(), o.Job)
	switch {
	case !ok:
		return store.WasIgnored("there is no such job"), nil
	case o.What == protocol.OrderDrop:
		tx.Withdraw(j.Ask)
		dropJob(tx, j)
		f.unbury(tx, j)
		return store.WasHandled("a job is dropped"), nil
	case j.State != Failed && j.State != Ambiguous:
		return store.WasIgnored("the job has not failed"), nil
	}
	f.unbury(tx, j)
	return store.WasHandled("a job is tried again"), f.again(tx, s, j)
}

// again tries once more what has failed, or may have.
func (f *Feature) again(tx *store.Tx, s *Spec, j Job) error {
	j.Round++
	j.Task = min(j.Task, len(s.tasks(j))-1) // the configuration may have fewer by now
	return f.next(tx, s, j)
}

// unbury drops the dead letter of a job.
func (f *Feature) unbury(tx *store.Tx, j Job) {
	for l := range tx.Letters(0) {
		if a, ok := l.Event.Body.(protocol.Answer); ok && a.Ask == j.Ask && l.Scope == tx.Scope() {
			tx.DropLetter(l.ID)
			return
		}
	}
}

// clear forgets the jobs of the scope that were done long enough ago, a slice at a time, from the given key on.
func (f *Feature) clear(tx *store.Tx, from string) {
	keep := time.Duration(0)
	if s := f.service(tx); s != nil {
		keep = s.Keep
	}
	prefix := store.Key(tx.Scope(), "")
	left, looked := from != "", 0 // before from there may be some
	for k, v := range tx.Range(jobs, max(prefix, from), store.After(prefix)) {
		if looked++; looked > clearTurn {
			tx.SetTimer(timerClear, tx.Now(), []byte(k))
			return
		}
		var j Job
		switch {
		case json.Unmarshal(v, &j) != nil || j.State != Done:
		case j.Changed.Add(keep).After(tx.Now()):
			left = true
		default:
			dropJob(tx, j)
		}
	}
	if left {
		f.clearLater(tx, keep/8)
	}
}

// clearLater has jobs forgotten after a time, unless that is to happen sooner.
func (f *Feature) clearLater(tx *store.Tx, after time.Duration) {
	if tx.Timer(timerClear).IsZero() {
		tx.SetTimer(timerClear, tx.Now().Add(max(after, time.Minute)), nil)
	}
}
