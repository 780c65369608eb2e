package votes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moot/commands"
	"moot/events"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes/tally"
)

// How a ballot came.
const (
	viaCommand  = "command"
	viaPrivate  = "private"
	viaReaction = "reaction"
	viaRead     = "read"
)

// mayCast tells somebody why they cannot cast, change or withdraw a ballot in the vote; nil if they can. Show shows them a
// command.
func (f *Feature) mayCast(tx *store.Tx, info rooms.Info, v Vote, user protocol.UserID, show func(line string) protocol.Text) protocol.Text {
	switch {
	case !v.Open():
		return protocol.Join("Vote ", v.ID, " has closed. What came of it: ", show("vote show "+v.Number()), ".")
	case v.Status == Closing, !held(tx, info.ID).is() && !tx.Now().Before(v.Deadline):
		return protocol.Join("The time of vote ", v.ID, " is over. It takes no more ballots.")
	}
	if !MayVote(tx, info.ID, v.ID, f.bus.Lookup(tx, user)) {
		return f.whyNot(tx, info, v, user, show)
	}
	if info.Members == rooms.Known {
		if _, in := rooms.Lookup(tx, info.ID, user); !in {
			return protocol.Join("You have left the room, and from outside one cannot vote. The ballot that you cast before stands, if you did.")
		}
	}
	return nil
}

// castBy casts the ballot of somebody who may, or withdraws it where the ballot is empty. It tells whether that changed
// anything.
func (f *Feature) castBy(tx *store.Tx, room protocol.RoomID, v Vote, user protocol.UserID, b tally.Ballot, via string) (bool, error) {
	n := f.bus.Number(tx, user)
	if v.Secret {
		return f.castSecret(tx, room, v, n, b)
	}
	if via == viaCommand || via == viaPrivate {
		tx.Delete(madeBy, voterKey(room, v.ID, voter(n))) // no reaction stands for it from here on
	}
	if before := ballotOf(tx, room, v.ID, voter(n)); slices.Equal(before, b) {
		return false, nil
	}
	what := whatBallot
	if len(b) == 0 {
		what = whatWithdrawn
	}
	err := f.publish(tx, v, what, map[string]protocol.UserID{roleVoter: user}, cast{Choices: b, Via: via})
	if err != nil {
		return true, err
	}
	return true, f.counted(tx, room, v.ID)
}

// counted is called after the count of a vote has changed.
func (f *Feature) counted(tx *store.Tx, room protocol.RoomID, id uint64) error {
	v, _ := Get(tx, room, id)
	f.touch(tx, room, v)
	return f.early(tx, room, v)
}

// cast is the command that casts a ballot.
func (f *Feature) cast(c *commands.Call) error {
	v, choice, err := f.castWords(c)
	if err != nil {
		return err
	}
	if err := f.outOfDate(c, v); err != nil {
		return err
	}
	if err := f.refuseTyped(c, v, "cast"); err != nil {
		return err
	}
	if why := f.mayCast(c.Tx, c.Room, v, c.Person, alone(c)); why != nil {
		return f.privately(c, why)
	}
	b, err := ballotFrom(v, choice)
	if err != nil {
		return err
	}
	changed, err := f.castBy(c.Tx, c.Room.ID, v, c.Person, b, via(c))
	if err != nil {
		return err
	}
	text := protocol.Join("Your ballot in vote ", v.ID, " is ", v.shown(b), ". You can change or withdraw it until ", protocol.Moment(v.Deadline), ".")
	if !changed {
		text = protocol.Join("Your ballot in vote ", v.ID, " is already ", v.shown(b), ".")
	}
	return c.Answer(text)
}

// withdraw is the command that withdraws a ballot.
func (f *Feature) withdraw(c *commands.Call) error {
	v, err := f.theVote(c, "withdraw")
	if err != nil {
		return err
	}
	if err := f.outOfDate(c, v); err != nil {
		return err
	}
	if err := f.refuseTyped(c, v, "withdraw"); err != nil {
		return err
	}
	if why := f.mayCast(c.Tx, c.Room, v, c.Person, alone(c)); why != nil {
		return f.privately(c, why)
	}
	changed, err := f.castBy(c.Tx, c.Room.ID, v, c.Person, nil, via(c))
	switch {
	case err != nil:
		return err
	case !changed:
		return f.privately(c, protocol.Join("You have no ballot in vote ", v.ID, "."))
	case v.Secret:
		return f.privately(c, protocol.Join("You now have no ballot in vote ", v.ID, "."))
	}
	return c.Answer(protocol.Join("Your ballot in vote ", v.ID, " is withdrawn."))
}

