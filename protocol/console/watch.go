package console

import (
	"strings"
	"time"

	"moot/internal/say"
	"moot/protocol"
)

// What a screen asks a Terminal for that shows more than plain lines.

// Entry is something in the timeline of a room: a message as it stands, or a sentence about what has changed.
type Entry struct {
	Room protocol.RoomID // zero: it concerns the whole world
	// ID is the event. An entry with the room and the ID of an earlier one takes its place.
	ID        protocol.EventID
	At        time.Time
	Number    int             // of the message in its room; zero means a sentence
	By        protocol.UserID // zero where nobody did it
	Name      string          // of By
	Text      protocol.Text
	ReplyTo   int // the number of the message that it answers; zero means none
	Edited    bool
	Deleted   bool
	Reactions []Reactions
}

// Reactions is how often a message has a reaction.
type Reactions struct {
	Reaction string
	Count    int
}

// Entries returns what the records after a position have changed, the position up to which it looked, and a channel that
// is closed when there is more. The error is that of a world that is closed or broken.
func (t *Terminal) Entries(after uint64) (entries []Entry, upTo uint64, grown <-chan struct{}, err error) {
	recs, grown, err := t.w.follow(after)
	t.w.look(func(s *state) {
		for _, r := range recs {
			if e, ok := t.entry(s, r); ok {
				entries = append(entries, e)
			}
		}
	})
	return entries, after + uint64(len(recs)), grown, err
}

func (t *Terminal) entry(s *state, r record) (Entry, bool) {
	rm := s.rooms[r.Room]
	switch d := r.Deed.(type) {
	case said:
		return s.messageEntry(rm, rm.messages[r.id()]), true
	case edited:
		return s.messageEntry(rm, rm.messages[d.Target]), true
	case reacted:
		return s.messageEntry(rm, rm.messages[d.Target]), true
	case deleted:
		if re := rm.reactions[d.Target]; re != nil {
			return s.messageEntry(rm, rm.messages[re.target]), true
		}
		return s.messageEntry(rm, rm.messages[d.Target]), true
	}
	sentence := t.view.sentence(s, rm, r)
	return Entry{Room: r.Room, ID: r.id(), At: r.At, By: r.By, Name: s.name(r.By), Text: protocol.Plain(sentence)}, sentence != ""
}

func (s *state) messageEntry(rm *room, m *message) Entry {
	e := Entry{
		Room: rm.id, ID: m.id, At: m.at, Number: m.number, By: m.by, Name: s.name(m.by), Edited: m.edited,
		Deleted: m.deletion != "",
	}
	if to := rm.messages[m.replyTo]; to != nil {
		e.ReplyTo = to.number
	}
	if e.Deleted {
		e.Text = s.speak.Say("deleted")
		return e
	}
	if e.Text = m.rich; m.rich == nil {
		mentioned(m.text,
			func(words string) { e.Text = append(e.Text, protocol.Plain(words)...) },
			func(id protocol.UserID) { e.Text = append(e.Text, protocol.Mention(id, s.name(id))...) })
	}
	for _, id := range m.reactions {
		with, known := rm.reactions[id].reaction, false
		for i := range e.Reactions {
			if e.Reactions[i].Reaction == with {
				e.Reactions[i].Count, known = e.Reactions[i].Count+1, true
			}
		}
		if !known {
			e.Reactions = append(e.Reactions, Reactions{with, 1})
		}
	}
	return e
}

// Place is a room, or a private conversation of somebody with the bot.
type Place struct {
	ID      protocol.RoomID
	Title   string
	Person  protocol.UserID // whose private conversation it is; zero means a room
	Member  bool            // whether the person who looks is in it
	Members int
}

// Places returns the rooms, in the order in which they were made, and then the private conversations. A room that goes on
// elsewhere is left out.
func (t *Terminal) Places() []Place {
	var rooms, private []Place
	t.w.look(func(s *state) {
		for _, id := range s.everywhere {
			rm := s.rooms[id]
			p := Place{ID: id, Title: t.view.where(s, rm), Person: rm.direct, Member: rm.has(t.view.me), Members: len(rm.joined())}
			switch {
			case rm.direct != "":
				p.Title = s.name(rm.direct)
				private = append(private, p)
			case rm.successor == "":
				rooms = append(rooms, p)
			}
		}
	})
	return append(rooms, private...)
}

// Where is who speaks, where, and what time it is there.
type Where struct {
	Person  protocol.UserID
	Name    string
	Room    protocol.RoomID
	Title   string
	Topic   string
	Private bool
	Member  bool // whether they are in the room
	Now     time.Time
}

// Where returns who speaks where.
func (t *Terminal) Where() (w Where) {
	t.w.look(func(s *state) {
		rm := s.rooms[t.view.place]
		w = Where{
			Person: t.view.me, Name: s.name(t.view.me), Room: rm.id, Title: t.view.where(s, rm), Topic: protocol.OneLine(rm.topic),
			Private: rm.direct != "", Member: rm.has(t.view.me), Now: t.w.clock.Now(),
		}
	})
	return w
}

// Jumped returns a channel that is closed when the clock of the world is moved.
func (t *Terminal) Jumped() <-chan struct{} { return t.w.clock.Jumped() }

// Do does what a person typed, as Run does with a line, and returns what is answered to them alone. The error is a
// sentence for them. Quit is whether they want to leave.
func (t *Terminal) Do(typed string) (answer []string, quit bool, err error) {
	err = t.do(typed)
	answer, t.notes = t.notes, nil
	return answer, t.quit, err
}

// Go changes where the person speaks.
func (t *Terminal) Go(to protocol.RoomID) error {
	var err error
	t.w.look(func(s *state) {
		if s.rooms[to] == nil {
			err = s.refuse(ErrNoRoom, "no-room", say.Quoted("Typed", to.Local(), 40))
		}
	})
	if err == nil && to != t.view.place {
		if !t.private() {
			t.back = t.view.place
		}
		t.view.place = to
	}
	return err
}

// Say says something as the person who speaks, in any place that they are in; with private in their own conversation
// with the bot.
func (t *Terminal) Say(in protocol.RoomID, private bool, text string) (err error) {
	if private {
		if in, err = t.w.Direct(t.view.me); err != nil {
			return err
		}
	}
	_, err = t.w.Say(in, t.view.me, text, "")
	return err
}

// The tour takes a minute. One step needs no reading: who speaks, and where.
const (
	readingPause  = 2100 * time.Millisecond
	speakingPause = 700 * time.Millisecond
)

// StepPause is how long a reader has before the next step of the tour.
func (t *Terminal) StepPause() time.Duration {
	if len(t.steps) > 0 && (strings.HasPrefix(t.steps[0], "/as ") || strings.HasPrefix(t.steps[0], "/in ")) {
		return speakingPause
	}
	return readingPause
}

// Steps returns how many lines are still to be done by themselves, one after another.
func (t *Terminal) Steps() int { return len(t.steps) }

// Stop gives up the lines that are still to be done.
func (t *Terminal) Stop() { t.steps = nil }

// Step returns the next line that is to be done by itself; none is empty.
func (t *Terminal) Step() string { return t.step() }

func (t *Terminal) step() (line string) {
	if len(t.steps) > 0 {
		line, t.steps = t.steps[0], t.steps[1:]
	}
	return line
}
