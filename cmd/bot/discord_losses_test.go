package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol/discord/discordtest"
)

// loss is a way in which the connection to Discord is lost.
type loss struct {
	name string
	lose func(*discordBot)
	anew bool // whether the session is lost too, and with it what people press before there is another
}

// by makes a loss of something that Discord does.
func by(name string, anew bool, lose func(*discordtest.Server)) loss {
	return loss{name, func(b *discordBot) { lose(b.srv) }, anew}
}

var losses = []loss{
	by("none", false, func(*discordtest.Server) {}),
	by("cut off without a close code, 1006", false, (*discordtest.Server).Cut),
	by("asked to reconnect, op 7", false, (*discordtest.Server).Reconnect),
	by("refused for now, op 9 true", false, func(s *discordtest.Server) { s.Invalidate(true) }),
	by("refused for good, op 9 false", true, func(s *discordtest.Server) { s.Invalidate(false) }),
	by("closed with 4000", false, func(s *discordtest.Server) { s.CloseGateway(4000, "Unknown error.") }),
	by("closed with 4008", false, func(s *discordtest.Server) { s.CloseGateway(4008, "Rate limited.") }),
	by("closed with 4009", true, func(s *discordtest.Server) { s.CloseGateway(4009, "Session timed out.") }),
	by("the resume is refused", true, (*discordtest.Server).Forget),
	by("a zombie", false, (*discordtest.Server).Zombie),
	by("heartbeats are not acknowledged", false, (*discordtest.Server).StopAcks),
	by("lost while it resumes", false, func(s *discordtest.Server) {
		s.NextConnections(discordtest.Script{FirstAfterResume: []int{7}}, discordtest.Script{Close: 4000})
		s.Cut()
	}),
	{"the token is reset, 4004", func(b *discordBot) {
		b.srv.ResetToken()
		if err := b.cmd.Wait(); err == nil {
			b.Error("without a token that is valid the bot ends well")
		}
		b.expect("what the bot says", b.log.String(), "token", "was reset", "token in [discord]")
		b.start() // with the new one
	}, true},
}

// TestDiscordDisconnects: a connection is lost in each way in the middle of a vote, while people vote by buttons, and
// Discord repeats itself when it is back. The vote is what it is if none is lost: each ballot is counted once.
// With MOOT_LONG that is said of the outcome, for which it takes a minute; without, only some of the ways are tried.
func TestDiscordDisconnects(t *testing.T) {
	effort.Proof(t)
	losses := losses
	if !effort.Long() {
		losses = losses[:4]
	}
	results := make(chan string, len(losses))
	t.Run("each", func(t *testing.T) {
		for _, l := range losses {
			t.Run(l.name, func(t *testing.T) { results <- l.name + "\n" + voteDespite(t, l) })
		}
	})
	close(results)
	came := map[string]string{}
	for r := range results {
		name, what, _ := strings.Cut(r, "\n")
		came[name] = what
	}
	t.Logf("without a loss:\n%s", came["none"])
	for _, l := range losses {
		if got := came[l.name]; got != came["none"] || got == "" {
			t.Errorf("%s:\n%s", l.name, got)
		}
	}
}

// voteDespite returns what came of a vote, in words that are the same in each run.
func voteDespite(t *testing.T, l loss) string {
	b := newDiscordBot(t)
	b.srv.HoldClock() // a busy machine answers late; what is lost here is lost by the connection alone
	b.srv.Heartbeat = time.Second
	town := b.settle("Lab")
	b.start()
	town.ready()
	opts := discordtest.Options{}
	if effort.Long() {
		opts["for"] = "1m"
	}
	board := town.open("we sing", opts)
	press := func(u *discordtest.User, choice string) {
		t.Helper()
		b.expect("the answer to "+u.Name, u.Press(board, board.Button(choice)).Reply().Content, "Your ballot in vote 1 is "+strings.ToLower(choice))
	}
	press(town.ben, "Yes")
	before, connections := b.srv.Identified(), b.srv.Connections()
	l.lose(b)
	if l.name == "heartbeats are not acknowledged" { // of which nothing is noticed at first
		b.srv.Until("it is noticed", func() bool { return b.srv.Connections() > connections })
	}
	if l.anew {
		b.srv.Until("there is another session", func() bool { return b.srv.Identified() > before && b.srv.Online() > 0 })
	}
	press(town.cem, "No") // while it is away, where Discord tells it afterwards
	press(town.ann, "No")
	b.srv.Repeat(5)
	press(town.ann, "Yes")
	b.srv.Repeat(5)
	if effort.Long() {
		b.srv.Set(func(s *discordtest.Server) { s.Patience = 3 * time.Minute })
		b.shows(town.ben, town.general, "has closed")
	}
	for began := time.Now(); !strings.Contains(town.facts(), "Ann: ballot"); { // which after another session is read
		if time.Since(began) > 30*time.Second {
			b.Fatal("the ballot is not counted")
		}
	}
	if again := b.srv.Connections() > connections; again != (l.name != "none") {
		b.Errorf("connected again: %v", again)
	}
	b.stop()
	b.run("verify")
	return town.facts()
}

// facts returns what the log has of votes, in words that are the same in each run, sorted: those of one person stay in
// their order.
func (t *town) facts() string {
	t.Helper()
	names := map[string]string{t.ann.ID: "Ann", t.ben.ID: "Ben", t.cem.ID: "Cem", t.dan.ID: "Dan"}
	var said []string
	for line := range strings.Lines(t.run("log", "--json", "--kind", "vote", "--limit", "1000")) {
		var fact struct {
			People  map[string]struct{ User string }
			Keys    map[string]string
			Payload struct {
				Choices    []int
				Electorate []int
				Explain    string // the outcome
			}
		}
		if err := json.Unmarshal([]byte(line), &fact); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		who := "nobody"
		for _, p := range fact.People {
			who = names[strings.TrimPrefix(p.User, "discord:")]
		}
		said = append(said, fmt.Sprint(who, ": ", fact.Keys["what"], " ", fact.Keys["outcome"], fact.Payload))
	}
	slices.SortStableFunc(said, func(a, b string) int { return strings.Compare(a[:3], b[:3]) })
	return strings.Join(said, "\n")
}
