package challenges

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"moot/events"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// The kinds of facts.
const (
	KindChallenge = "challenge"
	KindRestore   = "restore"
)

const (
	keyBy        = "by"
	keyVote      = "vote"
	roleTarget   = "target"
	roleOperator = "operator"

	byVote     = "vote"
	byOverride = "override"
	byExpiry   = "expiry"
	byUpgrade  = "upgrade"
)

// standing is a challenge that stands.
type standing struct {
	Since time.Time     `json:"since"`
	Until time.Time     `json:"until,omitzero"` // zero means until it is lifted
	By    string        `json:"by"`
	Vote  string        `json:"vote,omitempty"`
	Text  events.TextID `json:"text,omitempty"`
}

// payload is that of both kinds.
type payload struct {
	Until time.Time       `json:"until,omitzero"`
	Text  events.TextID   `json:"text,omitempty"`
	From  protocol.RoomID `json:"from,omitempty"` // of an upgrade
	Since time.Time       `json:"since,omitzero"` // of an upgrade: when it began there
}

var challenged = store.ScopedBucket("challenged")

// Kinds returns the kinds of facts. They do not depend on any configuration.
func Kinds() []events.Kind {
	buckets, numbers := []store.Bucket{challenged}, []string{"text"}
	return []events.Kind{
		{Name: KindChallenge, Version: 1, Describe: describe, Own: own, Apply: applyChallenge, Buckets: buckets,
			Numbers: numbers},
		{Name: KindRestore, Version: 1, Describe: describe, Own: own, Apply: applyRestore, Buckets: buckets,
			Numbers: numbers},
	}
}

// describe says in a few words what a fact is about, without whom it names.
func describe(l say.Language, f events.Fact) string { return saidOf(l, "fact-", f).Plain() }

// saidOf says a fact by the messages of a beginning: what became of somebody, and by what.
func saidOf(l say.Language, begin string, f events.Fact) protocol.Text {
	speak, id := catalogue.In(l), begin+f.Kind
	if by := id + "-" + f.Keys[keyBy]; speak.Has(by) {
		id = by
	}
	return speak.Say(id, say.Number("Vote", f.Keys[keyVote]))
}

// own says to a person what a fact holds about them.
func own(l say.Language, _ *store.Tx, f events.Fact, n events.Number) string {
	if f.People[roleTarget] == n {
		return saidOf(l, "own-", f).Plain()
	}
	return catalogue.In(l).Plain("own-decided", say.Part("What", saidOf(l, "fact-", f)))
}

func key[S ~string](room S, n events.Number) string {
	return store.Key(room, store.Number(uint64(n)))
}

