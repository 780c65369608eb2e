package say

import (
	"fmt"
	"time"

	"moot/protocol"
)

// Slot is what stands in a place of a message. It has the name and the kind that the message gives it.
type Slot struct {
	name, kind string
	text       protocol.Text
	n          int           // of a count
	length     time.Duration // of a span
}

// The kinds of slots.
const (
	person = "person"
	place  = "place"
	moment = "moment"
	span   = "span"
	count  = "count"
	number = "number"
	words  = "words"
	code   = "code"
	part   = "part"
)

// Person is somebody, as they are called in the room.
func Person(name string, who protocol.Text) Slot { return Slot{name: name, kind: person, text: who} }

// Place is a room, or a channel or thread of it.
func Place(name string, where protocol.Text) Slot { return Slot{name: name, kind: place, text: where} }

// Moment is a time.
func Moment(name string, at time.Time) Slot {
	return Slot{name: name, kind: moment, text: protocol.Moment(at)}
}

// Span is a length of time.
func Span(name string, d time.Duration) Slot { return Slot{name: name, kind: span, length: d} }

// Count is how many there are of something; the first of a message chooses its plural.
func Count(name string, n int) Slot {
	return Slot{name: name, kind: count, n: n, text: protocol.Plain(fmt.Sprint(n))}
}

// Number is a number that changes no word: that of a vote, or of a total. A point in it becomes the sign of the language.
func Number(name string, n any) Slot {
	return Slot{name: name, kind: number, text: protocol.Plain(fmt.Sprint(n))}
}

// Words is what somebody wrote.
func Words(name string, text protocol.Text) Slot { return Slot{name: name, kind: words, text: text} }

// Quoted is Words between marks, at most so many characters.
func Quoted(name, text string, most int) Slot {
	return Words(name, protocol.Plain(protocol.Quoted(text, most)))
}

// Code is what can be typed as it stands.
func Code(name string, line protocol.Text) Slot { return Slot{name: name, kind: code, text: line} }

// Part is another message, or several.
func Part(name string, text protocol.Text) Slot { return Slot{name: name, kind: part, text: text} }
