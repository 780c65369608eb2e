package votes

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"moot/commands"
	"moot/events"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes/tally"
)

// wish is a vote that somebody wants to open.
type wish struct {
	Type     Type
	Target   rooms.Member
	In       bool // whether the target is in the room
	Text     string
	Options  []string
	Multiple bool
	Secret   bool
	Runs     time.Duration // zero means the usual

	Opener protocol.UserID
	Place  protocol.PlaceID // where it is held
}

// appeal tells whether it is the wish of somebody who is challenged to be restored.
func (w wish) appeal() bool { return w.Type == Restore && w.Target.User == w.Opener }

// open opens a vote and answers. Whatever is wrong with it is found before anything is written.
func (f *Feature) open(c *commands.Call, w wish) error {
	w.Opener = c.Person
	rules := f.settings.Rules(c.Tx, c.Room.ID)
	if why, is := f.Sanctions.Challenged(c.Tx, c.Room.ID, c.Person); is && !w.appeal() {
		return f.privately(c, why)
	}
	if err := f.mayOpen(c.Tx, c.Room); err != nil {
		return err
	}
	place, err := f.placeFor(c)
	if err != nil {
		return err
	}
	w.Place = place
	if err := f.withinLimits(c.Tx, c.Room.ID, w, rules, c.Code); err != nil {
		return err
	}
	if w.Target.User != "" {
		if err := f.mayBeTarget(c, w, rules); err != nil {
			return err
		}
	}
	if f.opensAnother(c.Tx, c.Room.ID) {
		return commands.Sorryf("I am still finding out who may vote in another vote that opens here. Try again in a moment.")
	}
	if c.Room.Count > f.AtOnce {
		return f.prepare(c, w)
	}
	e, voters := f.electorateFor(c.Tx, c.Room, w, rules)
	if why := f.mayBeOpener(c.Tx, c.Room, w, e, rules); why != nil {
		return f.privately(c, why)
	}
	if err := f.enough(c.Room.ID, w, e, rules); err != nil {
		return err
	}
	v, err := f.begin(c.Tx, c.Room.ID, w, e, voters, rules)
	if err != nil {
		return err
	}
	if !c.Event.Private && place == c.Event.Place {
		if _, native := c.Event.Body.(protocol.Invocation); native {
			return c.Answer(protocol.Join("Vote ", v.ID, " is open."))
		}
		return nil // its message says it
	}
	return c.Answer(protocol.Join("Vote ", v.ID, " is open, until ", protocol.Moment(v.Deadline), "."))
}

// enough tells whether enough people may vote.
func (f *Feature) enough(room protocol.RoomID, w wish, e electors, r Rules) error {
	least := f.settings.rules.Voters
	if n := e.size(w.Type, least); w.Type != Poll && (n == 0 || n < r.Voters && w.Type != Restore) {
		why := e.tooFew(w.Type, n, e.waived(w.Type, least), r)
		if w.Type == Motion {
			why = protocol.Join(why, " You can ask everybody with ", f.code(room, "vote poll"), ".")
		}
		return commands.Sorry(why)
	}
	return nil
}

// begin opens a vote and shows it. Voters are empty where facts that say electing have named them already.
func (f *Feature) begin(tx *store.Tx, room protocol.RoomID, w wish, e electors, voters people, rules Rules) (Vote, error) {
	size, waived := e.size(w.Type, f.settings.rules.Voters), e.waived(w.Type, f.settings.rules.Voters)
	runs := rules.Duration
	if w.Type == Motion || w.Type == Poll {
		if runs = w.Runs; runs == 0 {
			runs = f.Runs
		}
	}
	p := opened{
		Secret: w.Secret, Appeal: w.appeal(), Options: w.Options, Rules: rules, Waived: waived,
		Deadline: tx.Now().Add(runs).Round(0), Place: w.Place, Size: size, Electorate: voters, Tally: rules.tally(w.Type, size, runs),
	}
	if w.Type == Poll {
		p.Tally = tally.Rules{Method: tally.Plurality, Options: len(w.Options), Multiple: w.Multiple}
	}
	if w.Text != "" {
		p.Text = f.bus.KeepText(tx, w.Opener, w.Text)
	}
	v := Vote{ID: last(tx, room) + 1, Type: w.Type}
	who := map[string]protocol.UserID{roleOpener: w.Opener}
	if w.Target.User != "" {
		who[roleTarget] = w.Target.User
	}
	if w.Secret {
		f.makeKey(tx, room, v.ID)
	}
	if err := f.publish(tx, v, whatOpened, who, p); err != nil {
		return Vote{}, err
	}
	v, _ = Get(tx, room, v.ID)
	f.start(tx, v)
	if err := f.post(tx, room, v); err != nil {
		return Vote{}, err
	}
	return v, f.tellTarget(tx, room, v)
}

