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
	// a request each.
	maxPrivate = 200
	// maxRequests is how many requests are made for what was missed before one session of a shard.
	// They share Discord's limit of 40 a second with what the bot says. What is beyond them is lost.
	maxRequests = 1000
	// fetchTime is how long the fetching for one guild may take, while what happens there now has
	// to wait.
	fetchTime = time.Minute
)

// missedInGuild fetches what was written while the bot was away, where that matters: if commands
// can be typed: first where somebody wrote last. It also says what of it could not be fetched.
func (a *Adapter) missedInGuild(ctx context.Context, p *progress, c *discordgo.Guild, since string) (evs []protocol.Event,
	gaps []string) {
	if !a.cfg.MessageContent {
		return nil, []string{"messages, which count as activity"}
	}
	if since == "" {
		return nil, nil
	}
	done, err := a.fetch(ctx)
	if err != nil {
		return nil, []string{"messages"}
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	from := snowflakeAt(timeOf(since).Add(-overlap))
	if joined := snowflakeAt(c.JoinedAt); newer(joined, from) {
		from = joined // what was said before the bot came is history, in the overlap too
	}
	var found []message
	for _, ch := range latestFirst(slices.Concat(c.Channels, c.Threads)) {
		if !newer(ch.LastMessageID, from) {
			break
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
		list, whole, err := a.messagesAfter(ctx, p, ch.ID, from)
		for i := range list {
			list[i].Guild = c.ID
		}
		found = append(found, list...)
		switch {
		case err != nil:
			a.log.Warn("missed messages could not be fetched", "room", guildRoom(c.ID), "place",
				ch.ID, "err", err)
			gaps = append(gaps, "messages in "+protocol.Quoted(ch.Name, 40))
		case !whole && list == nil:
			gaps = append(gaps, "messages in "+protocol.Quoted(ch.Name, 40))
		case !whole:
			gaps = append(gaps, "older messages in "+protocol.Quoted(ch.Name, 40))
		}
	}
	return a.backlog(found), gaps
}

// latestFirst returns the channels in which something was written, that of the newest message first.
func latestFirst(channels []*discordgo.Channel) []*discordgo.Channel {
	channels = slices.DeleteFunc(channels, func(c *discordgo.Channel) bool {
		return c == nil || !isSnowflake(c.ID) || !isSnowflake(c.LastMessageID)
	})
	slices.SortStableFunc(channels, func(c, d *discordgo.Channel) int { return byAge(d.LastMessageID, c.LastMessageID) })
	return channels
}

// fetch waits for its turn to fetch what was missed: not everything at once, so that what the bot
// says is not late.
func (a *Adapter) fetch(ctx context.Context) (done func(), err error) {
	select {
	case a.fetching <- struct{}{}:
		return func() { <-a.fetching }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
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
	slices.SortFunc(rooms, func(r, s protocol.RoomID) int { return cmp.Or(byAge(at[s], at[r]), cmp.Compare(r, s)) })
	if left := len(rooms) - maxPrivate; left > 0 {
		a.log.Warn("the session was lost, and only the most recent private conversations are looked into",
			"looked_into", maxPrivate, "left_out", left)
	}
	return rooms[:min(len(rooms), maxPrivate)]
}

// missedInPrivate fetches what somebody wrote to the bot while it was away.
func (a *Adapter) missedInPrivate(ctx context.Context, p *progress, channel string) []protocol.Event {
	since := p.since
	if since == "" { // the first run ended before it had saved how far it had come
		mark, err := a.to.Cursor(roomCursor(directRoom(channel)))
		if since = latest(mark); err != nil || since == "" {
			return nil
		}
	}
	done, err := a.fetch(ctx)
	if err != nil {
		return nil
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	from := snowflakeAt(timeOf(since).Add(-overlap))
	list, whole, err := a.messagesAfter(ctx, p, channel, from)
	var lost []string
	switch {
	case err != nil:
		a.log.Warn("missed messages could not be fetched", "room", directRoom(channel), "err", err)
		lost = []string{"messages"}
	case !whole && list == nil:
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
	slices.SortFunc(list, func(m, n message) int { return byAge(m.ID, n.ID) })
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
// the newest are. Where they were missed before a session, they are part of what it may ask for; p is
// nil otherwise.
func (a *Adapter) messagesAfter(ctx context.Context, p *progress, channel, from string) (list []message, whole bool, err error) {
	for before := ""; len(list) < 100*maxPages && (p == nil || a.mayAsk(p)); {
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
