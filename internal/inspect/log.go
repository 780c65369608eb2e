package inspect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"moot/events"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

// Person is somebody whom a fact names.
type Person struct {
	Number events.Number `json:"number"`
	// User is who they are; zero where they were forgotten.
	User protocol.UserID `json:"user,omitempty"`
}

// String is the person's id, or the number of one who was forgotten.
func (p Person) String() string {
	if p.User == "" {
		return fmt.Sprintf("#%d (forgotten)", p.Number)
	}
	return string(p.User)
}

// Fact is a fact as it is shown.
type Fact struct {
	Seq     uint64            `json:"seq"`
	Time    time.Time         `json:"time,omitzero"`
	Kind    string            `json:"kind,omitempty"`
	Version int               `json:"version,omitempty"`
	Text    string            `json:"text,omitempty"` // what it is about, in a few words
	Scope   protocol.Scope    `json:"scope,omitempty"`
	Cause   *Ref              `json:"cause,omitempty"`
	People  map[string]Person `json:"people,omitempty"` // by their roles
	Keys    map[string]string `json:"keys,omitempty"`
	Payload json.RawMessage   `json:"payload,omitempty"`
	Fault   string            `json:"fault,omitempty"` // why it cannot be read; there is then nothing but Seq
}

func showFact(tx *store.Tx, bus *events.Bus, f events.Fact, err error) Fact {
	if err != nil {
		return Fact{Seq: f.Seq, Fault: err.Error()}
	}
	out := Fact{
		Seq: f.Seq, Time: f.Time, Kind: f.Kind, Version: f.Version, Text: bus.Describe(say.English, f), Scope: f.Scope,
		Cause: refOf(f.Cause), Keys: f.Keys, Payload: slices.Clone(f.Payload),
	}
	if len(f.People) > 0 {
		out.People = make(map[string]Person, len(f.People))
		for role, n := range f.People {
			user, _ := bus.Who(tx, n)
			out.People[role] = Person{n, user}
		}
	}
	return out
}

// LogQuery says which facts are wanted. The zero value wants all, from the first on.
type LogQuery struct {
	Kind   string            `json:"kind,omitempty"`
	Room   string            `json:"room,omitempty"`   // by id or name
	Person string            `json:"person,omitempty"` // in any role
	Keys   map[string]string `json:"keys,omitempty"`
	Since  time.Time         `json:"since,omitzero"`
	// Ago is how old they may be; it counts from now, or from the last commit where the clock of the store is ahead.
	Ago time.Duration `json:"ago,omitempty"`
	// After and Before are numbers between which the facts lie, themselves excluded; zero means no bound.
	After  uint64 `json:"after,omitempty"`
	Before uint64 `json:"before,omitempty"`
	// Backward is whether the last comes first.
	Backward bool `json:"backward,omitempty"`
	// Limit is how many are wanted; zero, and what is above it, means PageSize.
	Limit int `json:"limit,omitempty"`
}

// LogPage is a part of the log.
type LogPage struct {
	Facts []Fact `json:"facts"`
	// More is whether there may be further ones behind the last.
	More bool `json:"more"`
	// Last is the number of the last fact of the log, whatever the query.
	Last uint64 `json:"last"`
}

// Log returns the first page of the facts that a query wants. The next one has the Seq of the last fact as its After, or
// as its Before where the query goes backward.
func (in *Inspector) Log(q LogQuery) (page LogPage, err error) {
	bus, err := in.bus()
	if err != nil {
		return page, err
	}
	if q.Limit <= 0 || q.Limit > PageSize {
		q.Limit = PageSize
	}
	err = in.Store.View(func(tx *store.Tx) error {
		page, err = logPage(tx, bus, q)
		return err
	})
	return page, err
}

func logPage(tx *store.Tx, bus *events.Bus, q LogQuery) (LogPage, error) {
	page := LogPage{Facts: []Fact{}, Last: tx.NextFact() - 1}
	query, err := q.resolve(tx, bus)
	if err != nil {
		return page, err
	}
	since := sinceTime(tx, q.Since, q.Ago)
	if !q.Backward {
		query.After = max(query.After, beforeTime(tx, bus, since))
	}
	bytes := 0
	for f, err := range bus.Matching(tx, query) {
		if err != nil && f.Seq == 0 {
			return page, err
		}
		if err == nil && q.Backward && f.Time.Before(since) {
			return page, nil
		}
		page.Facts = append(page.Facts, showFact(tx, bus, f, err))
		if bytes += len(f.Payload); len(page.Facts) == q.Limit || bytes > pageBytes {
			page.More = true
			return page, nil
		}
	}
	return page, nil
}

// sinceTime returns the time before which nothing is wanted.
func sinceTime(tx *store.Tx, since time.Time, ago time.Duration) time.Time {
	if ago <= 0 {
		return since
	}
	now := time.Now().UTC()
	if tx.Now().After(now) {
		now = tx.Now()
	}
	if from := now.Add(-ago); from.After(since) {
		return from
	}
	return since
}

// resolve makes of the names in a query what stands in the index.
func (q LogQuery) resolve(tx *store.Tx, bus *events.Bus) (events.Query, error) {
	out := events.Query{Kind: q.Kind, Filters: map[string]string{}, After: q.After, Before: q.Before, Backward: q.Backward}
	if kinds := bus.Kinds(tx); q.Kind != "" && !slices.Contains(kinds, q.Kind) {
		if len(kinds) == 0 {
			return out, notFound("There are no facts of the kind %s. The log is empty.", protocol.Quoted(q.Kind, 0))
		}
		return out, notFound("There are no facts of the kind %s. The kinds in the log are %s.", protocol.Quoted(q.Kind, 0), strings.Join(kinds, ", "))
	}
	for k, v := range q.Keys {
		out.Filters[k] = v
	}
	if q.Room != "" {
		info, err := oneRoom(tx, q.Room)
		if err != nil {
			return out, err
		}
		out.Filters[events.KeyScope] = string(info.ID)
	}
	if q.Person != "" {
		n, err := findPerson(tx, bus, q.Person)
		if err != nil {
			return out, err
		}
		out.Filters[events.KeyPerson] = n.String()
	}
	return out, nil
}

// beforeTime returns the number of the last fact before a time. Facts are in the order of their times, so that some
// twenty of them tell.
func beforeTime(tx *store.Tx, bus *events.Bus, t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	lo, hi := uint64(0), tx.NextFact()-1 // the answer lies between them, both included
	for lo < hi {
		mid := lo + (hi-lo)/2
		f, ok := next(tx, bus, mid)
		if !ok || f.Seq > hi || !f.Time.Before(t) {
			hi = mid // nothing before the time comes behind mid
		} else {
			lo = f.Seq
		}
	}
	return lo
}

// next returns the first fact behind a number that can be read.
func next(tx *store.Tx, bus *events.Bus, after uint64) (events.Fact, bool) {
	for f, err := range bus.Matching(tx, events.Query{After: after}) {
		if err == nil {
			return f, true
		}
	}
	return events.Fact{}, false
}
