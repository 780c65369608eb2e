package votes

import (
	"strings"

	"moot/commands"
	"moot/protocol"
)

// listSettings shows what can be set for a room, in sentences: what moderators set, and the rules, which are the
// room's.
func (f *Feature) listSettings(c *commands.Call) error {
	s, tx, room := f.settings, c.Tx, c.Room.ID
	r := s.Rules(tx, room)
	value := func(name string) protocol.Text {
		one, _ := s.find(name)
		v, _ := s.shown(tx, room, one)
		return protocol.Join(v, " (", protocol.Code(name), ")")
	}
	where := protocol.Plain("where they are opened")
	if at := s.Channel(tx, room); at != "" {
		where = protocol.Join("in ", protocol.Place(at))
	}
	reminder := protocol.Join("There is no reminder (", protocol.Code("votes.reminder"), ").")
	if r.Remind {
		reminder = protocol.Join("There is a reminder at three quarters of the time (",
			protocol.Code("votes.reminder"), ").")
	}
	kept := protocol.Join("Outcomes are said where the vote was (", protocol.Code(minutes), ")")
	if at := s.minutes(tx, room); at != "" {
		kept = protocol.Join("Each outcome is said in ", protocol.Place(at), ", too (", protocol.Code(minutes), ")")
	}
	stands := protocol.Join("it stands for at most ", value("challenge.max"))
	if r.ChallengeMax == 0 {
		stands = protocol.Join("it stands until it is lifted (", protocol.Code("challenge.max"), ")")
	}
	whose := protocol.Join("The rules of the room. It changes them by a vote that passes with two thirds, for example ",
		c.Code("vote rule votes.member 14d"))
	if until := f.settledAt(tx, c.Room); until.After(tx.Now()) {
		whose = protocol.Join(whose, ". Until ", protocol.Moment(until),
			", while I am new here, moderators can set them too")
	}
	lines := []protocol.Text{
		protocol.Join(protocol.Strong("Moderators set this"), ", for example with ",
			c.Code("room set votes.duration 48h"), ":"),
		protocol.Join("• Votes are held ", where, " (", protocol.Code(channel), "). A challenge or a restore runs for ",
			value("votes.duration"), ". ", reminder, " ", kept, "."),
		protocol.Join(whose, ":"),
		protocol.Join("• ", protocol.Strong("Who votes"), " on what binds: who has been a member for ",
			value("votes.member"), " and was active on ",
			value("votes.active-days"), " different days of the last ", value("votes.active-window"),
			". There have to be at least ",
			value("votes.voters"), " of them."),
		protocol.Join("• ", protocol.Strong("What passes"), ": the quorum is one in ", value("votes.quorum-share"),
			" of the members, at least ",
			value("votes.quorum"), " and at most ", value("votes.quorum-most"), ". A challenge takes ",
			value("votes.yes"),
			" of yes and no, and at least ", value("votes.least-yes"), " yes; ", stands, "."),
		protocol.Join("• ", protocol.Strong("How often"), ": at once there can be polls: ", value("votes.polls"),
			", as many elections, motions: ", value("votes.motions"),
			", restores: ", value("votes.restores"), ", challenges: ", value("votes.challenges"),
			". A challenge that failed protects its target for ",
			value("votes.protected"), "; one that did not reach its quorum keeps its opener from the next for ",
			value("votes.rest"),
			", a restore that failed for ", value("votes.restore-rest"), ". Somebody can appeal every ",
			value("votes.appeal"), "."),
	}
	var own []string
	for _, one := range s.table {
		if _, set := s.value(tx, room, one); set {
			own = append(own, one.name)
		}
	}
	if len(own) > 0 {
		lines = append(lines, protocol.Join("Set here, and not the default: ", strings.Join(own, ", "), "."))
	}
	return c.Answer(protocol.Lines(lines...))
}
