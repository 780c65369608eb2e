package matrix_test

import (
	"context"
	"sync"

	"moot/protocol"
	"moot/protocol/matrix"
)

// ledger is a simple record of rooms: what a store would know of what was admitted. It outlives adapters.
type ledger struct {
	mu      sync.Mutex
	rooms   map[protocol.RoomID]*matrix.RoomState
	members map[protocol.RoomID]map[protocol.UserID]bool
	seen    map[protocol.Ref]bool
}

func newLedger() *ledger {
	return &ledger{rooms: map[protocol.RoomID]*matrix.RoomState{}, members: map[protocol.RoomID]map[protocol.UserID]bool{}, seen: map[protocol.Ref]bool{}}
}

// tee admits to another one what it keeps.
type tee struct {
	protocol.Admitter
	*ledger
}

func (t tee) Admit(ctx context.Context, events []protocol.Event, c protocol.Cursor) error {
	kept := append([]protocol.Event(nil), events...)
	if err := t.Admitter.Admit(ctx, events, c); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, ev := range kept {
		t.keep(ev)
	}
	return nil
}

func (l *ledger) keep(ev protocol.Event) {
	if l.seen[ev.Ref()] {
		return
	}
	l.seen[ev.Ref()] = true
	st := l.rooms[ev.Room]
	if st == nil {
		st = &matrix.RoomState{}
		l.rooms[ev.Room] = st
		l.members[ev.Room] = map[protocol.UserID]bool{}
	}
	switch b := ev.Body.(type) {
	case protocol.MemberChange:
		switch {
		case ev.History:
			return
		case b.Self && b.Membership == protocol.Joined && !b.Profile:
			st.Own, st.Floor = protocol.Joined, ev.ID
			clear(l.members[ev.Room])
		case b.Self && b.Membership != protocol.Joined:
			st.Own = b.Membership
		}
		if b.Membership == protocol.Joined {
			l.members[ev.Room][b.User] = true
		} else {
			delete(l.members[ev.Room], b.User)
		}
		st.Private = ev.Private
	case protocol.RoomChange:
		for _, c := range b.Changes {
			switch c := c.(type) {
			case protocol.Renamed:
				st.Named = c.Name != ""
			case protocol.EncryptionEnabled:
				st.Encrypted = true
			}
		}
	}
}

func (l *ledger) Room(room protocol.RoomID) (matrix.RoomState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if st := l.rooms[room]; st != nil {
		return *st, nil
	}
	return matrix.RoomState{}, nil
}

func (l *ledger) Members(room protocol.RoomID) (users []protocol.UserID, whole bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for u := range l.members[room] {
		users = append(users, u)
	}
	return users, false, nil
}

func (l *ledger) IsMember(room protocol.RoomID, user protocol.UserID) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.members[room][user], nil
}

func (l *ledger) Shared(user protocol.UserID) (rooms []protocol.RoomID, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for room, members := range l.members {
		if members[user] {
			rooms = append(rooms, room)
		}
	}
	return rooms, nil
}

func (l *ledger) Seen(room protocol.RoomID, event protocol.EventID) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[protocol.Ref{Room: room, Event: event}], nil
}

func (l *ledger) Conversations(protocol.UserID) ([]matrix.Conversation, error) { return nil, nil }
