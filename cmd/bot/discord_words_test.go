package main

import (
	"strings"
	"testing"

	"moot/protocol/discord/discordtest"
)

// TestDiscordWords: what people pick within a text is shown by its name, notifies nobody, and is no markup; what the bot
// shows of commands can be pasted.
func TestDiscordWords(t *testing.T) {
	b := newDiscordBot(t)
	town := b.settle("Lab")
	loud := b.srv.NewUser("@everyone **now**")
	town.Join(loud)
	mods := town.NewRole("helpers", 0)
	b.start()
	town.ready()
	text := "@everyone: <@" + town.cem.ID + "> tidies <#" + town.general.ID + "> with <@&" + mods.ID + "> <:broom:123456789012345678> <#1>"
	b.expect("what stands below its name", b.srv.Shows(), "/help")
	board := town.open("", discordtest.Options{"text": text})
	b.expect("the motion", board.Content, `moves: \@everyone: \@Cem tidies #general with \@helpers :broom: \<#1\>`, "`/vote cast ballot:1 yes`")
	if len(board.Pings) > 0 {
		t.Errorf("it notifies %v", board.Pings)
	}
	said := town.ben.Slash(town.general, "help", discordtest.Options{"command": "vote motion"}).Reply()
	b.expect("help", said.Content, "`/vote motion text:we meet on Tuesdays`", "`for` — how long it runs")
	if !said.Ephemeral || strings.Contains(said.Content, "--") {
		t.Errorf("help is %+v", said)
	}
	got := town.ben.Completes(town.general, "help", "command", "vote c", nil).Choices()
	if len(got) != 3 || got[0].Name != "vote challenge" {
		t.Errorf("completed are %v", got)
	}
	// A name is whatever its person wants it to be.
	town.ann.UsesOn(town.general, "Challenge this person", loud).Submit(map[string]string{"reason": "<@" + town.ben.ID + "> said `so` ||x||"}).Reply()
	board = b.shows(town.ben, town.general, "suspend", "\\@Ben said \\`so\\` \\|\\|x\\|\\|")
	if len(board.Pings) != 1 || board.Pings[0] != loud.Name {
		t.Errorf("it notifies %v", board.Pings)
	}
	set := town.ann.Slash(town.general, "room set", discordtest.Options{"setting": "votes.channel", "value": "<#" + town.general.ID + ">"}).Reply()
	b.expect("a setting", set.Content, "has set `votes.channel` from where a vote is opened to <#"+town.general.ID+">")
	town.ann.Slash(town.general, "vote cancel", discordtest.Options{"vote": "2", "reason": "a mistake"}).Reply()
	for _, m := range town.ben.Sees(town.general) {
		if strings.Contains(m.Content, "**now**") || strings.Contains(strings.ReplaceAll(m.Content, `\@`, ""), "@everyone") {
			t.Errorf("a name has become markup: %s", m.Content)
		}
	}
	b.stop()
}

// TestDiscordGreeting: a server is greeted once, when the bot is added to it, where all can read it.
func TestDiscordGreeting(t *testing.T) {
	b := newDiscordBot(t)
	b.start()
	town := b.settle("Lab")
	greetings := func() (n int) {
		for _, m := range town.ben.Sees(town.general) {
			if strings.Contains(m.Content, "Hello, I am moot. `/help` says what I can do.") {
				n++
			}
		}
		return n
	}
	town.ready()
	b.srv.Until("it has greeted", func() bool { return greetings() > 0 })
	b.kill()
	b.start()
	town.ready()
	town.KickBot()
	town.Invite()
	town.ready()
	if n := greetings(); n != 1 {
		t.Errorf("it has greeted %d times", n)
	}
	b.stop()
}

// TestDiscordVotesWhereTheyCanBeShown: where the bot may not write, nobody would see a vote, and the person is told so.
func TestDiscordVotesWhereTheyCanBeShown(t *testing.T) {
	b := newDiscordBot(t)
	town := b.settle("Lab")
	silent := town.NewChannel("silent")
	silent.Deny(b.srv.Bot, discordtest.SendMessages)
	b.start()
	town.ready()
	said := town.ben.Slash(silent, "vote motion", discordtest.Options{"text": "we sing"}).Reply()
	b.expect("the answer", said.Content, "I may not write in that channel", "Send Messages")
	said = town.ann.Slash(silent, "room set", discordtest.Options{"setting": "votes.channel", "value": "here"}).Reply()
	b.expect("the answer to a moderator", said.Content, "I may not write in that channel")
	b.expect("afterwards", town.ben.Slash(town.general, "vote show", discordtest.Options{"vote": "1"}).Reply().Content, "There is no vote")
	b.stop()
}

// TestDiscordOperators: Discord shows everybody the commands of those who operate the bot. They are refused to all others, of
// which only they hear, and help does not name them.
func TestDiscordOperators(t *testing.T) {
	b := newDiscordBot(t)
	town := b.settle("Lab")
	b.operate(town.ben)
	b.start()
	town.ready()
	over := discordtest.Options{"person": town.dan, "reason": "floods"}
	m := town.ann.Slash(town.general, "override challenge", over).Reply()
	b.expect("a moderator who does not operate the bot", m.Content, "those who operate me")
	if !m.Ephemeral {
		t.Error("all hear of the refusal")
	}
	b.expect("a member in private", town.cem.Slash(town.cem.DM(), "override challenge", over).Reply().Content, "those who operate me")
	for u, named := range map[*discordtest.User]bool{town.ann: false, town.ben: true} {
		if help := u.Slash(town.general, "help", nil).Reply().Content; strings.Contains(help, "override") != named {
			t.Errorf("help for %s: %s", u.Name, help)
		}
	}
	b.expect("an operator", town.ben.Slash(town.ben.DM(), "override challenge", over).Reply().Content, "announced in the room")
	b.shows(town.ann, town.general, "suspended")
	b.stop()
}
