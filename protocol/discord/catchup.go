package discord

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/bwmarrin/discordgo"

	"moot/protocol"
	"moot/protocol/discord/rest"
)

const (
	// overlap is how far before the last known place is read again: what comes from several shards
	// and servers of Discord is not in one order. What was seen already is a duplicate.
	overlap = 30 * time.Second
	// maxPages is how many hundreds of messages are fetched from one channel.
	maxPages = 10
	// maxPrivate is in how many private conversations it is looked for what was missed, which takes
	// a request each. All requests share Discord's limit with what the bot says.
	maxPrivate = 200
	// fetchTime is how long the fetching for one guild may take, while what happens there now has
	// to wait.
	fetchTime = time.Minute
)

// missedInGuild fetches what was written while the bot was away, where that matters: if commands
// can be typed. It also says what of it could not be fetched.
func (a *Adapter) missedInGuild(ctx context.Context, c *discordgo.Guild, since string) (evs []protocol.Event,
	gaps []string) {
	if !a.cfg.MessageContent {
		return nil, []string{"messages, which count as activity"}
	}
	if since == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	from := snowflakeAt(timeOf(since).Add(-overlap))
	if joined := snowflakeAt(c.JoinedAt); newer(joined, from) {
		from = joined // what was said before the bot came is history, in the overlap too
	}
	var found []message
	for _, ch := range slices.Concat(c.Channels, c.Threads) {
		if ch == nil || !isSnowflake(ch.ID) || !newer(ch.LastMessageID, from) {
			continue
		}
		may := everything
		a.guilds.with(c.ID, func(g *guild) { may = g.in(ch.ID, a.self(), g.own) })
		if may&mayView == 0 {
			continue // what is written there the bot does not see at any time
		}
		if may&mayRead == 0 {
			gaps = append(gaps, "messages in "+protocol.Quoted(ch.Name, 40)+", where the bot lacks Read "+
				"Message History")
			continue
		}
		list, whole, err := a.messagesAfter(ctx, ch.ID, from)
		for i := range list {
			list[i].Guild = c.ID
		}
		found = append(found, list...)
		switch {
		case err != nil:
			a.log.Warn("discord: missed messages could not be fetched", "room", guildRoom(c.ID), "place",
				ch.ID, "err", err)
			gaps = append(gaps, "messages in "+protocol.Quoted(ch.Name, 40))
		case !whole:
			gaps = append(gaps, "older messages in "+protocol.Quoted(ch.Name, 40))
		}
	}
	return a.backlog(found), gaps
}

// mostRecent returns the private conversations in which somebody wrote last, as many as are looked
// into.
func (a *Adapter) mostRecent(rooms []protocol.RoomID) []protocol.RoomID {
	at := map[protocol.RoomID]string{}
	for _, room := range rooms {
		if mark, err := a.to.Cursor(roomCursor(room)); err == nil {
			at[room] = latest(mark)
		}
	}
	slices.SortFunc(rooms, func(r, s protocol.RoomID) int {
		switch {
		case newer(at[r], at[s]):
			return -1
		case newer(at[s], at[r]):
			return 1
		}
		return cmp.Compare(r, s)
	})
	if left := len(rooms) - maxPrivate; left > 0 {
		a.log.Warn("discord: the session was lost, and only the most recent private conversations are looked into",
			"looked_into", maxPrivate, "left_out", left)
	}
	return rooms[:min(len(rooms), maxPrivate)]
}

// missedInPrivate fetches what somebody wrote to the bot while it was away.
func (a *Adapter) missedInPrivate(ctx context.Context, channel, since string) []protocol.Event {
	select { // not from hundreds of conversations at once
	case a.fetching <- struct{}{}:
		defer func() { <-a.fetching }()
	case <-ctx.Done():
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	from := snowflakeAt(timeOf(since).Add(-overlap))
	list, whole, err := a.messagesAfter(ctx, channel, from)
	var lost []string
	switch {
	case err != nil:
		a.log.Warn("discord: missed messages could not be fetched", "room", directRoom(channel), "err", err)
		lost = []string{"messages"}
	case !whole:
		lost = []string{"older messages"}
	}
	evs := a.backlog(list)
	if lost != nil {
		room := directRoom(channel)
		evs = append(evs, protocol.Event{Room: room, Private: true,
			ID:   protocol.EventID("gap-" + since + "-" + stamp(time.Now())),
			Body: protocol.Gap{From: timeOf(since), Until: time.Now().UTC(), Lost: lost}})
	}
	return evs
}

// backlog makes the events of messages that were fetched, in the order in which they were written.
func (a *Adapter) backlog(list []message) (evs []protocol.Event) {
	slices.SortFunc(list, func(m, n message) int {
		switch {
		case newer(n.ID, m.ID):
			return -1
		case newer(m.ID, n.ID):
			return 1
		}
		return 0
	})
	for _, m := range list {
		m.role = a.guilds.ownRole(m.Guild)
		if ev, ok := messageEvent(m, a.self(), true); ok {
			ev.Hidden = a.guilds.hidden(m.Guild, m.Channel)
			a.aged(&ev)
			evs = append(evs, ev)
		}
	}
	return evs
}

// messagesAfter returns the messages of a channel after a place, and whether they are all; if not,
// the newest are.
func (a *Adapter) messagesAfter(ctx context.Context, channel, from string) (list []message, whole bool, err error) {
	for before := ""; len(list) < 100*maxPages; {
		q := url.Values{"limit": {"100"}}
		if before != "" {
			q.Set("before", before)
		}
		var page []message
		if err := a.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: "/channels/" + channel + "/messages",
			Query: q, Into: &page}); err != nil {
			return list, false, err
		}
		for _, m := range page { // the newest comes first
			if !newer(m.ID, from) {
				return list, true, nil
			}
			m.Channel = channel
			list = append(list, m)
		}
		if len(page) < 100 {
			return list, true, nil
		}
		before = page[len(page)-1].ID
	}
	return list, false, nil
}
