package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"moot/protocol/discord/discordtest"
)

// peak is the most memory that a process has had at once, in bytes: "VmHWM" of Linux; zero elsewhere.
func peak(t *testing.T, pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("this machine does not tell how much memory a process has had")
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kb, _ := strconv.Atoi(fields[1])
			return kb << 10
		}
	}
	return 0
}

// TestDiscordLarge: a bot in a hundred guilds of a thousand members each is ready in bounded memory. A tenth of that without
// MOOT_LONG.
func TestDiscordLarge(t *testing.T) {
	guilds, each := 10, 200
	if os.Getenv("MOOT_LONG") != "" {
		guilds, each = 100, 1000
	}
	b := newDiscordBot(t)
	var last *discordtest.Guild
	var general *discordtest.Channel
	for i := range guilds {
		last = b.srv.NewGuild(fmt.Sprintf("guild %d", i))
		general = last.NewChannel("general")
		last.Populate(each)
		last.Invite()
	}
	began := time.Now()
	b.start()
	for {
		out := b.run("check")
		if strings.Contains(out, fmt.Sprintf("%d rooms", guilds)) && !strings.Contains(out, "it is not known who is in") {
			break
		}
		if time.Since(began) > 5*time.Minute {
			t.Fatalf("after %s:\n%s", time.Since(began), out)
		}
	}
	took := time.Since(began)
	b.srv.Until("the commands are registered", func() bool { return len(b.srv.Commands()) > 0 })
	rss := peak(t, b.cmd.Process.Pid)
	t.Logf("%d guilds of %d members each: all known after %s, with at most %d MB of memory", guilds, each, took.Round(time.Millisecond), rss>>20)
	if rss > 200<<20 {
		t.Errorf("it took %d MB of memory", rss>>20)
	}
	b.expect("the members of the last", last.Owner().Slash(general, "members", nil).Reply().Content, fmt.Sprintf("%d members", each+2))

	// The next start finds everything as it is.
	b.kill()
	began = time.Now()
	b.start()
	b.expect("the members of the last, after a restart", last.Owner().Slash(general, "members", nil).Reply().Content, fmt.Sprintf("%d members", each+2))
	t.Logf("a restart answers after %s, with at most %d MB of memory", time.Since(began).Round(time.Millisecond), peak(t, b.cmd.Process.Pid)>>20)
	b.stop()
}

// TestDiscordStormOfRoles: a role that makes moderators changes a thousand times in a row. The members are read a few times
// and not a thousand, and what is known in the end is how it is.
func TestDiscordStormOfRoles(t *testing.T) {
	b := newDiscordBot(t)
	town := b.settle("Lab")
	helper := town.NewRole("helper", 0)
	town.Give(town.dan, helper)
	b.start()
	town.ready()
	asked, read := b.srv.MembersAsked(), len(b.srv.Requests("GET", "/guilds/"+town.ID+"/members"))
	for i := range 1000 {
		town.SetPermissions(helper, []int64{discordtest.ManageGuild, 0}[i%2])
	}
	town.SetPermissions(helper, discordtest.ModerateMembers)
	ping := town.ben.Slash(town.general, "ping", nil).Reply()
	b.expect("an answer behind the storm", ping.Content, "pong")
	for began := time.Now(); !moderates(town, town.dan); {
		if time.Since(began) > time.Minute {
			t.Fatal("it is not known who may moderate")
		}
		b.srv.Until("the members are read again", func() bool {
			return len(b.srv.Requests("GET", "/guilds/"+town.ID+"/members"))+b.srv.MembersAsked() > read+asked
		})
	}
	asked, read = b.srv.MembersAsked()-asked, len(b.srv.Requests("GET", "/guilds/"+town.ID+"/members"))-read
	t.Logf("asked by the gateway %d times, read page by page %d times", asked, read)
	if asked > 1 || read > 6 {
		t.Error("that is too often")
	}
	b.stop()
	b.run("verify")
}

// moderates tells whether the bot takes somebody for a moderator.
func moderates(t *town, u *discordtest.User) bool {
	for line := range strings.Lines(t.ann.Slash(t.general, "members", nil).Reply().Content) {
		if strings.Contains(line, u.ID) {
			return strings.Contains(line, "moderator")
		}
	}
	return false
}