// via tells how a command came.
func via(c *commands.Call) string {
	if c.Event.Private {
		return viaPrivate
	}
	return viaCommand
}

// alone shows a command as it is given where [Feature.privately] answers.
func alone(c *commands.Call) func(line string) protocol.Text {
	if c.Native() && !c.Event.Private {
		return c.Code
	}
	return inPrivate(c.Room)
}

// privately answers somebody alone.
func (f *Feature) privately(c *commands.Call, text protocol.Text) error { return c.Whisper(text) }

// refuseTyped refuses what would show a secret ballot to the room. What comes through the network's own interface is seen
// by nobody else.
func (f *Feature) refuseTyped(c *commands.Call, v Vote, verb string) error {
	_, native := c.Event.Body.(protocol.Invocation)
	if !v.Secret || c.Event.Private || native {
		return nil
	}
	return commands.Sorry(protocol.Join("Vote ", v.ID, " is secret, and what you type here all can read; it was not counted. ", f.secretly(c.Room, v, verb)))
}

// secretly says how a secret ballot is cast.
func (f *Feature) secretly(info rooms.Info, v Vote, verb string) protocol.Text {
	line := "vote " + verb + " " + v.Number()
	if verb == "cast" {
		line += " " + strings.ToUpper("choice")
	}
	return protocol.Join("Write to me in private: ", protocol.Code(line+" --in "+info.Word()), ".")
}

// castWords finds the vote and the choice in what was given: a number and words, or words alone where one vote is open.
func (f *Feature) castWords(c *commands.Call) (Vote, []string, error) {
	words := c.Words("ballot")
	if len(words) == 1 { // a number and a choice between quotes, or in one field
		words = strings.Fields(words[0])
	}
	if len(words) == 0 {
		return Vote{}, nil, commands.Sorry(protocol.Join("What do you choose? For example ", c.Code("vote cast 3 yes"), "."))
	}
	if id, ok := voteID(words[0]); ok && len(words) > 1 {
		if v, ok := Get(c.Tx, c.Room.ID, id); ok {
			return v, words[1:], nil
		}
		if _, several := f.oneOpen(c); several {
			return Vote{}, nil, noVote(c, words[0])
		}
	}
	v, _ := f.oneOpen(c)
	if v.ID != 0 {
		// The number of a vote alone is no choice, unless the vote is a poll, whose options have numbers.
		if id, ok := voteID(words[0]); !ok || len(words) > 1 || v.Type == Poll && id <= uint64(len(v.Options)) {
			return v, words, nil
		}
		return v, nil, commands.Sorry(protocol.Join("What do you choose in vote ", v.ID, "? ", f.how(v)))
	}
	return Vote{}, nil, f.whichVote(c, "cast")
}

// completeBallot completes a choice in the vote that is open, or behind the number of one of several.
func (f *Feature) completeBallot(tx *store.Tx, where commands.CompletionContext, typed string) (values []string) {
	info, ok := where.About(tx)
	if !ok {
		return nil
	}
	open := slices.Collect(OpenIn(tx, info.ID))
	offer := func(value string) {
		if strings.HasPrefix(folded(value), folded(typed)) {
			values = append(values, value)
		}
	}
	given := where.Given("ballot")
	for _, v := range open {
		before := ""
		switch {
		case len(given) > 0 && len(open) > 1 && given[0] != v.Number():
			continue
		case len(given) > 0 || len(open) == 1:
		case where.Native():
			before = v.Number() + " "
		default:
			offer(v.Number())
			continue
		}
		for _, choice := range v.choices() {
			offer(before + choice)
		}
	}
	return values
}

// how lists what can be chosen.
func (f *Feature) how(v Vote) protocol.Text {
	var t protocol.Text
	for i, o := range v.choices() {
		if i > 0 {
			t = protocol.Join(t, ", ")
		}
		if v.Type == Poll {
			o = fmt.Sprintf("%d (%s)", i+1, o)
		}
		t = protocol.Join(t, o)
	}
	return protocol.Join("There is: ", t, ".")
}

