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