// mayOpen tells whether a vote can be held in the room at all now.
func (f *Feature) mayOpen(tx *store.Tx, info rooms.Info) error {
	switch {
	case info.Private || info.ID == "":
		return commands.Sorryf("A vote is held in a room, not in a private conversation.")
	case info.Successor != "":
		return commands.Sorryf("This room goes on elsewhere. Open the vote there.")
	case info.Members != rooms.Known:
		return commands.Sorryf("I am still reading the member list of this room, and cannot know yet who may vote. Try again in a moment.")
	case held(tx, info.ID).is():
		return commands.Sorryf("I cannot reach the room reliably just now. Try again when the connection is back.")
	}
	return nil
}

// placeFor returns where a vote is held that is opened by this call.
func (f *Feature) placeFor(c *commands.Call) (protocol.PlaceID, error) {
	notePlace(c.Tx, c.Event)
	place := f.settings.Channel(c.Tx, c.Room.ID)
	switch {
	case place != "":
	case !c.Event.Private:
		place = c.Event.Place
	case slices.Contains(f.Places, c.Room.ID.Network()):
		return "", commands.Sorry(protocol.Join("In which channel shall the vote be held? Open it there, or ask a moderator to choose one for all votes: ",
			f.code(c.Room.ID, "room set "+channel+" here"), ", in that channel."))
	}
	if hidden, _ := placeOf(c.Tx, c.Room.ID, place); hidden {
		return "", commands.Sorryf("Not everybody who may vote can see that channel, so no vote is held in it. Open it in one that all can see.")
	}
	return place, nil
}

// withinLimits tells whether one more vote of that kind may be open.
func (f *Feature) withinLimits(tx *store.Tx, room protocol.RoomID, w wish, r Rules, code func(string) protocol.Text) error {
	me := f.bus.Lookup(tx, w.Opener)
	target := events.Number(0)
	if w.Target.User != "" {
		target = f.bus.Lookup(tx, w.Target.User)
	}
	all, challenges, mine := 0, 0, 0
	for v := range OpenIn(tx, room) {
		all++
		if v.Type == Challenge {
			challenges++
		}
		if me != 0 && v.Opener == me {
			mine++
		}
		if target != 0 && v.Target == target {
			return commands.Sorry(protocol.Join("Vote ", v.ID, " about ", protocol.Person(w.Target.User, w.Target.Name),
				" is already open: ", code("vote show "+v.Number()), "."))
		}
	}
	switch {
	case all >= r.Open:
		return commands.Sorryf("%d votes are open here, which is the most that there can be. Try again when one has closed.", all)
	case w.Type == Challenge && challenges >= r.Challenges:
		return commands.Sorryf("%d challenges are open here, which is the most that there can be. Try again when one has closed.", challenges)
	case mine >= r.Mine:
		return commands.Sorryf("You have %d votes open here, which is the most that one person can have. Try again when one has closed.", mine)
	}
	for _, l := range []struct {
		holds bool
		what  string
		whom  events.Number
		text  string
	}{
		{w.Type == Challenge, limitRest, me, "Your last challenge here was withdrawn or did not reach its quorum. You can challenge again after "},
		{w.Type == Challenge, limitProtected, target, "A challenge of them has just failed, and so nobody can challenge them again before "},
		{w.Type == Restore && !w.appeal(), limitRestore, target, "A vote to restore them has just failed. The next one can be opened after "},
		{w.appeal(), limitAppeal, me, "You have appealed not long ago. You can appeal again after "},
	} {
		if until := limited(tx, room, l.what, l.whom); l.holds && l.whom != 0 && until.After(tx.Now()) {
			return commands.Sorry(protocol.Join(l.text, protocol.Moment(until), "."))
		}
	}
	return nil
}

