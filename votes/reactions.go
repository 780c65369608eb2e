package votes

import (
	"slices"
	"strconv"
	"strings"

	"moot/internal/say"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes/tally"
	"moot/votes/words"
)

// Reactions as ballots. For each person and vote the marks are the reactions that are known to stand on its message, and the
// responses to its poll, in the order in which they came in: with them it can be told which reaction made a ballot, and, when the whole set
// is read, which of them are new or gone. They are no projection: ballots are what is in the log.
var (
	marks      = store.ScopedBucket("votes-marks")       // room ␟ vote ␟ person ␟ reaction → order, event
	markEvents = store.ScopedBucket("votes-mark-events") // room ␟ event → the key of the mark
	madeBy     = store.ScopedBucket("votes-made-by")     // room ␟ vote ␟ person → the reaction that made the ballot
)

func (h *atHand) markKey(who, reaction string) string {
	return store.Key(h.room, store.Number(h.ID), who, reaction)
}

// reacted handles a reaction that was added.
func (f *Feature) reacted(tx *store.Tx, ev protocol.Event, r protocol.ReactionAdded) (store.Outcome, error) {
	if r.Bot || ev.Private || ev.Sender == "" {
		return store.Outcome{}, nil
	}
	v := f.voteOn(tx, ev.Room, r.Target)
	if v == nil {
		if v = f.answeredWith(tx, ev.Room, r.Target); v != nil {
			return v.misplaced(ev.Sender, r.Reaction)
		}
		return store.Outcome{}, nil
	}
	if !v.takes() { // also where the time is over and the vote has not ended yet
		v.late(ev.Sender, r.Reaction)
	}
	return v.react(ev.Sender, r.Reaction, ev.ID, viaReaction)
}

// misplaced tells somebody how to vote whose reaction stands below an answer that shows the vote, and not below its message.
func (h *atHand) misplaced(user protocol.UserID, reaction string) (store.Outcome, error) {
	choice := choiceOf(h.Vote, reaction)
	if m, ok := rooms.Lookup(h.tx, h.room, user); choice < 0 || ok && (m.Bot || m.Self) {
		return store.Outcome{}, nil
	}
	word := "#" + strconv.Itoa(choice+1)
	s := h.to(user)
	if !h.listed() {
		word = words.YesNo(s)[choice]
	}
	if h.objects(tally.Ballot{choice}) {
		word = s.Plain("objection")
	}
	return store.WasIgnored("a reaction to an answer that shows a vote"), h.once(user, s.Say("react-misplaced",
		say.Code("Command", inPrivate(seenBy(h.tx, h.info(), user))("vote "+h.Number()+" "+word))))
}

