package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"

	"moot/protocol"
	"moot/protocol/discord/rest"
)

const (
	// chunkPace is how often Discord answers for all members of one guild (developer documentation,
	// "Request Guild Members").
	chunkPace = 30 * time.Second
	// chunkPatience is how long the next part of a list may take.
	chunkPatience = 30 * time.Second
	// maxListed is for how many members a list is read page by page where it is too soon for the
	// gateway.
	maxListed = 10_000
	// maxPaged is how many lists of one guild are read page by page within pagePace: roles can
	// change faster than lists are read.
	maxPaged = 3
	pagePace = 10 * time.Second
	// maxReading is how many lists are read at once, each of which is in memory.
	maxReading = 4
)

var (
	errTooOften = errors.New("the members are asked for again and again")
	errTooSoon  = errors.New("the members of a large guild can be asked for once in 30 seconds")
	errNoChunks = errors.New("the members stopped coming")
	errLost     = errors.New("the connection was lost while the members came")
)

// reading is a list of members that comes in chunks.
type reading struct {
	guild   string
	role    string // only who has it is kept; zero means everybody
	members []protocol.Member
	got     map[int]bool
	moved   chan struct{} // gets a value with each chunk
	done    chan struct{} // closed at the end
	err     error         // set before done is closed
}

// chunks collects the members that the gateway brings.
type chunks struct {
	mu      sync.Mutex
	free    int             // how many lists may begin; guarded by mu, as all that follows
	waiting []waiter        // in the order in which they came
	urgent  map[string]bool // guilds in which somebody has asked while their list waited
	byNonce map[string]*reading
	last    map[string]time.Time   // when a guild was last asked for, within chunkPace
	paged   map[string][]time.Time // when lists of a guild were read page by page, within pagePace
}

// waiter is a list that waits for its turn.
type waiter struct {
	guild string
	turn  chan struct{} // closed when it comes
}

// turn waits until the list of a guild may be read, which ends with over.
func (c *chunks) turn(ctx context.Context, guild string) error {
	c.mu.Lock()
	w := waiter{guild, make(chan struct{})}
	c.waiting = append(c.waiting, w)
	c.nextLocked()
	c.mu.Unlock()
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.waiting, w); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		return ctx.Err()
	}
	return nil // its turn came at the same time
}

func (c *chunks) over() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free++
	c.nextLocked()
}

// hurry lets the list of a guild pass the others, if it waits: somebody has asked there.
func (c *chunks) hurry(guild string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.waiting {
		if w.guild == guild {
			c.urgent[guild] = true
		}
	}
}

func (c *chunks) nextLocked() {
	for c.free > 0 && len(c.waiting) > 0 {
		i := max(slices.IndexFunc(c.waiting, func(w waiter) bool { return c.urgent[w.guild] }), 0)
		w := c.waiting[i]
		c.waiting = slices.Delete(c.waiting, i, i+1)
		delete(c.urgent, w.guild)
		c.free--
		close(w.turn)
	}
}

func newChunks() *chunks {
	return &chunks{free: maxReading, urgent: map[string]bool{}, byNonce: map[string]*reading{},
		last:  map[string]time.Time{},
		paged: map[string][]time.Time{}}
}

// begin registers a reading, or returns how long it is too soon for one.
func (c *chunks) begin(guild, role, nonce string, now time.Time) (*reading, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, at := range c.last {
		if now.Sub(at) >= chunkPace {
			delete(c.last, id)
		}
	}
	if at, ok := c.last[guild]; ok {
		return nil, chunkPace - now.Sub(at)
	}
	r := &reading{guild: guild, role: role, got: map[int]bool{}, moved: make(chan struct{}, 1), done: make(chan struct{})}
	c.last[guild] = now
	c.byNonce[nonce] = r
	return r, 0
}

// page notes that a list is about to be read page by page, or returns how long it is too soon for
// that.
func (c *chunks) page(guild string, now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, all := range c.paged {
		all = slices.DeleteFunc(all, func(at time.Time) bool { return now.Sub(at) >= pagePace })
		if c.paged[id] = all; len(all) == 0 {
			delete(c.paged, id)
		}
	}
	all := c.paged[guild]
	if len(all) >= maxPaged {
		return pagePace - now.Sub(all[0])
	}
	c.paged[guild] = append(all, now)
	return 0
}

func (c *chunks) end(nonce string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byNonce, nonce)
}

// take takes in a chunk. One that nobody waits for any more is dropped, and so is one that comes
// twice.
func (c *chunks) take(ch *discordgo.GuildMembersChunk, member func(*discordgo.Member) protocol.Member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.byNonce[ch.Nonce]
	if r == nil || r.guild != ch.GuildID || r.got[ch.ChunkIndex] || r.err != nil {
		return
	}
	r.got[ch.ChunkIndex] = true
	for _, m := range ch.Members {
		if sound(m) && counts(m) && has(m, r.role) {
			r.members = append(r.members, member(m))
		}
	}
	select {
	case r.moved <- struct{}{}:
	default:
	}
	if len(r.got) >= ch.ChunkCount {
		delete(c.byNonce, ch.Nonce)
		close(r.done)
	}
}

