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
	active int // members for long enough who took part; in a poll, which asks for neither, all members
	idle   int // who would be among them, had they taken part
	fresh  int // how many are members for too short a time
}

// waived tells whether nobody has to be active: that is so where fewer than least were.
func (e electors) waived(t Type, least int) bool { return t != Poll && e.active < least && e.idle > 0 }

// size returns how many may vote.
func (e electors) size(t Type, least int) int {
	if e.waived(t, least) {
		return e.active + e.idle
	}
	return e.active
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

// longEnough tells whether somebody has been a member for as long as the rules ask for, here or in the room that this one
// goes on from.
func longEnough(tx *store.Tx, info rooms.Info, m rooms.Member, r Rules) bool {
	before := tx.Now().Add(-r.Member)
	if !since(info, m).After(before) {
		return true
	}
	at, ok := elder(tx, info.ID, m.User)
	return ok && !at.After(before)
}

// electorateFor returns those who may vote on something, and all of them by number, in order. The members are known.
func (f *Feature) electorateFor(tx *store.Tx, info rooms.Info, w wish, r Rules) (e electors, voters people) {
	var idle people
	for m := range rooms.Members(tx, info.ID) {
		switch f.votesOn(tx, info, w, m, r) {
		case isFresh:
			e.fresh++
		case isIdle:
			idle = append(idle, f.bus.Number(tx, m.User))
		case isActive:
			voters = append(voters, f.bus.Number(tx, m.User))
		}
	}
	e.active, e.idle = len(voters), len(idle)
	if e.waived(w.Type, f.settings.rules.Voters) {
		voters = append(voters, idle...)
	}
	slices.Sort(voters)
	return e, voters
}

// voting is what a member is to a vote that opens now.
type voting int

const (
	mayNot   voting = iota
	isFresh         // not a member for long enough
	isIdle          // not active on enough days
	isActive        // may vote
)

// votesOn tells what a member is to a vote that opens now.
func (f *Feature) votesOn(tx *store.Tx, info rooms.Info, w wish, m rooms.Member, r Rules) voting {
	if m.Bot || m.Self {
		return mayNot
	}
	if _, is := f.Sanctions.Challenged(tx, info.ID, m.User); is {
		return mayNot
	}
	switch {
	case w.Type == Poll:
		return isActive
	case m.User == w.Target.User:
		return mayNot
	case !longEnough(tx, info, m, r):
		return isFresh
	case !f.active(tx, info.ID, m.User, r):
		return isIdle
	}
	return isActive
}

func (f *Feature) active(tx *store.Tx, room protocol.RoomID, user protocol.UserID, r Rules) bool {
	return r.ActiveDays <= 0 || f.Activity.Days(tx, room, user, r.ActiveWindow) >= r.ActiveDays
}

// mayBeOpener tells somebody why they cannot open what binds: who opens it is one of those who may vote on it, but for
// appeals. Nil means that they can.
func (f *Feature) mayBeOpener(tx *store.Tx, info rooms.Info, w wish, e electors, r Rules) protocol.Text {
	least := f.settings.rules.Voters
	waived, size := e.waived(w.Type, least), e.size(w.Type, least)
	if w.Type == Poll || w.appeal() || size == 0 || w.Type != Restore && size < r.Voters {
		return nil // where there are too few, that is what they are told
	}
	head := "You cannot open that: who opens it has to be one of those who may vote on it"
	m, in := rooms.Lookup(tx, info.ID, w.Opener)
	if !in {
		return protocol.Join(head, ", and you are not in the room.")
	}
	switch f.votesOn(tx, info, w, m, r) {
	case isActive:
		return nil
	case isFresh:
		return protocol.Join(head, ", and that takes having been a member for ", days(r.Member), ". You have been one since ",
			protocol.Moment(since(info, m)), ". You can ask everybody with ", f.code(info.ID, "vote poll"), ".")
	case isIdle:
		if waived {
			return nil
		}
		return protocol.Join(head, ", and that takes having been active on ", r.ActiveDays, " different days of the last ",
			days(r.ActiveWindow), ". Take part, and try again.")
	}
	return protocol.Join(head, ".")
}

// whyNot tells somebody why they may not vote in an open vote. What it names is how things are now; they were frozen when
// the vote opened.
func (f *Feature) whyNot(tx *store.Tx, info rooms.Info, v Vote, user protocol.UserID, show func(line string) protocol.Text) protocol.Text {
	if n := f.bus.Lookup(tx, user); n != 0 && n == v.Target {
		return protocol.Join("You cannot vote in vote ", v.ID, ", because it is about you. You can answer it: ",
			show(fmt.Sprintf("vote reply %d TEXT", v.ID)), ".")
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

// inPrivate shows a command about a room as it is typed in a private conversation.
func inPrivate(info rooms.Info) func(line string) protocol.Text {
	return func(line string) protocol.Text { return protocol.Code(line + " --in " + info.Word()) }
}

// tooFew tells why there can be no vote, with the numbers.
func (e electors) tooFew(t Type, n int, waived bool, r Rules) protocol.Text {
	text := fmt.Sprintf("That takes at least %d people who may vote, and here are %d.", r.Voters, n)
	if t == Restore {
		text = "Nobody here could vote on that."
	}
	text += fmt.Sprintf(" Who has been a member for %s may vote, but for bots, the challenged and the one whom it is about", days(r.Member))
	switch e.fresh {
	case 0:
	case 1:
		text += "; one member has been here for less"
	default:
		text += fmt.Sprintf("; %d members have been here for less", e.fresh)
	}
	if e.idle > 0 && !waived {
		text += fmt.Sprintf("; %d more were not active on %d different days of the last %s", e.idle, r.ActiveDays, days(r.ActiveWindow))
	}
	return protocol.Plain(text + ".")
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
