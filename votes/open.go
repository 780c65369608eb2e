package votes

import (
	"slices"
	"strconv"
	"time"

	"moot/commands"
	"moot/events"
	"moot/internal/alike"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes/tally"
)

// proposal is a vote that somebody wants to open.
type proposal struct {
	Type       Type
	Target     rooms.Member
	In         bool // whether the target is in the room
	Text       string
	Options    []string
	Setting    string // of a rule
	Value      string
	Multiple   bool
	Seats      int // of an election
	Secret     bool
	Hidden     bool
	Majority   majority      // of a motion
	Objections int           // that defeat a motion by consent
	Runs       time.Duration // zero means the usual
	Role       Role          // whose holders alone may vote; without an id until it is known which is meant

	Opener protocol.UserID
	Place  protocol.PlaceID // where it is held
}

// majority is what a motion takes beside a quorum; zero means more yes than no.
type majority string

const (
	twoThirds majority = "two-thirds"
	unanimous majority = "unanimous" // no no, and a yes
	consent   majority = "consent"   // too few no; it knows no quorum
)

// apply puts it into the rules of a motion.
func (m majority) apply(t *tally.Rules, objections int) {
	switch m {
	case twoThirds:
		t.Method, t.Part, t.Of, t.LeastYes = tally.Supermajority, 2, 3, 1
	case unanimous:
		t.Method, t.Part, t.Of, t.LeastYes = tally.Supermajority, 1, 1, 1
	case consent:
		*t = tally.Rules{Method: tally.Consent, Options: t.Options, Objections: objections}
	}
}

// asked reports whether a vote is a motion, be it one that changes a rule.
func (t Type) asked() bool { return t == Motion || t == Rule }

// timed reports whether who opens a vote says how long it runs.
func (t Type) timed() bool { return t.asked() || t.shared() }

// shared reports whether a vote has a question and options.
func (t Type) shared() bool { return t == Poll || t == Election }

// author returns whose the text of a vote is. What the room decides on is nobody's, and not taken away from under it.
func (t Type) author(opener protocol.UserID) protocol.UserID {
	if t.timed() {
		return ""
	}
	return opener
}

// opening is a vote that opens: one proposal in one transaction, as atHand is one vote. What has to last longer is an
// enrolment.
type opening struct {
	*Feature
	tx   *store.Tx
	room rooms.Info
	proposal
	rules Rules // by which the vote is held
	say.Speaker
	holders []protocol.UserID // of the role, in order, where the vote is for one
}

// opening returns a proposal at hand. A rule of the room is changed by those whom the operator's rules let vote, so that no
// rule locks a room up, or hands it to a few.
func (f *Feature) opening(tx *store.Tx, room rooms.Info, w proposal, s say.Speaker) *opening {
	rules := f.settings.rules
	if w.Type != Rule {
		rules = f.settings.Rules(tx, room.ID)
	}
	return &opening{f, tx, room, w, rules, s, nil}
}

// appeal reports whether it is the wish of somebody who is challenged to be restored.
func (w proposal) appeal() bool { return w.Type == Restore && w.Target.User == w.Opener }

// open opens a vote and answers. Whatever is wrong with it is found before anything is written.
func (f *Feature) open(c *commands.Call, w proposal) error {
	w.Opener = c.Person
	if w.Text != "" && alike.Blank(w.Text) {
		return sorry(f.here(c), "shows-nothing")
	}
	o := f.opening(c.Tx, c.Room, w, f.here(c))
	if why, is := f.Sanctions.Challenged(c.Tx, c.Room.ID, c.Person); is && !w.appeal() {
		return f.privately(c, why)
	}
	if err := o.mayOpen(); err != nil {
		return err
	}
	var err error
	if o.Place, err = o.placeFor(c); err != nil {
		return err
	}
	if err := o.withinLimits(c.Code); err != nil {
		return err
	}
	if w.Target.User != "" {
		if err := o.mayBeTarget(c); err != nil {
			return err
		}
	}
	if f.enrolsAnother(c.Tx, c.Room.ID) {
		return sorry(o.Speaker, "enrols-another")
	}
	if w.Role.Name != "" {
		return o.enrolRole(c)
	}
	if c.Room.Count > f.AtOnce {
		return o.enrol(c)
	}
	e, voters := o.electorate()
	if why := o.mayBeOpener(e); why != nil {
		return f.privately(c, why)
	}
	if err := o.enough(e); err != nil {
		return err
	}
	v, err := o.begin(e, voters)
	if err != nil {
		return err
	}
	if !c.Event.Private && v.Place == c.Event.Place {
		if _, native := c.Event.Body.(protocol.Invocation); native {
			return c.Answer(o.Say("is-open", v.number()))
		}
		return nil // its message says it
	}
	return c.Answer(o.isOpen(v))
}