// mayBeTarget tells whether a vote can be about the person.
func (f *Feature) mayBeTarget(c *commands.Call, w wish, r Rules) error {
	name := protocol.Person(w.Target.User, w.Target.Name)
	_, challenged := f.Sanctions.Challenged(c.Tx, c.Room.ID, w.Target.User)
	left := leftAt(c.Tx, c.Room.ID, w.Target.User)
	switch {
	case w.Target.Bot || w.Target.Self:
		return commands.Sorry(protocol.Join(name, " is a bot. Votes are about people."))
	case w.Type == Challenge && w.Target.User == c.Person:
		return commands.Sorryf("You cannot challenge yourself.")
	case w.Type == Challenge && f.isOperator(w.Target.User):
		return commands.Sorry(protocol.Join(name, " operates me and cannot be challenged."))
	case !w.In && !w.appeal() && (left.IsZero() || left.Before(c.Tx.Now().Add(-r.Gone))):
		return commands.Sorry(protocol.Join(name, " is not in this room, and has not left it within the last ", days(r.Gone), "."))
	case w.Type == Challenge && challenged:
		return commands.Sorry(protocol.Join(name, " is challenged already. They can be restored: ",
			c.Code("vote restore "+personWord(w.Target)+" REASON"), "."))
	case w.Type == Restore && !challenged && w.appeal():
		return commands.Sorryf("You are not challenged here, so there is nothing to restore.")
	case w.Type == Restore && !challenged:
		return commands.Sorry(protocol.Join(name, " is not challenged here, so there is nothing to restore."))
	}
	return nil
}

// options makes the options of a poll of what was typed.
func options(words []string) ([]string, error) {
	var out []string
	seen := map[string]string{}
	for _, w := range words {
		w = protocol.OneLine(w)
		if n := utf8.RuneCountInString(w); n == 0 || n > MaxOption {
			return nil, commands.Sorryf("An option has 1 to %d characters; %s has %d.", MaxOption, protocol.Quoted(w, 40), n)
		}
		key := folded(w)
		if other, ok := seen[key]; ok {
			return nil, commands.Sorryf("Two options are the same: %s and %s.", protocol.Quoted(other, 40), protocol.Quoted(w, 40))
		}
		seen[key] = w
		out = append(out, w)
	}
	if len(out) < 2 || len(out) > MaxOptions {
		return nil, commands.Sorryf("A poll has 2 to %d options, not %d. Put each between quotes if it has several words.", MaxOptions, len(out))
	}
	return out, nil
}

// folded returns a form of what somebody wrote in which capitals, small letters and white space make no difference.
func folded(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, protocol.OneLine(s))
}

// titleOf names a vote in a few words: "Vote 3: challenge of Bob".
func (f *Feature) titleOf(tx *store.Tx, room protocol.RoomID, v Vote) protocol.Text {
	switch v.Type {
	case Challenge:
		return protocol.Join("Vote ", v.ID, ": challenge of ", f.name(tx, room, v.Target))
	case Restore:
		if v.Appeal {
			return protocol.Join("Vote ", v.ID, ": appeal of ", f.name(tx, room, v.Target))
		}
		return protocol.Join("Vote ", v.ID, ": restore of ", f.name(tx, room, v.Target))
	}
	return protocol.Join("Vote ", v.ID, ": ", string(v.Type), " ", protocol.Quoted(f.text(tx, v.Text), 80))
}

// name names a person without wanting their attention.
func (f *Feature) name(tx *store.Tx, room protocol.RoomID, n events.Number) protocol.Text {
	user, ok := f.bus.Who(tx, n)
	if !ok {
		return protocol.Plain("somebody who was forgotten")
	}
	return protocol.Person(user, f.called(tx, room, user))
}

// called returns the name of somebody in a room, as far as it is known.
func (f *Feature) called(tx *store.Tx, room protocol.RoomID, user protocol.UserID) string {
	if m, ok := rooms.Lookup(tx, room, user); ok {
		return m.Name
	}
	return protocol.OneLine(user.Local())
}

// text returns what somebody wrote, or says that it is gone.
func (f *Feature) text(tx *store.Tx, id events.TextID) string {
	if id == "" {
		return ""
	}
	if s, ok := f.bus.Text(tx, id); ok {
		return s
	}
	return "(their words were forgotten)"
}

// personWord names somebody as they can be typed in a command.
func personWord(m rooms.Member) string {
	switch {
	case m.Name == "" || strings.ContainsAny(m.Name, "\"\\") || strings.HasPrefix(m.Name, "-"):
		return string(m.User)
	case strings.ContainsRune(m.Name, ' '):
		return `"` + m.Name + `"`
	}
	return m.Name
}

func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
