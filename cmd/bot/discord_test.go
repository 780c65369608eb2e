package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"moot/protocol/discord/discordtest"
)

// discordBot is the whole bot in a process of its own, at the Discord of a test.
type discordBot struct {
	*testing.T
	srv *discordtest.Server
	dir string
	cmd *exec.Cmd // nil while it does not run
	log bytes.Buffer

	exe     string   // the program; zero is that of the tests
	env     []string // more of the environment that it runs in
	observe bool     // whether insideOf its socket shows what is going on
}

// newDiscordBot makes a bot that is not started, in a test that runs beside others. Lines are added to the section [discord] of its
// configuration.
func newDiscordBot(t *testing.T, lines ...string) *discordBot {
	t.Parallel() // they wait more than they work
	return newMeasuredBot(t, lines...)
}

// newMeasuredBot is newDiscordBot for a test that says how fast the bot is, and therefore runs alone.
func newMeasuredBot(t *testing.T, lines ...string) *discordBot {
	b := &discordBot{T: t, srv: discordtest.New(t), dir: t.TempDir()}
	b.configure(lines...)
	t.Cleanup(func() {
		b.kill()
		if t.Failed() {
			t.Logf("the log of the bot:\n%s", b.log.String())
		}
	})
	return b
}

// configure writes the configuration of the bot, with lines added to its section [discord].
func (b *discordBot) configure(lines ...string) {
	b.Helper()
	config := fmt.Sprintf(`[votes]
member = "0s"
active_days = 0
edits_discord = "1s"
poll_shortest = "1m"

[discord]
token = { env = "DISCORD_TOKEN" }
api_url = %q
gateway_url = %q
%s
`, b.srv.APIURL(), b.srv.GatewayURL(), strings.Join(lines, "\n"))
	if err := os.WriteFile(filepath.Join(b.dir, "config.toml"), []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
}

// operate makes somebody one of those who operate the bot.
func (b *discordBot) operate(u *discordtest.User) {
	b.Helper()
	path := filepath.Join(b.dir, "config.toml")
	config, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append([]byte(fmt.Sprintf("operators = [%q]\n", "discord:"+u.ID)), config...), 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// command is a call of the program, in the folder of the bot.
func (b *discordBot) command(args ...string) *exec.Cmd {
	exe := b.exe
	if exe == "" {
		var err error
		if exe, err = os.Executable(); err != nil {
			b.Fatal(err)
		}
	}
	cmd := exec.Command(exe, args...)
	cmd.Args[0] = "bot" // by which testscript.Main knows what to be
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "MOOT_CONFIG=", "XDG_RUNTIME_DIR="+b.dir, "DISCORD_TOKEN="+b.srv.Token)
	cmd.Env = append(cmd.Env, b.env...)
	return cmd
}

// start starts the bot and waits until Discord sees it.
func (b *discordBot) start() {
	b.Helper()
	b.srv.Until("the bot that ran before is gone", func() bool { return b.srv.Online() == 0 })
	before := b.srv.Connections()
	b.launch()
	b.srv.Until("the bot is online", func() bool { return b.srv.Online() > 0 && b.srv.Connections() > before })
}

// launch starts it and waits for nothing.
func (b *discordBot) launch() {
	b.Helper()
	b.cmd = b.command()
	b.cmd.Stdout, b.cmd.Stderr = &b.log, &b.log
	if b.observe {
		b.cmd.Env = append(b.cmd.Env, observeVariable+"="+b.socket())
	}
	if err := b.cmd.Start(); err != nil {
		b.Fatal(err)
	}
}

// socket is where a bot is looked into that is observed.
func (b *discordBot) socket() string { return filepath.Join(b.dir, "observe") }

// stop ends it as an operator does.
func (b *discordBot) stop() {
	b.Helper()
	b.terminate()
	b.ends()
}

// terminate tells it to stop.
func (b *discordBot) terminate() {
	b.Helper()
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
}

// ends waits until it has stopped. One that hangs says where.
func (b *discordBot) ends() {
	b.Helper()
	hangs := time.AfterFunc(time.Minute, func() { _ = b.cmd.Process.Signal(syscall.SIGQUIT) })
	defer hangs.Stop()
	if err := b.cmd.Wait(); err != nil {
		b.Errorf("the bot did not end well: %v", err)
	}
	b.cmd = nil
}

// kill kills it as nothing can be helped against.
func (b *discordBot) kill() {
	if b.cmd != nil {
		_ = b.cmd.Process.Kill()
		_ = b.cmd.Wait()
		b.cmd = nil
	}
}

// run runs another command of the program and returns what it says.
func (b *discordBot) run(args ...string) string {
	b.Helper()
	cmd := b.command(args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState.ExitCode() == 2 {
		b.Fatalf("bot %s: %v\n%s", strings.Join(args, " "), err, out) // it crashed, and would again
	} else if err != nil {
		b.Errorf("bot %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// trivial is how long a start of the program takes that does nothing: what the machine leaves it at this moment.
func (b *discordBot) trivial() time.Duration {
	b.Helper()
	began := time.Now()
	b.run("version")
	return time.Since(began)
}

// town is a guild with people.
type town struct {
	*discordBot
	*discordtest.Guild
	general            *discordtest.Channel
	ann, ben, cem, dan *discordtest.User // ann may moderate
}

// settle makes a guild with four people and the bot in it.
func (b *discordBot) settle(name string) *town {
	t := &town{discordBot: b, Guild: b.srv.NewGuild(name)}
	t.general = t.NewChannel("general")
	for _, p := range []struct {
		u    **discordtest.User
		name string
	}{{&t.ann, "Ann"}, {&t.ben, "Ben"}, {&t.cem, "Cem"}, {&t.dan, "Dan"}} {
		*p.u = b.srv.NewUser(p.name)
		t.Join(*p.u)
	}
	t.Give(t.ann, t.NewRole("mods", discordtest.ManageGuild))
	t.Invite()
	return t
}

// ready waits until the bot has registered its commands and knows who is in the guild.
func (t *town) ready() {
	t.Helper()
	t.srv.Until("the commands are registered", func() bool { return len(t.srv.Commands()) > 0 })
	for {
		got := t.ann.Slash(t.general, "members", nil).Reply().Content
		if strings.Contains(got, t.dan.ID) {
			return
		}
		if !strings.Contains(got, "not know") && !strings.Contains(got, "reading") {
			t.Fatalf("asked for the members it says: %s", got)
		}
	}
}

// expect fails unless a text holds the parts.
func (b *discordBot) expect(what, got string, parts ...string) {
	b.Helper()
	for _, p := range parts {
		if !strings.Contains(got, p) {
			b.Errorf("%s: %q is not in:\n%s", what, p, got)
		}
	}
}

// shows waits until somebody sees a message with the parts in a channel.
func (b *discordBot) shows(to *discordtest.User, c *discordtest.Channel, parts ...string) discordtest.Message {
	b.Helper()
	return to.SeesOne(c, strings.Join(parts, ", "), func(m discordtest.Message) bool {
		for _, p := range parts {
			if !strings.Contains(m.Content, p) {
				return false
			}
		}
		return true
	})
}

// TestDiscordInvite: a guild that the bot is invited to appears with its members, and obeys.
func TestDiscordInvite(t *testing.T) {
	b := newDiscordBot(t)
	b.start()
	town := b.settle("Lab")
	town.ready()
	i := town.ben.Slash(town.general, "members", nil)
	b.expect("the members", i.Reply().Content, "6 members", "moderator", b.srv.Bot.ID)
	if m := i.Reply(); m.Ephemeral {
		t.Error("a public answer is seen by one person")
	}
	i = town.ben.Slash(town.general, "rooms", nil)
	if m := i.Reply(); !m.Ephemeral || !strings.Contains(m.Content, "Lab") {
		t.Errorf("what is private came as %+v", m)
	}
	i = town.ben.Slash(town.general, "vote show", discordtest.Options{"vote": "7"})
	if m := i.Reply(); !m.Ephemeral || !strings.Contains(m.Content, "There is no vote") {
		t.Errorf("a mistake was answered by %+v", m)
	}
	b.stop()
	if got := b.run("check"); !strings.Contains(got, "1 room and 0 private conversations") {
		t.Errorf("moot check says:\n%s", got)
	}
}

// TestDiscordVotesByButtons: a challenge is opened by the menu of a person and decided by buttons, and those still work
// after the bot was killed.
func TestDiscordVotesByButtons(t *testing.T) {
	b := newDiscordBot(t)
	town := b.settle("Lab")
	b.start()
	town.ready()

	form := town.ann.UsesOn(town.general, "Challenge this person", town.dan)
	if f := form.Form(); len(f.Fields) != 1 || !f.Fields[0].Required {
		t.Fatalf("the form is %+v", f)
	}
	opened := form.Submit(map[string]string{"reason": "posts *advertisements* all week"})
	b.expect("the answer to whom opened it", opened.Reply().Content, "Vote 1")
	board := b.shows(town.ben, town.general, "Vote 1", "suspend", "from using me here? Opened by", "Reason: posts \\*advertisements\\* all week")
	if len(board.Pings) != 1 || board.Pings[0] != "Dan" {
		t.Errorf("it notifies %v", board.Pings)
	}

	// Whom it is about is told, and answers by a button there.
	told := b.shows(town.dan, town.dan.DM(), "are voting on whether to suspend you")
	form = town.dan.Press(told, told.Button("Answer"))
	b.expect("an answer", form.Submit(map[string]string{"text": "they were *recipes*"}).Reply().Content, "will stand in the message of vote 1")
	b.shows(town.ben, town.general, "they were \\*recipes\\*")

	yes := town.ben.Press(board, board.Button("Yes"))
	if m := yes.Reply(); !m.Ephemeral || !strings.Contains(m.Content, "Your ballot in vote 1 is yes") {
		t.Errorf("the press was answered by %+v", m)
	}
	b.shows(town.ben, town.general, "\n1 of ")
	b.kill()
	b.start()
	for _, u := range []*discordtest.User{town.cem, town.ann} {
		b.expect("a press after a restart", u.Press(board, board.Button("Yes")).Reply().Content, "Your ballot in vote 1 is yes")
	}
	b.expect("another choice", town.cem.Press(board, board.Button("No")).Reply().Content, "is no")
	b.expect("taken back", town.cem.Press(board, board.Button("Withdraw")).Reply().Content, "withdrawn")
	b.expect("how it stands", town.ben.Slash(town.general, "vote show", nil).Reply().Content, "\n2 of ")
	b.stop()
	b.run("verify") // fails the test unless the log gives what the bot knows
}

// TestDiscordACommandWithinAReplay: however long Discord takes to tell a bot that has started again what it missed, a command
// that comes meanwhile is proof of the connection, and must not be told that there is none.
func TestDiscordACommandWithinAReplay(t *testing.T) {
	b := newDiscordBot(t)
	b.srv.Set(func(s *discordtest.Server) { s.AnswerWithin = 2 * time.Minute })
	town := b.settle("Lab")
	b.start()
	town.ready()
	town.open("we sing", discordtest.Options{"for": "1d"})
	b.kill()
	replayed := make(chan struct{})
	b.srv.NextConnections(discordtest.Script{Replayed: replayed})
	b.start()
	i := town.ben.Slash(town.general, "vote poll", discordtest.Options{"question": "Which day?", "option": "Monday", "option-2": "Tuesday", "for": "1d"})
	for began := time.Now(); ; {
		why, err := b.command("why", "interaction-"+i.ID).CombinedOutput()
		if err == nil && strings.Contains(string(why), "handled") {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("the command is not handled: %v\n%s", err, why)
		}
	}
	close(replayed)
	b.expect("a command within a replay", i.Reply().Content, "is open")
}
