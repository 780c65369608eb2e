package console

import (
	"strconv"
	"strings"
	"time"

	"moot/internal/alike"
	"moot/internal/say"
	"moot/protocol"
)

// What the commands do. They run with t.mu held. Most say nothing themselves: what changes shows.

func (t *Terminal) findPerson(name string, but ...protocol.UserID) (id protocol.UserID, err error) {
	t.w.look(func(s *state) { id, err = s.findPerson(name, but...) })
	return id, err
}

// findRoom finds a room by name, or takes the one where the person is.
func (t *Terminal) findRoom(name string) (id protocol.RoomID, err error) {
	if name == "" {
		return t.view.place, nil
	}
	t.w.look(func(s *state) { id, err = s.findRoom(name) })
	return id, err
}

func (t *Terminal) findMessage(typed string) (ref protocol.Ref, err error) {
	t.w.look(func(s *state) { ref, err = s.findMessage(t.view.place, typed) })
	return ref, err
}

func (t *Terminal) as(args []string) error {
	id, err := t.findPerson(args[0], Bot)
	if err != nil {
		return err
	}
	if id == Bot {
		return sorry(t.speak, ErrForbidden, "bot-speaks", whom("Who", Bot.Local()))
	}
	t.view.me = id
	if t.private() {
		t.view.place, err = t.w.Direct(id)
	}
	if err == nil {
		t.here()
	}
	return err
}

func (t *Terminal) in(args []string) error {
	id, err := t.findRoom(args[0])
	if err == nil {
		t.goTo(id)
	}
	return err
}

func (t *Terminal) dm([]string) error {
	if t.private() {
		t.goTo(t.back)
		return nil
	}
	id, err := t.w.Direct(t.view.me)
	if err == nil {
		t.goTo(id)
	}
	return err
}

// goTo changes where the person speaks.
func (t *Terminal) goTo(id protocol.RoomID) {
	if !t.private() {
		t.back = t.view.place
	}
	t.view.place = id
	t.here()
}

// here says who speaks where, and what keeps them from it.
func (t *Terminal) here() {
	t.w.look(func(s *state) {
		rm, me := s.rooms[t.view.place], whom("Who", s.name(t.view.me))
		switch {
		case rm.direct != "":
			t.tell("here-private", me, whom("Bot", Bot.Local()))
		case !rm.has(t.view.me):
			t.tell("here-door", me, inRoom("Room", s.title(rm)))
		default:
			t.tell("here", me, inRoom("Room", s.title(rm)))
		}
	})
}

func (t *Terminal) reply(args []string) error {
	ref, err := t.findMessage(args[0])
	if err != nil {
		return err
	}
	_, err = t.w.Say(ref.Room, t.view.me, args[1], ref.Event)
	return err
}

func (t *Terminal) edit(args []string) error {
	ref, err := t.findMessage(args[0])
	if err != nil {
		return err
	}
	return t.w.Edit(ref.Room, t.view.me, ref.Event, args[1])
}

func (t *Terminal) delete(args []string) error {
	ref, err := t.findMessage(args[0])
	if err != nil {
		return err
	}
	return t.w.Delete(ref.Room, t.view.me, ref.Event, args[1])
}

func (t *Terminal) react(args []string) error {
	ref, err := t.findMessage(args[0])
	if err != nil {
		return err
	}
	return t.w.React(ref.Room, t.view.me, ref.Event, args[1])
}

func (t *Terminal) unreact(args []string) error {
	ref, err := t.findMessage(args[0])
	if err != nil {
		return err
	}
	return t.w.Unreact(ref.Room, t.view.me, ref.Event, args[1])
}

func (t *Terminal) again(args []string) error {
	ref, err := t.findMessage(args[0])
	if err != nil {
		return err
	}
	return t.w.Again(ref.Room, ref.Event)
}

