package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/internal/failpoint"
	"moot/internal/pause"
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
	// fullPause is how long to wait for space on the disk before asking again.
	fullPause = 2 * time.Second
	// refusals is how often the server may refuse a sync in a row before the adapter gives up.
	refusals = 6
)

// failing is how long to wait between syncs that fail.
var failing = pause.Backoff{First: 250 * time.Millisecond, Most: time.Minute}

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
		if r.own.Run == "" {
			if err := r.claim(); err != nil {
				return err
			}
		}
		if err := r.learn(); err != nil {
			return passing{err}
		}
		*learnt = true
	}
	resp, woken, err := r.pollOrNews()
	switch {
	case woken:
		b := &batch{run: r}
		if err := r.unseal(b); err != nil {
			return err
		}
		if len(b.events) > 0 {
			if err := b.admit(protocol.Cursor{}); err != nil {
				return err
			}
		}
	case err != nil:
		return passing{err}
	}
	if resp == nil {
		return nil
	}
	if err := r.receive(resp); err != nil {
		return err
	}
	r.reached()
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
	case errors.Is(err, ErrBroken): // also in what was asked of the server: nothing leaves then
		return err
	case errors.As(err, &u):
		r.log.Debug("what the homeserver says is not taken at present", "err", err)
		_ = pause.Sleep(r.ctx, failing.After(o.failed))
		o.failed++
		return nil
	case errors.Is(err, ErrFull) && !errors.Is(err, ErrBroken):
		r.crammed(true, err)
		_ = pause.Sleep(r.ctx, fullPause)
		return nil
	case !errors.As(err, &p):
		return err
	}
	if status, code := answer(err); code != "" && status >= 400 && status < 500 && status != http.StatusTooManyRequests {
		if o.refused++; o.refused >= refusals && status == http.StatusBadRequest && r.since != "" {
			// As where the server was put back from a backup. It knows no other place to go on from than the present.
			r.log.Error("the homeserver does not know any more up to where the bot has read; the bot goes on from now, and what was said meanwhile may be lost", "err", cause(err))
			r.since, o.refused = "", 0
		} else if o.refused >= refusals {
			return protocol.Ends(protocol.RetrySlowly, fmt.Errorf("the homeserver refuses to tell the bot anything: %w; see that homeserver and account in the configuration are right", p.error))
		}
	} else {
		o.refused = 0
	}
	wait := retryAfter(err)
	if wait <= 0 {
		wait = failing.After(o.failed)
	}
	r.lost(o.failed, wait, p.error)
	o.failed++
	_ = pause.Sleep(r.ctx, wait)
	return nil
}

// lost notes that the server could not be reached. The first failure is a warning, the others are not: they say nothing new.
func (r *run) lost(failed int, wait time.Duration, err error) {
	if failed == 0 {
		r.log.Warn("the homeserver cannot be reached; the bot goes on trying", "again", wait.Round(time.Millisecond), "err", cause(err))
	} else {
		r.log.Debug("the homeserver cannot be reached", "attempt", failed+1, "pause", wait, "err", cause(err))
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
		r.log.Error("the disk is full: the bot takes no messages from Matrix until there is space", "err", err)
	case !full && r.full:
		r.log.Info("there is space on the disk again: the bot takes messages from Matrix")
	}
	r.full = full
}

// reached notes that the server has answered and that what it said is admitted.
func (r *run) reached() {
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

// pollOrNews asks for what is new, and stops asking when something that waits may be opened now: woken is then true, and the
// response nil, unless it had come already.
func (r *run) pollOrNews() (resp *syncResponse, woken bool, err error) {
	if r.encryption == nil {
		resp, err = r.poll(r.ctx)
		return resp, false, err
	}
	ctx, cancel := context.WithCancel(r.ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-r.encryption.News():
			woken = true
			cancel()
		case <-ctx.Done():
		}
	})
	resp, err = r.poll(ctx)
	cancel()
	watch.Wait()
	return resp, woken, err
}

// poll asks for what is new.
func (r *run) poll(ctx context.Context) (*syncResponse, error) {
	// A bot is always there: to tell so anew with each sync is work for all servers that it shares rooms with.
	query := url.Values{"filter": {r.filter()}, "timeout": {"0"}, "set_presence": {"offline"},
		"use_state_after": {"true"}, "org.matrix.msc4222.use_state_after": {"true"}}
	limit := pollTime + pollSlack
	if r.since == "" {
		limit = firstPollTime
	} else {
		query.Set("since", r.since)
		if r.online {
			query.Set("timeout", strconv.FormatInt(pollTime.Milliseconds(), 10))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
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
		event.EventRedaction, event.EventSticker, event.EventUnstablePollStart, event.EventUnstablePollResponse,
		event.EventUnstablePollEnd, stablePollStart, stablePollResponse, stablePollEnd)
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
		AccountData: &mautrix.FilterPart{Types: []event.Type{event.AccountDataDirectChats, {Type: GenerationData}}},
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
	if bad := resp.unread(); len(bad) > 0 {
		r.log.Error("a part of what the homeserver says cannot be read, and is left out", "parts", bad)
	}
	keys, err := r.receiveKeys(resp)
	if err != nil {
		return err
	}
	r.crammed(false, nil)
	if err := r.accountData(resp.AccountData.it); err != nil {
		return err
	}
	b := &batch{run: r, handled: map[id.RoomID]id.EventID{}}
	if keys > 0 || !r.online {
		if err := r.unseal(b); err != nil {
			return err
		}
		// By itself: in one delivery all that comes before an own join is history, and a server may show a join once more.
		if len(b.events) > 0 {
			if err := b.admit(protocol.Cursor{}); err != nil {
				return err
			}
		}
	}
	rooms := &resp.Rooms.it
	for _, section := range []struct {
		rooms map[string]object
		read  func(*batch, id.RoomID, *syncRoom) error
	}{{rooms.Leave.it, (*batch).left}, {rooms.Join.it, (*batch).joined}, {rooms.Invite.it, (*batch).invited}} {
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
	r.handled(b.handled)
	r.describeLater(b.powers...)
	if r.renamed {
		r.renamed = false
		if _, err := r.learnProfile(); err != nil {
			r.log.Debug("the name of the bot could not be read", "err", err)
		}
	}
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
	for _, o := range resp.ToDevice.it.Events {
		ev := new(event.Event)
		if err := json.Unmarshal(o, ev); err != nil {
			r.log.Debug("something for the device of the bot cannot be read", "err", err) // anybody can send such
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
func (r *run) accountData(l list) error {
	for _, o := range l.Events {
		var ev struct {
			Type    word   `json:"type"`
			Content object `json:"content"`
		}
		into(o, &ev)
		var err error
		switch string(ev.Type) {
		case event.AccountDataDirectChats.Type:
			var direct map[id.UserID]words
			into(ev.Content, &direct)
			err = r.learnMarks(direct)
		case GenerationData:
			err = r.newerData(ev.Content)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
