package store

import (
	"encoding/json"
	"slices"
	"strings"

	"moot/protocol"
)

// checkInvariants fails unless everything in the store agrees with everything else, and the file is whole.
func checkInvariants(t tb, s *Store) {
	t.Helper()
	err := s.View(func(tx *Tx) error {
		checkMeta(t, tx)
		checkSeen(t, tx)
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

// checkSeen: an event is in seen if and only if it is in seen-by-time, once, under its time.
func checkSeen(t tb, tx *Tx) {
	t.Helper()
	indexed := map[string]bool{}
	for k, v := range tx.Range(seenByTime, "", "") {
		if len(k) < 10 || k[len(k)-9:len(k)-8] != Sep || strings.Contains(k[:len(k)-9], Sep) {
			t.Fatalf("seen-by-time has the key %q", k)
		}
		room, at := k[:len(k)-9], ParseTime(k[len(k)-8:])
		if at.After(tx.Now()) {
			t.Fatalf("seen-by-time: %q was recorded at %v, after the last commit at %v", k, at, tx.Now())
		}
		for id := range strings.SplitSeq(string(v), Sep) {
			key := Key(room, id)
			if indexed[key] {
				t.Fatalf("seen-by-time has %q twice", key)
			}
			indexed[key] = true
			if got := decodeSeen(tx.Get(seen, key)); got.Disposition == Unseen || !got.Time.Equal(at) {
				t.Fatalf("seen-by-time has %q at %v, seen has %+v", key, at, got)
			}
		}
	}
	for k, v := range tx.Range(seen, "", "") {
		if !indexed[k] {
			t.Fatalf("seen has %q, seen-by-time does not", k)
		}
		if d := Disposition(v[8]); d < Handled || d > Waiting {
			t.Fatalf("seen has %q as %v", k, d)
		}
	}
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
