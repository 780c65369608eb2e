package discord_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/discord"
)

// ledger is a store for tests: it folds what is admitted into plain maps, and asks for members as
// the bot does.
type ledger struct {
	mu      sync.Mutex
	rooms   map[protocol.RoomID]*discord.Room
	members map[protocol.RoomID]map[protocol.UserID]discord.Member
	voice   map[protocol.RoomID]map[protocol.UserID]protocol.VoicePresence
	fresh   map[protocol.RoomID]map[protocol.UserID]bool
	changed chan struct{} // closed and replaced at each change
}

func newLedger() *ledger {
	return &ledger{
		rooms: map[protocol.RoomID]*discord.Room{}, members: map[protocol.RoomID]map[protocol.UserID]discord.Member{},
		voice: map[protocol.RoomID]map[protocol.UserID]protocol.VoicePresence{},
		fresh: map[protocol.RoomID]map[protocol.UserID]bool{}, changed: make(chan struct{}),
	}
}

// until waits until ok holds, asking again at each change.
func (l *ledger) until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	for {
		l.mu.Lock()
		changed := l.changed
		l.mu.Unlock()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func (l *ledger) tellLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// fold takes an event in and reports whether the members of the room are to be read.
func (l *ledger) fold(ev protocol.Event) (ask bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.tellLocked()
	r := l.rooms[ev.Room]
	if r == nil {
		r = &discord.Room{}
		l.rooms[ev.Room] = r
		l.members[ev.Room], l.voice[ev.Room] = map[protocol.UserID]discord.Member{}, map[protocol.UserID]protocol.VoicePresence{}
	}
	r.Private = r.Private || ev.Private
	switch b := ev.Body.(type) {
	case protocol.MemberChange:
		in := b.Membership == protocol.Joined
		if fresh := l.fresh[ev.Room]; fresh != nil {
			fresh[b.User] = true
		}
		if in {
			l.members[ev.Room][b.User] = discord.Member{Name: b.Name, Moderator: b.Power == protocol.PowerModerator}
		} else {
			delete(l.members[ev.Room], b.User)
		}
		if !b.Self || b.Profile {
			return false
		}
		r.Joined, r.Settled = in, false
		if in {
			r.Join = ev.ID
		}
		clear(l.voice[ev.Room])
		return in
	case protocol.RoomChange:
		for _, c := range b.Changes {
			switch c := c.(type) {
			case protocol.Renamed:
				r.Name = c.Name
			case protocol.Available:
				r.Outage = !c.Reachable
			case protocol.Outdated:
				ask, r.Settled = true, false
			}
		}
	case protocol.VoicePresence:
		if l.voice[ev.Room][ev.Sender] = b; b.Call == "" {
			delete(l.voice[ev.Room], ev.Sender)
		}
	}
	return ask
}

// list takes in a list of members, over which what happened since it was asked for wins.
func (l *ledger) list(room protocol.RoomID, list protocol.MemberList) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.tellLocked()
	fresh := l.fresh[room]
	listed := map[protocol.UserID]bool{}
	for _, m := range list.Members {
		listed[m.User] = true
		if !fresh[m.User] {
			l.members[room][m.User] = discord.Member{Name: m.Name, Moderator: m.Power == protocol.PowerModerator}
		}
	}
	for user := range l.members[room] {
		if !listed[user] && !fresh[user] {
			delete(l.members[room], user)
		}
	}
	l.rooms[room].Settled = true
	delete(l.fresh, room)
}

func (l *ledger) begin(room protocol.RoomID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fresh[room] = map[protocol.UserID]bool{}
}

func (l *ledger) Room(room protocol.RoomID) discord.Room {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.rooms[room]; r != nil {
		return *r
	}
	return discord.Room{}
}

func (l *ledger) Rooms() (ids []protocol.RoomID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, r := range l.rooms {
		if r.Joined {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (l *ledger) Member(room protocol.RoomID, user protocol.UserID) (discord.Member, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m, ok := l.members[room][user]
	return m, ok
}

func (l *ledger) Voice(room protocol.RoomID, user protocol.UserID) (protocol.VoicePresence, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, ok := l.voice[room][user]
	return v, ok
}

func (l *ledger) InVoice(room protocol.RoomID) (users []protocol.UserID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for user := range l.voice[room] {
		users = append(users, user)
	}
	return users
}

// bot is an adapter that feeds the ledger beside the Admitter that it runs with.
type bot struct {
	protocol.Adapter
	*ledger
}

func (b bot) Run(ctx context.Context, to protocol.Admitter) error {
	var asks sync.WaitGroup
	defer asks.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return b.Adapter.Run(ctx, folding{to, func(ev protocol.Event) {
		if !b.fold(ev) {
			return
		}
		b.begin(ev.Room)
		asks.Go(func() {
			ask := protocol.Ask{Key: protocol.DeriveKey(string(ev.Room), string(ev.ID)), Room: ev.Room,
				Want: protocol.AskMembers{}}
			if body, err := b.Ask(ctx, ask, protocol.Attempt{N: 1}); err == nil {
				b.list(ev.Room, body.(protocol.MemberList))
			}
		})
	}})
}

// folding is an Admitter that shows what was admitted.
type folding struct {
	protocol.Admitter
	fold func(protocol.Event)
}

func (f folding) Admit(ctx context.Context, evs []protocol.Event, cursor protocol.Cursor) error {
	copied := slices.Clone(evs)
	if err := f.Admitter.Admit(ctx, evs, cursor); err != nil {
		return err
	}
	for _, ev := range copied {
		f.fold(ev)
	}
	return nil
}
