package matrix

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

const (
	// pageSize is how many events are asked for at once.
	pageSize = 100
	// keptPages is how many pages of a gap are kept while the beginning of it is looked for. Others are asked for again.
	keptPages = 10
	// maxPages bounds what a server can make the bot read.
	maxPages = 10_000
	// persistence is how often something that belongs to a sync is asked for, where the server fails, before the bot goes
	// on without it.
	persistence = 5
)

// page is a part of a gap, newest first as servers hand it out.
type page struct {
	from   string      // the token that it is asked for with
	events []*rawEvent // nil where it is to be asked for again
	size   int         // how many of its events belong to the gap
}

// gap adds what the server has left out before the timeline, oldest first. It ends at what was seen before, or at the own
// join where that is no older.
func (c *chapter) gap(join *rawEvent) error {
	if !c.limited {
		return nil
	}
	if c.prev == "" {
		return c.without(errors.New("the homeserver does not say where the gap ends"))
	}
	pages, err := c.pages(join)
	if err != nil {
		return c.without(err)
	}
	here := c.reader
	c.reader.backlog = true
	defer func() { c.reader = here }()
	for _, p := range slices.Backward(pages) {
		if p.events == nil {
			resp, err := c.messages(p.from)
			if err != nil {
				return c.without(err)
			}
			p.events = readEvents(resp.Chunk)
		}
		for _, ev := range slices.Backward(p.events[:min(p.size, len(p.events))]) {
			if err := c.add(ev); err != nil {
				return err
			}
		}
		if err := c.flush(); err != nil {
			return err
		}
	}
	return nil
}

// pages walks back to the beginning of the gap.
func (c *chapter) pages(join *rawEvent) (pages []page, err error) {
	from := c.prev
	for len(pages) < maxPages {
		resp, err := c.messages(from)
		if err != nil {
			return nil, err
		}
		p := page{from: from, events: readEvents(resp.Chunk)}
		p.size = len(p.events)
		begins := p.size < pageSize || resp.End == "" || string(resp.End) == from
		for i, ev := range p.events {
			known, err := c.known(ev)
			if err != nil {
				return nil, err
			}
			if known || join != nil && ev.ID == join.ID {
				p.size, begins = i, true
				break
			}
		}
		if len(pages) >= keptPages {
			p.events = nil
		}
		pages = append(pages, p)
		if begins {
			return pages, nil
		}
		from = string(resp.End)
	}
	c.run.log.Error("more was missed than is read", "room", c.reader.room, "events", maxPages*pageSize)
	return pages, nil
}

// known reports whether an event shows that all before it was admitted. After a crash some of the gap may have been; states
// and own echoes are then no sign, since those of a private conversation do not wait for what its person said before.
func (c *chapter) known(ev *rawEvent) (bool, error) {
	if ev.Key != nil || string(ev.Sender) == string(c.run.self) {
		return false, nil
	}
	return c.run.rooms.Seen(c.reader.room, protocol.EventID(bounded(string(ev.ID))))
}

type messagesResponse struct {
	Chunk []object `json:"chunk"`
	End   word     `json:"end"`
}

// messages asks for a page, back from a token to the place of the last sync.
func (c *chapter) messages(from string) (resp messagesResponse, err error) {
	query := url.Values{"dir": {"b"}, "from": {from}, "limit": {strconv.Itoa(pageSize)}, "filter": {messagesFilter}}
	if c.run.since != "" {
		query.Set("to", c.run.since)
	}
	err = c.run.request(c.run.ctx, http.MethodGet, mautrix.ClientURLPath{"v3", "rooms", c.room, "messages"}, query, nil, &resp)
	return resp, err
}

// without goes on without a gap that the server does not tell, and says so. Where the server may yet, it is asked again.
func (c *chapter) without(err error) error {
	if err := c.run.persist("read what was missed in", c.room, err); err != nil {
		return err
	}
	told := protocol.Event{
		Room: c.reader.room, ID: protocol.EventID("gap/" + protocol.DeriveKey(string(c.room), c.prev)), Private: c.reader.private, Backlog: true,
		Body: protocol.Gap{Lost: []string{"messages", "reactions"}},
	}
	c.events = append(c.events, told)
	// Nor does it tell who came and went meanwhile; so the list of members is read anew.
	told.ID += "/members"
	if told.Body, err = c.run.memberList(c.run.ctx, c.reader.room); err != nil {
		if err := c.run.persist("read the members of", c.room, err); err != nil {
			return err
		}
		told.Body = protocol.MemberList{Last: true, Fault: "the homeserver does not tell them"} // and is asked again later
	}
	c.events = append(c.events, told)
	return nil
}

// persist returns what is to be done about a request within a sync that has failed: an error that may pass, upon which the
// response is taken in again, or nil to go on without an answer. One room that a server cannot tell of does not hold up
// the others for long.
func (r *run) persist(what string, room id.RoomID, err error) error {
	if r.ctx.Err() != nil {
		return err
	}
	status, code := answer(err)
	key := what + " " + string(room)
	var he mautrix.HTTPError
	again := true
	switch unreached := errors.As(err, &he) && he.Response == nil; {
	case unreached || status == http.StatusTooManyRequests: // it is not this room alone
	case code != "" && status < 500:
		again = false
	default:
		r.tries[key]++
		again = r.tries[key] < persistence
	}
	if again {
		return passing{fmt.Errorf("%s %s: %w", what, room, err)}
	}
	delete(r.tries, key)
	r.log.Error("the homeserver does not answer, and the bot goes on without", "what", what, "room", roomID(room), "err", err)
	return nil
}
