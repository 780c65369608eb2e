package commands

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"moot/internal/languages"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

func ignored(reason string) (store.Outcome, error) { return store.WasIgnored(reason), nil }

// The reasons that are worth a name.
const (
	notForTheBot = "not addressed to the bot"
	rateLimit    = "rate limit"
)

// Handle handles a message, an edit, an invocation or a response to a poll in the scope of the event: it finds out whether it is a command, runs
// it or hands it to the scope in which it runs, and answers. An error is a fault, never that of the person.
func (c *Commands) Handle(tx *store.Tx, ev protocol.Event) (store.Outcome, error) {
	switch body := ev.Body.(type) {
	case protocol.Message:
		switch {
		case ev.History:
			return ignored("from before the bot joined")
		case body.Bot:
			return ignored("written by a bot")
		case body.Emote:
			return ignored("it says what somebody does")
		}
		return c.message(tx, ev, body)
	case protocol.Edit:
		return ignored("an edit never runs a command")
	case protocol.Invocation:
		switch {
		case ev.History:
			return ignored("from before the bot joined")
		case body.Bot:
			return ignored("written by a bot")
		}
		if ev.Sender != "" {
			languages.Heard(tx.In(protocol.Scope(ev.Sender)), body.Locale)
		}
		return c.invocation(tx, ev, body)
	case protocol.PollResponse:
		if !ev.Private || ev.History || c.config.Pressed == nil {
			return store.Outcome{}, nil
		}
		path, what := c.config.Pressed(tx, ev, body)
		node, ok := c.Find(path...)
		if !ok {
			return store.Outcome{}, nil
		}
		a := &asked{Commands: c, manner: c.mannerOf(tx, ev, node), tx: tx, ev: ev, node: node}
		a.parse = func() (given, *Mistake) { return what, nil }
		return a.obey()
	}
	return store.Outcome{}, nil
}

// asked is a command before it is known in which scope it runs.
type asked struct {
	*Commands
	*manner
	tx   *store.Tx
	ev   protocol.Event
	node *Node // the root where no word of a command was said
	// parse takes apart what was given, or says why it is no command at all. It is called once it is certain that there
	// is to be an answer: what is refused for its age or its haste costs little.
	parse func() (given, *Mistake)
}

func (c *Commands) message(tx *store.Tx, ev protocol.Event, m protocol.Message) (store.Outcome, error) {
	line, how := c.addressed(ev, m)
	switch {
	case how == notAddressed:
		if a := c.replied(tx, ev, m, m.Text); a != nil {
			return a.obey()
		}
		return ignored(notForTheBot)
	case line == "" && ev.Private:
		return ignored("it says nothing")
	}
	node, stray, rest := c.find(line)
	if ev.Private && node == &c.root && stray != "" {
		// Some write in private as they do in rooms, or as other bots want it.
		if bare := strings.TrimLeft(line, "/!.／！．"); bare != line && bare != "" {
			if n, s, r := c.find(bare); n != node {
				node, stray, rest = n, s, r
			}
		}
	}
	// In private an answer may well begin with a word that is a command: "why", "help".
	if node == &c.root || ev.Private && len(node.Path) == 1 {
		if a := c.replied(tx, ev, m, line); a != nil {
			return a.obey()
		}
	}
	if how == perhaps && node == &c.root {
		return ignored(notForTheBot)
	}
	tooLong := len(m.Text) > c.maxBytes() || size(c.config.MaxLength, line) > c.config.MaxLength
	m.Text = line // clean, and without what addresses it
	ev.Body = m
	a := &asked{Commands: c, manner: c.mannerOf(tx, ev, node), tx: tx, ev: ev, node: node}
	a.parse = func() (given, *Mistake) {
		switch {
		case tooLong:
			return nil, a.tooLong()
		case stray != "":
			return nil, a.unknown(stray)
		case node == &c.root:
			return nil, a.mistake("addressed without a command", "yes", a.commandSlot("help"))
		}
		return a.parseLine(node, rest)
	}
	return a.obey()
}

