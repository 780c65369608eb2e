package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moot/internal/say"
	"moot/protocol"
)

// The columns of the screen: the number of a message, where it stands, who says it.
const (
	numberWidth = 4
	placeWidth  = 10
	whoWidth    = 7
	textColumn  = numberWidth + placeWidth + whoWidth
)

// view is who looks at the screen, and what they have seen. It is owned by the Terminal.
type view struct {
	screen
	me    protocol.UserID
	place protocol.RoomID
	day   string                  // of the last line
	said  map[protocol.Ref]string // what the messages of the bot said when they were last shown
}

// record writes a record as lines of the screen. Some need none.
func (v *view) record(s *state, r record) []string {
	lines := v.show(s, r)
	if len(lines) == 0 {
		return nil
	}
	if day := r.At.Format(time.DateOnly); day != v.day {
		v.day = day
		lines = append([]string{v.paint(dim, "--- "+dayOf(s.speak, r.At)+" ---")}, lines...)
	}
	return lines
}

func (v *view) show(s *state, r record) []string {
	rm := s.rooms[r.Room]
	switch d := r.Deed.(type) {
	case said:
		v.remember(r, r.id(), d.Text)
		return v.message(s, rm, r.By, r.id(), d.Text, d.Rich, s.replyNote(rm, d.ReplyTo), "")
	case edited:
		was := v.remember(r, d.Target, d.Text)
		return v.message(s, rm, r.By, d.Target, d.Text, changes(was, d.Rich), "", s.speak.Plain("edited"))
	}
	sentence := v.sentence(s, rm, r)
	if sentence == "" {
		return nil
	}
	head, indent := pad("", numberWidth), numberWidth
	if rm != nil {
		head += v.paint(v.placeStyle(rm), pad(v.where(s, rm), placeWidth-1)+" ")
		indent += placeWidth
	}
	return v.under(head, indent, []piece{{dim, "— " + sentence}})
}

// message writes what somebody said.
func (v *view) message(s *state, rm *room, by protocol.UserID, id protocol.EventID, text string, rich protocol.Text, before, after string) []string {
	who := nameStyle
	if s.people[by].bot {
		who = botStyle
	}
	where, name := v.where(s, rm), s.name(by)
	head := v.paint(dim, fmt.Sprintf("%3d ", rm.messages[id].number)) +
		v.paint(v.placeStyle(rm), pad(where, placeWidth-1)+" ") +
		v.paint(who, pad(name+":", whoWidth-1)+" ")

	var pieces []piece
	if before != "" {
		pieces = append(pieces, piece{dim, before + " "})
	}
	if rich != nil {
		pieces = append(pieces, s.rich(rich)...)
	} else {
		pieces = append(pieces, s.typed(text)...)
	}
	if after != "" {
		pieces = append(pieces, piece{dim, " " + after})
	}
	if rm.direct != "" && rm.id != v.place {
		only := s.speak.Plain("only-you")
		if rm.direct != v.me {
			only = s.speak.Plain("only-they", whom("Who", s.name(rm.direct)))
		}
		pieces = append(pieces, piece{private, "  " + only})
	}
	return v.under(head, textColumn, pieces)
}

// under lays pieces out to the right of a head.
func (v *view) under(head string, indent int, pieces []piece) []string {
	lines := v.lines(pieces, indent)
	lines[0] = head + lines[0]
	return lines
}

// where names the place of a message in a word or two.
func (v *view) where(s *state, rm *room) string {
	if rm.direct != "" {
		return s.speak.Plain("dm", whom("Who", s.name(rm.direct)))
	}
	return s.title(rm)
}

func (v *view) placeStyle(rm *room) style {
	if rm != nil && rm.direct != "" {
		return private
	}
	return dim
}

func (s *state) replyNote(rm *room, to protocol.EventID) string {
	if to == "" {
		return ""
	}
	if m := rm.messages[to]; m != nil {
		return s.speak.Plain("reply-to", say.Number("N", m.number))
	}
	return s.speak.Plain("reply-earlier")
}

// remember keeps what a message of the bot says, and returns what it said before. People see their own edits whole.
func (v *view) remember(r record, id protocol.EventID, text string) (was string) {
	if r.By != Bot {
		return ""
	}
	ref := protocol.Ref{Room: r.Room, Event: id}
	was = v.said[ref]
	v.said[ref] = text
	return was
}

// changes returns the lines of a text that were not there before, on one line: a ballot changes the count of a vote, and
// a reader of plain lines need not have the whole vote again. Where no line has stayed it is the whole text.
func changes(was string, now protocol.Text) protocol.Text {
	before := strings.Split(was, "\n")
	var out protocol.Text
	stayed := false
	for _, line := range textLines(now) {
		if slices.Contains(before, line.Plain()) {
			stayed = true
			continue
		}
		if len(out) > 0 {
			out = append(out, protocol.Span{Text: " "})
		}
		out = append(out, line...)
	}
	if !stayed || len(out) == 0 {
		return now
	}
	return out
}

// textLines cuts a text at its newlines.
func textLines(text protocol.Text) []protocol.Text {
	lines := make([]protocol.Text, 1)
	for _, span := range text {
		for i, part := range strings.Split(span.Text, "\n") {
			if i > 0 {
				lines = append(lines, nil)
			}
			if span.Text = part; part != "" {
				last := len(lines) - 1
				lines[last] = append(lines[last], span)
			}
		}
	}
	return lines
}