func applyChallenge(tx *store.Tx, f events.Fact) error {
	var p payload
	if err := f.Decode(&p); err != nil {
		return err
	}
	s := standing{Since: f.Time, Until: p.Until, By: f.Keys[keyBy], Vote: f.Keys[keyVote], Text: p.Text}
	if !p.Since.IsZero() {
		s.Since = p.Since
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	n, err := whom(f)
	if err != nil {
		return err
	}
	tx.Put(challenged, key(f.Scope, n), data)
	return nil
}

func applyRestore(tx *store.Tx, f events.Fact) error {
	n, err := whom(f)
	if err != nil {
		return err
	}
	tx.Delete(challenged, key(f.Scope, n))
	return nil
}

// whom returns whom a fact is about: somebody by their role or, where they were forgotten, by their number alone.
func whom(f events.Fact) (events.Number, error) {
	if n := f.People[roleTarget]; n != 0 {
		return n, nil
	}
	n, err := strconv.ParseUint(f.Keys[keyNumber], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("it names nobody: %w", err)
	}
	return events.Number(n), nil
}

// Config says how challenges are kept.
type Config struct {
	Bus *events.Bus
	// Operators cannot be challenged by an override either.
	Operators []protocol.UserID
	// Max returns how long a challenge that begins now stands at most in a room; zero means until it is lifted. Nil
	// means always so. It serves for overrides; a vote brings the limit that was frozen with it.
	Max func(tx *store.Tx, room protocol.RoomID) time.Duration
	// Channel returns where something is announced in a room; nil means in the room itself.
	Channel func(tx *store.Tx, room protocol.RoomID) protocol.PlaceID
	// Changed is called when somebody was suspended or restored, in the transaction in which they were, whose scope
	// is the room; with zero for somebody who was forgotten. It only notes it. Nil means that nobody wants to know.
	Changed func(tx *store.Tx, user protocol.UserID)
	// Line shows a command as it is given in a room of a network; nil means that "!moot " stands before it on all.
	Line func(network protocol.Network, line string) string
}

// Feature keeps challenges. It keeps nothing but what is in the store, and is used as the loop uses a feature.
type Feature struct {
	Config
	bus       *events.Bus
	operators map[protocol.UserID]bool
}

// New returns the feature.
func New(c Config) (*Feature, error) {
	if c.Bus == nil {
		return nil, errors.New("challenges: they need a bus")
	}
	if c.Max == nil {
		c.Max = func(*store.Tx, protocol.RoomID) time.Duration { return 0 }
	}
	if c.Line == nil {
		c.Line = func(_ protocol.Network, line string) string { return "!moot " + line }
	}
	if c.Changed == nil {
		c.Changed = func(*store.Tx, protocol.UserID) {}
	}
	if c.Channel == nil {
		c.Channel = func(*store.Tx, protocol.RoomID) protocol.PlaceID { return "" }
	}
	f := &Feature{Config: c, bus: c.Bus, operators: map[protocol.UserID]bool{}}
	for _, id := range c.Operators {
		f.operators[id] = true
	}
	return f, nil
}

func (f *Feature) lookup(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (s standing, n events.Number,
	ok bool) {
	if n = f.bus.Lookup(tx, user); n == 0 {
		return s, n, false
	}
	data := tx.Get(challenged, key(room, n))
	return s, n, data != nil && json.Unmarshal(data, &s) == nil
}

// Challenged reports whether somebody is challenged in a room, and tells them why and what they can do.
func (f *Feature) Challenged(tx *store.Tx, room protocol.RoomID, user protocol.UserID) (why protocol.Text, is bool) {
	s, _, ok := f.lookup(tx, room, user)
	if !ok {
		return nil, false
	}
	code := func(line string) protocol.Text { return protocol.Code(f.Line(room.Network(), line)) }
	speak := to(tx, user, room)
	id, slots := s.until("is", titled(seenBy(tx, room, user)), say.Moment("Since", s.Since), say.Part("Why", f.reason(tx, speak, s, code)),
		say.Code("Appeal", code("vote appeal REASON")))
	return speak.Say(id, slots...), true
}

// reason says what a challenge rests on.
func (f *Feature) reason(tx *store.Tx, speak say.Speaker, s standing, code func(string) protocol.Text) protocol.Text {
	switch {
	case s.Vote != "":
		return speak.Say("why-vote", say.Number("Vote", s.Vote), say.Code("Command", code("vote show "+s.Vote)))
	case s.By == byOverride:
		text, ok := f.bus.Text(tx, s.Text)
		if !ok {
			return speak.Say("why-override")
		}
		return speak.Say("why-override-reason", say.Quoted("Reason", text, 1000))
	}
	return speak.Say("why-upgrade")
}

const timerExpire = "challenges.expire/"

// Challenge makes somebody challenged because of a vote that passed, also somebody who was forgotten meanwhile. Who is
// challenged already stays so.
func (f *Feature) Challenge(tx *store.Tx, target events.Number, vote uint64, max time.Duration) error {
	var p payload
	if max > 0 {
		p.Until = tx.Now().Add(max).Round(0)
	}
	if user, known := f.bus.Who(tx, target); known {
		return f.challenge(tx, user, byTheVote(vote), nil, p, 0)
	}
	return f.challengeForgotten(tx, target, byTheVote(vote), p)
}

func byTheVote(vote uint64) map[string]string {
	return map[string]string{keyBy: byVote, keyVote: strconv.FormatUint(vote, 10)}
}

// Standing reports whether a number is that of somebody who is challenged in a room.
func (f *Feature) Standing(tx *store.Tx, room protocol.RoomID, n events.Number) bool {
	return tx.Has(challenged, key(room, n))
}

// hold is the reason for which somebody who is challenged in a room is held.
func hold(room protocol.Scope) string { return "challenge " + string(room) }

// began is what follows for the number of somebody who is challenged from now on.
func (f *Feature) began(tx *store.Tx, n events.Number, until time.Time) {
	f.bus.Hold(tx, n, hold(tx.Scope()), time.Time{})
	if !until.IsZero() {
		tx.SetTimer(timerExpire+n.String(), until, nil)
	}
}

func (f *Feature) challenge(tx *store.Tx, target protocol.UserID, keys map[string]string,
	who map[string]protocol.UserID, p payload, max time.Duration) error {
	room := protocol.RoomID(tx.Scope())
	if _, _, is := f.lookup(tx, room, target); is {
		return nil
	}
	if max > 0 && p.Until.IsZero() {
		p.Until = tx.Now().Add(max).Round(0)
	}
	if who == nil {
		who = map[string]protocol.UserID{}
	}
	who[roleTarget] = target
	if err := f.bus.Publish(tx, events.Draft{Kind: KindChallenge, People: who, Keys: keys, Payload: p}); err != nil {
		return err
	}
	f.began(tx, f.bus.Number(tx, target), p.Until)
	f.Changed(tx, target)
	if keys[keyBy] == byUpgrade {
		return nil // they know
	}
	return f.tellChallenged(tx, room, target)
}

// Restore lifts a challenge because of a vote that passed, also that of somebody who was forgotten. Who is not
// challenged stays so.
func (f *Feature) Restore(tx *store.Tx, target events.Number, vote uint64) error {
	if user, known := f.bus.Who(tx, target); known {
		return f.restore(tx, user, byTheVote(vote), nil, payload{})
	}
	return f.restoreForgotten(tx, target, byTheVote(vote))
}

func (f *Feature) restore(tx *store.Tx, target protocol.UserID, keys map[string]string,
	who map[string]protocol.UserID, p payload) error {
	room := protocol.RoomID(tx.Scope())
	_, n, is := f.lookup(tx, room, target)
	if !is {
		return nil
	}
	if who == nil {
		who = map[string]protocol.UserID{}
	}
	who[roleTarget] = target
	if err := f.bus.Publish(tx, events.Draft{Kind: KindRestore, People: who, Keys: keys, Payload: p}); err != nil {
		return err
	}
	f.lifted(tx, n)
	f.Changed(tx, target)
	return f.tellRestored(tx, room, target, keys, p)
}

// lifted ends what a challenge needed that is lifted.
func (f *Feature) lifted(tx *store.Tx, n events.Number) {
	tx.StopTimer(timerExpire + n.String())
	f.bus.LetGo(tx, n, hold(tx.Scope()))
}

// mostRecognised is in how large a room those who were forgotten are looked for among the members.
const mostRecognised = 2000

// In goes through those who are challenged in a room, by their numbers, and then through those of its members who were forgotten
// and are recognised; but not in a room so large that this would take long.
func (f *Feature) In(tx *store.Tx, room protocol.RoomID) iter.Seq[protocol.UserID] {
	return func(yield func(protocol.UserID) bool) {
		forgotten := map[events.Number]bool{}
		for k := range tx.Prefix(challenged, store.Key(room, "")) {
			n := events.Number(store.ParseNumber(k))
			if user, ok := f.bus.Who(tx, n); !ok {
				forgotten[n] = true
			} else if !yield(user) {
				return
			}
		}
		if info, _ := rooms.Get(tx, room); len(forgotten) == 0 || info.Count > mostRecognised {
			return
		}
		for m := range rooms.Members(tx, room) {
			if forgotten[f.bus.Lookup(tx, m.User)] && !yield(m.User) {
				return
			}
		}
	}
}

// Rooms goes through the rooms in which anybody is challenged, in order.
func (f *Feature) Rooms(tx *store.Tx) iter.Seq[protocol.RoomID] {
	return func(yield func(protocol.RoomID) bool) {
		from := ""
		for {
			room := protocol.RoomID("")
			for k := range tx.Range(challenged, from, "") {
				room = protocol.RoomID(k[:len(k)-8-len(store.Sep)])
				break
			}
			if room == "" || !yield(room) {
				return
			}
			from = store.After(store.Key(room, ""))
		}
	}
}

// Handle handles an event in its scope.
func (f *Feature) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	change, ok := ev.Body.(protocol.RoomChange)
	if !ok {
		return store.Outcome{}, nil
	}
	for _, c := range change.Changes {
		if up, ok := c.(protocol.Upgraded); ok {
			if err := f.move(tx, ev.Room, up.Successor); err != nil {
				return store.Outcome{}, err
			}
		}
	}
	return store.Outcome{}, nil
}

// Timed handles a timer of the scope, and returns false where it was not set here.
func (f *Feature) Timed(tx *store.Tx, t protocol.Timer) (bool, error) {
	number, ok := strings.CutPrefix(t.Name, timerExpire)
	if !ok {
		return false, nil
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return false, nil
	}
	return true, f.expire(tx, events.Number(n))
}

// expire lifts a challenge whose longest time is over. The person may be one who was forgotten, and has no name then.
func (f *Feature) expire(tx *store.Tx, n events.Number) error {
	room := protocol.RoomID(tx.Scope())
	var s standing
	data := tx.Get(challenged, key(room, n))
	if data == nil || json.Unmarshal(data, &s) != nil || s.Until.IsZero() {
		return nil
	}
	if s.Until.After(tx.Now()) {
		tx.SetTimer(timerExpire+n.String(), s.Until, nil)
		return nil
	}
	user, ok := f.bus.Who(tx, n)
	if !ok {
		return f.restoreForgotten(tx, n, map[string]string{keyBy: byExpiry})
	}
	if err := f.restore(tx, user, map[string]string{keyBy: byExpiry}, nil, payload{}); err != nil {
		return err
	}
	return f.announce(tx, room, in(tx, room).Say("expired", say.Person("Who", f.name(tx, room, user))))
}

// Export goes through what is stored of a person beside the facts that name them.
func (f *Feature) Export(tx *store.Tx, user protocol.UserID) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for info := range rooms.All(tx) {
			s, _, is := f.lookup(tx, info.ID, user)
			if !is {
				continue
			}
			speak := to(tx, user, info.ID)
			id, slots := s.until("stored", say.Place("Room", rooms.Titled(tx, info, user)), say.Moment("Since", s.Since),
				say.Part("Why", f.reason(tx, speak, s, privately(info))))
			if !yield(speak.Say(id, slots...)) {
				return
			}
		}
	}
}

