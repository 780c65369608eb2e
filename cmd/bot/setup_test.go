package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/internal/setup"
	"moot/protocol/discord/discordtest"
	"moot/protocol/matrix/matrixtest"
)

// setupFolder is a folder of its own in which the program is called.
type setupFolder struct {
	*testing.T
	dir  string
	stop func() // ends the bot that runs in it
}

func newSetupFolder(t *testing.T) *setupFolder { return &setupFolder{T: t, dir: t.TempDir()} }

func (f *setupFolder) command(args ...string) *exec.Cmd {
	cmd := exec.Command("bot", args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "MOOT_CONFIG=", "XDG_RUNTIME_DIR="+f.dir, "GORACE=atexit_sleep_ms=0")
	return cmd
}

// answers calls a setup with answers, one a line, and returns what it shows.
func (f *setupFolder) answers(args []string, lines ...string) (string, error) {
	cmd := f.command(append([]string{"setup"}, args...)...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// private fails where somebody else can read a file, and returns what is in it.
func (f *setupFolder) private(name string) string {
	f.Helper()
	path := filepath.Join(f.dir, name)
	info, err := os.Stat(path)
	if err != nil {
		f.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		f.Errorf("the mode of %s is %o", name, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	return string(text)
}

// run runs the bot until it is stopped, or the test ends.
func (f *setupFolder) run() {
	f.Helper()
	cmd := f.command("run")
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	f.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	f.Cleanup(func() {
		f.stop()
		if f.Failed() {
			f.Logf("the log of the bot:\n%s", log.String())
		}
	})
}

func says(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in:\n%s", p, text)
		}
	}
}

// inTime is by when a person has to have the first answer, who begins with an empty folder.
const inTime = 3 * time.Minute

// TestSetupMatrix: from an empty folder to the first answered help, with each answer refused once that can be.
func TestSetupMatrix(t *testing.T) {
	t.Parallel()
	began := time.Now()
	s := matrixtest.New()
	t.Cleanup(s.Close)
	bot, ann := s.Account("moot", "Moot"), s.Account("ann", "Ann")
	f := newSetupFolder(t)
	out, err := f.answers(nil, "1", "moot", bot, "http://127.0.0.1:1", s.URL, "secret-wrong", "secret-moot", bot, "nobody", "ann")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	says(t, out, "That is no account on Matrix", "127.0.0.1:1: ", s.URL+" is a homeserver", "does not let "+bot+" in", "Logged in: the homeserver says that this is "+bot,
		"That is the account of the bot", "asks for at most 8 things", "knows nobody called @nobody:fake.test. Check the spelling.", ann+" will run the bot", "config.toml is written",
		"logged in at "+s.URL, "Start the bot: moot run\n")
	if strings.Contains(out, "secret-") || strings.Contains(out, "\x1b") {
		t.Errorf("a secret, or what only a screen understands, is shown:\n%q", out)
	}
	const want = `operators = ["matrix:@ann:fake.test"]

[matrix]
user = "@moot:fake.test"
homeserver = %q
password = { file = "matrix-password.txt" }
`
	if got := f.private("config.toml"); !strings.HasSuffix(got, fmt.Sprintf(want, s.URL)) || strings.Count(got, "\n") != 7 {
		t.Errorf("the configuration is\n%s", got)
	}
	if got := f.private("matrix-password.txt"); got != "secret-moot\n" {
		t.Errorf("the password is %q", got)
	}
	if out, err := f.answers(nil, "1"); err == nil || !strings.Contains(out, "config.toml is there already") {
		t.Errorf("a second setup: %v\n%s", err, out)
	}

	f.run()
	room := s.Create(ann, "Lab", nil)
	s.Member(room, ann, bot, "invite", nil)
	for s.Membership(room, bot) != "join" && time.Since(began) < inTime {
		time.Sleep(10 * time.Millisecond)
	}
	s.Say(room, ann, "!moot help")
	for {
		answered := false
		for _, ev := range s.Timeline(room) {
			body, _ := ev.Content["body"].(string)
			answered = answered || ev.Sender == bot && strings.Contains(body, "vote")
		}
		if answered {
			t.Logf("from an empty folder to the first answer: %s", time.Since(began).Round(time.Millisecond))
			break
		}
		if time.Since(began) > inTime {
			t.Fatal("help was not answered")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestSetupDiscord is the same on Discord.
func TestSetupDiscord(t *testing.T) {
	t.Parallel()
	began := time.Now()
	srv := discordtest.New(t)
	ann, lab := srv.NewUser("Ann"), srv.NewGuild("Lab")
	lab.Join(ann)
	lab.Invite()
	general := lab.NewChannel("general")
	f := newSetupFolder(t)
	at := []string{"--api-url", srv.APIURL(), "--gateway-url", srv.GatewayURL()}
	out, err := f.answers(at, "2", "two words", "not.the.token", "Bot "+srv.Token, "Ann", "80351110224678912", ann.ID)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	says(t, out, "That is no token", "does not accept the bot's token", "the token is that of the application", "all that the bot needs are switched on",
		"To add the bot to a server, open https://discord.com/oauth2/authorize?client_id="+srv.AppID, "That is no id", "Discord knows nobody with that id",
		"Ann will run the bot", "config.toml is written", "discord sessions")
	if strings.Contains(out, "put it where token") {
		t.Errorf("it names a file that nobody has written yet:\n%s", out)
	}
	if strings.Contains(out, srv.Token) {
		t.Errorf("the token is shown:\n%s", out)
	}
	if got := f.private("discord-token.txt"); got != srv.Token+"\n" {
		t.Errorf("the token is %q", got)
	}
	says(t, f.private("config.toml"), fmt.Sprintf("operators = [\"discord:%s\"]\n", ann.ID), `token = { file = "discord-token.txt" }`)

	f.run()
	srv.Until("the commands are registered", func() bool { return len(srv.Commands()) > 0 })
	if got := ann.Slash(general, "help", nil).Reply().Content; !strings.Contains(got, "vote") {
		t.Errorf("help says %s", got)
	}
	if took := time.Since(began); took > inTime {
		t.Errorf("it took %s", took)
	} else {
		t.Logf("from an empty folder to the first answer: %s", took.Round(time.Millisecond))
	}
}

// TestSetupInAContainer: where the image names the configuration and the data folder, no command needs their flags.
func TestSetupInAContainer(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	ann := srv.NewUser("Ann")
	f := newSetupFolder(t)
	data := filepath.Join(f.dir, "elsewhere")
	within := func(input string, args ...string) string {
		t.Helper()
		cmd := f.command(args...)
		cmd.Env = append(cmd.Env, "MOOT_CONFIG="+filepath.Join(f.dir, "config", "config.toml"), "MOOT_DATA="+data)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	within("2\n"+srv.Token+"\n"+ann.ID+"\n", "setup", "--api-url", srv.APIURL(), "--gateway-url", srv.GatewayURL())
	says(t, f.private("config/config.toml"), fmt.Sprintf("data = %q\n", data))
	says(t, within("", "check"), "config.toml (named by $MOOT_CONFIG)", data+" is not there yet")
	says(t, within("", "check", "--data", f.dir), f.dir+", ")
}

// TestSetupIntents: without the intents nothing is written, and it is said where to switch them on.
func TestSetupIntents(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	srv.Flags = 0
	f := newSetupFolder(t)
	out, err := f.answers([]string{"--api-url", srv.APIURL()}, "2", srv.Token, "", "")
	if err == nil {
		t.Errorf("it was set up:\n%s", out)
	}
	says(t, out, "“Server Members Intent” is switched off", "switch it on at https://discord.com/developers/applications/"+srv.AppID, "Press Enter when it is switched on",
		"The answers ended before all was asked")
	if left, err := os.ReadDir(f.dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// TestSetupQuestions: both networks, with everything that can be asked, are no more questions than promised.
func TestSetupQuestions(t *testing.T) {
	t.Parallel()
	s := matrixtest.New()
	t.Cleanup(s.Close)
	srv := discordtest.New(t)
	bot, ann, ben := s.Account("moot", "Moot"), s.Account("ann", "Ann"), srv.NewUser("Ben")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if _, err := fmt.Fprintf(write, "3\n%s\n%s\nsecret-moot\n%s\n%s\n%s\n", bot, s.URL, ann, srv.Token, ben.ID); err != nil {
		t.Fatal(err)
	}
	write.Close()
	var out strings.Builder
	dir := t.TempDir()
	done, err := setup.Run(t.Context(), setup.Config{
		In: read, Out: &out, Plain: true, File: filepath.Join(dir, "config.toml"), Data: filepath.Join(dir, "elsewhere"),
		APIURL: srv.APIURL(), Hold: holdFolder,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	// The eighth is the Enter of somebody who has switched on an intent.
	if done.Asked != setup.MaxQuestions-1 {
		t.Errorf("it asked for %d things", done.Asked)
	}
	config, err := os.ReadFile(filepath.Join(dir, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	says(t, string(config), fmt.Sprintf("operators = [%q, %q]", "matrix:"+ann, "discord:"+ben.ID), "data = ", "[matrix]", "[discord]", "api_url")
}
