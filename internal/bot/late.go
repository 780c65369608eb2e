package bot

import (
	"encoding/json"
	"fmt"
	"strings"

	"moot/protocol"
	"moot/store"
)

// timerLate begins the names of the timers that bring a scope what another told it in an earlier commit.
const timerLate = "bot.told/"

// late has how much each scope has yet to be told.
var late = store.ScopedBucket("late")

// deliver handles what one scope tells another within the transaction of the first, or in a later commit, where everything
// comes in the order in which it was told.
func (s *step) deliver(tx *store.Tx, what protocol.Internal) error {
	if s.Late == nil {
		return s.told(tx, what)
	}
	n := waiting(tx)
	if !s.Late() && n == 0 {
		return s.told(tx, what)
	}
	tx.Put(late, string(tx.Scope()), []byte(store.Number(n+1)))
	data, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("encode %s: %w", what.Kind, err)
	}
	s.late++
	tx.SetTimer(fmt.Sprintf("%s%d/%06d", timerLate, s.c.Now().UnixNano(), s.late), tx.Now(), data)
	return tx.Err()
}

func waiting(tx *store.Tx) uint64 { return store.ParseNumber(string(tx.Get(late, string(tx.Scope())))) }

// toldLate returns what a timer of deliver brings.
func toldLate(tx *store.Tx, t protocol.Timer) (what protocol.Internal, is bool, err error) {
	if !strings.HasPrefix(t.Name, timerLate) {
		return what, false, nil
	}
	tx.Put(late, string(tx.Scope()), []byte(store.Number(waiting(tx)-1)))
	return what, true, json.Unmarshal(t.Data, &what)
}