// isOpen tells who has opened a vote that it is open.
func (o *opening) isOpen(v *atHand) protocol.Text {
	v = v.as(o.Speaker)
	return v.say("is-open-until", v.number(), v.when())
}

// replace ends a restore that somebody else has opened, as the one whom it is about now appeals.
func (o *opening) replace() error {
	if !o.appeal() {
		return nil
	}
	me := o.bus.Lookup(o.tx, o.Opener)
	for v := range o.openIn(o.tx, o.room.ID) {
		if v.Type == Restore && v.Target == me && !v.Appeal {
			return v.finish(Replaced, o.Opener, v.undecided(), nil)
		}
	}
	return nil
}

// enough reports whether enough people may vote.
func (o *opening) enough(e electors) error {
	least := o.settings.rules.Voters
	n := e.size(o.Type, least)
	if o.Role.ID != "" && n == 0 {
		return sorry(o.Speaker, "role-nobody", o.role())
	}
	if o.Type != Poll && (n == 0 || n < o.rules.Voters && o.Type != Restore) {
		why := o.tooFew(e, n, e.waived(o.Type, least))
		if o.Type == Motion || o.Type == Election {
			why = say.Sentences(why, o.Say("ask-everybody", say.Code("Command", o.code(o.room.ID, "vote poll"))))
		}
		return commands.Sorry(why)
	}
	if most := half(n); o.Majority == consent && o.Objections > most {
		return sorry(o.Speaker, "consent-impossible", say.Number("Size", n), say.Code("Most", protocol.Code("--objections "+strconv.Itoa(most))))
	}
	if t := o.decidedBy(e, n); !tally.Possible(t, n) {
		id := "impossible"
		if t.Method.Ranked() {
			id = "impossible-ranked"
		}
		return sorry(o.Speaker, id, say.Count("Ballots", t.Quorum), say.Number("Yes", max(t.LeastYes, 1)), say.Number("Size", n),
			say.Code("Command", o.code(o.room.ID, "room set")))
	}
	return nil
}

// decidedBy returns the rules by which a vote is decided that opens now.
func (o *opening) decidedBy(e electors, size int) tally.Rules {
	if o.Type == Poll {
		return tally.Rules{Method: tally.Plurality, Options: len(o.Options), Multiple: o.Multiple}
	}
	runs := o.runs()
	t := o.rules.tally(o.Type, e, size, runs)
	if o.Type == Election {
		return o.ranked(t.Quorum)
	}
	if o.Type == Challenge && limited(o.tx, o.room.ID, limitSecond, 0).After(o.tx.Now()) {
		t.LeastYes = max(t.LeastYes, half(size+e.Apart))
	}
	o.Majority.apply(&t, o.Objections)
	if o.Secret || o.Hidden || t.Method == tally.Consent || o.Type.asked() && o.Runs > 0 {
		// An early end tells what the last ballot did; and who chose how long it runs wanted the time to talk.
		t.Early = runs
	}
	return t
}

