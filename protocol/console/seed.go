package console

import (
	"time"

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
		{"lobby", "For everybody", seedPeople, []string{"ann", "eve"}},
		{"garden", "What grows, and who waters it", []string{"ann", "ben", "cleo", "eve"}, []string{"ann"}},
		{"workshop", "Tools and noise", []string{"ben", "dan", "eve", "finn"}, []string{"eve"}},
	}
	// seedTalk is said in the last ten days, by everybody in the lobby twice and a day apart, so that they are known as active
	// whatever the hour is.
	seedTalk = []struct {
		ago      time.Duration
		room, by string
		text     string
	}{
		{9*day + 5*time.Hour, "lobby", "cleo", "Good morning, everybody."},
		{9*day + 2*time.Hour, "workshop", "dan", "The lathe is repaired."},
		{8*day + 3*time.Hour, "lobby", "ben", "Is anybody coming to the market on Saturday?"},
		{8*day + 1*time.Hour, "lobby", "ann", "Some of us are, as always."},
		{7*day + 6*time.Hour, "garden", "cleo", "The beans are up."},
		{6*day + 4*time.Hour, "lobby", "eve", "I moved the meeting notes to the shelf."},
		{6*day + 2*time.Hour, "lobby", "cleo", "There is cake left in the kitchen."},
		{5*day + 8*time.Hour, "workshop", "finn", "Who has the small screwdriver?"},
		{5*day + 3*time.Hour, "lobby", "ben", "The cake was good."},
		{4*day + 6*time.Hour, "lobby", "dan", "Thank you for the soup yesterday."},
		{4 * day, "lobby", "cleo", "There is some left."},
		{3*day + 7*time.Hour, "garden", "ann", "I watered the tomatoes."},
		{3*day + 5*time.Hour, "lobby", "dan", "It will rain on Saturday, they say."},
		{3*day + 4*time.Hour, "lobby", "eve", "Then we take the tent."},
		{2*day + 2*time.Hour, "lobby", "finn", "The small screwdriver was in my pocket."},
		{1*day + 3*time.Hour, "lobby", "ann", "See you all tomorrow."},
		{1*day + 2*time.Hour, "lobby", "finn", "I will be there."},
	}
)

// seed makes the log of a new world.
func seed(now time.Time) []record {
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
		add(30*day, id, first, roomMade{roomState: roomState{r.name, r.topic, userIDs(r.moderators)}})
		for _, name := range r.people {
			join(30*day, id, userID(name), nil)
		}
	}
	for _, r := range seedRooms {
		join(20*day, roomID(r.name), Bot, &roomState{r.name, r.topic, userIDs(r.moderators)})
	}
	for _, t := range seedTalk {
		add(t.ago, roomID(t.room), userID(t.by), said{Text: t.text})
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