// replied returns the command that a message stands for which answers one of the bot's; nil if it is none.
func (c *Commands) replied(tx *store.Tx, ev protocol.Event, m protocol.Message, text string) *asked {
	if m.ReplyTo == "" || c.config.Replied == nil {
		return nil
	}
	tooLong := len(text) > c.maxBytes() || size(c.config.MaxLength, text) > c.config.MaxLength
	text = strings.TrimSpace(protocol.Clean(head(text, c.maxBytes())))
	path, what := c.config.Replied(tx, ev, m.ReplyTo, text)
	node, ok := c.Find(path...)
	if !ok {
		return nil
	}
	m.Text = text
	ev.Body = m
	a := &asked{Commands: c, manner: c.mannerOf(tx, ev, node), tx: tx, ev: ev, node: node}
	a.parse = func() (given, *Mistake) {
		if tooLong {
			return nil, a.tooLong()
		}
		return what, nil
	}
	return a
}

func (c *Commands) invocation(tx *store.Tx, ev protocol.Event, i protocol.Invocation) (store.Outcome, error) {
	node, ok := c.Find(i.Path...)
	if !ok {
		node = &c.root
	}
	a := &asked{Commands: c, manner: c.mannerOf(tx, ev, node), tx: tx, ev: ev, node: node}
	a.parse = func() (given, *Mistake) {
		parts := slices.Clone(i.Path)
		for name, value := range i.Args {
			parts = append(parts, name, value)
		}
		switch {
		case size(c.config.MaxLength, parts...) > c.config.MaxLength:
			return nil, a.tooLong()
		case !ok:
			return nil, a.unknown(protocol.OneLine(strings.Join(i.Path, " ")))
		}
		return a.parseArgs(node, i.Args)
	}
	return a.obey()
}

// obey decides whether what was asked is obeyed, and then does it or hands it on.
func (a *asked) obey() (store.Outcome, error) {
	switch {
	case a.ev.Sender == "":
		return ignored("nobody is named as its sender")
	case isBot(a.tx, a.ev.Room, a.ev.Sender):
		return ignored("written by a bot")
	}
	age := a.ev.Age // by one clock
	if (age == 0 || a.ev.Late) && !a.ev.Time.IsZero() {
		age = a.tx.Now().Sub(a.ev.Time)
	}
	if a.ev.Backlog && !a.node.Ageless && age > a.config.MaxAge {
		a.remember()
		reason := fmt.Sprintf("older than %s", a.config.MaxAge)
		if a.ev.Late {
			// It was said that it could not be read, or nothing was; now there is something to say.
			m := a.mistake(reason+" when its key came", "late")
			return a.refuse(m)
		}
		return ignored(reason)
	}
	switch wait, first := a.turn(); {
	case wait > 0 && !first && !a.native():
		// Who presses or picks waits for an answer, which the network would show as still to come.
		return ignored(rateLimit)
	case wait > 0:
		a.remember()
		return a.answered("answered to the "+rateLimit, Discreet, a.tooFast(wait).Text)
	}
	a.remember()
	given, m := a.parse()
	switch {
	case m != nil:
		return a.refuse(m)
	case len(a.node.subs) > 0 || given.has(helpFlag):
		return a.answered("help about "+a.node.Title(), a.node.Visibility, a.helpAbout(a.node))
	}
	return a.route(given)
}

// route runs the command in its scope.
func (a *asked) route(g given) (store.Outcome, error) {
	task := task{Event: a.ev, Path: a.node.Path, Given: g}
	to := a.tx.Scope()
	switch a.node.Where {
	case NeedsRoom:
		switch {
		case !a.ev.Private && g.has(inFlag):
			return a.refuse(a.mistake("--in outside a private conversation", "in-outside", a.inSlot()))
		case !a.ev.Private:
			task.Room = a.ev.Room
		default:
			info, m := a.about(a.tx, a.ev.Sender, g, a.outside(a.tx, a.node, a.ev.Sender)...)
			if m != nil {
				return a.refuse(m)
			}
			task.Room, to = info.ID, protocol.Scope(info.ID)
		}
	case Personal:
		to = protocol.Scope(a.ev.Sender)
	case PrivateOnly:
		if !a.ev.Private {
			return a.refuse(a.mistake("only in private", "only-private", a.commandSlot(a.node.Title())))
		}
	}
	if a.node.Where != NeedsRoom && g.has(inFlag) {
		return a.refuse(a.mistake("--in without need", "in-needless", a.commandSlot(a.node.Title()), a.inSlot()))
	}
	if to == a.tx.Scope() {
		reason, err := a.perform(a.tx, task)
		return a.done(reason, err)
	}
	data, err := json.Marshal(task)
	if err != nil {
		return store.Outcome{}, fmt.Errorf("command %s: %w", a.node.Title(), err)
	}
	a.tx.Tell(to, protocol.Internal{Kind: toldCommand, Data: data})
	// What becomes of it there is not for this record: it would tell whether somebody is in a room.
	return a.done("command "+a.node.Title(), nil)
}