// runs returns how long a vote runs.
func (o *opening) runs() time.Duration {
	switch {
	case !o.Type.timed():
		return o.rules.Duration
	case o.proposal.Runs == 0 && o.Type == Rule:
		return max(o.Feature.Runs, o.rules.Duration)
	case o.proposal.Runs == 0:
		return o.Feature.Runs
	}
	return o.proposal.Runs
}

// begin opens a vote and shows it. Voters are empty where facts that say electing have named them already.
func (o *opening) begin(e electors, voters people) (*atHand, error) {
	size, waived := e.size(o.Type, o.settings.rules.Voters), e.waived(o.Type, o.settings.rules.Voters)
	if err := o.replace(); err != nil {
		return nil, err
	}
	p := opened{
		Secret: o.Secret, Hidden: o.Hidden, Appeal: o.appeal(), Options: o.Options, Setting: o.Setting, Value: o.Value,
		Role: o.Role, Rules: o.rules,
		Waived:   waived,
		Deadline: o.tx.Now().Add(o.runs()).Round(0), Place: o.Place, Size: size, Peers: size + e.Apart,
		Electorate: voters, Tally: o.decidedBy(e, size),
	}
	if o.Text != "" {
		p.Text = o.bus.KeepText(o.tx, o.Type.author(o.Opener), o.Text)
	}
	room := o.room.ID
	v := o.at(o.tx, room, Vote{ID: last(o.tx, room) + 1, Type: o.Type})
	who := map[string]protocol.UserID{roleOpener: o.Opener}
	if o.Target.User != "" {
		who[roleTarget] = o.Target.User
	}
	if o.Secret {
		v.makeKey()
	}
	if err := v.publish(whatOpened, who, p); err != nil {
		return nil, err
	}
	v.holdVote()
	o.holdLimits(o.tx, room, v.Target)
	v.start()
	if err := v.post(); err != nil {
		return nil, err
	}
	return v, v.tellTarget()
}

// mayOpen reports whether a vote can be held in the room at all now.
func (o *opening) mayOpen() error {
	switch {
	case o.room.Private || o.room.ID == "":
		return sorry(o.Speaker, "needs-room")
	case o.room.Successor != "":
		return sorry(o.Speaker, "room-went-on")
	case o.room.Members != rooms.Known:
		return sorry(o.Speaker, "still-reading")
	case outageOf(o.tx, o.room.ID).bars():
		return sorry(o.Speaker, "unreachable")
	}
	return nil
}

// placeFor returns where a vote is held that is opened by this call: in the channel for votes, else where it is opened, else, for
// an appeal, where it was decided that they are suspended. A channel that not all can see, or in which the bot may not write, is
// passed over, also that for votes: else whoever may close channels could keep a room from voting.
func (o *opening) placeFor(c *commands.Call) (protocol.PlaceID, error) {
	notePlace(c.Tx, c.Event)
	channels := slices.Contains(o.Places, c.Room.ID.Network())
	var places []protocol.PlaceID
	if chosen := o.settings.Channel(c.Tx, c.Room.ID); chosen != "" {
		places = append(places, chosen)
	}
	switch {
	case !c.Event.Private:
		places = append(places, c.Event.Place)
	case channels && o.appeal():
		places = append(places, o.suspendedAt(c.Tx, c.Room.ID, o.Opener)...)
	case !channels:
		places = append(places, "")
	}
	for _, place := range places {
		if !shut(c.Tx, c.Room.ID, place) {
			return place, nil
		}
	}
	if len(places) == 0 {
		return "", sorry(o.Speaker, "which-channel", say.Code("Command", o.code(c.Room.ID, "room set "+channel+" here")))
	}
	if hidden, _, _ := placeOf(c.Tx, c.Room.ID, places[len(places)-1]); hidden {
		return "", sorry(o.Speaker, "channel-hidden")
	}
	return "", sorry(o.Speaker, "channel-mute")
}