// react takes a reaction as a ballot.
func (h *atHand) react(user protocol.UserID, reaction string, event protocol.EventID, via string) (store.Outcome, error) {
	choice := choiceOf(h.Vote, reaction)
	if choice < 0 {
		return store.WasIgnored("a reaction that is no ballot"), nil
	}
	s := h.to(user)
	if h.Type == Election {
		return store.WasIgnored("a reaction to an election"), h.once(user, say.Sentences(s.Say("react-election", h.number()),
			h.howToRank(s, seenBy(h.tx, h.info(), user))))
	}
	info := seenBy(h.tx, h.info(), user)
	if m, ok := rooms.Lookup(h.tx, h.room, user); ok && (m.Bot || m.Self) {
		return store.WasIgnored("a reaction by a bot"), nil
	}
	if h.buttons() {
		return store.WasIgnored("a reaction where ballots are cast by buttons"), h.once(user, s.Say("react-buttons", h.number()))
	}
	if h.objects(tally.Ballot{choice}) {
		return store.WasIgnored("a reaction that objects without a reason"), h.once(user, s.Say("react-object", h.number(),
			say.Code("Command", inPrivate(info)("vote "+h.Number()+" "+s.Plain("objection")))))
	}
	if h.covered() {
		id := "react-hidden"
		if h.Secret {
			id = "react-secret"
		}
		return store.WasIgnored("a reaction to a vote that is cast in private"), h.once(user, say.Sentences(s.Say(id, h.number()),
			h.secretly(s, info, "cast")))
	}
	closing := h.Status == Closing && via == viaRead // the vote only waits for these
	if !closing {
		why := h.mayCast(s, info, user, inPrivate(info))
		if why == nil {
			why = isOut(s, h.tx, info, user)
		}
		if why != nil {
			return store.WasIgnored("a reaction by somebody who cannot vote"), h.once(user, why)
		}
	} else if !h.mayVote(h.bus.Lookup(h.tx, user)) {
		return store.WasIgnored("a reaction by somebody who cannot vote"), nil
	}
	who := voter(h.bus.Number(h.tx, user))
	if h.markedTooOften(who, reaction) {
		return store.WasIgnored("one reaction too many by one person"), nil
	}
	h.mark(who, reaction, event)
	b, _ := h.marked(who)
	h.tx.Put(madeBy, h.voterKey(who), []byte(reaction))
	return store.WasHandled("a ballot in vote " + h.Number()), h.castByReaction(user, b, via)
}

// maxMarks is how many reactions of one person to a vote are remembered: several for each option.
const maxMarks = 4 * MaxOptions

// markedTooOften reports whether somebody has reacted so often that one more is not remembered.
func (h *atHand) markedTooOften(who, reaction string) bool {
	n, prefix := 0, h.markKey(who, "")
	for k := range h.tx.Prefix(marks, prefix) {
		if !isResponse(k[len(prefix):]) {
			n++
		}
	}
	return n >= maxMarks && !h.tx.Has(marks, h.markKey(who, reaction))
}

// mark notes that a reaction stands.
func (h *atHand) mark(who, reaction string, event protocol.EventID) {
	order := uint64(0)
	for _, data := range h.tx.Prefix(marks, h.markKey(who, "")) {
		order = max(order, store.ParseNumber(string(data[:8])))
	}
	key := h.markKey(who, reaction)
	// Where the same stands already the newer one counts from here on. The older one stays known: it is no reaction that
	// was missed.
	h.tx.Put(marks, key, []byte(store.Number(order+1)+string(event)))
	if event != "" {
		h.tx.Put(markEvents, store.Key(h.room, string(event)), []byte(key))
	}
}

// marked returns the ballot that the marks of a person make, and the last of them: in a poll in which several can be
// chosen all reactions count, else the last one. A response to a poll is a ballot by itself.
func (h *atHand) marked(who string) (b tally.Ballot, last string) {
	prefix, latest := h.markKey(who, ""), uint64(0)
	for k, data := range h.tx.Prefix(marks, prefix) {
		o, order := h.place(k[len(prefix):]), store.ParseNumber(string(data[:8]))
		switch {
		case isResponse(k[len(prefix):]):
		case o < 0:
			continue
		case h.Tally.Multiple && !slices.Contains(b, o):
			b = append(b, o)
		case !h.Tally.Multiple && order > latest:
			b = tally.Ballot{o}
		}
		if order > latest {
			last, latest = k[len(prefix):], order
		}
	}
	if isResponse(last) {
		return ballotOfMark(last), last
	}
	slices.Sort(b)
	return b, last
}

