package events

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"moot/internal/effort"
	"moot/protocol"
	"moot/store"
)

// model races a bus against plain slices and maps.
type model struct {
	*world
	log     []Fact // all that was ever published; what was dropped too
	dropped map[uint64]bool
	retired int // how many of log have left the window

	numbers map[protocol.UserID]Number // of those who are known
	hashes  map[protocol.UserID]Number // of those who were forgotten under a sanction
	texts   map[TextID]protocol.UserID
	given   Number // the last number given
	textual uint64 // the last text kept

	subs []*modelSub
}

type modelSub struct {
	*Subscription
	last uint64 // the fact that was returned last, or after which it began
}

var (
	modelUsers = []protocol.UserID{ann, bob, cem}
	modelKinds = []string{"ballot", "active", "note"}
)

func TestModel(t *testing.T) {
	t.Parallel()
	effort.Checks(10, 25) // each makes some dozens of commits
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		sub := filepath.Join(dir, strconv.Itoa(runs))
		if err := os.Mkdir(sub, 0o700); err != nil {
			rt.Fatal(err)
		}
		m := &model{
			dropped: map[uint64]bool{}, numbers: map[protocol.UserID]Number{}, hashes: map[protocol.UserID]Number{},
			texts: map[TextID]protocol.UserID{},
		}
		m.world = worldIn(rt, sub)
		defer m.close()
		rt.Repeat(rapid.StateMachineActions(m))
		m.verify(rt)
	})
}

// number is what Bus.Number has to do.
func (m *model) number(user protocol.UserID) Number {
	if n, ok := m.numbers[user]; ok {
		return n
	}
	n, ok := m.hashes[user]
	if delete(m.hashes, user); !ok {
		m.given++
		n = m.given
	}
	m.numbers[user] = n
	return n
}

// modelRun is what is to happen in a run. It is drawn before the run begins, which would take the
// panics of rapid for those of a handler.
type modelRun struct {
	scope   protocol.Scope
	drafts  []Draft
	spoiled string
}

// Publish makes a commit of some runs, some of which fail.
func (m *model) Publish(t *rapid.T) {
	plan := make([]modelRun, rapid.IntRange(1, 3).Draw(t, "runs"))
	for i := range plan {
		plan[i].scope = rapid.SampledFrom([]protocol.Scope{lobby, garden}).Draw(t, "scope")
		plan[i].drafts = make([]Draft, rapid.IntRange(0, 6).Draw(t, "facts"))
		for j := range plan[i].drafts {
			plan[i].drafts[j] = m.draft(t)
		}
		plan[i].spoiled = rapid.SampledFrom([]string{"", "", "", "error", "panic", "bad draft"}).Draw(t, "spoiled")
	}
	m.commit(func(c *store.Commit) {
		for _, r := range plan {
			cause := m.cause()
			err := c.Run(r.scope, cause, func(tx *store.Tx) error {
				for _, d := range r.drafts {
					if err := m.bus.Publish(tx, d); err != nil {
						t.Errorf("publish %+v: %v", d, err)
					}
				}
				switch r.spoiled {
				case "error":
					return errors.New("no")
				case "panic":
					panic("oh")
				case "bad draft":
					_ = m.bus.Publish(tx, Draft{Kind: "note", Keys: map[string]string{"x": "\n"}})
				}
				return nil
			})
			if (err != nil) != (r.spoiled != "") {
				t.Fatalf("spoiled by %q, it ended with %v", r.spoiled, err)
			}
			if err != nil {
				continue
			}
			for _, d := range r.drafts {
				m.log = append(m.log, m.fact(c.Now(), r.scope, cause, d))
			}
		}
	})
}

func (m *model) draft(t *rapid.T) Draft {
	switch user := rapid.SampledFrom(modelUsers).Draw(t, "user"); rapid.SampledFrom(modelKinds).Draw(t, "kind") {
	case "ballot":
		return ballot(user, rapid.SampledFrom([]string{"1", "2"}).Draw(t, "vote"), "yes")
	case "active":
		return active(user)
	}
	return note(rapid.IntRange(0, 9).Draw(t, "n"))
}