// suspendedAt returns where the votes were held about somebody, the last one first: an appeal is heard where the challenge was.
func (f *Feature) suspendedAt(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (places []protocol.PlaceID) {
	n := f.bus.Lookup(tx, user)
	for v := range All(tx, room) {
		if n != 0 && v.Target == n && v.Place != "" && !slices.Contains(places, v.Place) {
			places = append(places, v.Place)
		}
	}
	return places
}

// withinLimits reports whether one more vote of that kind may be open.
func (o *opening) withinLimits(code func(string) protocol.Text) error {
	tx, room := o.tx, o.room.ID
	me := o.bus.Lookup(tx, o.Opener)
	target := events.Number(0)
	if o.Target.User != "" {
		target = o.bus.Lookup(tx, o.Target.User)
	}
	all, mine := 0, 0
	for v := range OpenIn(tx, room) {
		if v.Type == o.Type && !v.Appeal {
			all++
			if me != 0 && v.Opener == me {
				mine++
			}
		}
		if target != 0 && v.Target == target && !(o.appeal() && !v.Appeal) { // an appeal is kept off by nothing but another
			return sorry(o.Speaker, "open-about", say.Number("Vote", v.ID), say.Person("Target", rooms.Person(tx, room, o.Target.User)),
				say.Code("Command", code("vote show "+v.Number())))
		}
	}
	switch most, each := o.rules.atOnce(o.Type); {
	case o.appeal():
	case mine >= each:
		return sorry(o.Speaker, "open-mine", o.soMany(mine))
	case all >= most:
		return sorry(o.Speaker, "open-all", o.soMany(all))
	}
	for _, l := range []struct {
		holds bool
		what  string
		whom  events.Number
	}{
		{o.Type == Challenge, limitRest, me}, {o.Type == Challenge, limitProtected, target},
		{o.Type == Restore && !o.appeal(), limitRestore, me}, {o.appeal(), limitAppeal, me},
	} {
		if until := limited(tx, room, l.what, l.whom); l.holds && l.whom != 0 && until.After(tx.Now()) {
			return sorry(o.Speaker, "limit-"+l.what, say.Moment("Until", until))
		}
	}
	return nil
}

// soMany is the slot of so many votes of that kind.
func (o *opening) soMany(n int) say.Slot {
	return say.Part("Votes", o.Say("n-"+string(o.Type), say.Count("N", n)))
}

// mayBeTarget reports whether a vote can be about the person.
func (o *opening) mayBeTarget(c *commands.Call) error {
	name := say.Person("Target", rooms.Person(c.Tx, c.Room.ID, o.Target.User))
	_, challenged := o.Sanctions.Challenged(c.Tx, c.Room.ID, o.Target.User)
	left := leftAt(c.Tx, c.Room.ID, o.Target.User)
	switch {
	case o.Target.Bot || o.Target.Self:
		return sorry(o.Speaker, "target-bot", name)
	case o.Type == Challenge && o.Target.User == c.Person:
		return sorry(o.Speaker, "target-yourself")
	case o.Type == Challenge && o.isOperator(o.Target.User):
		return sorry(o.Speaker, "target-operator", name)
	case !o.In && !o.appeal() && (left.IsZero() || left.Before(c.Tx.Now().Add(-o.rules.Gone))):
		return sorry(o.Speaker, "target-gone", name, say.Span("Gone", o.rules.Gone))
	case o.Type == Challenge && challenged:
		return sorry(o.Speaker, "target-suspended", name,
			say.Code("Command", c.Code("vote restore "+commands.PersonWord(c.Tx, c.Room, o.Target.User)+" REASON")))
	case o.Type == Restore && !challenged && o.appeal():
		return sorry(o.Speaker, "target-not-you")
	case o.Type == Restore && !challenged:
		return sorry(o.Speaker, "target-not", name)
	}
	return nil
}

// text returns what somebody wrote, or says that it is gone.
func (f *Feature) text(tx *store.Tx, s say.Speaker, id events.TextID) string {
	if id == "" {
		return ""
	}
	if text, ok := f.bus.Text(tx, id); ok {
		return text
	}
	return s.Plain("words-forgotten")
}
