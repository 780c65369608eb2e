package rooms

import (
	"encoding/json"
	"time"

	"moot/outbox"
	"moot/protocol"
	"moot/store"
)

// Concerns reports whether an event of that kind says something of rooms.
func Concerns(b protocol.Body) bool {
	switch b.(type) {
	case protocol.MemberChange, protocol.MemberList, protocol.RoomChange:
		return true
	}
	return false
}

// Apply changes what is known of the room as the event says. Events that do not concern rooms change nothing. The
// transaction has the room as its scope.
func Apply(tx *store.Tx, ev protocol.Event) (Result, error) {
	if !Concerns(ev.Body) {
		return Result{}, nil
	}
	info, _ := Get(tx, ev.Room)
	a := applier{tx: tx, ev: ev, info: info}
	switch b := ev.Body.(type) {
	case protocol.MemberChange:
		a.memberChange(b)
	case protocol.MemberList:
		a.memberList(b)
	case protocol.RoomChange:
		for _, c := range b.Changes {
			a.change(c)
		}
		a.dirty = true
	}
	if _, isList := ev.Body.(protocol.MemberList); !isList && !ev.History && ev.Private != a.info.Private {
		// A conversation of two that a third one joins is a room like any other from then on.
		a.info.Private, a.dirty = ev.Private, true
	}
	if a.dirty && a.err == nil {
		a.err = put(tx, a.info)
	}
	return a.result, a.err
}

func (a *applier) memberChange(c protocol.MemberChange) {
	if !a.ev.History && a.info.Joined() {
		a.conversation(c)
	}
	switch {
	case a.ev.History:
		a.result.Ignored = "from before the bot joined"
	case c.Self:
		a.own(c)
	case !a.info.Joined():
		a.result.Ignored = "the bot is not in the room"
	case c.Membership == protocol.Joined:
		a.join(c)
	case c.Membership == protocol.Invited || c.Membership == protocol.Knocking:
		a.result.Ignored = "not a member yet"
	default:
		a.leave(c.User, c.Membership)
	}
	if a.result.Ignored == "" && !c.Self {
		a.power(c.User, c.Power)
	}
}

// own is a change of the bot's own membership.
func (a *applier) own(c protocol.MemberChange) {
	a.dirty = true
	switch c.Membership {
	case protocol.Joined:
		if c.Profile && a.info.Joined() {
			a.join(c)
			return
		}
		a.begin()
		a.join(c)
		a.note(BotJoined, "")
		a.askMembers()
	case protocol.Invited, protocol.Knocking:
		if a.info.Joined() {
			a.result.Ignored = "the bot is in the room already"
			return
		}
		a.info.Own = c.Membership
	default:
		was := a.info.Own
		a.info.Own = c.Membership
		if was != protocol.Joined {
			return
		}
		a.drop()
		a.powers(nil)
		a.tx.StopTimer(timerRead)
		what := map[protocol.Membership]What{protocol.Kicked: BotKicked, protocol.Banned: BotBanned}[c.Membership]
		if what == "" {
			what = BotLeft
		}
		a.note(what, protocol.Shorten(protocol.OneLine(c.Reason), nameLength))
	}
	a.power(c.User, c.Power)
}

// begin starts a generation.
func (a *applier) begin() {
	a.drop()
	a.info.Own = protocol.Joined
	a.info.Generation++
	a.info.Floor = a.ev.ID
	// The bot's own join is told by its own server, which may have happened long before it is read.
	a.info.JoinedAt = a.tx.Now()
	if told := a.ev.Time.UTC(); told.Unix() > 0 && told.Before(a.info.JoinedAt) {
		a.info.JoinedAt = told
	}
	if a.info.FirstJoined.IsZero() {
		a.info.FirstJoined = a.info.JoinedAt
	}
	a.info.Outage, a.info.Mute = false, false
}

// drop makes all rows of the room void.
func (a *applier) drop() {
	a.info.Marks++
	a.info.Valid = a.info.Marks
	a.info.Members, a.info.Fault, a.info.Reading, a.info.Count = Unknown, "", nil, 0
	a.info.ListedAt = time.Time{}
	a.tx.SetTimer(timerSweep, a.tx.Now(), nil)
}

func (a *applier) join(c protocol.MemberChange) {
	was, ok := getRow(a.tx, a.ev.Room, c.User)
	stayed := ok && a.info.counts(was)
	r := row{Name: protocol.Shorten(c.Name, nameLength), Mark: a.info.mark(), Since: a.tx.Now(), Bot: c.Bot || c.Self, Self: c.Self}
	switch {
	case stayed:
		r.Since = was.Since
		if c.Name == "" {
			r.Name = was.Name
		}
	case c.Profile && a.info.Members != Known:
		r.Since = time.Time{} // they were here before the list is
	default:
		a.returns(c.User, &r)
	}
	a.place(c.User, r, stayed, was)
}

