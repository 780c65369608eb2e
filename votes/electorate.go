package votes

import (
	"fmt"
	"slices"
	"time"

	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// electors are those who may vote on something that opens now.
type electors struct {
	people []protocol.UserID
	waived bool // nobody had to be active
	// Of those who may not: how many are members for too short a time, and how many are not active enough.
	fresh, idle int
}

// since returns from when on somebody counts as a member. Where the network does not say when they joined, they were there
// when the bot first came. After the bot has been away and come back nobody knows that: who joined meanwhile is then
// not told from who was there before, and so all of them count from the bot's return.
func since(info rooms.Info, m rooms.Member) time.Time {
	switch {
	case !m.Since.IsZero():
		return m.Since
	case info.Generation > 1:
		return info.JoinedAt
	}
	return time.Time{}
}

// longEnough tells whether somebody has been a member for as long as the rules ask for.
func longEnough(tx *store.Tx, info rooms.Info, m rooms.Member, r Rules) bool {
	if !since(info, m).After(tx.Now().Add(-r.Member)) {
		return true
	}
	if old, ok := predecessor(tx, info); ok {
		was, in := rooms.Lookup(tx, old.ID, m.User)
		return in && !since(old, was).After(tx.Now().Add(-r.Member))
	}
	return false
}

// electorateFor returns those who may vote on something of that type with that target. The members of the room are known.
func (f *Feature) electorateFor(tx *store.Tx, info rooms.Info, t Type, target protocol.UserID, r Rules) electors {
	var e electors
	var active, members []protocol.UserID
	for m := range rooms.Members(tx, info.ID) {
		if m.Bot || m.Self {
			continue
		}
		if _, is := f.Sanctions.Challenged(tx, info.ID, m.User); is {
			continue
		}
		if t == Poll {
			members = append(members, m.User)
			continue
		}
		if m.User == target {
			continue
		}
		if !longEnough(tx, info, m, r) {
			e.fresh++
			continue
		}
		members = append(members, m.User)
		if f.active(tx, info.ID, m.User, r) {
			active = append(active, m.User)
		}
	}
	e.people, e.idle = active, len(members)-len(active)
	if t == Poll || len(active) < r.Voters {
		e.people, e.waived = members, t != Poll && e.idle > 0
	}
	return e
}

func (f *Feature) active(tx *store.Tx, room protocol.RoomID, user protocol.UserID, r Rules) bool {
	return r.ActiveDays <= 0 || f.Activity.Days(tx, room, user, r.ActiveWindow) >= r.ActiveDays
}

// appellant adds the target of an appeal, who may vote on it whatever else holds.
func (e electors) appellant(user protocol.UserID) electors {
	if !slices.Contains(e.people, user) {
		e.people = append(e.people, user)
	}
	return e
}

// numbers returns those who may vote by their numbers, in order.
func (f *Feature) numbers(tx *store.Tx, e electors) people {
	p := make(people, len(e.people))
	for i, user := range e.people {
		p[i] = f.bus.Number(tx, user)
	}
	slices.Sort(p)
	return p
}

// whyNot tells somebody why they may not vote in an open vote. What it names is how things are now; they were frozen when
// the vote opened.
func (f *Feature) whyNot(tx *store.Tx, info rooms.Info, v Vote, user protocol.UserID) protocol.Text {
	if n := f.bus.Lookup(tx, user); n != 0 && n == v.Target {
		return protocol.Join("You cannot vote in vote ", v.ID, ", because it is about you. You can answer it: ",
			protocol.Code(fmt.Sprintf("vote reply %d TEXT", v.ID)), ".")
	}
	head := fmt.Sprintf("You cannot vote in vote %d. Who could was settled when it opened, ", v.ID)
	m, in := rooms.Lookup(tx, info.ID, user)
	switch {
	case !in:
		return protocol.Plainf("You cannot vote in vote %d, because you are not in the room.", v.ID)
	case m.Bot:
		return protocol.Plainf("You cannot vote in vote %d: bots do not vote.", v.ID)
	case v.Type == Poll:
		return protocol.Join(head, "among the members at that time.")
	case since(info, m).After(v.Opened.Add(-v.Rules.Member)):
		return protocol.Join(head, "among those who had been members for ", days(v.Rules.Member),
			". You have been one since ", protocol.Moment(since(info, m)), ".")
	}
	return protocol.Join(head, "among members of at least ", days(v.Rules.Member), " who had been active on ",
		v.Rules.ActiveDays, " different days of the last ", days(v.Rules.ActiveWindow),
		" and were not challenged. You were not among them. Take part, and you will be next time.")
}

// predecessor returns the room that this one goes on from, if what stood there was carried over.
func predecessor(tx *store.Tx, info rooms.Info) (rooms.Info, bool) {
	from := protocol.RoomID(tx.Get(origins, string(info.ID)))
	if from == "" || from == info.ID {
		return rooms.Info{}, false
	}
	return rooms.Get(tx, from)
}

// tooFew tells why there can be no vote, with the numbers.
func (e electors) tooFew(t Type, r Rules) protocol.Text {
	text := fmt.Sprintf("That takes at least %d people who may vote, and here are %d.", r.Voters, len(e.people))
	if t == Restore {
		text = "Nobody here could vote on that."
	}
	text += fmt.Sprintf(" Who has been a member for %s may vote, but for bots, the challenged and the one whom it is about", days(r.Member))
	switch e.fresh {
	case 0:
		text += "."
	case 1:
		text += "; one member has been here for less."
	default:
		text += fmt.Sprintf("; %d members have been here for less.", e.fresh)
	}
	return protocol.Plain(text)
}

// days writes a length of time in words where it is one of whole days or hours.
func days(d time.Duration) string {
	for _, u := range []struct {
		one string
		d   time.Duration
	}{{"day", day}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		if n := d / u.d; n > 0 && d%u.d == 0 {
			if n == 1 {
				return "1 " + u.one
			}
			return fmt.Sprintf("%d %ss", n, u.one)
		}
	}
	return d.Round(time.Second).String()
}
