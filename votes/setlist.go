package votes

import (
	"moot/commands"
	"moot/internal/say"
	"moot/protocol"
)

// listSettings shows what can be set for a room, in sentences: what moderators set, and the rules, which are the
// room's.
func (f *Feature) listSettings(c *commands.Call) error {
	set, tx, room, s := f.settings, c.Tx, c.Room.ID, f.here(c)
	r := set.Rules(tx, room)
	value := func(slot, name string) say.Slot {
		one, _ := set.find(name)
		v, _ := set.shown(s, tx, room, one)
		return say.Part(slot, s.Say("set-value", say.Words("Value", v), one.slot()))
	}
	named := func(name string) say.Slot { return say.Code("Setting", protocol.Code(name)) }
	where := s.Say("set-where", named(channel))
	if at := set.Channel(tx, room); at != "" {
		where = s.Say("set-where-in", say.Place("Channel", protocol.Place(at)), named(channel))
	}
	reminder := s.Say("set-no-reminder", named("votes.reminder"))
	if r.Remind {
		reminder = s.Say("set-reminder", named("votes.reminder"))
	}
	kept := s.Say("set-no-minutes", named(minutes))
	if one, _ := set.find(minutes); set.minutes(tx, room) != (minutesAt{}) {
		at, _ := set.shown(s, tx, room, one)
		kept = s.Say("set-minutes", say.Place("Channel", at), named(minutes))
	}
	picture := s.Say("set-no-picture", named(pictures))
	if set.pictured(tx, room) {
		picture = s.Say("set-picture", named(pictures))
	}
	passes := "set-passes"
	if r.ChallengeMax == 0 {
		passes = "set-passes-forever"
	}
	rule := say.Code("Command", c.Code("vote rule votes.member 14d"))
	rules := s.Say("set-rules", rule)
	if until := f.settledAt(tx, c.Room); until.After(tx.Now()) {
		rules = s.Say("set-rules-new", rule, say.Moment("Until", until))
	}
	lines := []protocol.Text{
		s.Say("set-moderators", say.Code("Command", c.Code("room set votes.duration 48h"))),
		say.Sentences(where, s.Say("set-runs", value("Duration", "votes.duration")), reminder, kept, picture, s.Say("set-language", value("Language", language))),
		rules,
		s.Say("set-who", value("Member", "votes.member"), value("Days", "votes.active-days"), value("Window", "votes.active-window"),
			value("Voters", "votes.voters")),
		s.Say(passes, value("Share", "votes.quorum-share"), value("Least", "votes.quorum"), value("Most", "votes.quorum-most"),
			value("Yes", "votes.yes"), value("LeastYes", "votes.least-yes"), value("Max", "challenge.max"), named("challenge.max")),
		s.Say("set-how-often", value("Polls", "votes.polls"), value("Motions", "votes.motions"), value("Restores", "votes.restores"),
			value("Challenges", "votes.challenges"), value("Protected", "votes.protected"), value("Rest", "votes.rest"),
			value("RestoreRest", "votes.restore-rest"), value("Appeal", "votes.appeal")),
	}
	var own []protocol.Text
	for _, one := range set.table {
		if _, is := set.value(s, tx, room, one); is {
			own = append(own, protocol.Code(one.name))
		}
	}
	if len(own) > 0 {
		lines = append(lines, s.Say("set-own", say.Code("Settings", say.Commas(own))))
	}
	return c.Answer(protocol.Lines(lines...))
}
