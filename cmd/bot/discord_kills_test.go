package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol/discord/discordtest"
)

// TestDiscordKills kills the whole bot at random moments, while people write, edit, react, press buttons, choose from menus,
// fill in forms, join, leave, change their names, talk and write in private, both before the kill and while it is dead.
// Nothing of that is lost or counted twice, nothing is read from Discord, and it identifies once: the session outlives each
// process, and within two seconds the next one has it and has answered what was said last before its start. With MOOT_LONG there
// are 200 kills, of four bots at the same time.
func TestDiscordKills(t *testing.T) {
	effort.Proof(t)
	t.Parallel()
	bots, kills, within := 1, 3, time.Minute // among other tests a start takes as long as they leave it
	if effort.Long() {
		bots, kills, within = 4, 50, 2*time.Second
	}
	for i := range bots {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) { discordKills(t, kills, within) })
	}
}

func discordKills(t *testing.T, kills int, within time.Duration) {
	w := newKilledTown(t)
	b := w.discordBot
	asked := len(b.srv.Requests("", ""))
	var took, back []time.Duration
	for range kills {
		for range w.r.IntN(12) {
			w.something()
			time.Sleep(time.Duration(w.r.IntN(30)) * time.Millisecond)
		}
		b.kill()
		for range w.r.IntN(12) {
			w.something()
		}
		last := w.asks()
		trivial := b.trivial()
		began := time.Now()
		b.start()
		session := time.Since(began).Round(time.Millisecond)
		b.srv.Until("what came last before the start is answered", func() bool { return w.answers()[last] > 0 })
		answered := time.Since(began).Round(time.Millisecond)
		if trivial = max(trivial, b.trivial()); answered > max(within, 20*trivial) {
			t.Errorf("it answers after %s, with its session back after %s, where a start of the program alone takes %s", answered, session, trivial)
		}
		back, took = append(back, session), append(took, answered)
	}
	w.allAnswered()
	w.noneTwice()
	w.counted()
	if n := b.srv.Identified(); n != 1 {
		t.Errorf("it identified %d times", n)
	}
	looked := 0 // for messages whose sending a kill has cut short
	for _, r := range b.srv.Requests(http.MethodGet, "") {
		if strings.Contains(r.Path, "/reactions") || strings.Contains(r.Path, "/bans") || strings.Contains(r.Path, "/members") {
			t.Errorf("it asked for %s?%s", r.Path, r.Query)
		}
		if strings.HasSuffix(r.Path, "/messages") && r.Query != "" && !strings.Contains(r.Query, "around") {
			looked++
		}
	}
	if looked > 4*kills {
		t.Errorf("after %d kills it read messages %d times", kills, looked)
	}
	if n := b.srv.MembersAsked(); n > 1 {
		t.Errorf("it asked for the members %d times", n)
	}
	if n := b.srv.Replayed(); n > 200*kills { // some dozens happen between two starts
		t.Errorf("%d events were replayed in %d starts", n, kills)
	}
	b.stop()
	if got := b.run("check"); strings.Contains(got, "missed") {
		t.Errorf("moot check says:\n%s", got)
	}
	b.run("verify")
	slices.Sort(took)
	slices.Sort(back)
	t.Logf("%d events were replayed", b.srv.Replayed())
	t.Logf("%d kills, %d messages, %d private ones, %d presses, %d forms, %d requests", kills, len(w.asked), len(w.private),
		len(w.pressed), len(w.forms), len(b.srv.Requests("", ""))-asked)
	t.Logf("from the start to the session %v in the middle, %v at most; to the first answer %v and %v",
		back[len(back)/2], back[len(back)-1], took[len(took)/2], took[len(took)-1])
}

// newKilledTown makes a town in which two votes are open, and a bot that knows it.
func newKilledTown(t *testing.T) *killedTown {
	return newKilledTownOf(newDiscordBot(t, "message_content = true\n[commands]\nrate_burst = 1000"))
}

