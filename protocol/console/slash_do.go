package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"moot/internal/alike"
	"moot/protocol"
)

// What the commands do. They run with t.mu held. Most say nothing themselves: what changes shows.

func (t *Terminal) findPerson(name string) (id protocol.UserID, err error) {
	t.w.look(func(s *state) { id, err = s.findPerson(name) })
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
	id, err := t.findPerson(args[0])
	if err != nil {
		return err
	}
	if id == Bot {
		return refuse(ErrForbidden, "%s speaks for itself", Bot.Local())
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
	var text string
	t.w.look(func(s *state) {
		rm, me := s.rooms[t.view.place], s.name(t.view.me)
		switch {
		case rm.direct != "":
			text = fmt.Sprintf("%s now talks with %s alone; /dm goes back", me, Bot.Local())
		case !rm.has(t.view.me):
			text = fmt.Sprintf("you are %s at the door of %s, and not in it; /join goes in", me, s.title(rm))
		default:
			text = fmt.Sprintf("you are %s in %s", me, s.title(rm))
		}
	})
	t.tell("%s", text)
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
		t.tell("message %s is the event %s in %s", args[0], ref.Event, ref.Room)
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
	on, err := parseSwitch(args[1])
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
		return refuse(ErrNoChange, "it is on, off, deaf or afk, not %s", protocol.Quoted(args[0], 20))
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
	t.tell("/invite %s asks the bot in", Bot.Local())
	return nil
}

func (t *Terminal) person(args []string) error {
	id, err := t.w.AddPerson(args[0])
	if err == nil {
		t.tell("%s is in no room yet; /as %[1]s and then /join goes into this one", id.Local())
	}
	return err
}

func (t *Terminal) members(args []string) error {
	if alike.Fold(args[0]) != "fail" {
		return refuse(ErrNoChange, "only /members fail on and /members fail off are known; /who lists who is here")
	}
	on, err := parseSwitch(args[1])
	if err != nil {
		return err
	}
	return t.w.FailMembers(on)
}

func (t *Terminal) wait(args []string) error {
	d, err := parseDuration(args[0])
	if err != nil {
		return err
	}
	return t.w.Wait(d)
}

func (t *Terminal) time([]string) error {
	t.tell("it is %s", t.w.clock.Now().Format(timeFormat))
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
			line := "  " + t.view.paint(bold, pad(s.title(rm), placeWidth)) + " " + s.names(rm.joined())
			switch {
			case rm.successor != "":
				line += t.view.paint(dim, " (goes on as "+rm.successor.Local()+")")
			case alike.Fold(s.title(rm)) != alike.Fold(id.Local()):
				line += t.view.paint(dim, " (id "+id.Local()+")")
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
			where := "in no room"
			if len(in) > 0 {
				where = "in " + list(in, "and")
			}
			line := "  " + t.view.paint(bold, pad(s.name(user), placeWidth)) + " " + where
			if user == t.view.me {
				line += t.view.paint(dim, " (you)")
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
				marks = append(marks, "moderator")
			}
			if s.people[user].bot {
				marks = append(marks, "the bot")
			}
			if v := rm.members[user].voice; v.Call != "" {
				marks = append(marks, strings.TrimPrefix(strings.TrimPrefix(voiceSentence(v), " is "), " sits "))
			}
			marks = append(marks, "since "+rm.members[user].since.Format("2 Jan 2006"))
			t.note("  " + t.view.paint(bold, pad(s.name(user), placeWidth)) + " " + strings.Join(marks, ", "))
		}
	})
	return nil
}

func parseSwitch(word string) (on bool, err error) {
	switch alike.Fold(word) {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, refuse(ErrNoChange, "it is on or off, not %s", protocol.Quoted(word, 20))
}

// parseDuration reads "25h", "3d", "1d12h", "90s".
func parseDuration(word string) (time.Duration, error) {
	bad := refuse(ErrNoChange, "%s is no duration; write 10m, 25h or 3d", protocol.Quoted(word, 20))
	var sum time.Duration
	if days, rest, ok := strings.Cut(word, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		switch {
		case err == nil && n > 36500:
			return 0, refuse(ErrNoChange, "%s is too long; time moves by at most a hundred years at once", protocol.Quoted(word, 20))
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
