package matrix

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"go.mau.fi/util/variationselector"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// Ask implements protocol.Adapter.
func (a *Adapter) Ask(ctx context.Context, ask protocol.Ask, attempt protocol.Attempt) (protocol.Body, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := a.running(ctx)
	if err != nil {
		return nil, err
	}
	ctx, done := r.within(ctx)
	defer done()
	body, err := r.ask(ctx, ask, attempt)
	return body, lookedTwice(err, attempt)
}

func (r *run) ask(ctx context.Context, ask protocol.Ask, attempt protocol.Attempt) (protocol.Body, error) {
	if ask.Room.Network() != Network || !isRoom(ask.Room.Local()) {
		return nil, final("%w: %q is no room of Matrix", protocol.ErrGone, ask.Room)
	}
	switch want := ask.Want.(type) {
	case protocol.AskMembers:
		return r.memberList(ctx, ask.Room)
	case protocol.AskReactions:
		target := cmp.Or(want.Target, attempt.Original.Event)
		if target == "" {
			return nil, final("%w: the message whose reactions are asked for", protocol.ErrGone)
		}
		if encrypted, err := r.isEncrypted(ctx, ask.Room); err != nil || encrypted && r.adapter.config.NoReactions {
			return protocol.ReactionSet{Target: target}, err
		}
		return r.reactionSet(ctx, ask.Room, target, attempt.Original)
	case protocol.AskJoin:
		return nil, r.join(ctx, ask.Room)
	case protocol.AskLeave:
		return nil, r.leave(ctx, ask.Room, want.Reason)
	case protocol.AskRestrain:
		return r.restrain(ctx, ask.Room, want, r.adapter.config.Enforce)
	}
	return nil, final("Matrix does not know how to %s", protocol.KindOf(ask.Want))
}

// memberList reads who is in a room since when, and what they may do there. It reads the events of the members and not
// /joined_members, which is shorter and does not say since when; on the first day of the bot in a room that decides who may
// vote. A rename makes a membership younger than it is: who has joined just now and renamed themselves must not look old.
func (r *run) memberList(ctx context.Context, room protocol.RoomID) (protocol.Body, error) {
	if err := r.members.wait(ctx); err != nil {
		return nil, err
	}
	var resp struct {
		Chunk []object `json:"chunk"`
	}
	path := mautrix.ClientURLPath{"v3", "rooms", mxRoom(room), "members"}
	if err := r.request(ctx, http.MethodGet, path, url.Values{"membership": {"join"}}, nil, &resp); err != nil {
		return nil, r.failure(ctx, "read the members of "+string(room), room, err)
	}
	may, err := r.powers(ctx, room)
	if err != nil {
		return nil, err
	}
	list, here := r.membersIn(room, resp.Chunk, may)
	if !here {
		return nil, notShown(room)
	}
	return list, nil
}

// membersIn reads who is a member by their events, and whether the bot itself is.
func (r *run) membersIn(room protocol.RoomID, events []object, may powers) (list protocol.MemberList, here bool) {
	list = protocol.MemberList{Last: true, Members: make([]protocol.Member, 0, len(events))}
	for _, o := range events {
		m := readEvent(o)
		content, _ := memberOf(m.Content)
		if content.Membership != "join" || !m.is(event.StateMember) {
			continue
		}
		u := m.state()
		if !isUser(u) {
			r.log.Warn("a member of a room has an id that cannot be used", "room", room, "user", protocol.Shorten(u, 100))
			continue
		}
		user, self := userID(id.UserID(u)), u == string(r.self)
		name := string(content.Name)
		if protocol.OneLine(name) == "" {
			name = user.Local()
		}
		list.Members = append(list.Members, protocol.Member{
			User: user, Name: name, Bot: self, Self: self, Power: may.of(u), Since: m.time(),
		})
		here = here || self
	}
	return list, here
}

// powers asks who may do what in a room.
func (r *run) powers(ctx context.Context, room protocol.RoomID) (powers, error) {
	var content object
	path := mautrix.ClientURLPath{"v3", "rooms", mxRoom(room), "state", event.StatePowerLevels.Type}
	err := r.request(ctx, http.MethodGet, path, nil, nil, &content)
	missing := isCode(err, mautrix.MNotFound)
	if err != nil && !missing {
		return powers{}, r.failure(ctx, "read the powers in "+string(room), room, err)
	}
	may := readPowers(content)
	if !createdByAll(mxRoom(room)) && !missing {
		return may, nil
	}
	// Where nobody says otherwise, and from room version 12 on in any case, who has made the room may do everything.
	may.creators, err = r.creators(ctx, room)
	if isCode(err, mautrix.MNotFound) {
		return may, nil
	}
	return may, r.failure(ctx, "read who has made "+string(room), room, err)
}

// creators asks who has made a room.
func (r *run) creators(ctx context.Context, room protocol.RoomID) (map[string]bool, error) {
	var ev object
	path := mautrix.ClientURLPath{"v3", "rooms", mxRoom(room), "state", event.StateCreate.Type}
	if err := r.request(ctx, http.MethodGet, path, url.Values{"format": {"event"}}, nil, &ev); err != nil {
		return nil, err
	}
	return creatorsOf(readEvent(ev)), nil
}

