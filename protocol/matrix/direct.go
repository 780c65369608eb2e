package matrix

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// directRooms is m.direct: the rooms that are private conversations, by the person.
type directRooms map[id.UserID][]id.RoomID

func newDirectRooms(content map[id.UserID]words) directRooms {
	d := directRooms{}
	for user, rooms := range content {
		if !isUser(string(user)) {
			continue
		}
		for _, room := range rooms {
			if isRoom(room) {
				d.add(user, id.RoomID(room))
			}
		}
	}
	return d
}

// add adds a room and reports whether it is new. The newest stands last.
func (d directRooms) add(user id.UserID, room id.RoomID) bool {
	if slices.Contains(d[user], room) {
		return false
	}
	d[user] = append(d[user], room)
	return true
}

// learnMarks takes in m.direct, to which another program of the account may have added rooms, but for rooms that the bot was put
// out of or has left.
func (r *run) learnMarks(content map[id.UserID]words) error {
	changed := map[id.UserID][]id.RoomID{}
	for user, rooms := range newDirectRooms(content) {
		for _, room := range rooms {
			known, err := r.rooms.Room(roomID(room))
			if err != nil {
				return fmt.Errorf("read what is recorded of %s: %w", room, err)
			}
			if is := known.Own; is != "" && is != protocol.Joined && is != protocol.Invited {
				changed[user] = append(changed[user], room)
			}
			r.mu.Lock()
			r.direct.add(user, room)
			r.mu.Unlock()
		}
	}
	for user, rooms := range changed {
		r.prune(user, rooms)
	}
	return nil
}

func (d directRooms) has(room id.RoomID) bool {
	for _, rooms := range d {
		if slices.Contains(rooms, room) {
			return true
		}
	}
	return false
}

// learnDirect keeps that a room which the bot has just joined is a private conversation, where its invitation said so,
// or the bot has made it for one.
func (r *run) learnDirect(room id.RoomID, join *rawEvent, events []*rawEvent) {
	var with id.UserID
	before, _ := memberOf(join.before())
	for _, ev := range events {
		if !ev.is(event.StateMember) || !isUser(ev.state()) {
			continue
		}
		content, _ := memberOf(ev.Content)
		switch {
		case ev.state() == string(r.self) && content.Membership == "invite" && bool(content.Direct) && ev.Sender != word(r.self):
			with = id.UserID(ev.Sender)
		case ev.state() != string(r.self) && bool(content.Direct) && ev.Sender == word(r.self):
			with = id.UserID(ev.state())
		case ev.state() != string(r.self) && bool(before.Direct) && content.Membership == "join" && with == "":
			with = id.UserID(ev.state())
		}
	}
	if with == "" || !isUser(string(with)) {
		return
	}
	r.mu.Lock()
	fresh := r.direct.add(with, room) // before anything looks for it
	r.mu.Unlock()
	if fresh {
		r.begin(r.saveDirect)
	}
}

// saveDirect writes the private conversations to m.direct. Where that fails they are known for this run, and afterwards by
// having two members and no name.
func (r *run) saveDirect(ctx context.Context) {
	r.saving.Lock()
	defer r.saving.Unlock()
	r.mu.Lock()
	all := make(map[id.UserID][]id.RoomID, len(r.direct))
	for u, rooms := range r.direct {
		all[u] = slices.Clone(rooms)
	}
	r.mu.Unlock()
	path := mautrix.ClientURLPath{"v3", "user", r.self, "account_data", event.AccountDataDirectChats.Type}
	if err := r.request(ctx, http.MethodPut, path, nil, all, nil); err != nil && ctx.Err() == nil {
		r.log.Warn("the private conversations could not be marked as such on the account", "err", err)
	}
}

// directRoom finds the private conversation with a person, or opens one. Who has left it is invited again only where they have
// asked for what they are told, and who has turned the invitation down is not, for a week.
func (r *run) directRoom(ctx context.Context, user protocol.UserID, asked bool) (protocol.RoomID, error) {
	if user.Network() != Network || !isUser(user.Local()) {
		return "", final("%w: %q is nobody on Matrix", protocol.ErrGone, user)
	}
	if mxUser(user) == r.self {
		return "", final("the bot does not talk to itself")
	}
	unlock := r.lockDirect(user)
	defer unlock()
	talks, err := r.rooms.Conversations(user)
	if err != nil {
		return "", err
	}
	candidates, err := r.directCandidates(user, talks)
	if err != nil {
		return "", err
	}
	var gone []id.RoomID
	for _, room := range candidates {
		open, err := r.isBetween(ctx, room, mxUser(user))
		if err != nil {
			return "", err
		}
		if open {
			r.prune(mxUser(user), gone)
			return roomID(room), nil
		}
		gone = append(gone, room)
	}
	r.prune(mxUser(user), gone)
	if n := len(talks); n > 0 {
		if last := talks[n-1]; last.Over && (last.Never || !asked) && time.Now().Before(last.Until) {
			did := "left the conversation with the bot"
			if last.Never {
				did = "turned down the conversation with the bot"
			}
			return "", final("%s has %s, and is not invited again before %s", user, did, last.Until.Format(time.DateOnly))
		}
	}
	return r.openDirect(ctx, mxUser(user))
}