func (t *Terminal) id(args []string) error {
	ref, err := t.findMessage(args[0])
	if err == nil {
		t.tell("message-is", say.Number("N", args[0]), code("Event", string(ref.Event)), code("Room", string(ref.Room)))
	}
	return err
}

func (t *Terminal) join(args []string) error {
	id, err := t.findRoom(args[0])
	if err != nil {
		return err
	}
	if err := t.w.Join(id, t.view.me); err != nil {
		return err
	}
	if id != t.view.place {
		t.goTo(id)
	}
	return nil
}

func (t *Terminal) leave(args []string) error {
	id, err := t.findRoom(args[0])
	if err != nil {
		return err
	}
	return t.w.Leave(id, t.view.me)
}

// onSomebody makes a command of an act on a person in the room.
func (t *Terminal) onSomebody(name string, act func(user protocol.UserID) error) error {
	id, err := t.findPerson(name)
	if err != nil {
		return err
	}
	return act(id)
}

func (t *Terminal) invite(args []string) error {
	return t.onSomebody(args[0], func(u protocol.UserID) error { return t.w.Invite(t.view.place, t.view.me, u) })
}

func (t *Terminal) kick(args []string) error {
	return t.onSomebody(args[0], func(u protocol.UserID) error { return t.w.Kick(t.view.place, t.view.me, u, args[1]) })
}

func (t *Terminal) ban(args []string) error {
	return t.onSomebody(args[0], func(u protocol.UserID) error { return t.w.Ban(t.view.place, t.view.me, u, args[1]) })
}

func (t *Terminal) unban(args []string) error {
	return t.onSomebody(args[0], func(u protocol.UserID) error { return t.w.Unban(t.view.place, t.view.me, u, args[1]) })
}

func (t *Terminal) mod(args []string) error {
	on, err := parseSwitch(t.speak, args[1])
	if err != nil {
		return err
	}
	return t.onSomebody(args[0], func(u protocol.UserID) error { return t.w.SetModerator(t.view.place, t.view.me, u, on) })
}

func (t *Terminal) voice(args []string) error {
	v := protocol.VoicePresence{Call: "voice"}
	switch alike.Fold(args[0]) {
	case "on":
	case "off":
		v.Call = ""
	case "deaf":
		v.Deafened = true
	case "afk":
		v.Call, v.AFK = "afk", true
	default:
		return sorry(t.speak, ErrNoChange, "no-voice", say.Quoted("Typed", args[0], 20))
	}
	return t.w.Voice(t.view.place, t.view.me, v)
}

func (t *Terminal) nick(args []string) error { return t.w.SetNick(t.view.me, args[0]) }
func (t *Terminal) rename(args []string) error {
	return t.w.RenameRoom(t.view.place, t.view.me, args[0])
}
func (t *Terminal) topic(args []string) error { return t.w.SetTopic(t.view.place, t.view.me, args[0]) }

func (t *Terminal) upgrade([]string) error {
	id, err := t.w.Upgrade(t.view.place, t.view.me)
	if err == nil {
		t.goTo(id)
	}
	return err
}

func (t *Terminal) create(args []string) error {
	id, err := t.w.CreateRoom(t.view.me, args[0])
	if err != nil {
		return err
	}
	t.goTo(id)
	t.tell("invite-bot", code("Bot", Bot.Local()))
	return nil
}

func (t *Terminal) person(args []string) error {
	id, err := t.w.AddPerson(args[0])
	if err == nil {
		t.tell("person-new", whom("Who", id.Local()), code("Name", id.Local()))
	}
	return err
}

func (t *Terminal) members(args []string) error {
	if alike.Fold(args[0]) != "fail" {
		return sorry(t.speak, ErrNoChange, "members-what")
	}
	on, err := parseSwitch(t.speak, args[1])
	if err != nil {
		return err
	}
	return t.w.FailMembers(on)
}

