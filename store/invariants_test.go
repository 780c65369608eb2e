package store

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"moot/protocol"
)

// checkInvariants fails unless everything in the store agrees with everything else, and the file is whole.
func checkInvariants(t tb, s *Store) {
	t.Helper()
	err := s.View(func(tx *Tx) error {
		checkMeta(t, tx)
		checkSeen(t, s, tx)
		checkLog(t, tx)
		checkTimers(t, tx)
		checkOutbox(t, tx)
		checkDead(t, tx)
		return nil
	})
	if err != nil {
		t.Fatalf("view: %v", err)
	}
	if err := s.Check(); err != nil {
		t.Fatalf("check: %v", err)
	}
}

func checkMeta(t tb, tx *Tx) {
	t.Helper()
	if app := tx.Get(meta, metaApp); string(app) != application {
		t.Fatalf("application is %q", app)
	}
	if n := len(tx.Get(meta, metaInstance)); n != 16 {
		t.Fatalf("the instance has %d characters", n)
	}
	if n := len(tx.Get(meta, metaSecret)); n != 32 {
		t.Fatalf("the secret has %d bytes", n)
	}
}

// checkSeen: what is not forgotten is in the index by time once, under its time, and that index has nothing else. What
// memory knows is what the file says.
func checkSeen(t tb, s *Store, tx *Tx) {
	t.Helper()
	v := tx.seer.(viewed)
	fromFile, err := loadJournal(v.file.tx, s.journal.limits)
	if err != nil {
		t.Fatalf("load the journal: %v", err)
	}
	events, times := rowsOf(t, v.state, v.file)
	fileEvents, fileTimes := rowsOf(t, fromFile.state, v.file)
	if !maps.Equal(events, fileEvents) || !maps.Equal(times, fileTimes) || fromFile.floor != v.floor {
		t.Fatalf("memory has %v %v, the file %v %v", events, times, fileEvents, fileTimes)
	}
	for a, seen := range events {
		if got := tx.Seen(a.room, a.event); got != seen {
			t.Fatalf("%v is %+v, and in its row %+v", a, got, seen)
		}
		if d := seen.Disposition; d < Handled || d > Waiting {
			t.Fatalf("%v is %v", a, d)
		}
		if seen.Time.After(tx.Now()) {
			t.Fatalf("%v was recorded at %v, after the last commit at %v", a, seen.Time, tx.Now())
		}
		if times[a] != seen.Time {
			t.Fatalf("%v was recorded at %v, the index by time has %v", a, seen.Time, times[a])
		}
	}
	if len(times) != len(events) {
		t.Fatalf("%d events, %d in the index by time", len(events), len(times))
	}
	checkRuns(t, s, v.file.tx)
	for i, r := range v.runs {
		if i > 0 && v.runs[i-1].From <= r.To || r.From > r.To || r.To >= v.active.generation {
			t.Fatalf("runs overlap: %d has generations %d to %d", r.number, r.From, r.To)
		}
	}
}

// checkRuns: each run in the file is one that the journal knows of, and knows what to do with.
func checkRuns(t tb, s *Store, tx *bbolt.Tx) {
	t.Helper()
	j, known := s.journal, map[uint64]runState{}
	for _, r := range j.runs {
		known[r.number] = runReady
	}
	for _, r := range j.begun {
		known[r.number] = runBuilding
	}
	for _, r := range j.dropping {
		known[r.number] = runDropping
	}
	if j.flush != nil {
		known[j.flush.number] = runBuilding
	}
	if j.merge != nil {
		known[j.merge.number] = runBuilding
	}
	b := tx.Bucket([]byte(runsBucket))
	if b == nil {
		return
	}
	_ = b.ForEach(func(k, v []byte) error {
		r, err := readRun(tx, ParseNumber(string(k)), v)
		if err != nil || known[r.number] != r.State {
			t.Fatalf("run %d is %q in the file and %q in memory (%v)", r.number, r.State, known[r.number], err)
		}
		delete(known, r.number)
		return nil
	})
	if len(known) > 0 {
		t.Fatalf("memory has runs that the file has not: %v", known)
	}
}

// rowsOf returns everything that is not forgotten, and the index by time.
func rowsOf(t tb, st *state, f *file) (events map[address]Seen, times map[address]time.Time) {
	t.Helper()
	events, times = map[address]Seen{}, map[address]time.Time{}
	see := func(a address, s Seen) {
		if _, known := events[a]; !known {
			events[a] = s
		}
	}
	index := func(a address, at uint64) {
		if at < st.floor {
			return
		}
		if _, twice := times[a]; twice {
			t.Fatalf("%v is in the index by time twice", a)
		}
		times[a] = ParseTime(Number(at))
	}
	for _, table := range []*table{st.active, st.frozen} {
		if table == nil {
			continue
		}
		for a, v := range table.known {
			see(a, v.seen())
		}
		for _, v := range table.fresh {
			index(v.address, v.at)
		}
	}
	for _, r := range st.runs {
		for _, c := range r.Seen {
			rows := f.rows(runSeenBucket, c.ID, r.Blocks)
			for ok := rows.first(); ok; ok = rows.next() {
				room, event, _ := strings.Cut(string(rows.key), Sep)
				see(address{protocol.RoomID(room), protocol.EventID(event)}, decodeSeen(rows.value))
			}
			rows.check()
		}
		for _, c := range r.Times {
			rows := f.rows(runTimesBucket, c.ID, r.Blocks)
			for ok := rows.first(); ok; ok = rows.next() {
				room := protocol.RoomID(rows.key[:len(rows.key)-9])
				for id := range strings.SplitSeq(string(rows.value), Sep) {
					index(address{room, protocol.EventID(id)}, ParseNumber(string(rows.key)))
				}
			}
			rows.check()
		}
	}
	maps.DeleteFunc(events, func(_ address, s Seen) bool { return nanoseconds(s.Time) < st.floor })
	return events, times
}

