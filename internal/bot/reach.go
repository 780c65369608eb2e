package bot

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"moot/protocol"
	"moot/store"
)

// reachTurn is how many scopes hear in one commit that the bot was away.
const reachTurn = 64

// away has, until all scopes have heard of it, since when the bot was away: the time of the last commit of the run before.
var away = store.SharedBucket("away")

const awaySince = "since"

// reach is that a network came into reach, or was lost. No network stands for all.
type reach struct {
	network protocol.Network
	up      bool
	at      time.Time
}

// reachKind is the kind of the dead letter of features that could not say whom a network concerns.
const reachKind = "bot.reach"

// reached has those told whom it concerns that networks came into reach, or were lost, since it was called last.
func (s *step) reached() {
	if maps.Equal(s.up, s.heard) {
		return // as before almost every batch
	}
	for _, network := range slices.Sorted(maps.Keys(s.up)) {
		up, was := s.up[network], s.heard[network]
		if s.heard[network] = up; up == was {
			continue
		}
		concerned, err := s.concerned(reach{network, up, s.c.Now()})
		for _, told := range concerned {
			s.lanes.push(queued{event: s.telling(told)})
		}
		if err != nil {
			s.buryReach(network, err)
		}
	}
}

// buryReach makes a dead letter of a network that came or went, since a feature could not say whom it concerns.
func (s *step) buryReach(network protocol.Network, err error) {
	told := store.Told{To: protocol.Scope(network + ":"), What: protocol.Internal{Kind: reachKind}}
	s.bury(s.telling(told), "", false, nil, err)
}

// concerned asks the features whom to tell what about a network. Its error is that of those who could not say.
func (s *step) concerned(r reach) (all []store.Told, err error) {
	for _, f := range s.all {
		w, ok := f.(Watcher)
		if !ok {
			continue
		}
		var told []store.Told
		ferr := s.run("", protocol.Ref{}, "reach", func(tx *store.Tx) error {
			told = slices.Collect(w.Reach(tx, r.network, r.up, r.at))
			return nil
		})
		if ferr != nil {
			err = ferr
			continue
		}
		all = append(all, told...)
	}
	return all, err
}

// telling is the event of telling a scope something.
func (s *step) telling(t store.Told) protocol.Event {
	id := fmt.Sprintf("told/%s/%d", t.What.Kind, s.c.Now().UnixNano())
	return protocol.Event{Room: protocol.RoomID(t.To), ID: protocol.EventID(id), Time: s.c.Now(), Body: t.What}
}

// tell tells a scope something in a transaction of its own.
func (s *step) tell(ev protocol.Event, what protocol.Internal) {
	scope := protocol.Scope(ev.Room)
	err := s.run(scope, ev.Ref(), what.Kind, func(tx *store.Tx) error { return s.told(tx, what) })
	if err != nil {
		s.bury(ev, scope, false, nil, err)
	}
}

// retell tells once more what somebody failed on, as it is now: that a network was lost may be old news.
func (s *step) retell(l store.Letter) error {
	var failed error
	for _, network := range slices.Sorted(maps.Keys(s.up)) {
		if of := l.Event.Room.Network(); of != "" && of != network {
			continue
		}
		concerned, err := s.concerned(reach{network, s.up[network], s.c.Now()})
		if err != nil {
			failed = err
		}
		for _, told := range concerned {
			switch ev := s.telling(told); {
			case l.Scope == "":
				s.lanes.push(queued{event: ev})
			case l.Scope == told.To && l.Event.Body.(protocol.Internal).Kind == told.What.Kind:
				err = s.run(told.To, ev.Ref(), told.What.Kind, func(tx *store.Tx) error { return s.told(tx, told.What) })
			}
			if err != nil {
				failed = err
			}
		}
	}
	return failed
}

// start tells all scopes that the bot was away, in slices, and reports whether all have heard of it.
func (s *step) start() bool {
	if !s.started {
		s.started = true
		if v := s.c.Read().Get(away, awaySince); v != nil {
			s.away = store.ParseTime(string(v))
		}
		var err error
		if s.absent, err = s.concerned(reach{at: s.away}); err != nil {
			s.buryReach("", err)
		}
		if len(s.absent) > reachTurn {
			s.noteAway([]byte(store.Time(s.away)))
			return false // to list so many was enough for one commit
		}
	}
	n := min(len(s.absent), reachTurn)
	for _, told := range s.absent[:n] {
		s.tell(s.telling(told), told.What)
	}
	if s.absent = s.absent[n:]; len(s.absent) > 0 {
		return false
	}
	if n > 0 && s.c.Read().Has(away, awaySince) {
		s.noteAway(nil)
	}
	return true
}

// slept has all scopes told, as at a start, that the bot was away; then that each network that is in reach is so again.
func (s *step) slept(since time.Time) {
	s.started, s.away = false, since
	clear(s.heard)
}

// noteAway notes since when the bot was away, so that a run that ends before all have heard of it leaves that to the next.
func (s *step) noteAway(since []byte) {
	err := s.run("", protocol.Ref{}, "away", func(tx *store.Tx) error {
		if since == nil {
			tx.Delete(away, awaySince)
		} else {
			tx.Put(away, awaySince, since)
		}
		return nil
	})
	if err != nil {
		s.Log.Error("the time since the last run could not be noted", "err", err)
	}
}