// Forget says what stays of a person who is forgotten.
func (f *Feature) Forget(tx *store.Tx, user protocol.UserID) (removed, stays protocol.Text) {
	n := f.bus.Lookup(tx, user)
	if n == 0 || !slices.ContainsFunc(f.bus.Reasons(tx, n),
		func(r string) bool { return strings.HasPrefix(r, hold("")) }) {
		return nil, nil
	}
	return nil, to(tx, user, "").Say("stays")
}

// toldCarry is the kind of the internal event with which a room hands its challenges to its successor.
const toldCarry = "challenges.carry"

// luggage is one challenge on its way to another room.
type luggage struct {
	From     protocol.RoomID
	User     protocol.UserID `json:",omitempty"`
	Number   events.Number   `json:",omitempty"` // of somebody who was forgotten
	Standing standing
}

// move hands the challenges of a room to its successor.
func (f *Feature) move(tx *store.Tx, room, successor protocol.RoomID) error {
	if !rooms.MayFollow(tx, room, successor) {
		return nil
	}
	prefix := store.Key(room, "")
	for k, data := range tx.Prefix(challenged, prefix) {
		l := luggage{From: room}
		if err := json.Unmarshal(data, &l.Standing); err != nil {
			return err
		}
		n := events.Number(store.ParseNumber(k))
		if user, ok := f.bus.Who(tx, n); ok {
			l.User = user
		} else {
			l.Number = n
		}
		out, err := json.Marshal(l)
		if err != nil {
			return err
		}
		tx.Tell(protocol.Scope(successor), protocol.Internal{Kind: toldCarry, Data: out})
	}
	return nil
}

// Told handles what another scope tells this one.
func (f *Feature) Told(tx *store.Tx, what protocol.Internal) (bool, error) {
	if what.Kind != toldCarry {
		return false, nil
	}
	var l luggage
	if err := json.Unmarshal(what.Data, &l); err != nil {
		return true, fmt.Errorf("decode %s: %w", what.Kind, err)
	}
	p := payload{Until: l.Standing.Until, Text: l.Standing.Text, From: l.From, Since: l.Standing.Since}
	if l.User == "" {
		return true, f.challengeForgotten(tx, l.Number, map[string]string{keyBy: byUpgrade}, p)
	}
	return true, f.challenge(tx, l.User, map[string]string{keyBy: byUpgrade}, nil, p, 0)
}
