package rooms

import (
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode"

	"moot/internal/alike"
	"moot/protocol"
	"moot/store"
)

var (
	infos      = store.ScopedBucket("rooms")
	roomUsers  = store.ScopedBucket("room-users")
	userRooms  = store.ScopedBucket("user-rooms")
	moderators = store.ScopedBucket("moderators")
)

// Knowledge is whether the members of a room are known.
type Knowledge string

// The states of knowledge. Unknown is also that of a room in which the bot is not.
const (
	Unknown Knowledge = ""
	Known   Knowledge = "known"
)

// Info is what is known of a room beside its members.
type Info struct {
	ID        protocol.RoomID     `json:"-"`
	Private   bool                `json:",omitempty"` // a conversation of one person with the bot
	With      protocol.UserID     `json:",omitempty"` // whom the bot has invited to it as to a private conversation, until they are out of it
	Name      string              `json:",omitempty"`
	Alias     string              `json:",omitempty"` // a name that people can type
	Topic     string              `json:",omitempty"`
	Encrypted bool                `json:",omitempty"`
	Mute      bool                `json:",omitempty"` // the bot may not write in it, as far as the network tells
	Outage    bool                `json:",omitempty"` // the network cannot reach the room at present
	Own       protocol.Membership // of the bot; zero where the bot was never in it
	// Generation counts the bot's own joins. Floor is the last of them: what lies before it in the timeline is
	// never acted on.
	Generation uint64           `json:",omitempty"`
	Floor      protocol.EventID `json:",omitempty"`
	// FirstJoined is when the bot first joined, and JoinedAt when it last did, by the network, or by
	// the time of the commit where the network does not say.
	FirstJoined time.Time `json:",omitzero"`
	JoinedAt    time.Time `json:",omitzero"`
	// ListedAt is when the members were last known to be all, in this stay of the bot; zero where they never were.
	ListedAt time.Time `json:",omitzero"`
	// Successor is the room in which this one goes on, and Predecessor the one that went on here.
	Successor   protocol.RoomID `json:",omitempty"`
	Predecessor protocol.RoomID `json:",omitempty"`
	// Members is whether it is known who is in the room; Fault is why not, where reading the list failed.
	Members Knowledge `json:",omitempty"`
	Fault   string    `json:",omitempty"`
	// Count is the number of members, the bot included, as far as they are known.
	Count int `json:",omitempty"`

	Marks   uint64   `json:",omitempty"` // the last mark given
	Valid   uint64   `json:",omitempty"` // rows with a lower mark do not count
	Reading *reading `json:",omitempty"` // the list that is being read, if any
}

// reading is how far a list of members has been read.
type reading struct {
	List  string
	Mark  uint64
	Next  int // the part that comes next
	Count int
}

// Joined reports whether the bot is in the room.
func (i Info) Joined() bool { return i.Own == protocol.Joined }

// Title returns what to call the room: its name, its alias, or its id.
func (i Info) Title() string {
	for _, s := range []string{i.Name, i.Alias} {
		if s = protocol.OneLine(s); s != "" {
			return s
		}
	}
	return i.ID.Local()
}

// Word returns the room as it can be typed in a command, as behind --in.
func (i Info) Word() string {
	switch w := i.Title(); {
	case !typable(w):
		return string(i.ID)
	case strings.ContainsRune(w, ' '):
		return `"` + w + `"`
	default:
		return w
	}
}

// typable reports whether a title is read as it is shown when it is typed in a command, between quotes if it has spaces.
func typable(title string) bool {
	for i, r := range title {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_':
		case i > 0 && (strings.ContainsRune(" -.:+#'", r) || unicode.IsMark(r)):
		case i == 0 && (r == '#' || r == '!'): // an alias, an id
		default:
			return false
		}
	}
	return !alike.Blank(title) // a letter may show nothing: the Hangul filler is one
}

// mark is the one that a row gets which is written now.
func (i Info) mark() uint64 {
	if i.Reading != nil {
		return i.Reading.Mark
	}
	return i.Valid
}

// Get returns what is known of a room, and whether anything is.
func Get(tx *store.Tx, room protocol.RoomID) (info Info, ok bool) {
	v := tx.Get(infos, string(room))
	if v != nil {
		info, _ = decoded.Get(v, decode) // what this package wrote it can read
	}
	info.ID = room
	if info.Reading != nil {
		r := *info.Reading // which its users change
		info.Reading = &r
	}
	return info, v != nil
}

// decoded remembers what rooms are: each event asks for that several times.
var decoded store.Decoded[Info]

func decode(v []byte) (info Info, err error) {
	err = json.Unmarshal(v, &info)
	return info, err
}

// All goes through all rooms, also those that the bot has left, by their ids.
func All(tx *store.Tx) iter.Seq[Info] {
	return func(yield func(Info) bool) {
		for k, v := range tx.Range(infos, "", "") {
			info := Info{ID: protocol.RoomID(k)}
			if json.Unmarshal(v, &info) == nil && !yield(info) {
				return
			}
		}
	}
}

func put(tx *store.Tx, info Info) error {
	v, err := json.Marshal(info)
	if err != nil {
		return fmt.Errorf("encode room %s: %w", info.ID, err)
	}
	tx.Put(infos, string(info.ID), v)
	return nil
}
