package store

import (
	"bytes"
	"encoding/json"

	"moot/protocol"
)

// checkInvariants fails unless everything in the store agrees with everything else, and the file is
// whole.
func checkInvariants(t tb, s *Store) {
	t.Helper()
	err := s.View(func(tx *Tx) error {
		checkMeta(t, tx)
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

// checkLog: each record in the log is in the index under all its entries, and the index has nothing
// else of it.
func checkLog(t tb, tx *Tx) {
	t.Helper()
	next := tx.NextFact()
	for k, v := range tx.Range(facts, "", "") {
		if n := ParseNumber(k); len(k) != 8 || n == 0 || n >= next {
			t.Fatalf("facts has the key %q with %q; the next number is %d", k, v, next)
		}
	}
	term, before := "", uint64(0) // the last number of the full chunk before
	for k, v := range tx.Range(index, "", "") {
		if len(k) != 8 && len(k) != 16 {
			t.Fatalf("index has the key %q", k)
		}
		if k[:8] != term {
			term, before = k[:8], 0
		}
		numbers := chunk(v).numbers()
		if len(numbers) == 0 || !bytes.Equal(v, chunkOf(numbers)) || numbers[0] >= next ||
			numbers[len(numbers)-1] <= before {
			t.Fatalf("index has %d under %q after %d; the next number is %d", numbers, k, before, next)
		}
		if len(k) == 8 {
			continue // the latest ones, which stand before the full chunks
		}
		if before = ParseNumber(k); before != numbers[0] {
			t.Fatalf("index has %d under %q", numbers, k)
		}
		if open := chunk(tx.Get(index, term)).numbers(); len(open) > 0 && open[len(open)-1] <= before {
			t.Fatalf("index has %d under %q, and the latest are %d", numbers, k, open)
		}
	}
}

// checkTimers: timers and timer-names are the same set, and none is before the first.
func checkTimers(t tb, tx *Tx) {
	t.Helper()
	n := 0
	for k := range tx.Range(timers, "", "") {
		if first := tx.seer.firstTimer(); k < first {
			t.Fatalf("timers has %q, and the first is %q", k, first)
		}
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
		if s := tx.Delivery(q.Key); s.State != StateQueued || s.Lane != q.Lane || s.Number != q.Number ||
			s.Cause != q.Cause {
			t.Fatalf("outbox has %+v, sent has %+v", q, s)
		}
		if q.Created.After(tx.Now()) {
			t.Fatalf("outbox has %q created at %v, after the last commit at %v", k, q.Created, tx.Now())
		}
		queued++
	}
	for k, v := range tx.Range(sent, "", "") {
		s := tx.Delivery(protocol.Key(k))
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
