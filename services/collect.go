package services

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"moot/commands"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// toldJob is a job, to the scope in which it is done.
const toldJob = "services.job"

// Commands returns the commands that the services declare.
func (f *Feature) Commands() (list []*commands.Command) {
	for i := range f.Services {
		s := &f.Services[i]
		for _, c := range s.Commands {
			list = append(list, f.command(s, c))
		}
	}
	return list
}

func (f *Feature) command(s *Spec, c Command) *commands.Command {
	cmd := &commands.Command{
		Name: c.Name, Summary: c.Summary, Detail: c.Detail, Examples: c.Examples, Params: c.Params, Who: s.Who,
		Run: func(call *commands.Call) error { return f.commanded(call, s, c) },
	}
	if s.Private {
		cmd.Visibility = commands.Private
	}
	person := slices.ContainsFunc(c.Params, func(p commands.Param) bool { return p.Kind == commands.Person })
	if s.Who == commands.Moderator || len(s.Rooms) > 0 || person {
		cmd.Where = commands.NeedsRoom
	}
	return cmd
}

func (f *Feature) commanded(call *commands.Call, s *Spec, c Command) error {
	switch {
	case len(s.Rooms) > 0 && !slices.Contains(s.Rooms, call.Room.ID):
		return commands.Sorry(catalogue.In(call.Language()).Say("not-here", named("Command", c.Name)))
	case Paused(call.Tx, s.Name):
		return commands.Sorry(catalogue.In(call.Language()).Say("paused", named("Service", s.Name)))
	}
	in := Input{Kind: "command", Command: c.Name, Args: map[string]any{}, Text: words(call.Event)}
	for _, p := range c.Params {
		if call.Has(p.Name) {
			in.Args[p.Name] = argument(call, p)
		}
	}
	_, typed := call.Event.Body.(protocol.Message)
	call.Later()
	return f.begin(call.Tx, s, call.Event, in, typed, s.Private)
}

// argument returns what was given for a parameter, as a program reads it.
func argument(call *commands.Call, p commands.Param) any {
	switch p.Kind {
	case commands.Integer:
		return call.Integer(p.Name)
	case commands.Duration:
		return call.Duration(p.Name).Seconds()
	case commands.Switch:
		return call.Switch(p.Name)
	case commands.Person:
		who, _ := call.Somebody(p.Name)
		return map[string]any{"id": who.User, "name": who.Name}
	}
	return call.Word(p.Name)
}

func words(ev protocol.Event) string {
	if m, ok := ev.Body.(protocol.Message); ok {
		return m.Text
	}
	return ""
}

// patterns makes a job of a message for each service whose pattern fits.
func (f *Feature) patterns(tx *store.Tx, ev protocol.Event, m protocol.Message) (store.Outcome, error) {
	if m.Bot || ev.History || ev.Private || ev.Sender == "" {
		return store.Outcome{}, nil
	}
	out := store.Outcome{}
	for i := range f.Services {
		s := &f.Services[i]
		if s.Pattern == nil || !slices.Contains(s.Rooms, ev.Room) {
			continue
		}
		if f.Meant(ev, m) {
			return out, nil
		}
		text := protocol.Clean(m.Text)
		found := s.Pattern.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		switch _, challenged := f.Challenged(tx, ev.Room, ev.Sender); {
		case f.role(tx, ev.Room, ev.Sender) < s.Who || challenged:
			out = store.WasIgnored("it fits the pattern of " + s.Name + ", which the person may not use")
			continue
		case Paused(tx, s.Name):
			out = store.WasIgnored("it fits the pattern of " + s.Name + ", which is paused")
			continue
		case old(tx, ev):
			out = store.WasIgnored("it fits the pattern of " + s.Name + ", and is too old")
			continue
		}
		if err := f.begin(tx, s, ev, Input{Kind: "pattern", Text: text, Groups: found}, true, s.Private); err != nil {
			return out, err
		}
		out = store.WasHandled("a job of " + s.Name)
	}
	return out, nil
}

// old reports whether a message that was caught up is too old to be acted on.
func old(tx *store.Tx, ev protocol.Event) bool {
	age := ev.Age
	if age == 0 && !ev.Time.IsZero() {
		age = tx.Now().Sub(ev.Time)
	}
	return ev.Backlog && age > commands.DefaultMaxAge
}

func (f *Feature) role(tx *store.Tx, room protocol.RoomID, user protocol.UserID) commands.Role {
	switch {
	case slices.Contains(f.Operators, user):
		return commands.Operator
	case rooms.IsModerator(tx, room, user):
		return commands.Moderator
	}
	return commands.Member
}

// begin hands a job that an event has made to the scope in which it is done.
func (f *Feature) begin(tx *store.Tx, s *Spec, ev protocol.Event, in Input, typed, whisper bool) error {
	o := Origin{
		Room: ev.Room, Place: ev.Place, Event: ev.ID, Sender: ev.Sender, Handle: ev.Handle, Private: ev.Private, Typed: typed, Whisper: whisper,
	}
	in.Room, in.Place, in.Person = string(ev.Room), string(ev.Place), string(ev.Sender)
	if info, ok := rooms.Get(tx, ev.Room); ok {
		in.RoomName = info.Name
	}
	if m, ok := rooms.Lookup(tx, ev.Room, ev.Sender); ok {
		in.Name = m.Name
	}
	if in.Name == "" {
		in.Name = ev.Sender.Local()
	}
	in.Time = earthly(ev.Time, tx.Now())
	j := Job{Key: protocol.DeriveKey("job", s.Name, string(ev.Room), string(ev.ID)), Service: s.Name, Origin: o, Input: in}
	data, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encode a job of %s: %w", s.Name, err)
	}
	tx.Tell(scopeOf(s.Name, o, ""), protocol.Internal{Kind: toldJob, Data: data})
	return nil
}

// earthly returns a time that JSON reaches: that of the event, or now where it has none.
func earthly(at, now time.Time) time.Time {
	if at = at.UTC(); at.IsZero() || at.Year() < 0 || at.Year() > 9999 {
		return now.UTC()
	}
	return at
}

// errBusy is why what a collector has brought becomes a dead letter: it was taken, and nobody could be told that it is too much.
var errBusy = errors.New("as many jobs wait as may")

// collected makes a job of what a collector has brought.
func (f *Feature) collected(tx *store.Tx, ev protocol.Event, c protocol.Collected) (store.Outcome, error) {
	s := f.service(tx)
	if s == nil {
		return store.WasIgnored("there is no such service"), nil
	}
	if waitingJobs(tx) >= uint64(s.Queue) {
		return store.Outcome{}, errBusy
	}
	j := Job{
		Key: protocol.DeriveKey("job", s.Name, string(ev.Room), string(ev.ID)), Service: s.Name,
		Input: Input{Kind: c.Kind, Event: c.Name, Text: c.Text, Data: c.Data, Time: tx.Now()},
	}
	if c.Kind != "webhook" {
		j.Input.Collector = ev.Room.Local()
	}
	return store.WasHandled("a job of " + s.Name), f.admit(tx, j)
}