// newKilledTownOf makes one of a bot.
func newKilledTownOf(b *discordBot) *killedTown {
	seed := rand.Uint64()
	b.Logf("seed %d", seed)
	w := &killedTown{town: b.settle("Lab"), r: rand.New(rand.NewPCG(seed, 0)), stands: map[*discordtest.User]bool{},
		private: map[string]*confidant{}, risky: map[*discordtest.Interaction]bool{}}
	b.srv.Set(func(s *discordtest.Server) { s.Patience, s.AnswerWithin = 2*time.Minute, 2*time.Minute })
	w.voters = w.Populate(50) // who comes later has no vote
	b.start()
	w.ready()
	w.board = w.open("we sing", discordtest.Options{"for": "1d"})
	w.ben.Slash(w.general, "vote poll", discordtest.Options{"question": "Which day?", "option": "Monday", "option-2": "Tuesday", "for": "1d"}).Reply()
	w.poll = b.shows(w.ben, w.general, "Which day?", "Monday")
	w.lounge = w.NewVoice("lounge")
	b.srv.Until("the session is kept", func() bool { return b.srv.Online() == 1 })
	time.Sleep(3 * time.Second) // flushEvery, and the first list of members
	return w
}

// allAnswered waits until all is answered that Discord cannot have lost.
func (w *killedTown) allAnswered() {
	w.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		missing := w.missing()
		if len(missing) == 0 {
			break
		}
		if time.Now().After(end) {
			for _, id := range missing[:min(len(missing), 5)] {
				w.Errorf("%s is not answered; moot why says of it:\n%s", id, w.run("why", id))
			}
			w.Fatalf("%d of %d are not answered; what waits:\n%s", len(missing), len(w.asked)+len(w.private), w.run("outbox"))
		}
	}
	for _, i := range w.pressed {
		if got := i.Replied(); got == nil && w.risky[i.Interaction] {
			continue
		} else if got := i.Reply(); !strings.Contains(got.Content, "Your ballot") {
			w.Errorf("a press is answered by %q", got.Content)
		}
	}
	for _, i := range w.forms {
		if got := i.Reply(); !strings.Contains(got.Content, "Votes are about people") {
			w.Errorf("a form is answered by %q", got.Content)
		}
	}
}

// noneTwice checks that nothing is answered more than once.
func (w *killedTown) noneTwice() {
	w.Helper()
	for id, n := range w.answers() {
		if n != 1 {
			w.Errorf("message %s is answered %d times", id, n)
		}
	}
	for id, n := range w.told() {
		if n > w.private[id].said {
			w.Errorf("%d private messages of %s are answered %d times", w.private[id].said, id, n)
		}
	}
}

// counted checks that who voted is whose press was answered, and who is a member. A reaction is a sign of life, and no ballot.
func (w *killedTown) counted() {
	w.Helper()
	var voted [2]map[*discordtest.User]bool
	for _, i := range w.pressed {
		if voted[i.vote] == nil {
			voted[i.vote] = map[*discordtest.User]bool{}
		}
		if i.Replied() != nil {
			voted[i.vote][i.by] = true
		}
	}
	for vote, n := range map[string]int{"1": len(voted[0]), "2": len(voted[1])} {
		shown := w.ann.Slash(w.general, "vote show", discordtest.Options{"vote": vote}).Reply().Content
		w.expect("vote "+vote, shown, fmt.Sprintf("\n%d of ", n))
	}
	members := 6 + len(w.voters)
	for _, u := range w.guests {
		if w.Has(u) {
			members++
		}
	}
	want, shown := fmt.Sprintf("%d members", members), ""
	for end := time.Now().Add(time.Minute); !strings.Contains(shown, want) && time.Now().Before(end); time.Sleep(time.Second) {
		shown = w.ann.Slash(w.general, "members", nil).Reply().Content // after another session they are read, when Discord allows it
	}
	w.expect("the members", shown, want)
}

// killedTown is a town in which something goes on.
type killedTown struct {
	*town
	r       *rand.Rand
	board   discordtest.Message // of a motion
	poll    discordtest.Message
	lounge  *discordtest.Channel
	asked   []string // ids of the messages that are to be answered
	pressed []pressed
	forms   []*discordtest.Interaction
	voters  []*discordtest.User
	private map[string]*confidant
	guests  []*discordtest.User
	stands  map[*discordtest.User]bool // whose 👍 stands
	n       int
	away    bool                              // whether the bot may not be there for a while, so that no form opens
	deaf    bool                              // whether Discord may have no session that the bot knows: then nobody tells it what is pressed
	risky   map[*discordtest.Interaction]bool // that came at such a time
}

// pressed is a press of a button, or a choice from a menu.
type pressed struct {
	*discordtest.Interaction
	by   *discordtest.User
	vote int
}

// confidant is somebody who writes to the bot in private.
type confidant struct {
	*discordtest.User
	said  int
	risky int // of these, that came while the bot was deaf, and did not know them yet
}

