package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/protocol/discord/discordtest"
)

// TestDiscordKills kills the whole bot at random moments, while people write, edit, react, press buttons, choose from menus,
// fill in forms, join, leave, change their names, talk and write in private, both before the kill and while it is dead.
// Nothing of that is lost or counted twice, nothing is read from Discord, and it identifies once: the session outlives each
// process, and within two seconds the next one has it and has answered what was said last before its start. With MOOT_LONG there
// are 200 kills.
func TestDiscordKills(t *testing.T) {
	unhurried(t)
	kills, within := 3, time.Minute // among other tests a start takes as long as they leave it
	if os.Getenv("MOOT_LONG") != "" {
		kills, within = 200, 2*time.Second
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	b := newDiscordBot(t, "message_content = true\n[commands]\nrate_burst = 1000")
	w := &killedTown{town: b.settle("Lab"), r: rand.New(rand.NewPCG(seed, 0)), stands: map[*discordtest.User]bool{}}
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
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		missing := w.missing()
		if len(missing) == 0 {
			break
		}
		if time.Now().After(end) {
			for _, id := range missing[:min(len(missing), 5)] {
				t.Errorf("%s is not answered; moot why says of it:\n%s", id, b.run("why", id))
			}
			t.Fatalf("%d of %d are not answered; what waits:\n%s", len(missing), len(w.asked)+len(w.private), b.run("outbox"))
		}
	}
	for what, counts := range map[string]map[string]int{"message": w.answers(), "private message": w.told()} {
		for id, n := range counts {
			if n != 1 {
				t.Errorf("%s %s is answered %d times", what, id, n)
			}
		}
	}
	for _, i := range w.pressed {
		if got := i.Reply(); !strings.Contains(got.Content, "Your ballot") {
			t.Errorf("a press is answered by %q", got.Content)
		}
	}
	for _, i := range w.forms {
		if got := i.Reply(); !strings.Contains(got.Content, "Votes are about people") {
			t.Errorf("a form is answered by %q", got.Content)
		}
	}
	for vote, n := range map[string]int{"1": len(w.voted[0]), "2": len(w.voted[1])} { // a reaction is a sign of life, and no ballot
		shown := w.ann.Slash(w.general, "vote show", discordtest.Options{"vote": vote}).Reply().Content
		b.expect("vote "+vote, shown, fmt.Sprintf("Turnout: %d of", n))
	}
	members := 6 + len(w.voters)
	for _, u := range w.guests {
		if w.Has(u) {
			members++
		}
	}
	b.expect("the members", w.ann.Slash(w.general, "members", nil).Reply().Content, fmt.Sprintf("%d members", members))
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

// killedTown is a town in which something goes on.
type killedTown struct {
	*town
	r       *rand.Rand
	board   discordtest.Message // of a motion
	poll    discordtest.Message
	lounge  *discordtest.Channel
	asked   []string // ids of the messages that are to be answered
	pressed []*discordtest.Interaction
	forms   []*discordtest.Interaction
	voters  []*discordtest.User
	voted   [2]map[*discordtest.User]bool // who has pressed, and who has chosen
	private map[string]*discordtest.User
	guests  []*discordtest.User
	stands  map[*discordtest.User]bool // whose 👍 stands
	n       int
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

// voter is one of those who may vote, and now does.
func (w *killedTown) voter(vote int) *discordtest.User {
	u := w.voters[w.r.IntN(len(w.voters))]
	if w.voted[vote] == nil {
		w.voted[vote] = map[*discordtest.User]bool{}
	}
	w.voted[vote][u] = true
	return u
}

// something is one of all that people do.
func (w *killedTown) something() {
	switch w.r.IntN(11) {
	case 0, 1:
		w.asks()
	case 2:
		u := w.somebody()
		u.Says(u.DM(), "ping")
		if w.private == nil {
			w.private = map[string]*discordtest.User{}
		}
		w.private[u.ID] = u
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
		w.pressed = append(w.pressed, w.voter(0).Press(w.board, w.board.Button([]string{"Yes", "No"}[w.r.IntN(2)])))
	case 9:
		menu := w.poll.Menus[0]
		w.pressed = append(w.pressed, w.voter(1).Choose(w.poll, menu.CustomID, menu.Options[w.r.IntN(2)].Value))
	case 10:
		u := w.somebody()
		m := u.Says(w.general, "!moot ping")
		w.asked = append(w.asked, m.ID)
		u.Edits(m, "!moot ping, please")
		if b := w.discordBot; b.cmd != nil && b.srv.Online() > 0 { // a form opens only where the bot is there
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
		if told[id] == 0 {
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
