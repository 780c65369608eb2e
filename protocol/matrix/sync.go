package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/internal/failpoint"
	"moot/protocol"
)

const (
	// pollTime is how long the server may hold a request for news back.
	pollTime = 30 * time.Second
	// pollSlack is how much longer the answer may take.
	pollSlack = 60 * time.Second
	// firstPollTime is for the first sync of all, which a server may work on for minutes.
	firstPollTime = 10 * time.Minute
	// firstTimeline is how many events of each room the first sync brings. They are history.
	firstTimeline = 10
	// echoSlack is how long the server may still work on what an earlier life has sent in its last moment. Transaction ids
	// do not help there: Dendrite knows them only when it has finished (observed).
	echoSlack = 2 * time.Second
	// fullPause is how long to wait for room on the disk before asking again.
	fullPause     = 2 * time.Second
	shortestPause = 250 * time.Millisecond
	longestPause  = time.Minute
	// refusals is how often the server may refuse a sync in a row before the adapter gives up.
	refusals = 6
)

// follow syncs until the context ends, which is no error, or it makes no sense any more.
func (r *run) follow() error {
	var out outage
	learnt := false
	r.backlog = true
	for r.ctx.Err() == nil {
		err := r.turn(&learnt)
		if err == nil {
			out = outage{}
			r.backlog = false
			continue
		}
		if err := out.take(r, err); err != nil {
			return err
		}
	}
	return nil
}

// turn asks for what is new, once, and takes it in.
func (r *run) turn(learnt *bool) error {
	if !*learnt {
		if err := r.learn(); err != nil {
			return passing{err}
		}
		*learnt = true
	}
	resp, err := r.poll()
	if err != nil {
		return passing{err}
	}
	if err := r.receive(resp); err != nil {
		return err
	}
	r.found()
	return nil
}

// outage is a row of failures.
type outage struct{ failed, refused int }

// take waits after a failure that may pass, and returns any other.
func (o *outage) take(r *run, err error) error {
	var p passing
	var u unadmitted
	switch {
	case r.ctx.Err() != nil:
		return nil
	case errors.As(err, &u):
		r.log.Debug("what the homeserver says is not taken at present", "err", err)
		_ = sleep(r.ctx, backoff(o.failed))
		o.failed++
		return nil
	case errors.Is(err, ErrFull) && !errors.Is(err, ErrBroken):
		r.crammed(true, err)
		_ = sleep(r.ctx, fullPause)
		return nil
	case !errors.As(err, &p):
		return err
	}
	if status, code := answer(err); code != "" && status >= 400 && status < 500 && status != http.StatusTooManyRequests {
		if o.refused++; o.refused >= refusals {
			return fmt.Errorf("the homeserver refuses to tell the bot anything: %w; see that homeserver and account in the configuration are right", p.error)
		}
	} else {
		o.refused = 0
	}
	pause := backoff(o.failed)
	if wait := retryAfter(err); wait > 0 {
		pause = wait
	}
	r.lost(o.failed, pause, p.error)
	o.failed++
	_ = sleep(r.ctx, pause)
	return nil
}

// backoff is how long to wait after so many failures in a row.
func backoff(failed int) time.Duration {
	pause := longestPause
	if failed < 8 {
		pause = min(shortestPause<<failed, longestPause)
	}
	return pause/2 + rand.N(pause/2)
}

// lost notes that the server could not be reached. The first failure is a warning, the others are not: they say nothing new.
func (r *run) lost(failed int, pause time.Duration, err error) {
	if failed == 0 {
		r.log.Warn("the homeserver cannot be reached; the bot goes on trying", "again", pause.Round(time.Millisecond), "err", err)
	} else {
		r.log.Debug("the homeserver cannot be reached", "attempt", failed+1, "pause", pause, "err", err)
	}
	r.backlog = true
	if r.online {
		r.online = false
		r.say(false)
	}
}

// crammed notes that there is no room for keys, or that there is again.
func (r *run) crammed(full bool, err error) {
	switch {
	case full && !r.full:
		r.log.Error("the disk is full: the bot takes no messages from Matrix until there is room", "err", err)
	case !full && r.full:
		r.log.Info("there is room on the disk again: the bot takes messages from Matrix")
	}
	r.full = full
}

// found notes that the server has answered and that what it said is admitted.
func (r *run) found() {
	if r.online {
		return
	}
	r.online = true
	select {
	case <-r.caughtUp:
		r.log.Info("the homeserver can be reached again")
	default:
		r.log.Info("connected to the homeserver", "account", r.self, "device", r.client.DeviceID)
		r.late = time.Now().Add(echoSlack)
		close(r.caughtUp)
	}
	r.say(true)
}

func (r *run) say(up bool) {
	if c, ok := r.to.(protocol.Connectivity); ok {
		c.Connected(up)
	}
}

// poll asks for what is new.
func (r *run) poll() (*syncResponse, error) {
	query := url.Values{"filter": {r.filter()}, "timeout": {"0"}}
	limit := pollTime + pollSlack
	if r.since == "" {
		limit = firstPollTime
	} else {
		query.Set("since", r.since)
		if r.online {
			query.Set("timeout", strconv.FormatInt(pollTime.Milliseconds(), 10))
		}
	}
	ctx, cancel := context.WithTimeout(r.ctx, limit)
	defer cancel()
	resp := new(syncResponse)
	if err := r.do(ctx, http.MethodGet, mautrix.ClientURLPath{"v3", "sync"}, query, nil, resp); err != nil {
		return nil, err
	}
	if resp.NextBatch == "" {
		return nil, fmt.Errorf("the response of the homeserver has no token to go on from")
	}
	return resp, nil
}