// sentence says what a record that is no message has changed; nothing where a person need not be told.
func (v *view) sentence(s *state, rm *room, r record) string {
	by, speak := whom("Who", s.name(r.By)), s.speak
	switch d := r.Deed.(type) {
	case personMade:
		return speak.Plain("new-person", whom("Who", s.name(d.User)))
	case personNamed:
		return speak.Plain("named", code("ID", d.User.Local()), say.Quoted("Name", d.Name, maxName))
	case clockMoved:
		id, units := "passed", span(speak, d.By)
		if text := units.Plain(); strings.HasPrefix(text, "1 ") && strings.Count(text, " ") == 1 {
			id = "passed-one"
		}
		return speak.Plain(id, say.Part("Span", units), say.Part("Moment", momentOf(speak, r.At)))
	case membersFail:
		if d.On {
			return speak.Plain("members-fail")
		}
		return speak.Plain("members-work")
	case roomMade:
		if d.Direct != "" {
			return ""
		}
		return speak.Plain("room-made", by, inRoom("Room", s.title(rm)))
	case memberSet:
		if d.Profile || rm.direct != "" || rm.moved(d) {
			return ""
		}
		return membershipSentence(s, rm, r.By, d)
	case roomNamed:
		return speak.Plain("room-renamed", by, say.Quoted("Name", d.Name, 60))
	case topicSet:
		if d.Topic == "" {
			return speak.Plain("topic-removed", by)
		}
		return speak.Plain("topic-set", by, say.Quoted("Topic", d.Topic, 100))
	case upgraded:
		return speak.Plain("upgraded", by, inRoom("Successor", d.Successor.Local()))
	case powersSet:
		return speak.Plain("moderators-are", say.Part("Moderators", s.names(d.Moderators)))
	case voiceSet:
		return speak.Plain("voice-"+voiceWord(d), by)
	case deleted:
		return v.deletionSentence(s, rm, r.By, d)
	case reacted:
		return speak.Plain("reacted", by, wrote("Reaction", protocol.OneLine(d.Reaction)), s.theMessage(rm, d.Target))
	case again:
		return speak.Plain("again", s.theMessage(rm, d.Target))
	}
	return ""
}

// moved tells whether somebody goes along from a room to its successor, which one sentence has said for all.
func (rm *room) moved(d memberSet) bool {
	return d.Reason == movedOn || d.Reason == movedIn
}

func (s *state) theMessage(rm *room, id protocol.EventID) say.Slot {
	if m := rm.messages[id]; m != nil {
		return say.Part("Message", s.speak.Say("message", say.Number("N", m.number)))
	}
	return say.Part("Message", s.speak.Say("message-none"))
}

func (v *view) deletionSentence(s *state, rm *room, by protocol.UserID, d deleted) string {
	who := whom("Who", s.name(by))
	if re := rm.reactions[d.Target]; re != nil {
		return s.speak.Plain("unreacted", who, wrote("Reaction", protocol.OneLine(re.reaction)), s.theMessage(rm, re.target))
	}
	return because(s, s.speak.Say("deleted-message", who, s.theMessage(rm, d.Target)), d.Reason).Plain()
}

func membershipSentence(s *state, rm *room, by protocol.UserID, d memberSet) string {
	who, actor := whom("Who", s.name(d.User)), whom("By", s.name(by))
	back := func(text protocol.Text) string {
		bot := code("Bot", Bot.Local())
		switch {
		case d.User != Bot:
			return text.Plain()
		case d.Membership == protocol.Banned:
			return s.speak.Plain("back-unban", say.Part("What", text), bot)
		}
		return s.speak.Plain("back-invite", say.Part("What", text), bot)
	}
	switch d.Membership {
	case protocol.Joined:
		return s.speak.Plain("joined", who)
	case protocol.Invited:
		if d.User == Bot {
			return s.speak.Plain("invited-bot", actor, who)
		}
		return s.speak.Plain("invited", actor, who, code("Name", d.User.Local()), code("Room", rm.id.Local()))
	case protocol.Kicked:
		return back(because(s, s.speak.Say("kicked", actor, who), d.Reason))
	case protocol.Banned:
		return back(because(s, s.speak.Say("banned", actor, who), d.Reason))
	case protocol.Left:
		if by != d.User {
			return back(s.speak.Say("unbanned", actor, who))
		}
		return back(s.speak.Say("left", who))
	}
	return s.speak.Plain("is-now", who, code("Membership", string(d.Membership)))
}

// voiceWord is what somebody is to a voice call.
func voiceWord(d voiceSet) string {
	switch {
	case d.Call == "":
		return "off"
	case d.AFK:
		return "away"
	case d.Deafened:
		return "deaf"
	}
	return "on"
}

// because adds a reason to a sentence, if there is one.
func because(s *state, what protocol.Text, reason string) protocol.Text {
	if reason == "" {
		return what
	}
	return s.speak.Say("why", say.Part("What", what), wrote("Reason", protocol.Shorten(protocol.OneLine(reason), 200)))
}

func (s *state) names(ids []protocol.UserID) protocol.Text {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = s.name(id)
	}
	return list(s.speak, names)
}

// span writes a duration as people say it, in all of its units: "1 day 1 hour".
func span(speak say.Speaker, d time.Duration) (out protocol.Text) {
	whole := d
	for _, u := range []struct {
		unit time.Duration
		id   string
	}{{day, "span-days"}, {time.Hour, "span-hours"}, {time.Minute, "span-minutes"}, {time.Second, "span-seconds"}} {
		n := d / u.unit
		if n == 0 {
			continue
		}
		d -= n * u.unit
		if len(out) > 0 {
			out = protocol.Join(out, " ")
		}
		out = append(out, speak.Say(u.id, say.Count("N", int(n)))...)
	}
	if len(out) == 0 {
		return protocol.Plain(whole.String())
	}
	return out
}
