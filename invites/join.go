package invites

import (
	"encoding/json"
	"time"

	"moot/internal/languages"
	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// retries are the waits between attempts to join. Servers that hear of an invitation before they can serve the room answer
// for a while that there is no such room, or that it is forbidden; so no failure counts as the last.
var retries = []time.Duration{15 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 5 * time.Hour}

// joinDeadline is how long the outbox tries by itself at each attempt.
const joinDeadline = 5 * time.Minute

// forgetting is how often it is looked whether a failure was forgotten with its fact, and its reason can go too.
const forgetting = 10 * 24 * time.Hour

// pending holds what is being asked of the network about a room.
var pending = store.ScopedBucket("invites-asks")

// asks is a row of pending.
type asks struct {
	Join  protocol.Key `json:",omitempty"` // the newest ask
	Leave protocol.Key `json:",omitempty"`
	Tries int          `json:",omitempty"` // attempts to join that have failed
	Fault string       `json:",omitempty"` // of the last one
}

func getAsks(tx *store.Tx, room protocol.RoomID) (a asks) {
	if v := tx.Get(pending, string(room)); v != nil {
		_ = json.Unmarshal(v, &a) // what this package wrote it can read
	}
	return a
}

func putAsks(tx *store.Tx, room protocol.RoomID, a asks) {
	if a == (asks{}) {
		tx.Delete(pending, string(room))
		return
	}
	v, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings and a number can be encoded
	}
	tx.Put(pending, string(room), v)
}

// accept accepts an invitation: the bot sets off.
func (f *Feature) accept(tx *store.Tx, room protocol.RoomID, by protocol.UserID, own bool) error {
	f.stop(tx, room)
	if err := f.publish(tx, Accepted, by, own); err != nil {
		return err
	}
	return f.ask(tx, room)
}

// ask asks the network to let the bot in.
func (f *Feature) ask(tx *store.Tx, room protocol.RoomID) error {
	switch i, ok := find(tx, room); {
	case !ok: // so old that it was forgotten
		f.stop(tx, room)
		return nil
	case i.State != Accepted:
		tx.SetTimer(timerJoin, tx.Now().Add(forgetting), nil)
		return nil
	}
	key, err := outbox.Ask(tx, protocol.Ask{Room: room, Want: protocol.AskJoin{}, Expires: tx.Now().Add(joinDeadline)})
	if err != nil {
		return err
	}
	a := getAsks(tx, room)
	a.Join = key
	putAsks(tx, room, a)
	return nil
}

// answered handles what came of an ask.
func (f *Feature) answered(tx *store.Tx, room protocol.RoomID, answer protocol.Answer) error {
	a := getAsks(tx, room)
	switch {
	case answer.Ask == "":
		return nil
	case answer.Ask == a.Leave:
		a.Leave = ""
		putAsks(tx, room, a)
		if answer.Fault != "" {
			tx.SetTimer(timerAlone, tx.Now().Add(f.Alone), nil)
		}
		return nil
	case answer.Ask != a.Join:
		return nil
	}
	a.Join = ""
	if answer.Fault == "" { // that it is in, the network tells by the join itself
		putAsks(tx, room, a)
		return nil
	}
	a.Tries++
	a.Fault = protocol.Shorten(protocol.OneLine(answer.Fault), 200)
	putAsks(tx, room, a)
	if a.Tries <= len(retries) {
		tx.SetTimer(timerJoin, tx.Now().Add(retries[a.Tries-1]), nil)
		return nil
	}
	i, ok := find(tx, room)
	if !ok {
		f.stop(tx, room)
		return nil
	}
	by, _ := f.Bus.Who(tx, i.By)
	tx.SetTimer(timerJoin, tx.Now().Add(forgetting), nil)
	return f.publish(tx, Failed, by, i.Own)
}

// joined notes that the bot has arrived, and has the room greeted if it came by an invitation.
func (f *Feature) joined(tx *store.Tx, ev protocol.Event) error {
	i, ok := find(tx, ev.Room)
	f.stop(tx, ev.Room)
	f.look(tx, ev.Room, false)
	if !ok {
		return nil
	}
	by, _ := f.Bus.Who(tx, i.By)
	if err := f.publish(tx, Joined, by, i.Own); err != nil {
		return err
	}
	info, _ := rooms.Get(tx, ev.Room)
	if !f.Greet || i.State != Accepted || info.Generation > 1 || rooms.Follows(tx, ev.Room) {
		return nil
	}
	if wait := f.Settle[ev.Room.Network()]; wait > 0 {
		tx.SetTimer(timerGreet, tx.Now().Add(wait), nil)
		return nil
	}
	return f.greet(tx, ev.Room, ev.Private)
}

