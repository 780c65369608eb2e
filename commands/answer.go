package commands

import (
	"strings"
	"unicode/utf8"

	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// MaxAnswer is how many characters an answer may have. What is longer is cut at the end of a line.
const MaxAnswer = 3500

// Mistake is the error of a person. It is answered, and the event is handled.
type Mistake struct {
	// Text is what the person is told.
	Text protocol.Text
	// why says it in a few words for the record, which holds no words of people.
	why string
	// private is whether it is nobody else's business, wherever the command was given.
	private bool
}

func (m *Mistake) Error() string { return m.Text.Plain() }

// Sorry returns the error with which a command tells the person what is wrong, and what to do.
func Sorry(text protocol.Text) error { return &Mistake{Text: text, why: "declined"} }

// Sorryf is Sorry with formatting. Words of people go through [protocol.Quoted] or [protocol.OneLine] first.
func Sorryf(format string, args ...any) error { return Sorry(protocol.Plainf(format, args...)) }

// also adds a sentence to what the person is told, and line a line.
func (m *Mistake) also(sentence protocol.Text) *Mistake { return m.add(" ", sentence) }
func (m *Mistake) line(text protocol.Text) *Mistake     { return m.add("\n", text) }

func (m *Mistake) add(between string, text protocol.Text) *Mistake {
	m.Text = protocol.Join(m.Text, between, text)
	return m
}

// manner is how the bot speaks where it was spoken to.
type manner struct {
	lead    string    // what stands before a command that is typed: "!moot ", or nothing
	private bool      // whether it is a private conversation
	tree    *Commands // the commands, where it is through the network's own interface; otherwise nil
	// language is that of the answer, and own that of the person alone; zero stands for English.
	language, own say.Language
	// offered reports whether a command is for whom this is shown to; nil where that is not known.
	offered func(*Node) bool
}

// aside makes the answer to a mistake private.
func (m *Mistake) aside() *Mistake {
	m.private = true
	return m
}

// visibility says who sees the answer to a mistake with that command. What came through the network's own interface was
// seen by nobody else, and so is what was wrong with it.
func (m *Mistake) visibility(n *Node, ev protocol.Event) Visibility {
	if _, native := ev.Body.(protocol.Invocation); m.private || native {
		return Private
	}
	return n.Visibility
}

// code shows a command as it is given: typed, or through the network's own interface.
func (s *manner) code(line string) protocol.Text {
	if s.native() {
		return protocol.Code(s.tree.Native(line))
	}
	return protocol.Code(s.lead + line)
}

// usageOf is the line of a mistake that shows how the command is used.
func (s *manner) usageOf(n *Node) protocol.Text {
	return s.speaker().Say("usage", say.Code("Usage", s.shown(s.usage(n))))
}

// moreAbout is the end of a mistake that says where there is more to read.
func (s *manner) moreAbout(n *Node) protocol.Text {
	return s.speaker().Say("more", s.commandSlot("help "+n.Title()))
}

// words shows the words of a person within a sentence.
func words(s string) string { return protocol.Quoted(readable(s), 60) }

// readable writes the mentions in a text as people read them. They mention nobody then.
func readable(s string) string {
	return readableBy(s, func(id protocol.UserID) string { return strings.TrimPrefix(id.Local(), "@") })
}

// readable is the same for what is kept: who has an id that says nothing to people is called as in the room.
func (r *run) readable(s string) string {
	return readableBy(s, func(id protocol.UserID) string {
		name := strings.TrimPrefix(id.Local(), "@")
		if m, ok := rooms.Lookup(r.tx, r.room.ID, id); ok && m.Name != "" && !Telling(name) {
			return m.Name
		}
		return name
	})
}

// Telling tells whether an id without its network says something to people, which a mere number does not.
func Telling(id string) bool { return strings.Trim(id, "0123456789") != "" }

func readableBy(s string, name func(protocol.UserID) string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "<@")
		if i < 0 {
			break
		}
		end := strings.IndexByte(s[i:], '>') + 1
		id, ok := protocol.ParseMention(s[i : i+end])
		if !ok {
			b.WriteString(s[:i+2])
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		b.WriteString("@" + name(id))
		s = s[i+end:]
	}
	return b.String() + s
}

