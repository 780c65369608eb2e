package console

import (
	"time"

	"moot/internal/say"
	"moot/protocol"
)

const day = 24 * time.Hour

// The people and rooms of a new world. Nobody is in every room, so that "the rooms that I share with the bot" is a
// question with an answer.
var (
	seedPeople = []string{"ann", "ben", "cleo", "dan", "eve", "finn"}
	seedRooms  = []struct {
		name, topic string
		people      []string
		moderators  []string
	}{
		{"lobby", "topic-lobby", seedPeople, []string{"ann", "eve"}},
		{"garden", "topic-garden", []string{"ann", "ben", "cleo", "eve"}, []string{"ann"}},
		{"workshop", "topic-workshop", []string{"ben", "dan", "eve", "finn"}, []string{"eve"}},
	}
	// seedTalk is said in the last ten days, by everybody in the lobby twice and a day apart, so that they are known as active
	// whatever the hour is.
	seedTalk = []struct {
		ago      time.Duration
		room, by string
		text     string // a message of the catalogue, as are the topics
	}{
		{9*day + 5*time.Hour, "lobby", "cleo", "seed-morning"},
		{9*day + 2*time.Hour, "workshop", "dan", "seed-lathe"},
		{8*day + 3*time.Hour, "lobby", "ben", "seed-market"},
		{8*day + 1*time.Hour, "lobby", "ann", "seed-always"},
		{7*day + 6*time.Hour, "garden", "cleo", "seed-beans"},
		{6*day + 4*time.Hour, "lobby", "eve", "seed-shelf"},
		{6*day + 2*time.Hour, "lobby", "cleo", "seed-cake"},
		{5*day + 8*time.Hour, "workshop", "finn", "seed-screwdriver"},
		{5*day + 3*time.Hour, "lobby", "ben", "seed-good"},
		{4*day + 6*time.Hour, "lobby", "dan", "seed-soup"},
		{4 * day, "lobby", "cleo", "seed-left"},
		{3*day + 7*time.Hour, "garden", "ann", "seed-tomatoes"},
		{3*day + 5*time.Hour, "lobby", "dan", "seed-rain"},
		{3*day + 4*time.Hour, "lobby", "eve", "seed-tent"},
		{2*day + 2*time.Hour, "lobby", "finn", "seed-pocket"},
		{1*day + 3*time.Hour, "lobby", "ann", "seed-tomorrow"},
		{1*day + 2*time.Hour, "lobby", "finn", "seed-there"},
	}
)

// seed makes the log of a new world.
func seed(speak say.Speaker, now time.Time) []record {
	var recs []record
	add := func(ago time.Duration, room protocol.RoomID, by protocol.UserID, d deed) {
		recs = append(recs, record{Pos: uint64(len(recs) + 1), At: now.Add(-ago), Room: room, By: by, Deed: d})
	}
	join := func(ago time.Duration, room protocol.RoomID, user protocol.UserID, state *roomState) {
		add(ago, room, user, memberSet{User: user, Membership: protocol.Joined, Name: user.Local(), State: state})
	}
	for _, name := range seedPeople {
		add(30*day, "", "", personMade{User: userID(name), Name: name})
	}
	add(30*day, "", "", personMade{User: Bot, Name: Bot.Local(), Bot: true})
	for _, r := range seedRooms {
		id, first := roomID(r.name), userID(r.moderators[0])
		add(30*day, id, first, roomMade{roomState: roomState{r.name, speak.Plain(r.topic), userIDs(r.moderators)}})
		for _, name := range r.people {
			join(30*day, id, userID(name), nil)
		}
	}
	for _, r := range seedRooms {
		join(20*day, roomID(r.name), Bot, &roomState{r.name, speak.Plain(r.topic), userIDs(r.moderators)})
	}
	for _, t := range seedTalk {
		add(t.ago, roomID(t.room), userID(t.by), said{Text: speak.Plain(t.text)})
	}
	return recs
}

func userIDs(names []string) []protocol.UserID {
	ids := make([]protocol.UserID, len(names))
	for i, n := range names {
		ids[i] = userID(n)
	}
	return ids
}