// somebody is new, and a member: one command each, so that nobody is too fast.
func (w *killedTown) somebody() *discordtest.User {
	w.n++
	u := w.srv.NewUser(fmt.Sprintf("guest %d", w.n))
	w.Join(u)
	w.guests = append(w.guests, u)
	return u
}

func (w *killedTown) asks() (id string) {
	m := w.somebody().Says(w.general, "!moot ping")
	w.asked = append(w.asked, m.ID)
	return m.ID
}

// presses has one of those who may vote do so.
func (w *killedTown) presses(vote int, press func(*discordtest.User) *discordtest.Interaction) {
	u := w.voters[w.r.IntN(len(w.voters))]
	i := press(u)
	w.pressed = append(w.pressed, pressed{i, u, vote})
	w.risky[i] = w.deaf
}

// confides sends the bot a private message from somebody: a new person, or one it knows already.
func (w *killedTown) confides() {
	var c *confidant
	if told := w.told(); len(told) > 0 && w.r.IntN(2) == 0 {
		c = w.private[slices.Sorted(maps.Keys(told))[w.r.IntN(len(told))]]
	} else {
		c = &confidant{User: w.somebody()}
		w.private[c.ID] = c
		if w.deaf {
			c.risky++
		}
	}
	c.said++
	c.Says(c.DM(), "ping")
}

// something is one of all that people do.
func (w *killedTown) something() {
	switch w.r.IntN(11) {
	case 0, 1:
		w.asks()
	case 2:
		w.confides()
	case 3, 4:
		u := []*discordtest.User{w.ben, w.cem, w.dan}[w.r.IntN(3)]
		if w.stands[u] = !w.stands[u]; w.stands[u] {
			u.Reacts(w.board, "👍")
		} else {
			u.Unreacts(w.board, "👍")
		}
	case 5:
		u := w.somebody()
		w.Nick(u, "another name")
		if w.r.IntN(2) == 0 {
			w.Leave(u)
			w.Join(u)
		}
	case 6:
		u := w.somebody()
		u.Talks(w.lounge, discordtest.Voice{})
		u.Talks(w.lounge, discordtest.Voice{SelfDeaf: true})
		u.Hangs(w.Guild)
	case 8:
		w.presses(0, func(u *discordtest.User) *discordtest.Interaction {
			return u.Press(w.board, w.board.Button([]string{"Yes", "No"}[w.r.IntN(2)]))
		})
	case 9:
		menu := w.poll.Menus[0]
		w.presses(1, func(u *discordtest.User) *discordtest.Interaction {
			return u.Choose(w.poll, menu.CustomID, menu.Options[w.r.IntN(2)].Value)
		})
	case 10:
		u := w.somebody()
		m := u.Says(w.general, "!moot ping")
		w.asked = append(w.asked, m.ID)
		u.Edits(m, "!moot ping, please")
		if b := w.discordBot; b.cmd != nil && !w.away && b.srv.Online() > 0 { // a form opens only where the bot is there
			w.forms = append(w.forms, w.ann.UsesOn(w.general, "Challenge this person", w.srv.Bot).Submit(map[string]string{"reason": "a test"}))
		}
	case 7:
		w.NewChannel(fmt.Sprintf("channel %d", w.n))
		u := w.somebody()
		w.Leave(u)
	}
}

// missing are the events that have no answer.
func (w *killedTown) missing() (events []string) {
	answers, told := w.answers(), w.told()
	for _, id := range w.asked {
		if answers[id] == 0 {
			events = append(events, w.general.ID+"-"+id)
		}
	}
	for id, u := range w.private {
		if told[id] < u.said-u.risky {
			for _, m := range u.Sees(u.DM()) {
				events = append(events, u.DM().ID+"-"+m.ID)
			}
		}
	}
	return events
}

// answers counts the answers to each message.
func (w *killedTown) answers() map[string]int {
	n := map[string]int{}
	for _, m := range w.ann.Sees(w.general) {
		if m.AuthorID == w.srv.Bot.ID && m.ReplyTo != "" {
			n[m.ReplyTo]++
		}
	}
	return n
}

// told counts the answers to each person who asked in private.
func (w *killedTown) told() map[string]int {
	n := map[string]int{}
	for id, u := range w.private {
		for _, m := range u.Sees(u.DM()) {
			if m.AuthorID == w.srv.Bot.ID && strings.Contains(m.Content, "pong") {
				n[id]++
			}
		}
	}
	return n
}
