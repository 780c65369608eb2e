package votes

import (
	"fmt"
	"slices"
	"time"

	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// electors are those who may vote on something that opens now.
type electors struct {
	Active int // members for long enough who took part; in a poll, which asks for neither, all members
	Idle   int // who would be among them, had they taken part
	Silent int // came after the bot and never took part
	Apart  int // members for long enough who may not vote: the challenged, and the one whom it is about
	Fresh  int // how many are members for too short a time
}

// members returns how many have been members for long enough, whether they may vote or not.
func (e electors) members() int { return e.Active + e.Idle + e.Silent + e.Apart }

// add counts one more member.
func (e *electors) add(v voting) {
	switch v {
	case isActive:
		e.Active++
	case isIdle:
		e.Idle++
	case isSilent:
		e.Silent++
	case isApart:
		e.Apart++
	case isFresh:
		e.Fresh++
	}
}

// waived reports whether nobody has to be active: that is so where fewer than least were.
func (e electors) waived(t Type, least int) bool { return t != Poll && e.Active < least && e.Idle > 0 }

// size returns how many may vote.
func (e electors) size(t Type, least int) int {
	if e.waived(t, least) {
		return e.Active + e.Idle
	}
	return e.Active
}

// since returns from when on somebody counts as a member. Where the network does not say when they joined, they were
// there when the bot first came. After the bot has been away and come back nobody knows that: who joined meanwhile is
// then not told from who was there before, and so all of them count from the bot's return.
func since(info rooms.Info, m rooms.Member) time.Time {
	switch {
	case !m.Since.IsZero():
		return m.Since
	case info.Generation > 1:
		return info.JoinedAt
	}
	return time.Time{}
}

// longEnough reports whether somebody has been a member for as long as the rules ask for, here or in the room that this
// one goes on from.
func longEnough(tx *store.Tx, info rooms.Info, m rooms.Member, member time.Duration) bool {
	before := tx.Now().Add(-member)
	if !since(info, m).After(before) {
		return true
	}
	at, ok := tenure(tx, info.ID, m.User)
	return ok && !at.After(before)
}

// electorate returns those who may vote on something, and all of them by number, in order. The members are known.
func (o *opening) electorate() (e electors, voters people) {
	var idle people
	for m := range rooms.Members(o.tx, o.room.ID) {
		is := o.votesOn(m)
		e.add(is)
		switch is {
		case isIdle:
			idle = append(idle, o.bus.Number(o.tx, m.User))
		case isActive:
			voters = append(voters, o.bus.Number(o.tx, m.User))
		}
	}
	if e.waived(o.Type, o.settings.rules.Voters) {
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
	isSilent        // the same, came after the bot, and never took part
	isApart         // challenged, or the one whom it is about
	isActive        // may vote
)

// votesOn tells what a member is to a vote that opens now.
func (o *opening) votesOn(m rooms.Member) voting {
	tx, info := o.tx, o.room
	_, challenged := o.Sanctions.Challenged(tx, info.ID, m.User)
	switch {
	case m.Bot || m.Self || challenged && o.Type == Poll:
		return mayNot
	case o.Type == Poll:
		return isActive
	case !longEnough(tx, info, m, o.rules.Member):
		return isFresh
	case challenged || m.User == o.Target.User:
		return isApart
	case o.active(tx, info.ID, m.User, o.rules):
		return isActive
	case !o.known(tx, info, m):
		return isSilent
	case tx.Now().Before(firstSeen(tx, info).Add(o.rules.ActiveWindow)):
		return isActive // the bot has not been here for long enough to know who is
	}
	return isIdle
}

// known reports whether somebody was in the room before the bot, or has ever taken part in it.
func (f *Feature) known(tx *store.Tx, info rooms.Info, m rooms.Member) bool {
	return !since(info, m).After(info.FirstJoined) || f.Activity.Ever(tx, info.ID, m.User)
}

// firstSeen returns when the bot first came to a room, or to the one that it goes on from.
func firstSeen(tx *store.Tx, info rooms.Info) time.Time {
	first := info.FirstJoined
	for _, room := range lineage(tx, info.ID) {
		if before, ok := rooms.Get(tx, room); ok && !before.FirstJoined.IsZero() && before.FirstJoined.Before(first) {
			first = before.FirstJoined
		}
	}
	return first
}

func (f *Feature) active(tx *store.Tx, room protocol.RoomID, user protocol.UserID, r Rules) bool {
	return r.ActiveDays <= 0 || f.Activity.Days(tx, room, user, r.ActiveWindow) >= r.ActiveDays
}

// mayBeOpener tells somebody why they cannot open what binds: who opens it is one of those who may vote on it, but for
// appeals. Nil means that they can.
func (o *opening) mayBeOpener(e electors) protocol.Text {
	least := o.settings.rules.Voters
	waived, size := e.waived(o.Type, least), e.size(o.Type, least)
	if o.Type == Poll {
		return o.mayPoll()
	}
	if o.Role.ID != "" && size > 0 && !o.holds(o.Opener) {
		return o.Say("opener-role", o.role())
	}
	if o.appeal() || size == 0 || o.Type != Restore && size < o.rules.Voters {
		return nil // where there are too few, that is what they are told
	}
	m, in := rooms.Lookup(o.tx, o.room.ID, o.Opener)
	if !in {
		return o.Say("opener-out")
	}
	switch is := o.votesOn(m); is {
	case isActive:
		return nil
	case isFresh:
		return o.Say("opener-fresh", say.Span("Member", o.rules.Member), say.Moment("Since", since(o.room, m)),
			say.Code("Command", o.code(o.room.ID, "vote poll")))
	case isIdle, isSilent:
		if waived && is == isIdle {
			return nil
		}
		return o.Say("opener-idle", say.Number("Days", o.rules.ActiveDays), say.Span("Window", o.rules.ActiveWindow))
	}
	return o.Say("opener-not")
}

// mayPoll tells somebody why they cannot open a poll. Who came a moment ago asks the room nothing, unless the bot did
// so too.
func (o *opening) mayPoll() protocol.Text {
	tx, info := o.tx, o.room
	m, in := rooms.Lookup(tx, info.ID, o.Opener)
	if !in || longEnough(tx, info, m, o.rules.PollMember) || firstSeen(tx, info).After(tx.Now().Add(-o.rules.PollMember)) {
		return nil
	}
	return o.Say("poll-fresh", say.Span("Member", o.rules.PollMember), say.Moment("Since", since(info, m)))
}

// whyNot tells somebody why they may not vote in an open vote. What it names is how things are now; they were frozen
// when the vote opened.
func (h *atHand) whyNot(s say.Speaker, info rooms.Info, user protocol.UserID, show func(line string) protocol.Text) protocol.Text {
	if n := h.bus.Lookup(h.tx, user); n != 0 && n == h.Target {
		return s.Say("voter-target", h.number(), say.Code("Command", show(fmt.Sprintf("vote reply %d TEXT", h.ID))))
	}
	member := say.Span("Member", h.Rules.Member)
	m, in := rooms.Lookup(h.tx, info.ID, user)
	switch {
	case !in:
		return s.Say("voter-out", h.number())
	case m.Bot:
		return s.Say("voter-bot", h.number())
	case h.Role != Role{} && h.Type == Poll:
		return s.Say("voter-role-poll", h.number(), h.role())
	case h.Role != Role{}:
		return s.Say("voter-role", h.number(), h.role(), member)
	case h.Type == Poll:
		return s.Say("voter-poll", h.number())
	case since(info, m).After(h.Opened.Add(-h.Rules.Member)):
		return s.Say("voter-fresh", h.number(), member, say.Moment("Since", since(info, m)))
	}
	return s.Say("voter-idle", h.number(), member, say.Number("Days", h.Rules.ActiveDays), say.Span("Window", h.Rules.ActiveWindow))
}

// inPrivate shows a command about a room as it is typed in a private conversation.
func inPrivate(info rooms.Info) func(line string) protocol.Text {
	return func(line string) protocol.Text { return protocol.Code(line + " --in " + info.Word()) }
}

// tooFew tells why there can be no vote, with the numbers.
func (o *opening) tooFew(e electors, n int, waived bool) protocol.Text {
	r := o.rules
	text := o.Say("too-few", say.Number("Least", r.Voters), say.Number("Size", n))
	if o.Type == Restore {
		text = o.Say("too-few-restore")
	}
	var but []protocol.Text
	if e.Fresh > 0 {
		but = append(but, o.Say("but-fresh", say.Count("N", e.Fresh)))
	}
	if e.Silent > 0 {
		but = append(but, o.Say("but-silent", say.Count("N", e.Silent)))
	}
	if e.Idle > 0 && !waived {
		but = append(but, o.Say("but-idle", say.Count("N", e.Idle), say.Number("Days", r.ActiveDays), say.Span("Window", r.ActiveWindow)))
	}
	member := say.Span("Member", r.Member)
	if len(but) == 0 {
		return say.Sentences(text, o.Say("who-may", member))
	}
	return say.Sentences(text, o.Say("who-may-but", member, say.Part("But", say.Semicolons(but))))
}
