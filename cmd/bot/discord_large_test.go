package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
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

// TestDiscordLarge: a bot in a thousand guilds of a hundred members, and one in a guild of a hundred thousand, know everybody
// in bounded memory, and after a restart answer at once. With MOOT_LONG this takes ten minutes, since Discord lets a bot ask
// for the members of two guilds a second; without it there are a hundredth of them, and only the answers are looked at.
func TestDiscordLarge(t *testing.T) {
	for name, c := range map[string]struct {
		guilds, each int
		memory       int // megabytes
	}{"a thousand guilds": {1000, 100, 85}, "a guild of a hundred thousand": {1, 100_000, 150}} {
		t.Run(name, func(t *testing.T) {
			b := newDiscordBot(t)
			long := effort.Long()
			if !long && c.guilds > 1 {
				c.guilds /= 100
			} else if !long {
				c.each /= 100
			}
			if long {
				b.exe = buildBot(t) // without what the tests bring along
			}
			var last *discordtest.Guild
			var general *discordtest.Channel
			for i := range c.guilds {
				last = b.srv.NewGuild(fmt.Sprintf("guild %d", i))
				general = last.NewChannel("general")
				last.Populate(c.each)
				last.Invite()
			}
			began := time.Now()
			b.start()
			b.srv.Set(func(s *discordtest.Server) { s.Patience = 20 * time.Minute })
			b.srv.Until("the commands are registered", func() bool { return len(b.srv.Commands()) > 0 })
			b.srv.Until("all members are asked for", func() bool { return b.srv.MembersAsked() >= c.guilds })
			all := fmt.Sprintf("%d members", c.each+2)
			for !strings.Contains(last.Owner().Slash(general, "members", nil).Reply().Content, all) {
				time.Sleep(time.Second) // nobody asks faster
			}
			took := time.Since(began)
			ping := func() discordtest.Message { return last.Owner().Slash(general, "ping", nil).Reply() }
			b.expect("an answer", ping().Content, "pong")
			first := peak(t, b.cmd.Process.Pid) // a check then reads the whole file
			for {
				out := b.run("check")
				if strings.Contains(out, fmt.Sprintf("%d room", c.guilds)) && !strings.Contains(out, "the bot does not know who is in") {
					break
				}
				if time.Since(began) > 20*time.Minute {
					t.Fatalf("after %s:\n%s", time.Since(began), out)
				}
				time.Sleep(time.Second) // each look costs a process
			}
			b.kill()

			// The next start finds everything as it is.
			trivial := b.trivial()
			began = time.Now()
			b.start()
			b.expect("an answer after a restart", ping().Content, "pong")
			answered := time.Since(began)
			if most := max(time.Second, 10*max(trivial, b.trivial())); answered > most {
				t.Errorf("a restart answers after %s, where a start alone takes %s", answered, trivial)
			}
			said := last.Owner().Slash(general, "members", nil).Reply().Content
			b.expect("the members of the last, after a restart", said, all)
			again := peak(t, b.cmd.Process.Pid)
			t.Logf("%d guilds of %d members each: all known after %s, with at most %d MB of memory; a restart answers after %s, with at most %d MB",
				c.guilds, c.each, took.Round(time.Millisecond), first>>20, answered.Round(time.Millisecond), again>>20)
			// What so few take is the program's own, and several times that under the race detector.
			if most := max(first, again) >> 20; long && most > c.memory {
				t.Errorf("it took %d MB of memory", most)
			}
			b.stop()
		})
	}
}

// TestDiscordStormOfRoles: a role that makes moderators changes a thousand times in a row. The members are read a few times
// and not a thousand, and what is known in the end is how it is.
func TestDiscordStormOfRoles(t *testing.T) {
	effort.Slow(t)
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

// moderates reports whether the bot takes somebody for a moderator.
func moderates(t *town, u *discordtest.User) bool {
	for line := range strings.Lines(t.ann.Slash(t.general, "members", nil).Reply().Content) {
		if strings.Contains(line, u.ID) {
			return strings.Contains(line, "moderator")
		}
	}
	return false
}
