package matrix

import (
	"maunium.net/go/mautrix/event"

	"moot/protocol"
)

// resolve takes in what the state of the room is at the end of the timeline, where the server tells it (Client-Server API,
// use_state_after of /sync). A timeline alone does not say that: where two servers have changed the same thing at once, both
// changes stand in it, and one of them counts. What does not count is undone, and what counts without standing in the timeline
// comes as state.
func (c *chapter) resolve(sr *syncRoom) {
	told := sr.After
	if told == nil {
		told = sr.AfterEarly
	}
	var after list
	if told == nil || !into(*told, &after) {
		return
	}
	type place struct{ kind, key string }
	at := func(ev *rawEvent) place { return place{string(ev.Type), ev.state()} }
	counts := map[place]word{}
	standing := readEvents(after.Events)
	for _, ev := range standing {
		if ev.Key != nil {
			counts[at(ev)] = ev.ID
		}
	}
	shown, later := map[word]bool{}, map[place]bool{}
	for _, ev := range c.timeline {
		if ev.Key != nil {
			shown[ev.ID] = true
		}
	}
	for _, ev := range c.timeline {
		if ev.Key == nil || c.isOwn(ev) { // what the bot is to the room the section says
			continue
		}
		id, given := counts[at(ev)]
		switch {
		case given:
			ev.undone = !shown[id] || later[at(ev)]
			later[at(ev)] = later[at(ev)] || ev.ID == id
		case ev.is(event.StateMember):
			c.doubtful = true // a server that loads members lazily may have left it out
		default:
			ev.undone = true
		}
	}
	c.state = nil
	for _, ev := range standing {
		if ev.Key != nil && !shown[ev.ID] {
			c.state = append(c.state, ev)
		}
	}
}

// doubt has the members read anew where the response leaves open who is one.
func (c *chapter) doubt() {
	if c.doubtful && c.recorded.Own == protocol.Joined {
		c.events = append(c.events, protocol.Event{
			Room: c.reader.room, ID: c.derived("doubt"), Private: c.reader.private, Backlog: c.reader.backlog,
			Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Outdated{}}},
		})
	}
}