// prune takes conversations out of m.direct that are none any more.
func (r *run) prune(user id.UserID, gone []id.RoomID) {
	r.mu.Lock()
	before := len(r.direct[user])
	r.direct[user] = slices.DeleteFunc(r.direct[user], func(room id.RoomID) bool { return slices.Contains(gone, room) })
	changed := len(r.direct[user]) != before
	r.mu.Unlock()
	if changed {
		r.begin(r.saveDirect)
	}
}

// lockDirect lets one conversation with a person be looked for at a time, so that no two are opened.
func (r *run) lockDirect(user protocol.UserID) (unlock func()) {
	r.mu.Lock()
	mu := r.opening[user]
	if mu == nil {
		if len(r.opening) > 10_000 {
			clear(r.opening) // those that are held stay with their holders
		}
		mu = new(sync.Mutex)
		r.opening[user] = mu
	}
	r.mu.Unlock()
	mu.Lock()
	return mu.Unlock
}

// directCandidates returns rooms that may be the conversation with a person, the newest first: those to which the bot has
// invited them, those that are marked, and those in which nobody else is.
func (r *run) directCandidates(user protocol.UserID, talks []Conversation) (out []id.RoomID, err error) {
	add := func(room id.RoomID) {
		over := func(c Conversation) bool { return c.Over && mxRoom(c.Room) == room }
		if !slices.Contains(out, room) && !slices.ContainsFunc(talks, over) {
			out = append(out, room)
		}
	}
	r.mu.Lock()
	marked := slices.Clone(r.direct[mxUser(user)])
	r.mu.Unlock()
	for _, c := range talks {
		marked = append(marked, mxRoom(c.Room))
	}
	for _, room := range slices.Backward(marked) {
		add(room)
	}
	shared, err := r.rooms.Shared(user)
	if err != nil {
		return nil, err
	}
	for _, room := range shared {
		state, err := r.rooms.Room(room)
		if err != nil {
			return nil, err
		}
		if state.Private {
			add(mxRoom(room))
		}
	}
	return out, nil
}

// isBetween asks the server whether a room is one of the bot and a person, who is in it or invited, and of nobody else. It is asked
// each time: whoever was invited a moment ago reads along.
func (r *run) isBetween(ctx context.Context, room id.RoomID, user id.UserID) (bool, error) {
	var resp struct {
		Chunk []object `json:"chunk"`
	}
	query := url.Values{"not_membership": {"leave"}}
	err := r.request(ctx, http.MethodGet, mautrix.ClientURLPath{"v3", "rooms", room, "members"}, query, nil, &resp)
	if isCode(err, mautrix.MForbidden, mautrix.MNotFound) {
		return false, nil
	}
	if err != nil {
		return false, r.failure(ctx, "read who is in a private conversation", "", err)
	}
	self, there := false, false
	for _, ev := range readEvents(resp.Chunk) {
		if is := membershipOf(ev.Content); !ev.is(event.StateMember) || is != "join" && is != "invite" {
			continue
		} else if ev.state() == string(r.self) {
			self = is == "join"
		} else if ev.state() != string(user) {
			return false, nil
		} else {
			there = true
		}
	}
	return self && there, nil
}

// openDirect opens a private conversation, encrypted if the bot can.
func (r *run) openDirect(ctx context.Context, user id.UserID) (protocol.RoomID, error) {
	req := &mautrix.ReqCreateRoom{Preset: "trusted_private_chat", IsDirect: true, Invite: []id.UserID{user}}
	if r.encryption != nil {
		empty := ""
		req.InitialState = []*event.Event{{
			Type: event.StateEncryption, StateKey: &empty,
			Content: event.Content{Raw: map[string]any{"algorithm": string(id.AlgorithmMegolmV1)}},
		}}
	}
	var resp struct {
		Room word `json:"room_id"`
	}
	err := r.request(ctx, http.MethodPost, mautrix.ClientURLPath{"v3", "createRoom"}, nil, req, &resp)
	if err != nil {
		return "", r.failure(ctx, "open a private conversation with "+string(user), "", err)
	}
	room := id.RoomID(resp.Room)
	if !isRoom(string(room)) {
		return "", final("the homeserver has made a room with the id %q", protocol.Shorten(string(room), 100))
	}
	r.note(room, func(p *place) {
		p.direct = true
		p.encrypted, p.plain = r.encryption != nil, r.encryption == nil
		// Dendrite now and then shows the room a moment before the invitation (observed): nothing is to be sealed for the bot alone.
		p.invited = map[id.UserID]bool{user: true}
	})
	// The room is there; what follows is not to end because whoever waits for it does.
	r.mu.Lock()
	r.direct.add(user, room)
	r.mu.Unlock()
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	r.saveDirect(saving)
	return roomID(room), nil
}
