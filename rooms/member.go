package rooms

import (
	"encoding/json"
	"iter"
	"time"

	"moot/protocol"
	"moot/store"
)

// Member is one member of a room.
type Member struct {
	User protocol.UserID
	Name string // display name, on one line; the local id where there is none
	Bot  bool
	Self bool // whether it is this bot
	// Since is when the person joined; zero means before the bot first read the list.
	Since     time.Time
	Moderator bool
}

// row is a Member as it is stored.
type row struct {
	Name  string    `json:"n,omitempty"`
	Mark  uint64    `json:"m"`
	Since time.Time `json:"s,omitzero"`
	Bot   bool      `json:"b,omitempty"`
	Self  bool      `json:"i,omitempty"`
	Gone  bool      `json:"g,omitempty"` // left while a list was being read that may still name them
}

func decodeRow(v []byte) (r row, ok bool) { return r, v != nil && json.Unmarshal(v, &r) == nil }

func getRow(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (row, bool) {
	return decodeRow(tx.Get(roomUsers, store.Key(room, string(user))))
}

func putRow(tx *store.Tx, room protocol.RoomID, user protocol.UserID, r row) {
	v, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings, numbers and times of this century can be encoded
	}
	tx.Put(roomUsers, store.Key(room, string(user)), v)
}

// counts reports whether a row stands for somebody who is in the room now.
func (i Info) counts(r row) bool { return i.Joined() && !r.Gone && r.Mark >= i.Valid }

func member(tx *store.Tx, room protocol.RoomID, user protocol.UserID, r row) Member {
	m := Member{User: user, Name: protocol.OneLine(r.Name), Bot: r.Bot, Self: r.Self, Since: r.Since}
	if m.Name == "" {
		m.Name = user.Local()
	}
	m.Moderator = tx.Has(moderators, store.Key(room, string(user)))
	return m
}

// Lookup returns a member of the room, and whether the person is one.
func Lookup(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (Member, bool) {
	info, _ := Get(tx, room)
	r, ok := getRow(tx, room, user)
	if !ok || !info.counts(r) {
		return Member{}, false
	}
	return member(tx, room, user, r), true
}

// Members goes through the members of the room by their ids. It is empty where the bot is not in the room; whether
// it is whole tells Info.Members.
func Members(tx *store.Tx, room protocol.RoomID) iter.Seq[Member] { return MembersFrom(tx, room, "") }

// MembersFrom is Members from the given person on, for those who look at many in slices.
func MembersFrom(tx *store.Tx, room protocol.RoomID, from protocol.UserID) iter.Seq[Member] {
	return func(yield func(Member) bool) {
		info, _ := Get(tx, room)
		prefix := store.Key(room, "")
		for k, v := range tx.Range(roomUsers, prefix+string(from), store.After(prefix)) {
			if r, ok := decodeRow(v); ok && info.counts(r) && !yield(member(tx, room, protocol.UserID(k[len(prefix):]), r)) {
				return
			}
		}
	}
}

// Moderators goes through the members who may moderate the room, by their ids.
func Moderators(tx *store.Tx, room protocol.RoomID) iter.Seq[Member] {
	return func(yield func(Member) bool) {
		info, _ := Get(tx, room)
		prefix := store.Key(room, "")
		for k := range tx.Prefix(moderators, prefix) {
			user := protocol.UserID(k[len(prefix):])
			if r, ok := getRow(tx, room, user); ok && info.counts(r) && !yield(member(tx, room, user, r)) {
				return
			}
		}
	}
}

// Of goes through the rooms that the bot shares with the person, by their ids, private conversations among them.
func Of(tx *store.Tx, user protocol.UserID) iter.Seq[Info] {
	return func(yield func(Info) bool) {
		prefix := store.Key(user, "")
		for k := range tx.Prefix(userRooms, prefix) {
			info, _ := Get(tx, protocol.RoomID(k[len(prefix):]))
			if r, ok := getRow(tx, info.ID, user); ok && info.counts(r) && !yield(info) {
				return
			}
		}
	}
}
