package protocoltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"moot/protocol"
	"moot/protocol/remote/wire"
)

// Life is one life of a child process that is attached to a Script.
type Life struct {
	s       *Script
	process *os.Process // nil where Attach was given the pipes alone
	killed  atomic.Bool
	in      io.WriteCloser
	w       *wire.Writer
	r       *wire.Reader
	wg      sync.WaitGroup
	done    chan struct{} // closed when the bot has ended its output

	// guarded by the mutex of the script
	next    int // in its lines
	answers []wire.In
}

// Wait returns when the life has ended: its output is at an end.
func (l *Life) Wait() { l.wg.Wait() }

// Hangup ends the input of the bot, as a network that goes away. A console.Pipe then ends by itself.
func (l *Life) Hangup() error { return l.in.Close() }

// Kill kills the process of a life that Keep has started, as SIGKILL does; of another it does nothing.
func (l *Life) Kill() {
	if l.process != nil {
		l.killed.Store(true)
		_ = l.process.Kill()
	}
}

// Keep starts a bot, again whenever it was killed, until what the network waits for has come; it then hangs up and
// waits for the end of the bot. Until is usually made of WaitAcked and WaitSent. Command makes a process that is
// not yet started and speaks at its standard input and output.
//
// The errors are those of until, and that the bot ended by itself or did not end well.
func (s *Script) Keep(ctx context.Context, command func() *exec.Cmd, until func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	heard := make(chan error, 1)
	go func() { heard <- until(ctx) }()
	for {
		cmd := command()
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		life := s.attach(stdin, stdout, cmd.Process)
		ended := make(chan struct{})
		go func() { defer close(ended); life.Wait() }()
		select {
		case <-ended:
			_ = cmd.Wait()
			if !life.killed.Load() {
				return fmt.Errorf("the bot ended by itself: %v", cmd.ProcessState)
			}
		case err := <-heard:
			if err != nil {
				_ = cmd.Process.Kill()
			}
			_ = life.Hangup()
			<-ended
			if died := cmd.Wait(); err == nil && died != nil && !life.killed.Load() {
				err = fmt.Errorf("the bot did not end well: %w", died)
			}
			return err
		}
	}
}

// read takes what the bot says until its output ends. It never waits for the bot to read, so neither side can hold
// the other up.
func (l *Life) read() {
	defer l.end()
	for {
		text, n, err := l.r.Next()
		if err != nil && !errors.Is(err, wire.ErrLong) {
			return // the end of the output, or of the pipe
		}
		l.exchanged()
		var out wire.Out
		if err == nil {
			err = json.Unmarshal(text, &out)
		}
		l.s.mu.Lock()
		if err != nil {
			l.s.refused = append(l.s.refused, fmt.Sprintf("line %d of the bot cannot be read: %v", n, err))
		} else {
			l.s.takeLocked(l, out)
		}
		l.s.tellLocked()
		l.s.mu.Unlock()
	}
}

func (l *Life) end() {
	_ = l.in.Close() // frees a write that the bot no longer reads
	close(l.done)
}

// exchanged counts a line.
func (l *Life) exchanged() {
	l.s.mu.Lock()
	l.s.exchange++
	n := l.s.exchange
	l.s.mu.Unlock()
	if l.s.cfg.OnLine != nil {
		l.s.cfg.OnLine(n, l)
	}
}

// write delivers answers, and the lines that are not acknowledged.
func (l *Life) write() {
	for {
		in, changed := l.take()
		if in == nil {
			select {
			case <-changed:
				continue
			case <-l.done:
				return
			}
		}
		if l.w.Write(in) != nil {
			<-l.done // it is dead, or does not read any more
			return
		}
		l.exchanged()
	}
}

// take returns the next line for the bot, nil if there is none.
func (l *Life) take() (*wire.In, <-chan struct{}) {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(l.answers) > 0 {
		in := l.answers[0]
		l.answers = l.answers[1:]
		return &in, nil
	}
	if l.next < len(s.lines) {
		line := s.lines[l.next]
		l.next++
		return &wire.In{ID: line.id, Events: line.events, Now: line.now}, nil
	}
	return nil, s.changed
}