// fact is what the log has to hold of a draft.
func (m *model) fact(at time.Time, scope protocol.Scope, cause protocol.Ref, d Draft) Fact {
	f := Fact{
		Seq: uint64(len(m.log) + 1), Time: at, Kind: d.Kind, Version: m.bus.publisher.kinds.byName[d.Kind].Version,
		Cause: cause, Scope: scope, Keys: d.Keys,
	}
	for role, user := range d.People {
		f.People = map[string]Number{role: m.number(user)}
	}
	switch p := d.Payload.(type) {
	case int:
		f.Payload = strconv.AppendInt(nil, int64(p), 10)
	case map[string]string:
		f.Payload = fmt.Appendf(nil, `{"choice":%q}`, p["choice"])
	}
	return f
}

// Matching asks for something.
func (m *model) Matching(t *rapid.T) {
	q := Query{
		Kind:     rapid.SampledFrom(append(modelKinds, "", "", "nonsense")).Draw(t, "kind"),
		After:    rapid.Uint64Range(0, uint64(len(m.log)+1)).Draw(t, "after"),
		Before:   rapid.Uint64Range(0, uint64(len(m.log)+2)).Draw(t, "before"),
		Backward: rapid.Bool().Draw(t, "backward"),
		Limit:    rapid.IntRange(0, 5).Draw(t, "limit"),
		Filters:  map[string]string{},
	}
	filter := rapid.SampledFrom([]string{"vote", "voter", "who", KeyPerson, KeyScope, KeyCause})
	for _, key := range rapid.SliceOfNDistinct(filter, 0, 3, rapid.ID).Draw(t, "filters") {
		switch key {
		case "vote":
			q.Filters[key] = rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "vote")
		case KeyScope:
			q.Filters[key] = string(rapid.SampledFrom([]protocol.Scope{lobby, garden}).Draw(t, "scope"))
		case KeyCause:
			n := rapid.IntRange(1, m.causes+1).Draw(t, "cause")
			q.Filters[key] = CauseValue(protocol.Ref{Room: "console:lobby", Event: protocol.EventID(fmt.Sprint("e", n))})
		default:
			q.Filters[key] = Number(rapid.Uint64Range(0, uint64(m.given)).Draw(t, "person")).String()
		}
	}
	var want []Fact
	for _, f := range m.log {
		if m.matches(f, q) {
			want = append(want, f)
		}
	}
	if q.Backward {
		slices.Reverse(want)
	}
	if q.Limit > 0 {
		want = want[:min(q.Limit, len(want))]
	}
	if d := diff(want, m.matching(q)); d != "" {
		t.Fatalf("%+v: %s", q, d)
	}
}

func (m *model) matches(f Fact, q Query) bool {
	if m.dropped[f.Seq] || q.Kind != "" && f.Kind != q.Kind || f.Seq <= q.After || q.Before != 0 && f.Seq >= q.Before {
		return false
	}
	for key, value := range q.Filters {
		var ok bool
		switch key {
		case KeyScope:
			ok = value == string(f.Scope)
		case KeyCause:
			ok = value == CauseValue(f.Cause)
		case KeyPerson:
			for _, n := range f.People {
				ok = ok || value == n.String()
			}
		case "vote":
			ok = f.Keys[key] == value
		default:
			n, named := f.People[key]
			ok = named && value == n.String()
		}
		if !ok {
			return false
		}
	}
	return true
}

// Archive makes a step, after some time.
func (m *model) Archive(t *rapid.T) {
	m.now = m.now.Add(rapid.SampledFrom([]time.Duration{0, DefaultWindow / 2, DefaultWindow}).Draw(t, "later"))
	limit := rapid.IntRange(1, 12).Draw(t, "limit")
	want, more := 0, false
	for _, f := range m.log[m.retired:] {
		if !f.Time.Before(m.now.Add(-DefaultWindow)) {
			break
		}
		if want == limit {
			more = true
			break
		}
		want++
	}
	moved, gotMore, err := m.bus.ArchiveStep(m.now, limit)
	if err != nil || moved != want || gotMore != more {
		t.Fatalf("moved %d of %d, more is %v and not %v, %v", moved, want, gotMore, more, err)
	}
	for _, f := range m.log[m.retired : m.retired+moved] {
		if f.Kind == "active" {
			m.dropped[f.Seq] = true
		}
	}
	m.retired += moved
}

