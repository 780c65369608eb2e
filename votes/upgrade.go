package votes

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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

// handover is what a room hands to its successor.
type handover struct {
	From     protocol.RoomID
	Last     uint64
	Limits   []limitRow        `json:",omitempty"`
	Settings map[string]string `json:",omitempty"`
	Votes    []packedVote      `json:",omitempty"`
}

// packedVote is an open vote with all that belongs to it.
type packedVote struct {
	Vote       Vote
	Turnout    int `json:",omitempty"` // of a secret vote
	Count      tally.Tally
	Electorate people                         `json:",omitempty"`
	Ballots    map[events.Number]tally.Ballot `json:",omitempty"`
	Key        []byte                         `json:",omitempty"` // of a secret vote
	Reasons    map[events.Number]reason       `json:",omitempty"`
	Box        map[string]tally.Ballot        `json:",omitempty"` // the same, by hash
	Untold     bool                           `json:",omitempty"`
	Partial    people                         `json:",omitempty"` // moderators who have cast a ballot in a challenge
}

// move hands votes and settings to the successor of a room. A room in which the bot has been before is not taken
// over: who may end a room could else bring their own votes and settings into somebody else's.
func (f *Feature) move(tx *store.Tx, room, successor protocol.RoomID) error {
	if !rooms.MayFollow(tx, room, successor) {
		return nil
	}
	if tx.Get(origins, string(successor)) != nil {
		return nil
	}
	l := handover{From: room, Last: last(tx, room), Settings: f.settings.carry(tx, room)}
	prefix := store.Key(room, "")
	for k, v := range tx.Prefix(limits, prefix) {
		if until := store.ParseTime(string(v)); until.After(tx.Now()) {
			what := strings.TrimSuffix(k[len(prefix):len(k)-8], store.Sep)
			l.Limits = append(l.Limits, limitRow{what, events.Number(store.ParseNumber(k)), until})
		}
	}
	for v := range f.openIn(tx, room) {
		if _, err := v.castWaiting(true); err != nil {
			return err
		}
		l.Votes = append(l.Votes, v.pack())
		if err := v.publish(whatMoved, nil, moved{To: successor}); err != nil {
			return err
		}
		over := func(v *atHand) protocol.Text { return v.say("moved-on", v.number()) }
		if err := errors.Join(v.endPoll(over(v)), v.endPrivatePolls(over)); err != nil {
			return err
		}
		v.stop()
		v.handOver(successor)
		v.burn()
		v.unmarkAll()
		v.touch()
	}
	endOutage(tx, room)
	data, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("pack votes: %w", err)
	}
	tx.SetTimer(timerTenures, tx.Now(), nil)
	tx.Tell(protocol.Scope(successor), protocol.Internal{Kind: toldCarry, Data: data})
	return nil
}

func (h *atHand) pack() packedVote {
	p := packedVote{Vote: h.Vote, Turnout: h.Turnout, Count: h.Count, Ballots: map[events.Number]tally.Ballot{},
		Reasons: map[events.Number]reason{},
		Box:     map[string]tally.Ballot{}, Untold: h.posting().Untold}
	prefix := h.voterKey("")
	all := h.tx.Get(electorate, h.key())
	for i := range len(all) / 8 {
		p.Electorate = append(p.Electorate, electorAt(all, i))
	}
	for k, data := range h.tx.Prefix(ballots, prefix) {
		p.Ballots[parseVoter(k[len(prefix):])] = decodeBallot(data)
	}
	for k, data := range h.tx.Prefix(reasons, prefix) {
		p.Reasons[parseVoter(k[len(prefix):])] = decodeReason(data)
	}
	for k, data := range h.tx.Prefix(secretBox, prefix) {
		p.Box[k[len(prefix):]] = decodeBallot(data)
	}
	p.Partial = h.partial()
	if key := h.tx.Get(secretKeys, h.key()); key != nil {
		p.Key = slices.Clone(key)
	}
	return p
}

// takeOver takes in what the predecessor of the room hands over. Its votes stand still until the bot is here.
func (f *Feature) takeOver(tx *store.Tx, data []byte) error {
	var l handover
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
	for _, limit := range l.Limits {
		f.holdLimits(tx, room, limit.Person)
	}
	for _, name := range slices.Sorted(maps.Keys(l.Settings)) {
		if err := f.settings.publish(tx, name, setTo{Value: l.Settings[name], From: l.From}, ""); err != nil {
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

func (f *Feature) unpack(tx *store.Tx, room, from protocol.RoomID, p packedVote) error {
	v := f.at(tx, room, p.Vote)
	v.Place = ""
	if len(p.Key) > 0 {
		tx.Put(secretKeys, voteKey(room, v.ID), p.Key)
		tx.Put(turnouts, voteKey(room, v.ID), []byte(store.Number(uint64(p.Turnout))))
	}
	for who, b := range p.Box {
		tx.Put(secretBox, voterKey(room, v.ID, who), encodeBallot(b))
	}
	who := map[string]protocol.UserID{}
	for role, n := range map[string]events.Number{roleOpener: v.Opener, roleTarget: v.Target} {
		if user := v.userOf(n); user != "" {
			who[role] = user
		}
	}
	if err := v.publish(whatCarried, who, carried{From: from, Vote: v.Vote, Count: p.Count}); err != nil {
		return err
	}
	for part := range slices.Chunk(p.Electorate, carrySlice) {
		if err := v.publish(whatCarrying, nil, carrying{Electorate: people(part)}); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(p.Ballots)), carrySlice) {
		some := map[events.Number]tally.Ballot{}
		for _, who := range part {
			some[who] = p.Ballots[who]
		}
		if err := v.publish(whatCarrying, nil, carrying{Ballots: some}); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(p.Reasons)), carrySlice) {
		some := map[events.Number]reason{}
		for _, who := range part {
			some[who] = p.Reasons[who]
		}
		if err := v.publish(whatCarrying, nil, carrying{Reasons: some}); err != nil {
			return err
		}
	}
	v.putPosting(posting{Untold: p.Untold, Mentioned: true})
	v.holdVote()
	for _, n := range p.Partial {
		tx.Put(partial, voterKey(room, v.ID, voter(n)), nil)
		f.bus.Hold(tx, n, v.hold(), time.Time{})
	}
	v.start()
	tx.SetTimer(timerEdit+v.Number(), tx.Now().Add(returnPause), nil)
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