func (a *applier) leave(user protocol.UserID, how protocol.Membership) {
	was, ok := getRow(a.tx, a.ev.Room, user)
	stood := ok && a.info.counts(was)
	if stood {
		a.info.Count--
		a.leaves(user, how, was)
	}
	if ok { // also where it stood for an earlier generation and was not swept yet
		a.tell(user, false)
	}
	a.dirty = true
	rd := a.info.Reading
	if rd == nil {
		a.tx.Delete(roomUsers, store.Key(a.ev.Room, string(user)))
		return
	}
	if stood && was.Mark >= rd.Mark {
		rd.Count--
	}
	putRow(a.tx, a.ev.Room, user, row{Mark: rd.Mark, Gone: true})
}

// powers makes these, and nobody else, those who may moderate.
func (a *applier) powers(users []protocol.UserID) {
	for k := range a.tx.Prefix(moderators, store.Key(a.ev.Room, "")) {
		a.tx.Delete(moderators, k)
	}
	for _, user := range users {
		a.power(user, protocol.PowerModerator)
	}
}

func (a *applier) change(c protocol.Change) {
	switch c := c.(type) {
	case protocol.Renamed:
		name := protocol.Shorten(protocol.OneLine(c.Name), nameLength)
		if name != a.info.Name {
			a.info.Name = name
			a.note(RoomNamed, name)
		}
	case protocol.Realiased:
		a.info.Alias = protocol.Shorten(protocol.OneLine(c.Alias), nameLength)
	case protocol.TopicChanged:
		a.info.Topic = protocol.Shorten(protocol.Clean(c.Topic), 4*nameLength)
	case protocol.EncryptionEnabled:
		a.info.Encrypted = true
	case protocol.Available:
		a.info.Outage = !c.Reachable
	case protocol.Outdated:
		// However often in a row a network says so, one list is being read and at most one more waits.
		if a.info.Joined() && !a.ev.History && !outbox.Waiting(a.tx, a.ev.Room, protocol.AskMembers{}) {
			a.askMembers()
		}
	case protocol.PowersChanged:
		a.powers(c.Moderators)
		a.info.Mute = c.Mute
	case protocol.Upgraded:
		a.upgrade(c.Successor)
	}
}

func (a *applier) upgrade(successor protocol.RoomID) {
	if successor == a.info.ID || successor == a.info.Successor {
		return
	}
	a.info.Successor = successor
	a.note(RoomMoved, string(successor))
	data, err := json.Marshal(a.info.ID)
	a.fail(err)
	a.tx.Tell(protocol.Scope(successor), protocol.Internal{Kind: tellSucceeds, Data: data})
	if a.info.Joined() && !a.ev.History {
		a.ask("successor", protocol.Ask{Room: successor, Want: protocol.AskJoin{}, Expires: a.tx.Now().Add(joinDeadline)})
	}
}

func (a *applier) askMembers() {
	a.ask("members", protocol.Ask{Room: a.ev.Room, Want: protocol.AskMembers{}, Expires: a.tx.Now().Add(listDeadline)})
}

// ask asks under a key of its own: what features send in answer to the same event gets the keys that are counted.
func (a *applier) ask(name string, ask protocol.Ask) {
	ask.Key = protocol.DeriveKey(string(a.ev.Room), string(a.ev.ID), "rooms", name)
	_, err := outbox.Ask(a.tx, ask)
	a.fail(err)
}

// sweep clears away a slice of the rows that do not count, and sets a timer for the next.
func sweep(tx *store.Tx, room protocol.RoomID, from string) {
	info, ok := Get(tx, room)
	if !ok {
		return
	}
	prefix := store.Key(room, "")
	n := 0
	for k, v := range tx.Range(roomUsers, prefix+from, store.After(prefix)) {
		user := k[len(prefix):]
		if n++; n > sweepSlice {
			tx.SetTimer(timerSweep, tx.Now(), []byte(user))
			return
		}
		r, ok := decodeRow(v)
		if ok && (info.counts(r) || r.Gone && info.Reading != nil && r.Mark == info.Reading.Mark) {
			continue
		}
		tx.Delete(roomUsers, k)
		tellSharing(tx, protocol.UserID(user), room, false)
	}
}
