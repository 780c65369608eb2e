package votes

import (
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"moot/commands"
	"moot/internal/say"
	"moot/protocol"
	"moot/votes/tally"
	"moot/votes/words"
)

// ofParam is the flag by which a control says which vote it was made for. Numbers of votes are given once in a room,
// so it matters only where the bot has lost its data and counts anew: a button of the old vote 3 must not vote in the
// new one.
const ofParam = "of"

// placeParam is the flag by which a control says the places of what is chosen, from 1 on: for yes, no and abstain in
// this order, and for the options of a poll. A text could be read as something else.
const placeParam = "place"

// tag tells a vote from any other that has, or had, its number. It stays the same where the room goes on elsewhere.
func (v Vote) tag() string { return strconv.FormatInt(v.Opened.UnixMilli(), 36) }

// buttons are whether the message of a vote has controls in the room: whether its network shows them.
func (f *Feature) buttons(room protocol.RoomID) bool {
	return slices.Contains(f.Buttons, room.Network())
}

// controls are what can be pressed below the message of a vote. What they do can be typed too, as the message says.
func (h *atHand) controls() []protocol.Control {
	if h.Status != Running || !h.buttons() {
		return nil
	}
	args := func(more ...string) map[string]string {
		m := map[string]string{ofParam: h.tag()}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	s := h.in()
	withdraw := protocol.Control{Label: s.Plain("press-withdraw"), Path: []string{"vote", "withdraw"}, Args: args("vote", h.Number())}
	if h.listed() {
		menu := protocol.Control{
			Label: s.Plain("press-choose"), Path: []string{"vote", "cast"}, Args: args("ballot",
				h.Number()), Param: placeParam, Least: 1, Most: 1,
		}
		if h.Tally.Multiple {
			menu.Label, menu.Most = s.Plain("press-choose-many"), len(h.Options)
		}
		if h.Type == Election {
			menu.Label = s.Plain("press-rank") // behind those that somebody has ranked by now
		}
		for i, o := range h.Options {
			menu.Options = append(menu.Options, protocol.Option{Label: protocol.OptionText(s.Plain("option", say.Number("Place", i+1), say.Words("Option", protocol.Plain(o)))), Value: strconv.Itoa(i + 1)})
		}
		return append([]protocol.Control{menu, withdraw}, h.sayWhy()...)
	}
	cast := func(label string, choice int, tone protocol.Tone) protocol.Control {
		return protocol.Control{
			Label: label, Tone: tone, Path: []string{"vote", "cast"},
			Args: args("ballot", h.Number(), placeParam, strconv.Itoa(choice+1)),
		}
	}
	choices := words.YesNo(s)
	no := cast(upper(choices[tally.No]), tally.No, protocol.ToneGrave)
	if h.objects(tally.Ballot{tally.No}) {
		no.Label, no.Form = s.Plain("press-object"), []string{"because"}
	}
	return append([]protocol.Control{cast(upper(choices[tally.Yes]), tally.Yes, protocol.ToneGood), no,
		cast(upper(choices[tally.Abstain]), tally.Abstain, protocol.ToneNeutral), withdraw}, h.sayWhy()...)
}

// sayWhy is what can be pressed to give a reason, in a form.
func (h *atHand) sayWhy() []protocol.Control {
	if h.Secret {
		return nil
	}
	return []protocol.Control{{Label: h.in().Plain("press-why"), Path: []string{"vote", "reason"},
		Args: map[string]string{ofParam: h.tag(), "vote": h.Number()}, Form: []string{"text"}}}
}

// answerControl is what whoever a vote is about can press below what they are told of it, to answer.
func (h *atHand) answerControl(s say.Speaker) []protocol.Control {
	if !h.buttons() {
		return nil
	}
	return []protocol.Control{{
		Label: s.Plain("press-answer"), Tone: protocol.ToneMain, Path: []string{"vote", "reply"},
		Args: map[string]string{ofParam: h.tag(), "vote": h.Number(), "in": string(h.room)}, Form: []string{"text"},
	}}
}

// outOfDate refuses the press of a control that was made for another vote than the one which now has its number.
func (h *atHand) outOfDate(c *commands.Call) error {
	if !c.Has(ofParam) || c.Word(ofParam) == h.tag() {
		return nil
	}
	return sorry(h.here(c), "out-of-date", h.number(), say.Code("Command", c.Code("vote show "+h.Number())))
}

// upper begins a word with a capital, as it stands on a button.
func upper(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}