// ballotFrom makes a ballot of the words that somebody chose. An option of a poll is named by its number or its words.
func ballotFrom(v Vote, words []string) (tally.Ballot, error) {
	choices := v.choices()
	if i := slices.IndexFunc(choices, func(o string) bool { return folded(o) == folded(strings.Join(words, " ")) }); i >= 0 {
		return tally.Ballot{i}, nil
	}
	var b tally.Ballot
	for _, w := range words {
		w = strings.TrimRight(w, ",;")
		i := slices.IndexFunc(choices, func(o string) bool { return folded(o) == folded(w) })
		if i < 0 {
			i = synonym(v, w)
		}
		if i < 0 {
			return nil, commands.Sorryf("%s cannot be chosen in vote %d. %s", protocol.Quoted(w, 40), v.ID, (&Feature{}).how(v).Plain())
		}
		if !slices.Contains(b, i) {
			b = append(b, i)
		}
	}
	slices.Sort(b)
	if !v.Tally.Valid(b) {
		return nil, commands.Sorryf("In vote %d only one can be chosen.", v.ID)
	}
	return b, nil
}

// synonym returns the choice that a word or a reaction stands for beside its own name; -1 if none.
func synonym(v Vote, w string) int {
	w = bare(w)
	if v.Type == Poll {
		if w == "🔟" {
			w = "10"
		}
		if n, err := strconv.Atoi(w); err == nil && n >= 1 && n <= len(v.Options) {
			return n - 1
		}
		return -1
	}
	switch w {
	case "yes", "y", "+1", "aye", "yea", "for", "👍", "✅", "✔", "☑":
		return tally.Yes
	case "no", "n", "-1", "nay", "against", "👎", "❌", "✖", "✗":
		return tally.No
	case "abstain", "abstention", "a", "0", "🤷", "⚪", "😐":
		return tally.Abstain
	}
	return -1
}

// bare strips from an emoji what does not change its meaning: skin tones, genders, selectors of its look.
func bare(s string) string {
	s, _, _ = strings.Cut(strings.ToLower(protocol.OneLine(s)), "\u200d")
	return strings.Map(func(r rune) rune {
		if r == '\ufe0f' || r == '\ufe0e' || r == '\u20e3' || r >= 0x1F3FB && r <= 0x1F3FF {
			return -1
		}
		return r
	}, s)
}

// shown writes a ballot in words.
func (v Vote) shown(b tally.Ballot) string {
	choices := v.choices()
	words := make([]string, len(b))
	for i, o := range b {
		words[i] = choices[o]
		if v.Type == Poll {
			words[i] = protocol.Quoted(choices[o], MaxOption)
		}
	}
	return strings.Join(words, " and ")
}

// voteID reads the number of a vote, with or without a mark before it.
func voteID(w string) (uint64, bool) {
	id, err := strconv.ParseUint(strings.TrimPrefix(w, "#"), 10, 64)
	return id, err == nil && id > 0
}

// oneOpen returns the vote of the room that is open, if it is one, and whether there are several.
func (f *Feature) oneOpen(c *commands.Call) (v Vote, several bool) {
	for o := range OpenIn(c.Tx, c.Room.ID) {
		if v.ID != 0 {
			return Vote{}, true
		}
		v = o
	}
	return v, false
}

// theVote returns the vote that the parameter "vote" names, or the open one where it was left out.
func (f *Feature) theVote(c *commands.Call, verb string) (Vote, error) {
	if !c.Has("vote") {
		if v, _ := f.oneOpen(c); v.ID != 0 {
			return v, nil
		}
		return Vote{}, f.whichVote(c, verb)
	}
	id, ok := voteID(c.Word("vote"))
	if v, found := Get(c.Tx, c.Room.ID, id); ok && found {
		return v, nil
	}
	return Vote{}, noVote(c, c.Word("vote"))
}

func noVote(c *commands.Call, word string) error {
	return commands.Sorry(protocol.Join("There is no vote ", protocol.Quoted(word, 20), " in this room. ", c.Code("vote list"), " shows those that there are."))
}

// whichVote is the answer where several votes are open, or none.
func (f *Feature) whichVote(c *commands.Call, verb string) error {
	var open []string
	for v := range OpenIn(c.Tx, c.Room.ID) {
		open = append(open, v.Number())
	}
	if len(open) == 0 {
		return commands.Sorry(protocol.Join("No vote is open in this room. ", c.Code("vote list"), " shows those that were."))
	}
	example := map[string]string{"cast": " CHOICE", "reply": " TEXT", "cancel": " REASON"}[verb]
	return commands.Sorry(protocol.Join("Several votes are open: ", strings.Join(open, ", "), ". Which one? Put its number first: ",
		c.Code("vote "+verb+" "+open[0]+example), "."))
}

// userOf returns the person of a number, zero if they were forgotten.
func (f *Feature) userOf(tx *store.Tx, n events.Number) protocol.UserID {
	user, _ := f.bus.Who(tx, n)
	return user
}