// takeBack notes that somebody has taken a reaction of theirs back. If it made their ballot, the last one of theirs
// that still stands makes it from here on; without one the ballot is withdrawn.
func (h *atHand) takeBack(user protocol.UserID, who, reaction string) error {
	key := h.markKey(who, reaction)
	data := h.tx.Get(marks, key)
	if len(data) < 8 {
		return nil
	}
	if event := string(data[8:]); event != "" {
		h.tx.Delete(markEvents, store.Key(h.room, event))
	}
	h.tx.Delete(marks, key)
	made := string(h.tx.Get(madeBy, h.voterKey(who)))
	if made == "" || made != reaction && !h.Tally.Multiple {
		return nil // their ballot came in another way since
	}
	b, last := h.marked(who)
	if last == "" {
		h.tx.Delete(madeBy, h.voterKey(who))
	} else {
		h.tx.Put(madeBy, h.voterKey(who), []byte(last))
	}
	if isResponse(last) {
		return h.castByReaction(user, b, viaPoll)
	}
	return h.castByReaction(user, b, viaReaction)
}

// unreacted handles a reaction that was taken back, by a network whose reactions have no events of their own.
func (f *Feature) unreacted(tx *store.Tx, ev protocol.Event, r protocol.ReactionRemoved) (store.Outcome, error) {
	v := f.voteOn(tx, ev.Room, r.Target)
	n := f.bus.Lookup(tx, ev.Sender)
	switch {
	case v == nil || n == 0 || ev.Sender == "" || f.buttons(ev.Room):
		return store.Outcome{}, nil
	case !v.takes():
		return store.WasIgnored("the vote takes no more ballots"), nil
	}
	return store.WasHandled("a reaction was taken back"), v.takeBack(ev.Sender, voter(n), r.Reaction)
}

// deleted handles the end of a message or of a reaction that has an event of its own. Only who gave a reaction takes
// the ballot back: a moderator who removes it changes nothing but what the message of the vote says.
func (f *Feature) deleted(tx *store.Tx, ev protocol.Event, d protocol.Deletion) (store.Outcome, error) {
	if v := f.voteOn(tx, ev.Room, d.Target); v != nil {
		if v.isPoll(d.Target) {
			return store.WasHandled("the poll of a vote was deleted"), v.pollDeleted()
		}
		return store.WasHandled("the message of a vote was deleted"), v.repost()
	}
	key := string(tx.Get(markEvents, store.Key(ev.Room, string(d.Target))))
	if key == "" {
		return store.Outcome{}, nil
	}
	rest := key[len(ev.Room)+len(store.Sep):]
	id, who, reaction := store.ParseNumber(rest[:8]), rest[9:17], rest[18:]
	v := f.find(tx, ev.Room, id)
	by := f.bus.Lookup(tx, ev.Sender) // which knows somebody again who was forgotten and is held
	switch {
	case v == nil:
		return store.Outcome{}, nil
	case !v.takes():
		return store.WasIgnored("the vote takes no more ballots"), nil
	case string(tx.Get(marks, key)) != "" && string(tx.Get(marks, key)[8:]) != string(d.Target):
		tx.Delete(markEvents, store.Key(ev.Room, string(d.Target)))
		return store.WasHandled("one of two reactions that are the same was removed; the newer one stands"), nil
	case by == 0 || by != parseVoter(who):
		b := v.posting()
		b.Removed++
		v.putPosting(b)
		v.touch()
		return store.WasHandled("a reaction was removed by somebody else; its ballot stands"), nil
	case isResponse(reaction):
		return store.WasHandled("a response to a poll was taken back"), v.takeBack(ev.Sender, who, reaction)
	}
	return store.WasHandled("a reaction was taken back"), v.takeBack(ev.Sender, who, reaction)
}

// takes reports whether ballots can be cast and withdrawn.
func (h *atHand) takes() bool {
	return h.Status == Running && (h.away() || h.tx.Now().Before(h.Deadline))
}

// reactionSet takes in all the reactions to the message of a vote, as an adapter brings them when it has missed some.
func (f *Feature) reactionSet(tx *store.Tx, ev protocol.Event, set protocol.ReactionSet) (store.Outcome, error) {
	v := f.voteOn(tx, ev.Room, set.Target)
	if v == nil || v.buttons() || !v.takes() {
		return store.Outcome{}, nil
	}
	return store.WasHandled("the reactions to vote " + v.Number()), v.merge(set)
}