func (t *Terminal) wait(args []string) error {
	d, err := parseDuration(t.speak, args[0])
	if err != nil {
		return err
	}
	return t.w.Wait(d)
}

func (t *Terminal) time([]string) error {
	t.tell("time-is", say.Part("Moment", momentOf(t.speak, t.w.clock.Now())))
	return nil
}

func (t *Terminal) leaveAll([]string) error {
	t.quit = true
	return nil
}

func (t *Terminal) listRooms([]string) error {
	t.w.look(func(s *state) {
		for _, id := range s.everywhere {
			rm := s.rooms[id]
			if rm.direct != "" {
				continue
			}
			line := "  " + t.view.paint(bold, pad(s.title(rm), placeWidth)) + " " + s.names(rm.joined()).Plain()
			switch {
			case rm.successor != "":
				line += t.view.paint(dim, " "+t.speak.Plain("room-successor", inRoom("Successor", rm.successor.Local())))
			case alike.Fold(s.title(rm)) != alike.Fold(id.Local()):
				line += t.view.paint(dim, " "+t.speak.Plain("room-id", code("ID", id.Local())))
			}
			t.note(line)
		}
	})
	return nil
}

func (t *Terminal) listPeople([]string) error {
	t.w.look(func(s *state) {
		for _, user := range s.everybody {
			var in []string
			for _, id := range s.everywhere {
				if rm := s.rooms[id]; rm.direct == "" && rm.has(user) {
					in = append(in, s.title(rm))
				}
			}
			where := t.speak.Plain("in-no-room")
			if len(in) > 0 {
				where = t.speak.Plain("in-rooms", say.Part("Rooms", list(t.speak, in)))
			}
			line := "  " + t.view.paint(bold, pad(s.name(user), placeWidth)) + " " + where
			if user == t.view.me {
				line += t.view.paint(dim, " "+t.speak.Plain("you"))
			}
			t.note(line)
		}
	})
	return nil
}

func (t *Terminal) listMembers([]string) error {
	t.w.look(func(s *state) {
		rm := s.rooms[t.view.place]
		for _, user := range rm.joined() {
			var marks []string
			if rm.power(user) == protocol.PowerModerator {
				marks = append(marks, t.speak.Plain("moderator"))
			}
			if s.people[user].bot {
				marks = append(marks, t.speak.Plain("the-bot"))
			}
			switch voiceWord(rm.members[user].voice) {
			case "on":
				marks = append(marks, t.speak.Plain("in-call"))
			case "deaf":
				marks = append(marks, t.speak.Plain("in-call-deaf"))
			case "away":
				marks = append(marks, t.speak.Plain("in-call-away"))
			}
			marks = append(marks, t.speak.Plain("since", parts(t.speak, "-short", rm.members[user].since)...))
			t.note("  " + t.view.paint(bold, pad(s.name(user), placeWidth)) + " " + strings.Join(marks, ", "))
		}
	})
	return nil
}

func parseSwitch(speak say.Speaker, word string) (on bool, err error) {
	switch alike.Fold(word) {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, sorry(speak, ErrNoChange, "no-switch", say.Quoted("Typed", word, 20))
}

// parseDuration reads "25h", "3d", "1d12h", "90s".
func parseDuration(speak say.Speaker, word string) (time.Duration, error) {
	bad := sorry(speak, ErrNoChange, "no-duration", say.Quoted("Typed", word, 20))
	var sum time.Duration
	if days, rest, ok := strings.Cut(word, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		switch {
		case err == nil && n > 36500:
			return 0, sorry(speak, ErrNoChange, "duration-long", say.Quoted("Typed", word, 20))
		case err != nil || !(n >= 0):
			return 0, bad
		}
		sum = time.Duration(n * float64(day))
		if word = rest; word == "" {
			return sum, nil
		}
	}
	d, err := time.ParseDuration(word)
	if err != nil || d < 0 {
		return 0, bad
	}
	return sum + d, nil
}