// reply answers an event where it was said, or, where that is not private and the answer is to be, to the person alone. It
// returns the key of the answer.
func (s *manner) reply(tx *store.Tx, ev protocol.Event, v Visibility, text protocol.Text) (protocol.Key, error) {
	return outbox.Send(tx, s.replyTo(ev, v, text, nil))
}

// replyTo is what reply sends; with a file, unless that is nil.
func (s *manner) replyTo(ev protocol.Event, v Visibility, text protocol.Text, file *protocol.File) protocol.Outgoing {
	o := protocol.Outgoing{Handle: ev.Handle, Cause: ev.Ref()}
	text = s.clip(harmless(text), MaxAnswer)
	if v.In(ev) == Private && !ev.Private {
		o.Act = protocol.Whisper{User: ev.Sender, Text: text, Asked: true, File: file}
	} else {
		act := protocol.Say{Text: text, File: file}
		if _, ok := ev.Body.(protocol.Message); ok {
			act.ReplyTo = ev.ID
		}
		o.Room, o.Place, o.Act = ev.Room, ev.Place, act
	}
	return o
}

// tick is [Call.Tick].
func (r *run) tick(v Visibility, text protocol.Text) error {
	if _, typed := r.ev.Body.(protocol.Message); !typed || r.ev.Private || v == Private {
		return r.answer(v, text)
	}
	r.said = true
	_, err := outbox.Send(r.tx, protocol.Outgoing{
		Room: r.ev.Room, Place: r.ev.Place, Cause: r.ev.Ref(), Act: protocol.React{Target: r.ev.ID, Reaction: obeyed},
		Else: []protocol.Outgoing{r.replyTo(r.ev, v, text, nil)},
	})
	return err
}

// obeyed is the reaction that says so.
const obeyed = "✅"

// harmless returns the text with no mention in it but those that it means, wherever the words of people have come into
// it. Adapters escape them too; but a name that reads well is better than one that is escaped.
func harmless(text protocol.Text) protocol.Text {
	out := make(protocol.Text, len(text))
	for i, span := range text {
		span.Text = readable(span.Text)
		out[i] = span
	}
	return out
}

// clip returns the text without the lines at its end that do not fit into so many characters, and says how many they
// are. A first line that is too long by itself is shortened.
func (s *manner) clip(text protocol.Text, most int) protocol.Text {
	if characters(text) <= most {
		return text
	}
	const forTail = 24
	lines := splitLines(text)
	var kept []protocol.Text
	left := most - forTail
	for _, line := range lines {
		if left -= characters(line) + 1; left < 0 {
			break
		}
		kept = append(kept, line)
	}
	if len(kept) == 0 {
		kept = append(kept, protocol.Plain(protocol.Shorten(lines[0].Plain(), most-forTail)))
	}
	if more := len(lines) - len(kept); more > 0 {
		kept = append(kept, s.say("more-lines", say.Count("N", more)))
	}
	return protocol.Lines(kept...)
}

func characters(t protocol.Text) (n int) {
	for _, span := range t {
		n += utf8.RuneCountInString(span.Text)
	}
	return n
}

// splitLines is the reverse of [protocol.Lines].
func splitLines(text protocol.Text) []protocol.Text {
	lines := []protocol.Text{nil}
	for _, span := range text {
		for i, part := range strings.Split(span.Text, "\n") {
			if i > 0 {
				lines = append(lines, nil)
			}
			if part != "" {
				last := &lines[len(lines)-1]
				*last = append(*last, protocol.Span{Style: span.Style, Text: part, Ref: span.Ref})
			}
		}
	}
	return lines
}
