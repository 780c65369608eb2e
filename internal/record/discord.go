package record

import (
	"moot/activity"
	"moot/protocol"
	"moot/protocol/discord"
	"moot/rooms"
	"moot/store"
)

// Discord implements [discord.State]. What cannot be read is not known, and then every change counts.
type Discord struct{ Store *store.Store }

func (d Discord) view(f func(tx *store.Tx)) {
	_ = d.Store.View(func(tx *store.Tx) error {
		f(tx)
		return nil
	})
}

// Room implements discord.State.
func (d Discord) Room(room protocol.RoomID) (out discord.Room) {
	d.view(func(tx *store.Tx) {
		info, _ := rooms.Get(tx, room)
		out = discord.Room{
			Joined: info.Joined(), Private: info.Private, Name: info.Name, Join: info.Floor, Outage: info.Outage,
			Settled: info.Members == rooms.Known && info.Reading == nil,
		}
	})
	return out
}

// Rooms implements discord.State.
func (d Discord) Rooms() (ids []protocol.RoomID) {
	d.view(func(tx *store.Tx) {
		for info := range rooms.All(tx) {
			if info.ID.Network() == discord.Network && info.Joined() {
				ids = append(ids, info.ID)
			}
		}
	})
	return ids
}

// Member implements discord.State.
func (d Discord) Member(room protocol.RoomID, user protocol.UserID) (out discord.Member, in bool) {
	d.view(func(tx *store.Tx) {
		var m rooms.Member
		m, in = rooms.Lookup(tx, room, user)
		out = discord.Member{Name: m.Name, Moderator: m.Moderator}
	})
	return out, in
}

// Voice implements discord.State.
func (d Discord) Voice(room protocol.RoomID, user protocol.UserID) (out protocol.VoicePresence, in bool) {
	d.view(func(tx *store.Tx) { out, in = activity.InCall(tx, room, user) })
	return out, in
}

// InVoice implements discord.State.
func (d Discord) InVoice(room protocol.RoomID) (users []protocol.UserID) {
	d.view(func(tx *store.Tx) { users = activity.InCalls(tx, room) })
	return users
}
