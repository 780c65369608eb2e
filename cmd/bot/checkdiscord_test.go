package main

import (
	"strings"
	"testing"

	"moot/protocol/discord/discordtest"
)

// TestDiscordCheck: moot check says of each thing that keeps the bot from its work on Discord what to do.
func TestDiscordCheck(t *testing.T) {
	b := newDiscordBot(t)
	b.srv.CheckAnswers = true
	town := b.settle("Lab")
	b.expect("before the first run", b.run("check"), "the application «moot»", "none are registered", "all that the bot needs are switched on", "1000 of 1000 starts",
		"https://discord.com/oauth2/authorize?client_id="+b.srv.AppID+"&permissions=274877975552&scope=bot+applications.commands", "the bot is in 1")
	b.start()
	town.ready()
	b.expect("while it runs", b.run("check"), "are registered", "999 of 1000 starts")
	b.stop()
	if strings.Contains(b.run("check"), "WARN  discord") {
		t.Error("there is nothing to warn of")
	}

	town.SetPermissions(town.BotRole(), 0)
	town.SetPermissions(nil, discordtest.ViewChannel|discordtest.SendMessages)
	b.srv.Set(func(s *discordtest.Server) { s.Identifies = 30 })
	b.expect("with little left", b.run("check"), "in «Lab»", "the bot lacks Send Messages in Threads, Read Message History", "30 of 1000 starts")

	b.srv.Set(func(s *discordtest.Server) { s.Flags = 0 })
	b.refused("without intents", "check", "“Server Members Intent” is switched off", "Privileged Gateway Intents")
	b.srv.Fail(2, "GET", "/applications", discordtest.Fault{Status: 401})
	b.refused("with a dead token", "check", "does not accept the bot's token", "Reset Token")
}

// refused runs a command that must fail and say the parts.
func (b *discordBot) refused(what, command string, parts ...string) {
	b.Helper()
	out, err := b.command(command).CombinedOutput()
	if err == nil {
		b.Errorf("%s: bot %s is content", what, command)
	}
	b.expect(what, string(out), parts...)
}
