package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"moot/protocol"
)

// The columns of the screen: the number of a message, where it stands, who says it.
const (
	numberWidth = 4
	placeWidth  = 10
	whoWidth    = 7
	textColumn  = numberWidth + placeWidth + whoWidth
)

const timeFormat = "Mon 2 Jan 2006, 15:04 UTC"

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
		lines = append([]string{v.paint(dim, "--- "+r.At.Format("Monday 2 January 2006")+" ---")}, lines...)
	}
	return lines
}

func (v *view) show(s *state, r record) []string {
	rm := s.rooms[r.Room]
	switch d := r.Deed.(type) {
	case said:
		v.remember(r, r.id(), d.Text)
		return v.message(s, rm, r.By, r.id(), d.Text, d.Rich, rm.replyNote(d.ReplyTo), "")
	case edited:
		was := v.remember(r, d.Target, d.Text)
		return v.message(s, rm, r.By, d.Target, d.Text, changes(was, d.Rich), "", "(edited)")
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
		who := "you see"
		if rm.direct != v.me {
			who = s.name(rm.direct) + " sees"
		}
		pieces = append(pieces, piece{private, "  [only " + who + " this]"})
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
		return "dm " + s.name(rm.direct)
	}
	return s.title(rm)
}

func (v *view) placeStyle(rm *room) style {
	if rm != nil && rm.direct != "" {
		return private
	}
	return dim
}

func (rm *room) replyNote(to protocol.EventID) string {
	if to == "" {
		return ""
	}
	if m := rm.messages[to]; m != nil {
		return "(to " + strconv.Itoa(m.number) + ")"
	}
	return "(to an earlier message)"
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
	by := s.name(r.By)
	switch d := r.Deed.(type) {
	case personMade:
		return fmt.Sprintf("%s is new in this world", s.name(d.User))
	case personNamed:
		return fmt.Sprintf("%s is now called %s", d.User.Local(), protocol.Quoted(d.Name, maxName))
	case clockMoved:
		by, verb := span(d.By), "have"
		if strings.HasPrefix(by, "1 ") && strings.Count(by, " ") == 1 {
			verb = "has"
		}
		return fmt.Sprintf("%s %s passed; it is %s", by, verb, r.At.Format(timeFormat))
	case membersFail:
		if d.On {
			return "from now on the bot cannot read who is in a room"
		}
		return "the bot can read again who is in a room"
	case roomMade:
		if d.Direct != "" {
			return ""
		}
		return fmt.Sprintf("%s made the room %s", by, s.title(rm))
	case memberSet:
		if d.Profile || rm.direct != "" || rm.moved(d) {
			return ""
		}
		return membershipSentence(s, rm, r.By, d)
	case roomNamed:
		return fmt.Sprintf("%s renamed the room to %s", by, protocol.Quoted(d.Name, 60))
	case topicSet:
		if d.Topic == "" {
			return by + " removed the topic"
		}
		return fmt.Sprintf("%s set the topic to %s", by, protocol.Quoted(d.Topic, 100))
	case upgraded:
		return fmt.Sprintf("%s upgraded the room: everybody moves on to %s", by, d.Successor.Local())
	case powersSet:
		return fmt.Sprintf("the moderators are %s", s.names(d.Moderators))
	case voiceSet:
		return by + voiceSentence(d)
	case deleted:
		return v.deletionSentence(s, rm, r.By, d)
	case reacted:
		return fmt.Sprintf("%s reacted with %s to %s", by, protocol.OneLine(d.Reaction), rm.theMessage(d.Target))
	case again:
		return rm.theMessage(d.Target) + " is delivered to the bot again"
	}
	return ""
}

// moved tells whether somebody goes along from a room to its successor, which one sentence has said for all.
func (rm *room) moved(d memberSet) bool {
	return d.Reason == movedOn || d.Reason == movedIn
}

func (rm *room) theMessage(id protocol.EventID) string {
	if m := rm.messages[id]; m != nil {
		return "message " + strconv.Itoa(m.number)
	}
	return "an event that is no message"
}

func (v *view) deletionSentence(s *state, rm *room, by protocol.UserID, d deleted) string {
	if re := rm.reactions[d.Target]; re != nil {
		return fmt.Sprintf("%s took back %s from %s", s.name(by), protocol.OneLine(re.reaction), rm.theMessage(re.target))
	}
	return fmt.Sprintf("%s deleted %s%s", s.name(by), rm.theMessage(d.Target), because(d.Reason))
}

func membershipSentence(s *state, rm *room, by protocol.UserID, d memberSet) string {
	who, actor, back := s.name(d.User), s.name(by), ""
	if d.User == Bot {
		switch d.Membership {
		case protocol.Left, protocol.Kicked:
			back = fmt.Sprintf("; /invite %s brings it back", Bot.Local())
		case protocol.Banned:
			back = fmt.Sprintf("; /unban %s and then /invite %[1]s bring it back", Bot.Local())
		}
	}
	switch d.Membership {
	case protocol.Joined:
		return fmt.Sprintf("%s joined", who)
	case protocol.Invited:
		if d.User == Bot {
			return fmt.Sprintf("%s invited %s, which joins by itself", actor, who)
		}
		return fmt.Sprintf("%s invited %s; /as %s and /join %s go in", actor, who, d.User.Local(), rm.id.Local())
	case protocol.Kicked:
		return fmt.Sprintf("%s kicked %s%s%s", actor, who, because(d.Reason), back)
	case protocol.Banned:
		return fmt.Sprintf("%s banned %s%s%s", actor, who, because(d.Reason), back)
	case protocol.Left:
		if by != d.User {
			return fmt.Sprintf("%s unbanned %s%s", actor, who, back)
		}
		return fmt.Sprintf("%s left%s", who, back)
	}
	return fmt.Sprintf("%s is now %s", who, d.Membership)
}

func voiceSentence(d voiceSet) string {
	switch {
	case d.Call == "":
		return " left the voice call"
	case d.AFK:
		return " sits in the voice channel for those who are away"
	case d.Deafened:
		return " is in the voice call, deafened"
	}
	return " is in the voice call"
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + protocol.Shorten(protocol.OneLine(reason), 200) + ")"
}

func (s *state) names(ids []protocol.UserID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = s.name(id)
	}
	return list(names, "and")
}

// span writes a duration as people say it: "1 day 1 hour".
func span(d time.Duration) string {
	out := ""
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := d / u.unit; n > 0 {
			d -= n * u.unit
			if out != "" {
				out += " "
			}
			out += fmt.Sprintf("%d %s", n, u.name)
			if n > 1 {
				out += "s"
			}
		}
	}
	if out == "" {
		return d.String()
	}
	return out
}
