package main

import (
	"fmt"
	"strings"
	"testing"

	"moot/protocol/discord/discordtest"
)

// open opens a motion and returns the message of the vote.
func (t *town) open(text string, opts discordtest.Options) discordtest.Message {
	t.Helper()
	all := discordtest.Options{"text": text}
	for name, v := range opts {
		all[name] = v
	}
	t.ann.Slash(t.general, "vote motion", all).Reply()
	return t.shows(t.ben, t.general, "moves: "+text)
}

// TestDiscordPoll: a poll is answered by a menu, of which several options can be chosen; options are completed and typed.
func TestDiscordPoll(t *testing.T) {
	b := newDiscordBot(t)
	town := b.settle("Lab")
	b.start()
	town.ready()
	town.ann.Slash(town.general, "vote poll", discordtest.Options{
		"question": "Which days?", "option": "Monday", "option-2": "Tuesday", "option-3": "Friday", "multiple": true, "for": "3d",
	}).Reply()
	board := b.shows(town.ben, town.general, "a poll", "Which days?")
	if len(board.Menus) != 1 || len(board.Menus[0].Options) != 3 || board.Menus[0].Most != 3 {
		t.Fatalf("the menus are %+v", board.Menus)
	}
	i := town.ben.Choose(board, board.Menus[0].CustomID, board.Menus[0].Options[0].Value, board.Menus[0].Options[2].Value)
	if m := i.Reply(); !m.Ephemeral || !strings.Contains(m.Content, "«Monday» and «Friday»") {
		t.Errorf("the choice was answered by %+v", m)
	}
	b.expect("by slash command", town.cem.Slash(town.general, "vote cast", discordtest.Options{"ballot": "1 #2"}).Reply().Content, "«Tuesday»")
	b.shows(town.ben, town.general, "1: Monday – 1 vote", "2: Tuesday – 1 vote", "3: Friday – 1 vote")
	b.stop()
}

// TestDiscordRole: a vote for a role that is chosen in the form of the command: who has it when the vote opens can press, nobody else.
func TestDiscordRole(t *testing.T) {
	b := newDiscordBot(t)
	town := b.settle("Lab")
	council := town.NewRole("council", 0)
	for _, u := range []*discordtest.User{town.ann, town.ben, town.cem} {
		town.Give(u, council)
	}
	b.start()
	town.ready()
	b.expect("asked for", town.ann.Slash(town.general, "vote motion", discordtest.Options{"text": "we sing", "role": council}).Reply().Content,
		"I am finding out who has the role")
	board := b.shows(town.ben, town.general, "moves: we sing",
		"Only who had the role «council» when this opened can vote.", "\n0 of 3 voted")
	town.Give(town.dan, council)
	town.Take(town.cem, council)
	b.expect("who has the role now", town.dan.Press(board, board.Button("Yes")).Reply().Content, "You cannot vote in vote 1")
	b.expect("who had it then", town.cem.Press(board, board.Button("Yes")).Reply().Content, "Your ballot in vote 1 is yes")
	b.shows(town.ben, town.general, "\n1 of 3 voted")
	b.stop()
}

// TestDiscordSecretVote: nobody sees how somebody votes in secret, not even in the answer to a reaction.
func TestDiscordSecretVote(t *testing.T) {
	b := newDiscordBot(t)
	town := b.settle("Lab")
	b.start()
	town.ready()
	board := town.open("we sing", discordtest.Options{"secret": true})
	i := town.ben.Press(board, board.Button("No"))
	if m := i.Reply(); !m.Ephemeral || !strings.Contains(m.Content, "is no") {
		t.Errorf("the press was answered by %+v", m)
	}
	town.cem.Reacts(board, "👍")
	b.shows(town.cem, town.cem.DM(), "a reaction is no ballot", "was not counted")
	// In the private conversation it is about the one server that they share.
	b.expect("in private", town.dan.Slash(town.dan.DM(), "vote cast", discordtest.Options{"ballot": "1 yes"}).Reply().Content,
		"Lab", "Your ballot in vote 1 is yes")
	b.shows(town.ann, town.general, "\n2 of ")
	for _, m := range town.ann.Sees(town.general) {
		if strings.Contains(m.Content, "ballot") || strings.Contains(m.Content, " voted: ") {
			t.Errorf("the room can read: %s", m.Content)
		}
	}
	b.stop()
}

// TestDiscordPrivate: commands in the private conversation are about a server that both share, and tell of no other.
func TestDiscordPrivate(t *testing.T) {
	b := newDiscordBot(t)
	lab, attic := b.settle("Lab"), b.settle("Attic")
	b.start()
	lab.ready()
	attic.ready()
	dm := lab.ben.DM()
	b.expect("one server", lab.ben.Slash(dm, "members", nil).Reply().Content, "Lab", lab.ann.ID)
	foreign := lab.ben.Slash(dm, "members", discordtest.Options{"in": "Attic"}).Reply().Content
	missing := lab.ben.Slash(dm, "members", discordtest.Options{"in": "Nowhere"}).Reply().Content
	if strings.ReplaceAll(foreign, "Attic", "Nowhere") != missing {
		t.Errorf("a server that they do not share is answered by %q, and one that there is not by %q", foreign, missing)
	}
	if got := lab.ben.Completes(dm, "members", "in", "", nil).Choices(); len(got) != 1 || got[0].Name != "Lab" {
		t.Errorf("completed are %v", got)
	}
	lab.ben.Says(dm, "vote list")
	b.shows(lab.ben, dm, "No vote")
	lab.ben.Says(dm, "<@"+b.srv.Bot.ID+"> rooms")
	b.shows(lab.ben, dm, "Lab")
	b.stop()
}

