package store

import (
	"fmt"
	"strings"
	"time"

	"moot/protocol"
)

var timerNames = SharedBucket("timer-names")

// Timer is something that a scope wanted at a certain time.
type Timer struct {
	At    time.Time
	Scope protocol.Scope
	Name  string
	Data  []byte
}

// SetTimer sets the timer of that name in the scope of the transaction, in place of the one that it
// had. One whose time has passed goes off soon after the commit.
func (tx *Tx) SetTimer(name string, at time.Time, data []byte) {
	if !tx.writable() {
		return
	}
	if tx.scope == "" || strings.Contains(string(tx.scope), Sep) || len(tx.scope) > maxKey-256 ||
		strings.ContainsAny(name, Sep+"\x00") || len(name) > 200 {
		tx.fail(fmt.Errorf("%w: timer %q in scope %q", ErrKey, name, tx.scope))
		return
	}
	tx.StopTimer(name)
	k := Key(tx.scope, name)
	tx.layer.put(timerNames.name, k, []byte(Time(at)))
	tx.layer.put(timers.name, Key(Time(at), k), append([]byte{}, data...))
}

// StopTimer takes the timer away. One that is not set stays so.
func (tx *Tx) StopTimer(name string) {
	if !tx.writable() {
		return
	}
	k := Key(tx.scope, name)
	if at := tx.Get(timerNames, k); at != nil {
		tx.layer.put(timerNames.name, k, nil)
		tx.layer.put(timers.name, Key(string(at), k), nil)
	}
}

// Timer returns when the timer of that name goes off; zero if it is not set.
func (tx *Tx) Timer(name string) time.Time {
	return ParseTime(string(tx.Get(timerNames, Key(tx.scope, name))))
}

// TimerData returns the data of the timer of that name; nil if it is not set.
func (tx *Tx) TimerData(name string) []byte {
	k := Key(tx.scope, name)
	if at := tx.Get(timerNames, k); at != nil {
		return tx.Get(timers, Key(string(at), k))
	}
	return nil
}

// Due returns at most limit timers whose time has come, in their order.
func (c *Commit) Due(limit int) []Timer {
	var due []Timer
	end := Time(c.now.Add(1))
	c.first = end
	for k, v := range c.Read().Range(timers, c.firstTimer(), end) {
		if len(due) == 0 {
			c.first = k
		}
		if len(due) == limit {
			break
		}
		due = append(due, decodeTimer(k, v))
	}
	return due
}

// NextTimer returns when the next timer goes off; zero if none is set.
func (tx *Tx) NextTimer() time.Time { return tx.NextTimerBut(func(string) bool { return false }) }

// NextTimerBut is NextTimer without the timers whose names skip takes.
func (tx *Tx) NextTimerBut(skip func(name string) bool) time.Time {
	from := ""
	if tx.layer == nil {
		from = tx.seer.firstTimer()
	}
	for k := range tx.Range(timers, from, "") {
		if !skip(decodeTimer(k, nil).Name) {
			return ParseTime(k)
		}
	}
	return time.Time{}
}

// firstTimer returns a key before which no timer is.
func (c *Commit) firstTimer() string { return min(c.state.firstTimer, c.layer.rows.first(timers.name)) }

// EndTimer takes away a timer that has gone off.
func (c *Commit) EndTimer(t Timer) {
	k := Key(t.Scope, t.Name)
	c.layer.put(timers.name, Key(Time(t.At), k), nil)
	if string(c.layer.get(timerNames.name, k)) == Time(t.At) {
		c.layer.put(timerNames.name, k, nil)
	}
}

func decodeTimer(k string, v []byte) Timer {
	scope, name, _ := strings.Cut(behindTime(k), Sep)
	return Timer{ParseTime(k), protocol.Scope(scope), name, v}
}