// takeLocked does what the bot asks for.
func (s *Script) takeLocked(l *Life, out wire.Out) {
	switch {
	case out.Refused != "":
		s.refused = append(s.refused, out.Refused)
	case out.Send != nil:
		attempt := protocol.Attempt{}
		if out.Attempt != nil {
			attempt = *out.Attempt
		}
		l.answers = append(l.answers, s.sendLocked(*out.Send, attempt))
	case out.Ask != nil:
		l.answers = append(l.answers, s.askLocked(*out.Ask))
	case out.Ack >= 1 && out.Ack <= int64(len(s.lines)):
		if l := s.lines[out.Ack-1]; !l.acked {
			l.acked = true
			s.acked++
		}
	default:
		s.refused = append(s.refused, fmt.Sprintf("the bot acknowledges line %d, which there is not", out.Ack))
	}
}

func (s *Script) sendLocked(out protocol.Outgoing, attempt protocol.Attempt) wire.In {
	if e := s.byKey[out.Key]; e != nil {
		e.Attempts++
		return wire.In{Sent: out.Key, Ref: &e.Ref}
	}
	if s.cfg.Refuse != nil {
		if err := s.cfg.Refuse(out, attempt); err != nil {
			return wire.Failure(out.Key, err)
		}
	}
	room := out.Room
	if w, ok := out.Act.(protocol.Whisper); ok && room == "" {
		room = directRoom(w.User)
	}
	e := &Entry{Outgoing: out, Attempts: 1}
	e.Ref = protocol.Ref{Room: room, Event: protocol.EventID(fmt.Sprintf("sent%d", len(s.sent)+1))}
	s.sent = append(s.sent, e)
	s.byKey[out.Key] = e
	if s.cfg.Echo {
		s.deliverLocked([]protocol.Event{{
			Room: room, ID: e.Ref.Event, Sender: s.cfg.Bot, Private: isDirect(room),
			Body: protocol.Receipt{Key: out.Key},
		}})
	}
	return wire.In{Sent: out.Key, Ref: &e.Ref}
}

func (s *Script) askLocked(ask protocol.Ask) wire.In {
	if in, ok := s.answers[ask.Key]; ok {
		return in
	}
	answer := s.cfg.Answer
	if answer == nil {
		answer = s.usualAnswer
	}
	body, err := answer(ask)
	if err != nil {
		return wire.Failure(ask.Key, err)
	}
	in := wire.In{Answer: ask.Key, Body: &wire.Body{Body: body}}
	s.answers[ask.Key] = in
	return in
}

// usualAnswer is called with the mutex held.
func (s *Script) usualAnswer(ask protocol.Ask) (protocol.Body, error) {
	switch want := ask.Want.(type) {
	case protocol.AskMembers:
		list := protocol.MemberList{Last: true, Members: []protocol.Member{{User: s.cfg.Bot, Name: s.cfg.Bot.Local(), Bot: true, Self: true}}}
		for _, user := range s.speakersLocked(ask.Room) {
			list.Members = append(list.Members, protocol.Member{User: user, Name: user.Local(), Power: protocol.PowerMember})
		}
		return list, nil
	case protocol.AskReactions:
		return protocol.ReactionSet{Target: want.Target}, nil
	}
	return nil, nil
}

// speakersLocked returns all who are named as senders in a room, in order.
func (s *Script) speakersLocked(in protocol.RoomID) []protocol.UserID {
	var users []protocol.UserID
	for _, l := range s.lines {
		for _, e := range l.events {
			if e.Room == in && e.Sender != "" && e.Sender != s.cfg.Bot && !slices.Contains(users, e.Sender) {
				users = append(users, e.Sender)
			}
		}
	}
	slices.Sort(users)
	return users
}

func directRoom(user protocol.UserID) protocol.RoomID {
	return protocol.RoomID(user.Network()) + ":dm-" + protocol.RoomID(user.Local())
}

func isDirect(room protocol.RoomID) bool { return strings.HasPrefix(room.Local(), "dm-") }

// Says returns the event of a message, for Deliver. It is private where the room is called dm- and a name.
func Says(in protocol.RoomID, id protocol.EventID, by protocol.UserID, text string) protocol.Event {
	return protocol.Event{Room: in, ID: id, Sender: by, Private: isDirect(in), Body: protocol.Message{Text: text}}
}

// Joins returns the event by which somebody joins a room, for Deliver; self is whether it is the bot.
func Joins(in protocol.RoomID, id protocol.EventID, user protocol.UserID, self bool) protocol.Event {
	return protocol.Event{Room: in, ID: id, Sender: user, Private: isDirect(in), Body: protocol.MemberChange{
		User: user, Self: self, Bot: self, Membership: protocol.Joined, Name: user.Local(),
	}}
}