// TestDiscordKick: what a guild knew of its votes outlives a kick of the bot; what waited is not sent into it any more.
func TestDiscordKick(t *testing.T) {
	b := newDiscordBot(t)
	town := b.settle("Lab")
	b.start()
	town.ready()
	board := town.open("we sing", nil)
	town.ben.Press(board, board.Button("Yes")).Reply()
	b.shows(town.ben, town.general, "\n1 of ")
	town.KickBot()
	town.Leave(town.dan)
	town.Invite()
	for {
		got := town.ann.Slash(town.general, "members", nil).Reply().Content
		if strings.Contains(got, "It has") && !strings.Contains(got, town.dan.ID) {
			break
		}
	}
	b.expect("after the bot is back", town.cem.Press(board, board.Button("No")).Reply().Content, "Your ballot in vote 1 is no")
	b.expect("how it stands", town.ben.Slash(town.general, "vote show", nil).Reply().Content, "\n2 of ")

	b.kill()
	town.KickBot() // while nobody looks
	b.start()
	b.settle("Attic").ready() // by then all of the greeting is in
	b.stop()
	if got := b.run("check"); !strings.Contains(got, "1 room ") {
		t.Errorf("moot check says:\n%s", got)
	}
}

// TestDiscordOldButtons: a button of a vote that has closed, of one that there is not, and of another version gets a kind
// answer that only the person sees, and changes nothing.
func TestDiscordOldButtons(t *testing.T) {
	b := newDiscordBot(t)
	town := b.settle("Lab")
	b.start()
	town.ready()
	board := town.open("we sing", nil)
	yes := board.Button("Yes")
	town.ann.Slash(town.general, "vote cancel", discordtest.Options{"vote": "1", "reason": "a mistake"}).Reply()
	b.shows(town.ben, town.general, "Vote 1", "moves", "Withdrawn by")
	if left := board.Now().Buttons; len(left) != 0 {
		t.Errorf("a closed vote has the buttons %v", left)
	}
	for name, tt := range map[string]struct{ id, want string }{
		"closed":               {yes, "has closed"},
		"of lost data":         {yes[:strings.LastIndex(yes, "=")] + "=zzz", ""},
		"of no vote":           {strings.Replace(yes, "ballot=1", "ballot=77", 1), ""},
		"of a version to come": {"9whatever", "another version"},
		"of no command":        {"1vote.conjure", "know no command"},
	} {
		if m := town.ben.Press(board, tt.id).Reply(); !m.Ephemeral || !strings.Contains(m.Content, tt.want) || m.Content == "" {
			t.Errorf("%s: answered by %+v", name, m)
		}
	}
	b.stop()
}

// TestDiscordTwice: what Discord delivers twice is done once.
func TestDiscordTwice(t *testing.T) {
	b := newDiscordBot(t, "message_content = true")
	town := b.settle("Lab")
	b.start()
	town.ready()
	town.ben.Says(town.general, "!moot ping")
	b.srv.Repeat(1)
	i := town.ann.Slash(town.general, "vote motion", discordtest.Options{"text": "we sing"})
	i.Again()
	i.Reply()
	b.shows(town.ben, town.general, "moves: we sing")
	town.ben.Says(town.general, "!moot vote list")
	b.shows(town.ben, town.general, "we sing", "open; closes")
	answers, votes := 0, 0
	for _, m := range town.ben.Sees(town.general) {
		if strings.Contains(m.Content, "pong") {
			answers++
		}
		if strings.Contains(m.Content, "moves: we sing") {
			votes++
		}
	}
	if answers != 1 || votes != 1 {
		t.Errorf("there are %d answers and %d votes", answers, votes)
	}
	b.stop()
}

// TestDiscordKilledInABurst: the bot is killed in the middle of a burst of commands; those that were given meanwhile are
// told again, or fetched where Discord has forgotten the session, and each is answered once.
func TestDiscordKilledInABurst(t *testing.T) {
	for name, forgotten := range map[string]bool{"the session is taken up again": false, "the session is forgotten": true} {
		t.Run(name, func(t *testing.T) { killedInABurst(t, forgotten) })
	}
}

func killedInABurst(t *testing.T, forgotten bool) {
	b := newDiscordBot(t, "message_content = true")
	town := b.settle("Lab")
	b.start()
	town.ready()
	const each = 6
	say := func(from int) {
		for n := from; n < from+each; n++ {
			u := b.srv.NewUser(fmt.Sprintf("speaker %d", n)) // one command each: nobody is too fast
			town.Join(u)
			u.Says(town.general, "!moot ping")
		}
	}
	say(0)
	b.kill()
	if forgotten {
		b.srv.Forget()
	}
	say(each)
	b.start()
	say(2 * each)
	answered := func() map[string]int {
		n := map[string]int{}
		for _, m := range town.ann.Sees(town.general) {
			if m.AuthorID == b.srv.Bot.ID && m.ReplyTo != "" {
				n[m.ReplyTo]++
			}
		}
		return n
	}
	b.srv.Until("all are answered", func() bool { return len(answered()) == 3*each })
	for id, n := range answered() {
		if n != 1 {
			t.Errorf("message %s is answered %d times", id, n)
		}
	}
	b.stop()
	if got := b.run("check"); strings.Contains(got, "edits and deletions") != forgotten || b.srv.Identified() > 1 != forgotten {
		t.Errorf("after %d identifies moot check says:\n%s", b.srv.Identified(), got)
	}
}
