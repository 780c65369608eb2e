package votes

import (
	"time"

	"moot/commands"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// foundingDays is for how long after the bot first came moderators can set the rules of a room, too.
const foundingDays = 10 * day

// settledAt returns from when on the rules of a room are its own.
func (f *Feature) settledAt(tx *store.Tx, info rooms.Info) time.Time {
	return firstSeen(tx, info).Add(foundingDays)
}

// openRule is the command that opens a vote to change a rule of the room.
func (f *Feature) openRule(c *commands.Call) error {
	s := f.here(c)
	one, _ := f.settings.find(c.Word("setting"))
	value, ok := "", true
	if w := c.Word("value"); w != "-" {
		value, ok = one.read(w)
	}
	if !ok {
		return sorry(s, "cannot-set", say.Quoted("Value", c.Word("value"), 40), one.slot(), one.boundsSlot(s))
	}
	if least := f.settings.rules.Duration; c.Has("for") && c.Duration("for") < least {
		return sorry(s, "rule-short", say.Span("Least", least))
	}
	now, set := f.settings.value(s, c.Tx, c.Room.ID, one)
	if to, _ := f.settings.valueOf(one, value); to == now && (set || value != "") {
		return sorry(s, "is-already", one.slot(), say.Words("Value", protocol.Plain(now)))
	}
	return f.open(c, proposal{
		Type: Rule, Setting: one.name, Value: value, Text: one.name + " " + c.Word("value"),
		Secret: c.Switch("secret"), Hidden: c.Switch("hidden"), Runs: c.Duration("for"),
	})
}

// changeRule does what a vote on a rule has decided, and says it.
func (h *atHand) changeRule() (protocol.Text, error) {
	one, ok := h.settings.find(h.Setting)
	if !ok {
		return h.say("rule-gone", say.Code("Setting", protocol.Code(h.Setting))), nil
	}
	before, _ := h.settings.value(h.in(), h.tx, h.room, one)
	if err := h.settings.publish(h.tx, one.name, setTo{Value: h.Value, Vote: h.ID}, ""); err != nil {
		return nil, err
	}
	after, _ := h.settings.value(h.in(), h.tx, h.room, one)
	return h.say("rule-changed", one.slot(), say.Words("After", protocol.Plain(after)), say.Words("Before", protocol.Plain(before))), nil
}

// set is the command that shows what is set for the room and what its rules are, and with which moderators set things.
func (f *Feature) set(c *commands.Call) error {
	set, tx, room, s := f.settings, c.Tx, c.Room.ID, f.here(c)
	if !c.Has("setting") {
		return f.listSettings(c)
	}
	one, ok := set.find(c.Word("setting"))
	if !ok {
		return sorry(s, "no-setting")
	}
	before, was := set.shown(s, tx, room, one)
	if !c.Has("value") {
		return c.Answer(s.Say("setting-is", one.slot(), say.Words("Value", before), say.Part("What", one.says(s)), one.boundsSlot(s)))
	}
	if err := f.noneAboutMe(c, "about-you-rules"); err != nil {
		return err
	}
	moderates := c.Role >= commands.Moderator
	if one.moderators && !moderates {
		return sorry(s, "set-by-moderators", one.slot())
	}
	if !one.moderators && (!moderates || !f.settledAt(tx, c.Room).After(tx.Now())) {
		return sorry(s, "room-decides", one.slot(), say.Code("Command", c.Code("vote rule "+one.name+" "+c.Word("value"))))
	}
	value := ""
	switch w := c.Word("value"); {
	case w == "-" && !was:
		return c.Answer(s.Say("not-set", one.slot(), say.Words("Value", before)))
	case w == "-":
	case one.placed && w == "here" && (c.Event.Private || c.Event.Place == ""):
		return sorry(s, "here-where")
	case one.placed && w == "here":
		value = string(c.Event.Place)
	default:
		if one.name == minutes {
			var err error
			if value, err = f.minutesElsewhere(c, w); err != nil {
				return err
			}
		}
		if value != "" {
			break
		}
		if value, ok = one.read(w); !ok {
			return sorry(s, "cannot-set", say.Quoted("Value", w, 40), one.slot(), one.boundsSlot(s))
		}
	}
	if one.placed && value != "" && !isRoom(value) {
		notePlace(tx, c.Event)
		switch hidden, mute, known := placeOf(tx, room, protocol.PlaceID(value)); {
		case hidden:
			return sorry(s, "place-hidden")
		case mute:
			return sorry(s, "place-mute")
		case !known:
			return sorry(s, "place-unknown", say.Code("Command", f.code(room, "room set "+one.name+" here")))
		}
	}
	if err := set.publish(tx, one.name, setTo{Value: value}, c.Person); err != nil {
		return err
	}
	// What is said from here on is said in the language that was just set, if it was.
	text := func(s say.Speaker, id string) protocol.Text {
		after, _ := set.shown(s, tx, room, one)
		slots := []say.Slot{one.slot(), say.Words("Before", before), say.Words("After", after), say.Part("What", one.says(s))}
		if m, ok := rooms.Lookup(tx, room, c.Person); ok {
			slots = append(slots, say.Person("Who", rooms.Person(tx, room, m.User)))
		}
		return s.Say(id, slots...)
	}
	if _, ok := rooms.Lookup(tx, room, c.Person); ok {
		said := text(f.in(tx, room), "has-set")
		if !c.Aside() {
			return c.Answer(said)
		}
		if err := f.announce(tx, room, set.Announces(tx, room), said); err != nil {
			return err
		}
	}
	return c.Answer(text(f.here(c), "set-now"))
}