// lost ends the readings of guilds whose shard is gone.
func (c *chunks) lost(of func(guild string) bool) {
	c.stop(func(_ string, r *reading) bool { return of(r.guild) }, errLost)
}

// limited ends a reading that Discord does not answer because it was too soon.
func (c *chunks) limited(raw json.RawMessage) {
	var l struct {
		RetryAfter float64 `json:"retry_after"`
		Meta       struct {
			Guild string `json:"guild_id"`
			Nonce string `json:"nonce"`
		} `json:"meta"`
	}
	if json.Unmarshal(raw, &l) != nil {
		return
	}
	wait := time.Duration(min(max(l.RetryAfter, 1), 3600) * float64(time.Second))
	c.stop(func(nonce string, r *reading) bool {
		return r.guild == l.Meta.Guild && (l.Meta.Nonce == "" || l.Meta.Nonce == nonce)
	}, &protocol.SendError{RetryAfter: wait, Err: errTooSoon})
}

func (c *chunks) stop(such func(nonce string, r *reading) bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for nonce, r := range c.byNonce {
		if such(nonce, r) {
			r.err = err
			delete(c.byNonce, nonce)
			close(r.done)
		}
	}
}

// membersOf reads all members of a guild, or those who have a role: by the gateway, or page by page
// where that was asked not long ago.
func (a *Adapter) membersOf(ctx context.Context, guild, role, nonce string) (protocol.MemberList, error) {
	if err := a.chunks.turn(ctx, guild); err != nil {
		return protocol.MemberList{}, err
	}
	defer a.chunks.over()
	r, soon := a.chunks.begin(guild, role, nonce, time.Now())
	if r == nil {
		return a.listMembers(ctx, guild, role, soon)
	}
	defer a.chunks.end(nonce)
	if err := a.gw.RequestMembers(ctx, guild, nonce); err != nil {
		return protocol.MemberList{}, fmt.Errorf("ask for the members: %w", err)
	}
	patience := time.NewTimer(chunkPatience)
	defer patience.Stop()
	for {
		select {
		case <-r.done:
			var soon *protocol.SendError
			if errors.As(r.err, &soon) { // an earlier run has asked
				return a.listMembers(ctx, guild, role, soon.RetryAfter)
			}
			return protocol.MemberList{Last: true, Members: r.members}, r.err
		case <-r.moved:
			patience.Reset(chunkPatience)
		case <-patience.C:
			return protocol.MemberList{}, errNoChunks
		case <-ctx.Done():
			return protocol.MemberList{}, ctx.Err()
		}
	}
}

// listMembers reads the members page by page. Large guilds wait for the gateway instead.
func (a *Adapter) listMembers(ctx context.Context, guild, role string,
	soon time.Duration) (list protocol.MemberList, err error) {
	if wait := a.chunks.page(guild, time.Now()); wait > 0 {
		return list, &protocol.SendError{RetryAfter: wait, Err: errTooOften}
	}
	list.Last = true
	for after, listed := "0", 0; ; {
		var page []*discordgo.Member
		q := url.Values{"limit": {"1000"}, "after": {after}}
		if err := a.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: "/guilds/" + guild + "/members", Query: q,
			Into: &page}); err != nil {
			return list, err
		}
		for _, m := range page {
			if !sound(m) {
				continue
			}
			if after = m.User.ID; !counts(m) {
				continue
			}
			if listed++; has(m, role) {
				list.Members = append(list.Members, a.member(guild, m))
			}
		}
		switch {
		case len(page) < 1000:
			return list, nil
		case listed >= maxListed:
			return list, &protocol.SendError{RetryAfter: soon, Err: errTooSoon}
		}
	}
}

// pair is the members of a private conversation.
func (a *Adapter) pair(ctx context.Context, channel string) (list protocol.MemberList, err error) {
	var c struct {
		Recipients []account `json:"recipients"`
	}
	if err := a.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: "/channels/" + channel, Into: &c}); err != nil {
		return list, err
	}
	list = protocol.MemberList{Last: true, Members: []protocol.Member{{User: userID(a.self()), Name: "",
		Bot: true, Self: true}}}
	for _, u := range c.Recipients {
		if isSnowflake(u.ID) && u.ID != a.self() {
			list.Members = append(list.Members, protocol.Member{User: userID(u.ID), Name: u.called(), Bot: u.Bot,
				Power: protocol.PowerMember})
		}
	}
	return list, nil
}
