package rooms

import (
	"strings"
	"unicode"

	"moot/internal/alike"
	"moot/protocol"
	"moot/store"
)

// MaxName is how many characters of a name are shown.
const MaxName = 40

// maxLooked is how many members a room may have in which names are compared with one another.
const maxLooked = 500

// Names shows the members of a room to people, so that nobody can be taken for somebody else, or for the bot. A name is cut
// after MaxName characters, stands between «» where a sentence could be read on into it, and has the id of its person behind
// it where the name of another member looks the same, or where the room is too large to find that out.
//
// It is used within one transaction, and looks at the members once, when the first of them is named.
type Names struct {
	tx    *store.Tx
	room  protocol.RoomID
	looks map[string]int // how many members have a name that looks so; nil if they were not looked at
	large bool
}

// NamesIn returns the names of a room.
func NamesIn(tx *store.Tx, room protocol.RoomID) *Names { return &Names{tx: tx, room: room} }

// Person names somebody without wanting their attention.
func (n *Names) Person(user protocol.UserID) protocol.Text {
	return protocol.Person(user, n.shown(user))
}

// Mention names somebody and wants their attention.
func (n *Names) Mention(user protocol.UserID) protocol.Text {
	return protocol.Mention(user, n.shown(user))
}

// Person names somebody in a room as [Names] does.
func Person(tx *store.Tx, room protocol.RoomID, user protocol.UserID) protocol.Text {
	return NamesIn(tx, room).Person(user)
}

func (n *Names) shown(user protocol.UserID) string {
	m, in := Lookup(n.tx, n.room, user)
	blank := in && alike.Blank(m.Name)
	if !in || blank {
		m.Name = protocol.OneLine(user.Local())
	}
	n.look()
	same := n.looks[alike.Look(m.Name)]
	if in && !blank {
		same--
	}
	name := protocol.Shorten(m.Name, MaxName)
	if readsOn(name) {
		name = protocol.Quoted(name, MaxName)
	}
	if id := protocol.OneLine(user.Local()); (n.large || same > 0) && id != m.Name {
		name += " (" + id + ")"
	}
	return name
}

// look notes what the names of the members look like.
func (n *Names) look() {
	if n.looks != nil {
		return
	}
	n.looks = map[string]int{}
	info, _ := Get(n.tx, n.room)
	if n.large = info.Count > maxLooked; n.large {
		return
	}
	for m := range Members(n.tx, n.room) {
		n.looks[alike.Look(m.Name)]++
	}
}

// readsOn reports whether a name could be read as a part of the sentence in which it stands: one of more than two words, or
// with other marks in it than names have.
func readsOn(name string) bool {
	if len(strings.Fields(name)) > 2 {
		return true
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.So, unicode.Sk) || strings.ContainsRune(" -_'’@+\u200d", r):
		case (r == '.' || r == ':') && i+1 < len(runes) && !unicode.IsSpace(runes[i+1]): // as in an id
		default:
			return true
		}
	}
	return false
}

// SeenBy returns what is known of a room as it is shown to somebody: without its name if they are not in it, as what it is
// called now is not theirs to know any more. It then goes by its id.
func SeenBy(tx *store.Tx, info Info, user protocol.UserID) Info {
	if _, in := Lookup(tx, info.ID, user); !in {
		info.Name, info.Alias = "", ""
	}
	return info
}

// Titled names a room to somebody: by its title if they are in it, else by its id, as what it is called now is not theirs to
// know any more.
func Titled(tx *store.Tx, info Info, user protocol.UserID) protocol.Text {
	if _, in := Lookup(tx, info.ID, user); in {
		return protocol.Plain(protocol.Quoted(info.Title(), 0))
	}
	return protocol.Code(string(info.ID))
}