// merge takes what stands in the set and is not known for reactions that were added. What is known and does not stand
// there was removed by nobody knows whom; the ballot that it made stands.
func (h *atHand) merge(set protocol.ReactionSet) error {
	if !h.reactable() {
		return nil
	}
	for _, r := range set.Reactions {
		if !h.Open() {
			return nil // what came before settled it
		}
		n := h.bus.Lookup(h.tx, r.User)
		key := h.markKey(voter(n), r.Reaction)
		if r.Bot || n == 0 || h.tx.Has(marks, key) || h.tx.Has(lateMarks, key) || h.knows(r.Event) {
			continue
		}
		if _, err := h.react(r.User, r.Reaction, r.Event, viaRead); err != nil {
			return err
		}
	}
	return nil
}

// knows reports whether a reaction was seen before that has an event of its own.
func (h *atHand) knows(reaction protocol.EventID) bool {
	return reaction != "" && h.tx.Has(markEvents, store.Key(h.room, string(reaction)))
}

// lateMarks are the reactions that were added when the vote took no more ballots.
var lateMarks = store.ScopedBucket("votes-late")

func (h *atHand) late(user protocol.UserID, reaction string) {
	if n := h.bus.Lookup(h.tx, user); n != 0 && h.Open() && choiceOf(h.Vote, reaction) >= 0 {
		h.tx.Put(lateMarks, h.markKey(voter(n), reaction), nil)
	}
}

// choiceOf returns the choice that a reaction stands for; -1 if none.
func choiceOf(v Vote, reaction string) int {
	if len(reaction) > maxReaction || protocol.CheckID(reaction) != nil {
		return -1
	}
	return v.place(reaction)
}

// maxReaction is how many bytes a reaction may have that is a ballot.
const maxReaction = 64

// unmarkMessage forgets the reactions to the message of a vote.
func (h *atHand) unmarkMessage() {
	h.unmark(func(name string) bool { return !isResponse(name) }, lateMarks)
}

// unmarkAll forgets the reactions to a vote that has ended, and who was told about them.
func (h *atHand) unmarkAll() {
	h.unmark(func(string) bool { return true }, lateMarks, told, recasts)
}

// unmark forgets the marks with such names and which ballots they made, and all that is kept of the vote in more.
func (h *atHand) unmark(such func(name string) bool, more ...store.Bucket) {
	prefix := h.voterKey("")
	person := len(prefix) + len(store.Number(0)) + len(store.Sep)
	for k := range h.tx.Prefix(marks, prefix) {
		if such(k[person:]) {
			h.tx.Delete(marks, k)
		}
	}
	for k, mark := range h.tx.Prefix(markEvents, store.Key(h.room, "")) {
		if m := string(mark); strings.HasPrefix(m, prefix) && such(m[person:]) {
			h.tx.Delete(markEvents, k)
		}
	}
	for k, name := range h.tx.Prefix(madeBy, prefix) {
		if such(string(name)) {
			h.tx.Delete(madeBy, k)
		}
	}
	for _, b := range more {
		for k := range h.tx.Prefix(b, prefix) {
			h.tx.Delete(b, k)
		}
	}
}

// told holds who was told why they cannot vote by a reaction: room ␟ vote ␟ user.
var told = store.ScopedBucket("votes-told")

// once tells somebody something privately, but only once about each vote.
func (h *atHand) once(user protocol.UserID, why protocol.Text) error {
	key := store.Key(h.room, store.Number(h.ID), string(user))
	if h.tx.Has(told, key) {
		return nil
	}
	h.tx.Put(told, key, nil)
	info := seenBy(h.tx, h.info(), user)
	_, err := outbox.Send(h.tx, protocol.Outgoing{Act: protocol.Whisper{
		User: user, Text: inRoom(h.to(user), info.Title(), why),
	}})
	return err
}