// checkLog: each record in the log is in the index under all its entries, and the index has nothing else of it.
func checkLog(t tb, tx *Tx) {
	t.Helper()
	next := tx.NextRecord()
	for k, v := range tx.Range(facts, "", "") {
		r, ok := decodeRecord(v)
		if n := ParseNumber(k); len(k) != 8 || !ok || n == 0 || n >= next {
			t.Fatalf("facts has the key %q with %q; the next number is %d", k, v, next)
		}
		for _, prefix := range r.Index {
			if !tx.Has(index, Key(prefix, k)) {
				t.Fatalf("record %x is not in the index under %q", k, prefix)
			}
		}
	}
	for k := range tx.Range(index, "", "") {
		n := ParseNumber(k)
		if len(k) < 10 || k[len(k)-9:len(k)-8] != Sep || n == 0 || n >= next {
			t.Fatalf("index has the key %q; the next number is %d", k, next)
		}
		if v := tx.Get(facts, Number(n)); v != nil {
			if r, _ := decodeRecord(v); !slices.Contains(r.Index, k[:len(k)-9]) {
				t.Fatalf("index has %q, record %d has %q", k, n, r.Index)
			}
		}
	}
}

// checkTimers: timers and timer-names are the same set.
func checkTimers(t tb, tx *Tx) {
	t.Helper()
	n := 0
	for k := range tx.Range(timers, "", "") {
		timer := decodeTimer(k, nil)
		if at := tx.Get(timerNames, Key(timer.Scope, timer.Name)); string(at) != k[:8] {
			t.Fatalf("timers has %q, timer-names has %x for it", k, at)
		}
		n++
	}
	for k, v := range tx.Range(timerNames, "", "") {
		if n--; !tx.Has(timers, Key(string(v), k)) {
			t.Fatalf("timer-names has %q at %x, timers does not", k, v)
		}
	}
	if n != 0 {
		t.Fatalf("timers has %d more than timer-names", n)
	}
}

// checkOutbox: sent and sent-by-time are the same set, and outbox is the part of it that is queued.
func checkOutbox(t tb, tx *Tx) {
	t.Helper()
	next := ParseNumber(string(tx.Get(meta, "outbox-next")))
	queued, known := 0, 0
	for k, v := range tx.Range(outbox, "", "") {
		var q Queued
		if err := json.Unmarshal(v, &q); err != nil || k != Key(q.Lane, Number(q.Number)) || q.Number >= next {
			t.Fatalf("outbox has the key %q with %s (%v); the next number is %d", k, v, err, next)
		}
		if s := tx.Sent(q.Key); s.State != StateQueued || s.Lane != q.Lane || s.Number != q.Number || s.Cause != q.Cause {
			t.Fatalf("outbox has %+v, sent has %+v", q, s)
		}
		if q.Created.After(tx.Now()) {
			t.Fatalf("outbox has %q created at %v, after the last commit at %v", k, q.Created, tx.Now())
		}
		queued++
	}
	for k, v := range tx.Range(sent, "", "") {
		s := tx.Sent(protocol.Key(k))
		if !tx.Has(sentByTime, Key(Time(s.Time), k)) {
			t.Fatalf("sent has %q with %s, sent-by-time does not", k, v)
		}
		if s.State == StateQueued {
			queued--
		}
		known++
	}
	for k := range tx.Range(sentByTime, "", "") {
		if known--; !tx.Has(sent, k[9:]) {
			t.Fatalf("sent-by-time has %q, sent does not", k)
		}
	}
	if queued != 0 || known != 0 {
		t.Fatalf("outbox has %d more than sent says are queued; sent has %d more than sent-by-time", queued, known)
	}
}

func checkDead(t tb, tx *Tx) {
	t.Helper()
	next, listed := ParseNumber(string(tx.Get(meta, "dead-next"))), 0
	for range tx.Letters(0) {
		listed++
	}
	for k, v := range tx.Range(dead, "", "") {
		if n := ParseNumber(k); len(k) != 8 || n == 0 || n >= next {
			t.Fatalf("dead has the key %q; the next number is %d", k, next)
		}
		if _, ok := tx.Letter(ParseNumber(k)); !ok {
			t.Fatalf("dead letter %x cannot be read: %s", k, v)
		}
		listed--
	}
	if listed != 0 {
		t.Fatalf("Letters lists %d more than there are", listed)
	}
}
