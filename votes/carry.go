package votes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"moot/events"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes/tally"
)

// toldCarry is the kind of the internal event with which a room hands its votes and settings to its successor.
const toldCarry = "votes.carry"

// origins holds from which room the votes of a room came: room → room. It is the only predecessor that is believed.
var origins = store.ScopedBucket("votes-origins")

// carrySlice is how many voters or ballots one fact carries.
const carrySlice = 5000

// luggage is what a room hands to its successor.
type luggage struct {
	From     protocol.RoomID
	Last     uint64
	Limits   []limitRow        `json:",omitempty"`
	Settings map[string]string `json:",omitempty"`
	Votes    []packed          `json:",omitempty"`
}

// packed is an open vote with all that belongs to it.
type packed struct {
	Vote       Vote
	Count      tally.Tally
	Electorate people                  `json:",omitempty"`
	Ballots    map[string]tally.Ballot `json:",omitempty"`
	Key        []byte                  `json:",omitempty"` // of a secret vote
	Untold     bool                    `json:",omitempty"`
}

// move hands votes and settings to the successor of a room. A room in which the bot has been before is not taken over: who
// may end a room could else bring their own votes and settings into somebody else's.
func (f *Feature) move(tx *store.Tx, room, successor protocol.RoomID) error {
	if successor == room || successor.Network() != room.Network() {
		return nil
	}
	if to, ok := rooms.Get(tx, successor); ok && !to.FirstJoined.IsZero() {
		return nil
	}
	if tx.Get(origins, string(successor)) != nil {
		return nil
	}
	l := luggage{From: room, Last: last(tx, room), Settings: f.settings.carry(tx, room)}
	prefix := store.Key(room, "")
	for k, v := range tx.Prefix(limits, prefix) {
		if until := store.ParseTime(string(v)); until.After(tx.Now()) {
			what := strings.TrimSuffix(k[len(prefix):len(k)-8], store.Sep)
			l.Limits = append(l.Limits, limitRow{what, events.Number(store.ParseNumber(k)), until})
		}
	}
	for v := range OpenIn(tx, room) {
		if err := f.flush(tx, room, v); err != nil {
			return err
		}
		v, _ = Get(tx, room, v.ID)
		if !v.Open() {
			continue
		}
		l.Votes = append(l.Votes, f.pack(tx, room, v))
		if err := f.publish(tx, v, whatMoved, nil, moved{To: successor}); err != nil {
			return err
		}
		f.stop(tx, v)
		burn(tx, room, v.ID)
		unmarkAll(tx, room, v.ID)
		v, _ = Get(tx, room, v.ID)
		f.touch(tx, room, v)
	}
	letGo(tx, room)
	data, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("pack votes: %w", err)
	}
	tx.SetTimer(timerElders, tx.Now(), nil)
	tx.Tell(protocol.Scope(successor), protocol.Internal{Kind: toldCarry, Data: data})
	return nil
}

func (f *Feature) pack(tx *store.Tx, room protocol.RoomID, v Vote) packed {
	p := packed{Vote: v, Count: v.Count, Ballots: map[string]tally.Ballot{}, Untold: boardOf(tx, room, v.ID).Untold}
	prefix := voterKey(room, v.ID, "")
	all := tx.Get(electorate, voteKey(room, v.ID))
	for i := range len(all) / 8 {
		p.Electorate = append(p.Electorate, electorAt(all, i))
	}
	for k, data := range tx.Prefix(ballots, prefix) {
		who := k[len(prefix):]
		if !v.Secret {
			who = events.Number(store.ParseNumber(who)).String()
		}
		p.Ballots[who] = decodeBallot(data)
	}
	if key := tx.Get(secretKeys, voteKey(room, v.ID)); key != nil {
		p.Key = slices.Clone(key)
	}
	return p
}

// carriedOver takes in what the predecessor of the room hands over. Its votes stand still until the bot is here.
func (f *Feature) carriedOver(tx *store.Tx, data []byte) error {
	var l luggage
	if err := json.Unmarshal(data, &l); err != nil {
		return fmt.Errorf("unpack votes: %w", err)
	}
	room := protocol.RoomID(tx.Scope())
	tx.Put(origins, string(room), []byte(l.From))
	err := f.bus.Publish(tx, events.Draft{
		Kind: KindVote, Keys: map[string]string{keyWhat: whatLimits}, Payload: carriedLimits{l.From, l.Last, l.Limits},
	})
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(l.Settings)) {
		if err := f.settings.publish(tx, name, l.Settings[name], "", l.From); err != nil {
			return err
		}
	}
	for _, p := range l.Votes {
		if err := f.unpack(tx, room, l.From, p); err != nil {
			return err
		}
	}
	if info, _ := rooms.Get(tx, room); !info.Joined() {
		return f.suspend(tx, room, becauseRemoved)
	}
	return nil
}

func (f *Feature) unpack(tx *store.Tx, room, from protocol.RoomID, p packed) error {
	v := p.Vote
	v.Place = ""
	if len(p.Key) > 0 {
		tx.Put(secretKeys, voteKey(room, v.ID), p.Key)
	}
	who := map[string]protocol.UserID{}
	for role, n := range map[string]events.Number{roleOpener: v.Opener, roleTarget: v.Target} {
		if user := f.userOf(tx, n); user != "" {
			who[role] = user
		}
	}
	if err := f.publish(tx, v, whatCarried, who, carried{From: from, Vote: v, Count: p.Count}); err != nil {
		return err
	}
	for part := range slices.Chunk(p.Electorate, carrySlice) {
		if err := f.publish(tx, v, whatCarrying, nil, carrying{Electorate: people(part)}); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(p.Ballots)), carrySlice) {
		some := map[string]tally.Ballot{}
		for _, who := range part {
			some[who] = p.Ballots[who]
		}
		if err := f.publish(tx, v, whatCarrying, nil, carrying{Ballots: some}); err != nil {
			return err
		}
	}
	putBoard(tx, room, v.ID, board{Untold: p.Untold, Mentioned: true})
	v, _ = Get(tx, room, v.ID)
	f.start(tx, v)
	tx.SetTimer(timerEdit+v.Number(), tx.Now().Add(settle), nil)
	return nil
}

// lineage goes through a room and those that it goes on from, as far as that is believed.
func lineage(tx *store.Tx, room protocol.RoomID) []protocol.RoomID {
	line := []protocol.RoomID{room}
	for len(line) < 8 {
		from := protocol.RoomID(tx.Get(origins, string(line[len(line)-1])))
		if from == "" || slices.Contains(line, from) {
			return line
		}
		line = append(line, from)
	}
	return line
}