// inside reads at one moment who has joined a room and who is invited to it. A list without the bot is none: right after a
// room is made or joined Dendrite now and then gives an empty one (observed).
func (r *run) inside(ctx context.Context, room protocol.RoomID) (joined, invited []id.UserID, err error) {
	if err := r.members.wait(ctx); err != nil {
		return nil, nil, err
	}
	var resp struct {
		Chunk []object `json:"chunk"`
	}
	path := mautrix.ClientURLPath{"v3", "rooms", mxRoom(room), "members"}
	if err := r.request(ctx, http.MethodGet, path, url.Values{"not_membership": {"leave"}}, nil, &resp); err != nil {
		return nil, nil, r.failure(ctx, "read the members of "+string(room), room, err)
	}
	for _, ev := range readEvents(resp.Chunk) {
		if !ev.is(event.StateMember) || !isUser(ev.state()) {
			continue
		}
		switch membershipOf(ev.Content) {
		case "join":
			joined = append(joined, id.UserID(ev.state()))
		case "invite":
			invited = append(invited, id.UserID(ev.state()))
		}
	}
	if !slices.Contains(joined, r.self) {
		return nil, nil, notShown(room)
	}
	return joined, invited, nil
}

// notShown is the error where the server does not count the bot among the members of a room that it is in.
func notShown(room protocol.RoomID) error {
	return fmt.Errorf("the homeserver does not show the bot among the members of %s yet", room)
}

// maxReactions is how many reactions to one message are read. One person can add any number of them.
const maxReactions = 100_000

// errManyReactions is about a message with more of them. Those that were read are not all that stand.
var errManyReactions = final("the message has more than %d reactions", maxReactions)

// reactionSet reads the reactions to a message, to all of its parts (Client-Server API, "Relationships API").
func (r *run) reactionSet(ctx context.Context, room protocol.RoomID, target protocol.EventID, original protocol.Ref) (protocol.Body, error) {
	set := protocol.ReactionSet{Target: target}
	parts := []protocol.EventID{target}
	if original.Has(target) {
		parts = original.Parts()
	}
	for _, part := range parts {
		err := r.reactions(ctx, room, part, func(one protocol.Reaction) {
			set.Reactions = append(set.Reactions, one)
		})
		if err != nil {
			return nil, err
		}
	}
	return set, nil
}

func (r *run) reactions(ctx context.Context, room protocol.RoomID, target protocol.EventID, each func(protocol.Reaction)) error {
	path := mautrix.ClientURLPath{"v1", "rooms", mxRoom(room), "relations", mxEvent(target), "m.annotation", event.EventReaction.Type}
	in := reader{self: r.self, room: room}
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	read := 0
	for range maxReactions / pageSize {
		var resp struct {
			Chunk []object `json:"chunk"`
			Next  word     `json:"next_batch"`
		}
		if err := r.request(ctx, http.MethodGet, path, query, nil, &resp); err != nil {
			return r.failure(ctx, "read the reactions in "+string(room), room, err)
		}
		if read += len(resp.Chunk); read > maxReactions { // pages of some servers are longer than asked for
			break
		}
		for _, ev := range readEvents(resp.Chunk) {
			c, ok := readMessage(ev.Content)
			if !ok || !isUser(string(ev.Sender)) || string(ev.Type) != event.EventReaction.Type {
				continue
			}
			if a, ok := in.reaction(ev, c.relates).(protocol.ReactionAdded); ok && a.Target == target {
				each(protocol.Reaction{
					User: userID(id.UserID(ev.Sender)), Reaction: a.Reaction, Event: protocol.EventID(bounded(string(ev.ID))), Bot: a.Bot,
				})
			}
		}
		if resp.Next == "" || string(resp.Next) == query.Get("from") {
			return nil
		}
		query.Set("from", string(resp.Next))
	}
	return errManyReactions
}

// ownReaction finds a reaction of the bot that stands already, also as earlier versions wrote it.
func (r *run) ownReaction(ctx context.Context, room protocol.RoomID, target protocol.EventID, reaction string) (ref protocol.Ref, err error) {
	err = r.reactions(ctx, room, target, func(one protocol.Reaction) {
		if one.Bot && variationselector.Remove(one.Reaction) == variationselector.Remove(reaction) {
			ref = protocol.Ref{Room: room, Event: one.Event}
		}
	})
	return ref, err
}

// join joins a room, by the servers that are known to be in it. Being there already is no error.
func (r *run) join(ctx context.Context, room protocol.RoomID) error {
	r.mu.Lock()
	via := r.via[room]
	r.mu.Unlock()
	query := url.Values{}
	for _, s := range via {
		query.Add("server_name", s) // until Matrix 1.12
		query.Add("via", s)
	}
	err := r.request(ctx, http.MethodPost, mautrix.ClientURLPath{"v3", "join", mxRoom(room)}, query, struct{}{}, nil)
	if isCode(err, mautrix.MForbidden) {
		return final("the bot may not join %s: %w", room, err)
	}
	return r.failure(ctx, "join "+string(room), "", err)
}

// leave leaves a room, or turns its invitation down. Not being there is no error.
func (r *run) leave(ctx context.Context, room protocol.RoomID, reason string) error {
	body := map[string]any{}
	if reason != "" {
		body["reason"] = reason
	}
	err := r.request(ctx, http.MethodPost, mautrix.ClientURLPath{"v3", "rooms", mxRoom(room), "leave"}, nil, body, nil)
	if isCode(err, mautrix.MForbidden, mautrix.MNotFound) && !r.isIn(ctx, room) {
		return nil
	}
	return r.failure(ctx, "leave "+string(room), "", err)
}