// People lets people come, write, go, and be sanctioned.
func (m *model) People(t *rapid.T) {
	user := rapid.SampledFrom(modelUsers).Draw(t, "user")
	what := rapid.SampledFrom([]string{"number", "text", "forget", "keep", "release"}).Draw(t, "what")
	m.run(lobby, func(tx *store.Tx) {
		switch what {
		case "number":
			if n := m.bus.Number(tx, user); n != m.number(user) {
				t.Fatalf("%s is %d and not %d", user, n, m.number(user))
			}
		case "text":
			m.textual++
			want := TextID(fmt.Sprintf("%d.%d", m.number(user), m.textual))
			if id := m.bus.KeepText(tx, user, string(want)); id != want {
				t.Fatalf("%s and not %s", id, want)
			}
			m.texts[want] = user
		case "release":
			m.bus.Release(tx, m.hashes[user])
			delete(m.hashes, user)
		default:
			m.bus.Forget(tx, user, what == "keep")
			if n, ok := m.numbers[user]; ok && what == "keep" {
				m.hashes[user] = n
			}
			if what == "forget" {
				delete(m.hashes, user)
			}
			delete(m.numbers, user)
			maps.DeleteFunc(m.texts, func(_ TextID, u protocol.UserID) bool { return u == user })
		}
	})
}

// Follow begins to follow, or goes on to.
func (m *model) Follow(t *rapid.T) {
	if len(m.subs) < 3 {
		n := rapid.IntRange(0, 6).Draw(t, "history")
		s := &modelSub{last: uint64(len(m.log))}
		if n == 0 {
			s.Subscription = m.bus.Subscribe("active", "note")
		} else {
			s.Subscription = m.bus.SubscribeWithHistory(n, "active", "note")
			for i := len(m.log); i > 0 && n > 0; i-- {
				if f := m.log[i-1]; f.Kind != "ballot" && !m.dropped[f.Seq] {
					n--
					s.last = f.Seq - 1
				}
			}
		}
		m.subs = append(m.subs, s)
		return
	}
	s := rapid.SampledFrom(m.subs).Draw(t, "subscription")
	for range rapid.IntRange(1, 10).Draw(t, "facts") {
		rest := m.log[min(int(s.last), len(m.log)):]
		i := slices.IndexFunc(rest, func(f Fact) bool { return f.Kind != "ballot" && !m.dropped[f.Seq] })
		if i < 0 && len(s.page) == 0 {
			if _, err := s.turn(); err != nil || len(s.page) > 0 {
				t.Fatalf("there is more: %+v, %v", s.page, err)
			}
			return
		}
		f, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// A page may still hold facts that were dropped since; none that were not may be missing.
		if i >= 0 && f.Seq > rest[i].Seq || f.Seq <= s.last || f.Kind == "ballot" {
			t.Fatalf("after %d came %+v", s.last, f)
		}
		if d := diff([]Fact{m.log[f.Seq-1]}, []Fact{f}); d != "" {
			t.Fatal(d)
		}
		s.last = f.Seq
	}
}

// Reopen ends the run and begins another.
func (m *model) Reopen(t *rapid.T) {
	m.reopen()
	for _, s := range m.subs {
		if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
	}
	m.subs = nil
}

// Check compares all that can be seen.
func (m *model) Check(t *rapid.T) {
	var want []Fact
	for _, f := range m.log {
		if !m.dropped[f.Seq] {
			want = append(want, f)
		}
	}
	m.view(func(tx *store.Tx) {
		if d := diff(want, m.collect(m.bus.All(tx, 0))); d != "" {
			t.Fatal(d)
		}
		for _, user := range modelUsers {
			n := m.numbers[user] + m.hashes[user] // one of them is zero
			if got := m.bus.Lookup(tx, user); got != n {
				t.Fatalf("%s is %d and not %d", user, got, n)
			}
			if who, ok := m.bus.Who(tx, n); n != 0 && (ok != (m.numbers[user] != 0) || ok && who != user) {
				t.Fatalf("%d is %q, %v", n, who, ok)
			}
		}
		kept := map[TextID]protocol.UserID{}
		for _, user := range modelUsers {
			for id, text := range m.bus.Texts(tx, user) {
				if kept[id] = user; text != string(id) {
					t.Fatalf("text %s is %q", id, text)
				}
			}
		}
		if d := cmp.Diff(m.texts, kept); d != "" {
			t.Fatal(d)
		}
	})
}

// verify compares the projections with the log.
func (m *model) verify(t *rapid.T) {
	if err := m.bus.Verify(t.Context(), m.dir); err != nil {
		t.Fatal(err)
	}
}