// The types of events that mean something to the bot. The others are not asked for.
var (
	stateTypes = []event.Type{
		event.StateCreate, event.StateMember, event.StateRoomName, event.StateCanonicalAlias, event.StateTopic,
		event.StateEncryption, event.StatePowerLevels, event.StateTombstone, callMember, unstableCallMember,
	}
	timelineTypes = append(slices.Clone(stateTypes), event.EventMessage, event.EventEncrypted, event.EventReaction,
		event.EventRedaction, event.EventSticker)
	callMember         = event.Type{Type: "m.call.member", Class: event.StateEventType}
	unstableCallMember = event.Type{Type: "org.matrix.msc3401.call.member", Class: event.StateEventType}
)

// filter returns the filter of the next sync. It stands in the request, so that nothing of it is kept on the server.
func (r *run) filter() string {
	timeline := r.adapter.config.Timeline
	if r.since == "" {
		timeline = min(timeline, firstTimeline)
	}
	none := &mautrix.FilterPart{NotTypes: []event.Type{{Type: "*"}}}
	data, err := json.Marshal(&mautrix.Filter{
		Presence:    none,
		AccountData: &mautrix.FilterPart{Types: []event.Type{event.AccountDataDirectChats}},
		Room: &mautrix.RoomFilter{
			AccountData: none,
			Ephemeral:   none,
			State:       &mautrix.FilterPart{Types: stateTypes, LazyLoadMembers: true},
			Timeline:    &mautrix.FilterPart{Types: timelineTypes, LazyLoadMembers: true, Limit: timeline},
		},
	})
	if err != nil {
		panic(err) // strings and numbers can be encoded
	}
	return string(data)
}

// messagesFilter is the filter for what was missed.
var messagesFilter = func() string {
	data, err := json.Marshal(&mautrix.FilterPart{Types: timelineTypes, LazyLoadMembers: true})
	if err != nil {
		panic(err) // strings can be encoded
	}
	return string(data)
}()

// receive takes in a response: first what is for the device, then what happened in rooms, and with it the token.
func (r *run) receive(resp *syncResponse) error {
	keys, err := r.receiveKeys(resp)
	if err != nil {
		return err
	}
	r.crammed(false, nil)
	r.accountData(resp.AccountData)
	b := &batch{run: r}
	if keys > 0 || !r.online {
		if err := r.unseal(b); err != nil {
			return err
		}
	}
	for _, section := range []struct {
		rooms map[string]object
		read  func(*batch, id.RoomID, *syncRoom) error
	}{{resp.Rooms.Leave, (*batch).left}, {resp.Rooms.Join, (*batch).joined}, {resp.Rooms.Invite, (*batch).invited}} {
		for _, room := range slices.Sorted(maps.Keys(section.rooms)) {
			sr := new(syncRoom)
			if err := json.Unmarshal(section.rooms[room], sr); err != nil {
				b.unreadable(id.RoomID(room), resp.NextBatch, err)
				continue
			}
			section.rooms[room] = nil // it is not needed any more
			if err := section.read(b, id.RoomID(room), sr); err != nil {
				return err
			}
		}
	}
	if err := b.finish(protocol.Cursor{Name: cursorName, Value: string(r.self) + " " + resp.NextBatch}); err != nil {
		return err
	}
	r.since = resp.NextBatch
	return nil
}

// receiveKeys hands what is for the device to the encryption.
func (r *run) receiveKeys(resp *syncResponse) (keys int, err error) {
	if r.encryption == nil {
		return 0, nil
	}
	out := &mautrix.RespSync{NextBatch: resp.NextBatch}
	into(resp.DeviceLists, &out.DeviceLists)
	into(resp.KeyCounts, &out.DeviceOTKCount)
	if len(resp.Fallback) > 0 {
		_ = json.Unmarshal(resp.Fallback, &out.FallbackKeys) // what cannot be read counts as not said
	}
	for _, o := range resp.ToDevice.Events {
		ev := new(event.Event)
		if err := json.Unmarshal(o, ev); err != nil {
			r.log.Warn("something for the device of the bot cannot be read", "err", err)
			continue
		}
		out.ToDevice.Events = append(out.ToDevice.Events, ev)
	}
	keys, err = r.encryption.Receive(r.ctx, out, r.since)
	if err != nil {
		return 0, fmt.Errorf("take in the keys: %w", err)
	}
	failpoint.Hit(failpoint.KeysReceived)
	return keys, nil
}

// accountData takes in changes of what stands on the account.
func (r *run) accountData(l list) {
	for _, o := range l.Events {
		var ev struct {
			Type    word                `json:"type"`
			Content map[id.UserID]words `json:"content"`
		}
		if into(o, &ev) && string(ev.Type) == event.AccountDataDirectChats.Type {
			r.mu.Lock()
			r.direct.merge(newDirectRooms(ev.Content))
			r.mu.Unlock()
		}
	}
}