func (a *asked) done(reason string, err error) (store.Outcome, error) {
	return store.WasHandled(reason), err
}

// answered answers, and gives the outcome.
func (a *asked) answered(reason string, v Visibility, text protocol.Text) (store.Outcome, error) {
	_, err := a.reply(a.tx, a.ev, v, text)
	return a.done(reason, err)
}

// refuse answers a mistake.
func (a *asked) refuse(m *Mistake) (store.Outcome, error) {
	reason := m.why
	if a.node != &a.root {
		reason = "command " + a.node.Title() + ": " + reason
	}
	return a.answered(reason, m.visibility(a.node, a.ev), m.Text)
}

func (a *asked) tooLong() *Mistake {
	return a.mistake("too long for a command", "too-long-line", say.Number("Most", a.config.MaxLength))
}

// unknown is the answer to a word that is no command.
func (a *asked) unknown(stray string) *Mistake {
	const why = "an unknown command"
	word := typed("Word", strings.TrimSpace(a.node.Title()+" "+stray))
	if meant := a.meant(stray, 3); len(meant) > 0 {
		return a.mistake(why, "unknown-meant", word, say.Code("Meant", a.speaker().Or(meant)))
	}
	if _, has := a.Find("rooms"); has && a.node == &a.root && a.ev.Private { // somebody begins to talk with it
		return a.mistake(why, "unknown-private", word, a.commandSlot("help"), say.Code("Rooms", a.code("rooms")))
	}
	return a.mistake(why, "unknown", word, a.commandSlot(strings.TrimSpace("help "+a.node.Title())))
}

// meant shows at most so many commands that somebody may mean who typed a word behind those of the group: first those anywhere
// below it that are called so, then those of the group that are called nearly so, then the others.
func (a *asked) meant(stray string, most int) (shown []protocol.Text) {
	seat := a.seatOf(a.tx, a.ev.Sender, a.ev.Room, a.ev.Private)
	near := func(nodes []*Node) (found []*Node) {
		for _, l := range []say.Language{say.English, a.speaker().Language()} {
			names := make([]string, len(nodes))
			for i, n := range nodes {
				names[i] = n.NameIn(l)
			}
			for _, i := range nearest(stray, names, most) {
				found = append(found, nodes[i])
			}
		}
		return found
	}
	own, below := a.node.offeredTo(seat)
	named := slices.DeleteFunc(slices.Clone(below), func(n *Node) bool { return n.Name != fold(stray) })
	for _, n := range append(append(named, near(own)...), near(below)...) {
		code := a.code(n.Title())
		if len(shown) < most && !slices.ContainsFunc(shown, func(t protocol.Text) bool { return slices.Equal(t, code) }) {
			shown = append(shown, code)
		}
	}
	return shown
}

// offeredTo returns the commands of a group that are offered to somebody, and those below them.
func (n *Node) offeredTo(seat seat) (own, below []*Node) {
	for _, s := range n.subs {
		if !seat.offered(s) {
			continue
		}
		own = append(own, s)
		deeper, deepest := s.offeredTo(seat)
		below = append(append(below, deeper...), deepest...)
	}
	return own, below
}

// seat is a person in the place where they speak, or are about to.
type seat struct {
	person protocol.UserID
	room   protocol.RoomID // that commands there are about if they name none; zero if there is no such
	role   Role            // in that room
}

func (c *Commands) seatOf(tx *store.Tx, person protocol.UserID, room protocol.RoomID, private bool) seat {
	if private {
		room = ""
		if info, m := (&manner{}).about(tx, person, nil); m == nil {
			room = info.ID
		}
	}
	return seat{person, room, c.roleOf(tx, room, person)}
}

// offered tells whether help and suggestions show a command to somebody.
func (s seat) offered(n *Node) bool {
	if n.Hidden || s.role < n.Who {
		return false
	}
	return len(n.subs) == 0 || slices.ContainsFunc(n.subs, s.offered)
}

// roleOf returns what somebody is to the bot in a room, or outside of all where it is zero.
func (c *Commands) roleOf(tx *store.Tx, room protocol.RoomID, user protocol.UserID) Role {
	switch {
	case c.operators[user]:
		return Operator
	case room != "" && rooms.IsModerator(tx, room, user):
		return Moderator
	}
	return Member
}