const (
	// settling is for how long, at most, those who come and go put the greeting off.
	settling = time.Minute
	// greetAgain is how often it is looked whether a room that could not be greeted can be now.
	greetAgain = 10 * time.Minute
)

// moves puts the greeting off while a room comes to rest, and forward when something has changed in one that could not be
// greeted.
func (f *Feature) moves(tx *store.Tx, ev protocol.Event) {
	due := tx.Timer(timerGreet)
	if due.IsZero() {
		return
	}
	switch body := ev.Body.(type) {
	case protocol.MemberChange, protocol.RoomChange:
	case protocol.Answer:
		if _, ok := body.Result.(protocol.MemberList); !ok {
			return
		}
	default:
		return
	}
	info, _ := rooms.Get(tx, ev.Room)
	if at := tx.Now().Add(f.Settle[ev.Room.Network()]); tx.Now().Sub(info.JoinedAt) < settling || at.Before(due) {
		tx.SetTimer(timerGreet, at, nil)
	}
}

// greetSettled greets a room as soon as it is known who is there, and the bot may speak. After a day nobody waits for it.
func (f *Feature) greetSettled(tx *store.Tx, room protocol.RoomID) error {
	switch info, _ := rooms.Get(tx, room); {
	case !info.Joined() || tx.Now().Sub(info.JoinedAt) > fresh:
		return nil
	case info.Members != rooms.Known || info.Mute:
		tx.SetTimer(timerGreet, tx.Now().Add(greetAgain), nil)
		return nil
	default:
		return f.greet(tx, room, info.Private)
	}
}

// fresh is how long ago the bot may have been added to a room that it greets. Where it was there for longer, as when it
// begins with an empty folder, people know it.
const fresh = 24 * time.Hour

// added greets a room that the bot was added to, when it comes there for the first time.
func (f *Feature) added(tx *store.Tx, ev protocol.Event) error {
	c, ok := ev.Body.(protocol.MemberChange)
	if !ok || !c.Self || c.Membership != protocol.Joined || c.Profile || ev.Private || !f.Greet || tx.Now().Sub(ev.Time) > fresh {
		return nil
	}
	if info, _ := rooms.Get(tx, ev.Room); info.Generation > 1 {
		return nil
	}
	return f.greet(tx, ev.Room, ev.Private)
}

func (f *Feature) greet(tx *store.Tx, room protocol.RoomID, private bool) error {
	text := f.greeting(languages.Room(tx, room), room.Network(), private)
	_, err := outbox.Send(tx, protocol.Outgoing{Room: room, Act: protocol.Say{Text: text}})
	return err
}

func (f *Feature) greeting(l say.Language, network protocol.Network, private bool) protocol.Text {
	help := f.Typed(network, "help")
	if private {
		help = "help"
	}
	return catalogue.In(l).Say("greeting", say.Words("Name", protocol.Plain(f.Name)), say.Code("Command", protocol.Code(help)))
}

// over ends an open invitation.
func (f *Feature) over(tx *store.Tx, room protocol.RoomID, how State) error {
	f.stop(tx, room)
	i, ok := find(tx, room)
	if !ok {
		return nil
	}
	by, _ := f.Bus.Who(tx, i.By)
	return f.publish(tx, how, by, i.Own)
}

// decline declines an invitation.
func (f *Feature) decline(tx *store.Tx, room protocol.RoomID) error {
	if _, ok := find(tx, room); !ok {
		return nil
	}
	if err := f.over(tx, room, Declined); err != nil {
		return err
	}
	_, err := outbox.Ask(tx, protocol.Ask{Room: room, Want: protocol.AskLeave{}})
	return err
}

// stop ends what goes on about an invitation.
func (f *Feature) stop(tx *store.Tx, room protocol.RoomID) {
	tx.StopTimer(timerHeld)
	tx.StopTimer(timerJoin)
	if tx.Has(pending, string(room)) {
		putAsks(tx, room, asks{})
	}
}
