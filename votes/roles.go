package votes

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"moot/commands"
	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// Votes for a role. Who holds a role is kept nowhere: the network is asked when such a vote opens, and what it says is the
// electorate, as far as they could vote without the role. The rest of the way is that of a vote in a large room.
var roleHolders = store.ScopedBucket("votes-holders") // room → those who hold the role, in order (JSON)

// roleReading is how long the network may take to say who holds a role.
const roleReading = 5 * time.Minute

// roleWords is how many characters of the name of a role are shown.
const roleWords = 80

// role is the slot of the role that the vote is for.
func (w proposal) role() say.Slot { return w.Role.roleSlot() }
func (h *atHand) role() say.Slot  { return h.Role.roleSlot() }

func (r Role) roleSlot() say.Slot { return say.Quoted("Role", r.Name, roleWords) }

// enrolRole asks the network who holds the role.
func (o *opening) enrolRole(c *commands.Call) error {
	if !slices.Contains(o.Roles, c.Room.ID.Network()) {
		return sorry(o.Speaker, "no-roles", flag("Flag", "role"))
	}
	if why := o.cannotOpen(c); why != nil {
		return o.privately(c, why)
	}
	n, at := o.enrolment(c), c.Tx.Now().Add(roleReading)
	var err error
	if n.Asked, err = outbox.Ask(c.Tx, protocol.Ask{Room: c.Room.ID, Want: protocol.AskRole{Role: o.Role.Name}, Expires: at}); err != nil {
		return err
	}
	if err := putEnrolment(c.Tx, c.Room.ID, n); err != nil {
		return err
	}
	c.Tx.SetTimer(timerEnrol, at.Add(time.Minute), nil) // which an answer that is lost does not outlast
	return c.Answer(o.Say("enrolling-role", o.role()))
}

// heldBy takes in who holds the role that a vote is about to open for.
func (f *Feature) heldBy(tx *store.Tx, room protocol.RoomID, n enrolment, a protocol.Answer) error {
	o := f.reopened(tx, room, n)
	held, err := o.holdersIn(a)
	if err != nil {
		return f.abandon(tx, o.room, n, err)
	}
	n.Asked, n.Proposal.Role = "", Role{ID: held.Role, Name: protocol.OneLine(held.Name)}
	slices.Sort(held.Holders)
	data, err := json.Marshal(slices.Compact(held.Holders))
	if err != nil {
		return fmt.Errorf("encode who holds a role: %w", err)
	}
	tx.Put(roleHolders, string(room), data)
	return continueEnrolment(tx, room, n)
}

// holdersIn returns what the network says of the role, or why there can be no vote for it.
func (o *opening) holdersIn(a protocol.Answer) (held protocol.RoleHolders, err error) {
	held, ok := a.Result.(protocol.RoleHolders)
	switch {
	case !ok || a.Fault != "":
		return held, sorry(o.Speaker, "role-unread", o.role())
	case held.Alike > 1:
		return held, sorry(o.Speaker, "role-alike", say.Number("N", held.Alike), o.role())
	case held.Everyone:
		return held, sorry(o.Speaker, "role-everyone", flag("Flag", "role"))
	case held.Role == "":
		return held, sorry(o.Speaker, "role-unknown", o.role())
	case held.Count > len(held.Holders):
		return held, sorry(o.Speaker, "role-many", say.Number("N", held.Count), Role{Name: held.Name}.roleSlot(), say.Number("Most", protocol.MaxHolders))
	}
	return held, nil
}

func holdersKept(tx *store.Tx, room protocol.RoomID) (users []protocol.UserID) {
	if data := tx.Get(roleHolders, string(room)); data != nil {
		_ = json.Unmarshal(data, &users) // it was written here
	}
	return users
}

// holds reports whether somebody holds the role that the vote is for.
func (o *opening) holds(user protocol.UserID) bool {
	_, is := slices.BinarySearch(o.holders, user)
	return is
}

// candidates goes through the members who are looked at for a vote, from somebody on: all, or those who hold the role.
func (o *opening) candidates(from protocol.UserID) iter.Seq[rooms.Member] {
	if o.Role.ID == "" {
		return rooms.MembersFrom(o.tx, o.room.ID, from)
	}
	return func(yield func(rooms.Member) bool) {
		at, _ := slices.BinarySearch(o.holders, from)
		for _, user := range o.holders[at:] {
			if m, in := rooms.Lookup(o.tx, o.room.ID, user); in && !yield(m) {
				return
			}
		}
	}
}
