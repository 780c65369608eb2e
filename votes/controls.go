package votes

import (
	"fmt"
	"slices"
	"strconv"

	"moot/commands"
	"moot/protocol"
)

// ofParam is the flag by which a control says which vote it was made for. Numbers of votes are given once in a room, so it
// matters only where the bot has lost its data and counts anew: a button of the old vote 3 must not vote in the new one.
const ofParam = "of"

// tag tells a vote from any other that has, or had, its number. It stays the same where the room goes on elsewhere.
func (v Vote) tag() string { return strconv.FormatInt(v.Opened.UnixMilli(), 36) }

// buttons are whether the message of a vote has controls in the room: whether its network shows them.
func (f *Feature) buttons(room protocol.RoomID) bool {
	return slices.Contains(f.Buttons, room.Network())
}

// controls are what can be pressed below the message of a vote. What they do can be typed too, as the message says.
func (f *Feature) controls(room protocol.RoomID, v Vote) []protocol.Control {
	if v.Status != Running || !f.buttons(room) {
		return nil
	}
	args := func(more ...string) map[string]string {
		m := map[string]string{ofParam: v.tag()}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	withdraw := protocol.Control{Label: "Withdraw", Path: []string{"vote", "withdraw"}, Args: args("vote", v.Number())}
	if v.Type == Poll {
		menu := protocol.Control{
			Label: "Choose one", Path: []string{"vote", "cast"}, Args: args("ballot", v.Number()), Param: "ballot", Least: 1, Most: 1,
		}
		if v.Tally.Multiple {
			menu.Label, menu.Most = "Choose one or more", len(v.Options)
		}
		for i, o := range v.Options {
			menu.Options = append(menu.Options, protocol.Option{Label: fmt.Sprintf("%d: %s", i+1, o), Value: strconv.Itoa(i + 1)})
		}
		return []protocol.Control{menu, withdraw}
	}
	cast := func(label, choice string, tone protocol.Tone) protocol.Control {
		return protocol.Control{
			Label: label, Tone: tone, Path: []string{"vote", "cast"}, Args: args("ballot", v.Number(), "ballot-2", choice),
		}
	}
	return []protocol.Control{
		cast("Yes", "yes", protocol.ToneGood), cast("No", "no", protocol.ToneGrave),
		cast("Abstain", "abstain", protocol.ToneNeutral), withdraw,
	}
}

// answerControl is what whoever a vote is about can press below what they are told of it, to answer.
func (f *Feature) answerControl(room protocol.RoomID, v Vote) []protocol.Control {
	if !f.buttons(room) {
		return nil
	}
	return []protocol.Control{{
		Label: "Answer", Tone: protocol.ToneMain, Path: []string{"vote", "reply"},
		Args: map[string]string{ofParam: v.tag(), "vote": v.Number(), "in": string(room)}, Form: []string{"text"},
	}}
}

// outOfDate refuses the press of a control that was made for another vote than the one which now has its number.
func (f *Feature) outOfDate(c *commands.Call, v Vote) error {
	if !c.Has(ofParam) || c.Word(ofParam) == v.tag() {
		return nil
	}
	return commands.Sorry(protocol.Join("What you pressed belongs to a vote that I do not know any more. Its number, ", v.ID,
		", is now that of another one, so nothing was changed: ", c.Code("vote show "+v.Number()), "."))
}
