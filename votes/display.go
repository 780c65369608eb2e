package votes

import (
	"slices"

	"moot/protocol"
	"moot/rooms"
	"moot/votes/words"
)

// view returns what is to be seen of the vote, in the language of the room.
func (h *atHand) view() words.Vote { return h.viewOf(rooms.NamesIn(h.tx, h.room)) }

func (h *atHand) viewOf(names *rooms.Names) words.Vote {
	b := h.posting()
	v := words.Vote{
		Speaker: h.in(), ID: h.ID, Type: words.Type(h.Type), Status: words.Status(h.Status), Secret: h.Secret, Hidden: h.Hidden, Shared: h.Shared, Told: h.counts(),
		Opener: h.named(names, h.Opener), Target: h.named(names, h.Target), By: h.named(names, h.By),
		Text: h.text(h.Text), Reply: h.text(h.Reply), Why: h.text(h.Why), Options: h.Options, Corrected: h.Corrected, Role: h.Role.Name,
		Tally: h.Tally, Size: h.Size, Turnout: h.Turnout, Count: h.Count, Waived: h.Waived, Days: h.Rules.ActiveDays, Member: h.Rules.Member,
		Closes: h.Deadline, Runs: h.Deadline.Sub(h.Opened), Earlier: h.endsEarly(h.tx.Now()), Outcome: h.Outcome, Election: h.Election, Unread: h.Unread, Void: h.Void,
		Removed: b.Removed, Untold: b.Untold, Poll: b.Poll != "", Presses: h.buttons(),
		Asked:   h.Secret && h.Type != Election && !h.buttons() && slices.Contains(h.Polls, h.room.Network()),
		Room:    h.info().Word(),
		Command: h.code,
	}
	if h.Appeal {
		v.Type = words.Appeal
	}
	if h.Type == Election {
		v.Example = h.example()
	}
	if h.Type == Rule {
		one, _ := h.settings.find(h.Setting)
		v.RuleSummary = one.says(v.Speaker)
	}
	return v
}

// message is what the message of a vote says, and what a command shows of it, which takes no reactions. What the network does
// not take as one message is taken from what people wrote, never from the count, the deadline and how to vote.
func (h *atHand) message(first, live bool) protocol.Text {
	names := rooms.NamesIn(h.tx, h.room)
	v := h.viewOf(names)
	v.Polled = h.pollStands()
	if user := h.userOf(h.Target); first && user != "" && !h.Appeal {
		v.Target = names.Mention(user)
	}
	if !live {
		v.Reasons, v.More = h.reasons(listedReasons, maxBecause)
		return v.Message(false, MaxReason)
	}
	var fits func(protocol.Text) bool
	if h.Fits != nil {
		fits = func(t protocol.Text) bool { return h.Fits(h.room.Network(), t) }
	}
	return protocol.Fit(fits, words.ShownWords, func(n int) protocol.Text { return v.Message(true, n) })
}

// closing is what is said when a vote has ended.
func (h *atHand) closing() protocol.Text {
	v := h.view()
	v.Reasons, v.More = h.reasons(shownReasons, 150)
	return v.Closing()
}

// titleOf names a vote in a few words: "Vote 3: challenge of Bob".
func (h *atHand) titleOf() protocol.Text { return h.view().Title() }

// code shows a command as it is given in a room.
func (f *Feature) code(room protocol.RoomID, line string) protocol.Text {
	return protocol.Code(f.Line(room.Network(), line))
}
