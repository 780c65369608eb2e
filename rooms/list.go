package rooms

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"moot/protocol"
	"moot/store"
)

// PartSize is how many members one part of a list has, so that no part takes long.
const PartSize = 1000

// Split cuts a long list of members that came whole, or an answer that brings one, into parts; whatever else it returns
// as it is. The parts have ids that follow from that of the event, and an answer comes after its parts.
func Split(ev protocol.Event) []protocol.Event {
	list, isList := ev.Body.(protocol.MemberList)
	answer, isAnswer := ev.Body.(protocol.Answer)
	if isAnswer {
		list, isList = answer.Result.(protocol.MemberList)
	}
	whole := isList && list.Part == 0 && list.Last
	if !whole || !isAnswer && len(list.Members) <= PartSize {
		return []protocol.Event{ev}
	}
	if list.List == "" || isAnswer {
		list.List = string(ev.ID) // by which Await knows it
	}
	members := slices.Clone(list.Members)
	slices.SortFunc(members, func(a, b protocol.Member) int { return strings.Compare(string(a.User), string(b.User)) })
	var out []protocol.Event
	for part := 0; part == 0 || len(members) > 0; part++ {
		n := min(PartSize, len(members))
		p := ev
		p.ID = protocol.EventID(fmt.Sprintf("%s/%d", ev.ID, part))
		p.Body = protocol.MemberList{
			List: list.List, Part: part, Last: n == len(members), Members: members[:n:n], Fault: list.Fault,
		}
		members = members[n:]
		out = append(out, p)
	}
	if isAnswer {
		answer.Result = nil
		ev.Body = answer
		out = append(out, ev)
	}
	return out
}

// Await notes that a list of members is about to be asked for, under the id of the event that will bring it. What happens
// from here on wins over the list: which moment it shows is known to the network alone. The transaction has the room as
// its scope.
func Await(tx *store.Tx, room protocol.RoomID, answer protocol.EventID) error {
	info, _ := Get(tx, room)
	if !info.Joined() {
		return nil
	}
	info.begin(string(answer))
	return put(tx, info)
}

// begin begins the reading of a list, in place of the one that is being read.
func (i *Info) begin(list string) {
	i.Marks++
	i.Reading = &reading{List: list, Mark: i.Marks}
}

// memberList takes in one part of a list.
func (a *applier) memberList(list protocol.MemberList) {
	if !a.info.Joined() {
		a.result.Ignored = "the bot is not in the room"
		return
	}
	name := list.List
	if name == "" {
		name = string(a.ev.ID)
	}
	rd := a.info.Reading
	if list.Fault != "" {
		if rd != nil && rd.List != name {
			a.result.Ignored = "a list that is no longer being read"
			return
		}
		a.listFailed(list.Fault)
		return
	}
	a.dirty = true
	if list.Part == 0 && (rd == nil || rd.List != name || rd.Next != 0) {
		a.info.begin(name)
		rd = a.info.Reading
	}
	if rd == nil || rd.List != name || rd.Next != list.Part {
		a.result.Ignored = "part of a list that is no longer being read"
		return
	}
	rd.Next++
	for _, m := range list.Members {
		a.listed(m)
	}
	if list.Last {
		a.listEnds()
	}
}

// listed takes in one member of a list.
func (a *applier) listed(m protocol.Member) {
	rd := a.info.Reading
	a.power(m.User, m.Power)
	was, ok := getRow(a.tx, a.ev.Room, m.User)
	if ok && was.Mark >= rd.Mark {
		return // it has changed since the list was begun, or stands in the list twice
	}
	stayed := ok && a.info.counts(was)
	r := row{Name: protocol.Shorten(m.Name, nameLength), Mark: rd.Mark, Since: m.Since.UTC(), Bot: m.Bot || m.Self, Self: m.Self}
	switch now := a.tx.Now(); { // senders tell any time, also one that cannot be written down
	case r.Since.After(now):
		r.Since = now
	case r.Since.Unix() < 0:
		r.Since = time.Time{}
	}
	switch known := a.info.ListedAt; {
	case stayed:
		r.Since = was.Since
	case r.Since.IsZero() && a.info.Members == Known:
		r.Since = a.tx.Now() // they came while nobody looked
	case r.Since.Before(known):
		// They were not there when the list was last whole, whatever their server says of when they came.
		r.Since = known
	}
	if !stayed {
		a.returns(m.User, &r)
	}
	a.place(m.User, r, stayed, was)
}

// listEnds makes the list that was read the one that counts.
func (a *applier) listEnds() {
	rd := a.info.Reading
	a.info.Valid, a.info.Count = rd.Mark, rd.Count
	a.info.Reading, a.info.Fault = nil, ""
	if a.info.Members != Known {
		a.note(ListRead, strconv.Itoa(rd.Count))
	}
	a.info.Members, a.info.ListedAt = Known, a.tx.Now()
	a.stillTalks()
	a.tx.StopTimer(timerRead)
	a.tx.SetTimer(timerSweep, a.tx.Now(), nil)
}

// listFailed notes that nobody knows who is in the room, and tries again later.
func (a *applier) listFailed(fault string) {
	fault = protocol.Shorten(protocol.OneLine(fault), nameLength)
	if a.info.Members == Known || a.info.Fault != fault {
		a.note(ListFailed, fault)
	}
	a.dirty = true
	if a.info.Reading != nil {
		a.tx.SetTimer(timerSweep, a.tx.Now(), nil) // of those who left meanwhile
	}
	a.info.Members, a.info.Reading, a.info.Fault = Unknown, nil, fault
	failures := 0
	if data := a.tx.TimerData(timerRead); data != nil {
		failures, _ = strconv.Atoi(string(data)) // this package wrote it
	}
	wait := longestRetry
	if failures < failuresToHour {
		wait = firstRetry << failures
	}
	a.tx.SetTimer(timerRead, a.tx.Now().Add(wait), []byte(strconv.Itoa(failures+1)))
}

// Since returns when the bot has known the member to be in the room, which is never before it first joined.
func Since(info Info, m Member) time.Time {
	if m.Since.IsZero() {
		return info.FirstJoined
	}
	return m.Since
}

// IsModerator reports whether the person is a member who may moderate the room.
func IsModerator(tx *store.Tx, room protocol.RoomID, user protocol.UserID) bool {
	m, ok := Lookup(tx, room, user)
	return ok && m.Moderator
}
