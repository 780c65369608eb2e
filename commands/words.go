package commands

import (
	"cmp"
	"embed"

	"moot/internal/languages"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

//go:embed *.toml
var files embed.FS

var catalogue = say.New(files)

// speaks makes the manner one of a language: the answers of the command are for all to read in the language of the room, or for the
// person alone in their own. What is wrong with what came through the network's own interface is always for them alone.
func (s *manner) speaks(tx *store.Tx, ev protocol.Event, n *Node, about protocol.RoomID) *manner {
	if about == "" && !ev.Private {
		about = ev.Room
	}
	s.own = languages.To(tx, ev.Sender, cmp.Or(about, Chosen(tx, ev.Sender)))
	s.language = s.own
	if !ev.Private && n.Visibility.In(ev) != Private {
		s.language = languages.Room(tx, about)
	}
	return s
}

// say says something in the language of the answer.
func (s *manner) say(id string, slots ...say.Slot) protocol.Text {
	return catalogue.In(s.language).Say(id, slots...)
}

// mistake says what is wrong, to the person, and why in a few words for the record.
func (s *manner) mistake(why, id string, slots ...say.Slot) *Mistake {
	return &Mistake{Text: s.speaker().Say(id, slots...), why: why}
}

// speaker is who says what is wrong.
func (s *manner) speaker() say.Speaker {
	if s.native() {
		return catalogue.In(s.own)
	}
	return catalogue.In(s.language)
}

// way returns the id of a message that is another one where there are fields to fill in.
func (s *manner) way(id string) string {
	if s.native() {
		return id + "-native"
	}
	return id
}

// typed is the slot of something that somebody typed.
func typed(name, what string) say.Slot { return say.Words(name, protocol.Plain(words(what))) }

// flagSlot is the slot of a flag.
func flagSlot(name string) say.Slot { return say.Code("Flag", protocol.Code("--"+name)) }

// labelSlot is the slot of what a parameter is called.
func (s *manner) labelSlot(p *Param) say.Slot { return say.Code("Param", s.label(p)) }

// commandSlot is the slot of a command as it is given.
func (s *manner) commandSlot(line string) say.Slot { return say.Code("Command", s.code(line)) }

// inSlot is the slot of how a command in private names its room.
func (s *manner) inSlot() say.Slot { return say.Code("In", s.in()) }

// useSlot is the slot of how somebody chooses a room.
func (s *manner) useSlot() say.Slot {
	return say.Code("Use", s.code("use "+s.speaker().Plain("place-room")))
}

// codes shows words that can be typed.
func codes(all []string) []protocol.Text {
	shown := make([]protocol.Text, len(all))
	for i, one := range all {
		shown[i] = protocol.Code(one)
	}
	return shown
}
