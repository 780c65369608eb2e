package record_test

import (
	"slices"
	"testing"

	"moot/activity"
	"moot/events"
	"moot/internal/bot"
	"moot/internal/bot/bottest"
	"moot/internal/record"
	"moot/protocol"
	"moot/protocol/discord"
	"moot/rooms"
)

// TestDiscord: what the adapter compares with is what the bot has recorded, as of the last commit, also after a start.
func TestDiscord(t *testing.T) {
	const (
		hall protocol.RoomID = "discord:1"
		gone protocol.RoomID = "discord:2"
		self protocol.UserID = "discord:10"
		ann  protocol.UserID = "discord:11"
		ben  protocol.UserID = "discord:12"
	)
	r := &bottest.Rig{
		TB: t, Dir: t.TempDir(), Network: discord.Network, Kinds: []events.Kind{rooms.Kind, activity.Kind()},
		Features: func(r *bottest.Rig) []bot.Feature {
			f, err := activity.New(activity.Config{Bus: r.Bus})
			if err != nil {
				t.Fatal(err)
			}
			return []bot.Feature{f}
		},
	}
	r.Open()
	defer func() { r.Close() }()
	var d record.Discord
	var reads discord.State = &d
	d.Store = r.Store
	if room := reads.Room(hall); room != (discord.Room{}) {
		t.Errorf("of a room that nobody knows: %+v", room)
	}
	joins := func(room protocol.RoomID) protocol.Event {
		return r.Event(room, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined})
	}
	join := joins(hall)
	r.Admit(join, joins(gone), r.Event(hall, ann, protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: "Hall"}}}))
	if d.Room(hall).Settled {
		t.Error("it is settled before its members are known")
	}
	for _, a := range r.Flying {
		if a.Ask != nil && a.Ask.Room == hall {
			list := protocol.MemberList{Last: true, Members: []protocol.Member{{User: self, Self: true}, {User: ann, Name: "Ann"}}}
			r.Step(bot.Answered{Ask: *a.Ask, Attempt: a.Try.N, Result: list})
		}
	}
	r.Admit(r.Event(hall, ann, protocol.VoicePresence{Call: "c"}))
	r.Admit(r.Event(gone, self, protocol.MemberChange{User: self, Self: true, Membership: protocol.Kicked}))
	for range 2 {
		d.Store = r.Store
		want := discord.Room{Joined: true, Name: "Hall", Join: join.ID, Settled: true}
		if room := reads.Room(hall); room != want {
			t.Errorf("the hall is %+v, want %+v", room, want)
		}
		if ids := reads.Rooms(); !slices.Equal(ids, []protocol.RoomID{hall}) {
			t.Errorf("the bot is in %v", ids)
		}
		if m, in := reads.Member(hall, ann); !in || m != (discord.Member{Name: "Ann"}) {
			t.Errorf("ann is %+v, %v", m, in)
		}
		if m, in := reads.Member(hall, ben); in {
			t.Errorf("ben is %+v", m)
		}
		if v, in := reads.Voice(hall, ann); !in || v.Call != "c" {
			t.Errorf("ann is in %+v, %v", v, in)
		}
		if users := reads.InVoice(hall); !slices.Equal(users, []protocol.UserID{ann}) {
			t.Errorf("%v are in a call", users)
		}
		r.Down(0)
	}
	store := d.Store // closed by Down
	if room := (record.Discord{Store: store}).Room(hall); room != (discord.Room{}) {
		t.Errorf("of a store that cannot be read: %+v", room)
	}
}
