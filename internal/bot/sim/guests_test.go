package sim

import (
	"fmt"

	"moot/invites"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// What rooms want of the bot beside words: that it comes, and that their network holds somebody back.

// mayInvite is whether the configuration of the simulated bot takes up an invitation of somebody.
func (n *network) mayInvite(who protocol.UserID) bool {
	return who == n.users[0] || who == n.users[1] // an operator, and somebody who is named
}

// invite has somebody in a room invite the bot, which is not there, or take that back.
func (h *history) invite(n *network, p *place) {
	change := protocol.MemberChange{User: n.self, Self: true, Bot: true, Membership: protocol.Invited}
	who := n.users[h.IntN(len(n.users))]
	if p.inviter != "" && h.IntN(3) == 0 {
		who, p.inviter = p.inviter, ""
		change.Membership = protocol.Left
	} else if !p.members[who] {
		return
	} else {
		p.inviter, p.asked = who, h.now
	}
	ev := n.event(p, who, change)
	n.tell(ev)
	h.note("%s %s: %s is %s by %s", p.id, ev.ID, n.self, change.Membership, who)
}

// enter answers to the bot that wants to come into a room.
func (h *history) enter(n *network, p *place) error {
	switch {
	case p.bot:
	case p.inviter == "":
		return &protocol.SendError{Final: true, Err: protocol.ErrGone}
	default:
		h.tally.joined++
		h.rejoin(n, p)
	}
	return nil
}

// depart lets the bot out of a room.
func (h *history) depart(n *network, p *place) error {
	if p.bot {
		h.happens(n, p, n.self, protocol.MemberChange{User: n.self, Self: true, Bot: true, Membership: protocol.Left})
		p.bot = false
		h.tally.departed++
	}
	return nil
}

// restrain holds somebody in a room back, or lets them go, unless the bot may not or they are not there.
func (h *history) restrain(p *place, want protocol.AskRestrain) protocol.Restrained {
	r := protocol.Restrained{User: want.User, On: want.On}
	switch {
	case p.strict:
		r.Refused = protocol.RefusedPower
	case !p.members[want.User]:
		r.Refused = protocol.RefusedAbsent
	default:
		p.held[want.User] = want.On
		h.tally.restrained++
	}
	return r
}

// empower changes whether the bot may hold anybody back in a room.
func (h *history) empower(n *network, p *place) {
	p.strict = !p.strict
	h.happens(n, p, n.users[0], protocol.RoomChange{Changes: []protocol.Change{protocol.PowersChanged{}}})
}

// enforced checks that the network holds back whom the room has challenged, and nobody else.
func (h *history) enforced(tx *store.Tx, n *network) error {
	for _, p := range n.places {
		info, _ := rooms.Get(tx, p.id)
		if !p.bot || info.Members != rooms.Known {
			continue
		}
		for _, u := range n.users {
			if !p.members[u] {
				continue
			}
			if _, is := h.life.sanctions.Challenged(tx, p.id, u); is != p.held[u] {
				return fmt.Errorf("%s: %s is challenged: %v, and held back: %v", p.id, u, is, p.held[u])
			}
		}
	}
	return nil
}

// arrived checks that the bot is where it was invited to by somebody who may, unless it has said that it gave up; and that
// nothing is open about rooms that it is in.
func (h *history) arrived(tx *store.Tx, n *network) error {
	open := map[protocol.RoomID]invites.State{}
	for i := range h.life.guests.Open(tx) {
		open[i.Room] = i.State
	}
	for _, p := range n.places {
		state, ok := open[p.id]
		switch {
		case !n.cursor:
		case p.bot && ok:
			return fmt.Errorf("%s: the bot is there, and its invitation is %s", p.id, state)
		case p.bot || p.inviter == "":
		case state == invites.Accepted, state == invites.Held:
			return fmt.Errorf("%s: days after an invitation it is still %s", p.id, state)
		case p == n.places[0]: // operators turn invitations to it down
		case n.mayInvite(p.inviter) && state != invites.Failed && h.flow.Now().Sub(p.asked) < 9*day: // later it is forgotten
			return fmt.Errorf("%s: invited by %s, and it is %q", p.id, p.inviter, state)
		}
	}
	return nil
}
