package extending

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"moot/protocol"
)

// Post is a network: a house with one room and letters. It keeps a log of all that has happened, as a server does.
type Post struct {
	mu      sync.Mutex
	log     []protocol.Event
	seen    []*letter                     // what people see: wall.go
	sent    map[protocol.Key]protocol.Ref // what the bot has sent, so that a key stands once
	out     bool                          // whether the bot has left the room
	changed chan struct{}                 // closed when the log grows
}

// Who and what there is.
const (
	PostNetwork protocol.Network = "post"
	PostRoom    protocol.RoomID  = "post:hall"
	PostBot     protocol.UserID  = "post:moot"
	PostAnn     protocol.UserID  = "post:ann" // who may moderate
	PostBen     protocol.UserID  = "post:ben"
)

// NewPost returns a house in which nobody has said anything.
func NewPost() *Post {
	return &Post{sent: map[protocol.Key]protocol.Ref{}, changed: make(chan struct{})}
}

// addLocked adds an event to the log and gives it an id that stays the same at every delivery.
func (p *Post) addLocked(ev protocol.Event) protocol.Ref {
	ev.ID, ev.Time = protocol.EventID(fmt.Sprintf("e%d", len(p.log)+1)), time.Now().UTC()
	p.log = append(p.log, ev)
	close(p.changed)
	p.changed = make(chan struct{})
	return ev.Ref()
}

// Say lets somebody say something: in the room, or to the bot alone.
func (p *Post) Say(by protocol.UserID, private bool, text string) protocol.Ref {
	p.mu.Lock()
	defer p.mu.Unlock()
	room := PostRoom
	if private {
		room = letters(by)
	}
	ref := p.addLocked(protocol.Event{Room: room, Private: private, Sender: by, Body: protocol.Message{Text: text}})
	p.seen = append(p.seen, &letter{ref: ref, by: by, text: text})
	return ref
}

// letters is the private conversation of somebody with the bot.
func letters(with protocol.UserID) protocol.RoomID {
	return protocol.RoomID(PostNetwork) + ":letters-" + protocol.RoomID(with.Local())
}

// Postbox is the adapter of Post: what the bot sees of it. Use NewPostbox.
type Postbox struct {
	post  *Post
	began int // how much had happened before: what of it was missed is caught up
}

// NewPostbox returns an adapter.
func NewPostbox(p *Post) *Postbox {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &Postbox{p, len(p.log)}
}

// Network returns the name with which all identifiers of the network begin.
func (b *Postbox) Network() protocol.Network { return PostNetwork }

// cursorName is what the place in the log is saved under.
const cursorName = "post"

// Run hands over what the log says behind the cursor. The cursor goes with the events, so that it is saved with what came of them:
// after a crash the log is read from where the bot has really come to.
func (b *Postbox) Run(ctx context.Context, to protocol.Admitter) error {
	saved, err := to.Cursor(cursorName)
	if err != nil {
		return fmt.Errorf("read the cursor of the post: %w", err)
	}
	at, _ := strconv.Atoi(saved) // none is 0
	for {
		b.post.mu.Lock()
		news, changed := b.post.log[at:], b.post.changed
		b.post.mu.Unlock()
		if len(news) > 0 {
			batch := make([]protocol.Event, len(news)) // it belongs to the bot from here on
			for i, ev := range news {
				ev.Backlog = at+i < b.began
				batch[i] = ev
			}
			at += len(news)
			if err := to.Admit(ctx, batch, protocol.Cursor{Name: cursorName, Value: strconv.Itoa(at)}); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return fmt.Errorf("admit letters: %w", err)
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// Send does what the bot wants done. A key that was sent before changes nothing and stands where it stood.
func (b *Postbox) Send(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt) (protocol.Ref, error) {
	p := b.post
	p.mu.Lock()
	defer p.mu.Unlock()
	if ref, ok := p.sent[out.Key]; ok || ctx.Err() != nil {
		return ref, ctx.Err()
	}
	if protocol.FileOf(out.Act) != nil {
		return protocol.Ref{}, &protocol.SendError{Final: true, Err: errors.New("the post takes no files")}
	}
	ev := protocol.Event{Room: out.Room, Sender: PostBot, Body: protocol.Receipt{Key: out.Key}}
	switch act := out.Act.(type) {
	case protocol.Whisper:
		ev.Room, ev.Private = letters(act.User), true
	case protocol.React, protocol.Revise, protocol.Say:
		if out.Room != PostRoom || p.out {
			return protocol.Ref{}, &protocol.SendError{Final: true, Err: fmt.Errorf("%s: %w", out.Room, protocol.ErrGone)}
		}
	default: // it has no polls
		return protocol.Ref{}, &protocol.SendError{Final: true, Err: fmt.Errorf("the post knows no %s", protocol.KindOf(act))}
	}
	ref := p.addLocked(ev)
	p.sent[out.Key] = ref
	p.noteLocked(out.Act, ref, attempt.Original)
	return ref, nil
}

// Ask answers what the bot wants to know, or does what it wants done about itself.
func (b *Postbox) Ask(ctx context.Context, ask protocol.Ask, _ protocol.Attempt) (protocol.Body, error) {
	p := b.post
	p.mu.Lock()
	defer p.mu.Unlock()
	if ask.Room != PostRoom {
		return nil, &protocol.SendError{Final: true, Err: fmt.Errorf("%s: %w", ask.Room, protocol.ErrGone)}
	}
	own := protocol.MemberChange{User: PostBot, Self: true, Bot: true, Name: "moot", Membership: protocol.Joined}
	switch ask.Want.(type) {
	case protocol.AskMembers:
		return protocol.MemberList{Last: true, Members: []protocol.Member{
			{User: PostBot, Name: "moot", Bot: true, Self: true, Power: protocol.PowerMember},
			{User: PostAnn, Name: "Ann", Power: protocol.PowerModerator},
			{User: PostBen, Name: "Ben", Power: protocol.PowerMember},
		}}, nil
	case protocol.AskLeave:
		p.out, own.Membership = true, protocol.Left
	case protocol.AskJoin:
		if !p.out {
			return nil, nil
		}
		p.out = false
	default:
		return nil, &protocol.SendError{Final: true, Err: fmt.Errorf("the post knows no %s", protocol.KindOf(ask.Want))}
	}
	p.addLocked(protocol.Event{Room: PostRoom, Sender: PostBot, Body: own})
	return nil, nil
}
