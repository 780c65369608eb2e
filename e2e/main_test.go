//go:build goolm

package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
	"moot/e2e/homeserver"
	"moot/e2e/process"
)

// The programs and the one server of all tests. Each test has accounts and rooms of its own there.
var (
	server  *homeserver.Server
	program string // the bot
	echo    string // the bot that the benchmark compares with
	scratch string // a folder that goes with the run
)

func TestMain(m *testing.M) {
	flag.Parse()
	if given := flag.Lookup("test.parallel"); given.Value.String() == given.DefValue {
		// The scenarios mostly wait, for the homeserver and for one another.
		_ = flag.Set("test.parallel", "8") // it is a number
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	uncached()
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "moot-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	scratch = dir
	began := time.Now()
	if err := process.Build(dir, "goolm", "echo"); err != nil {
		return 0, err
	}
	program, echo = filepath.Join(dir, "bot"), filepath.Join(dir, "echo")
	fmt.Printf("the programs were built in %s\n", time.Since(began).Round(time.Second))
	if err := os.Mkdir(filepath.Join(dir, "server"), 0o700); err != nil {
		return 0, err
	}
	began = time.Now()
	if server, err = homeserver.Start(filepath.Join(dir, "server")); err != nil {
		return 0, err
	}
	fmt.Printf("the homeserver was ready in %s\n", time.Since(began).Round(time.Second))
	code := m.Run()
	if code != 0 {
		fmt.Printf("the end of what the homeserver logged:\n%s\n", server.Log())
	}
	return code, server.Stop()
}

// town is what a scenario plays in: a bot that runs, its operator Ann, and rooms that are encrypted or not.
type town struct {
	*retold
	Encrypted bool
	Bot       *process.Bot
	BotID     id.UserID
	Ann       *client.Client
}

// each plays a scenario in clear and encrypted, at the same time as all the others.
func each(t *testing.T, extra string, scenario func(*town)) {
	t.Parallel()
	for name, encrypted := range map[string]bool{"plain": false, "encrypted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t, encrypted, extra)
			w.Bot.Start()
			scenario(w)
		})
	}
}

// retold is a test that ends its output with what has failed, behind the long logs of its bots.
type retold struct {
	*testing.T
	mu     sync.Mutex
	failed []string
}

func newRetold(t *testing.T) *retold {
	r := &retold{T: t}
	t.Cleanup(func() {
		for _, what := range r.failed {
			t.Logf("FAILED: %s", what)
		}
	})
	return r
}

func (r *retold) keep(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, what)
}

func (r *retold) Errorf(format string, args ...any) {
	r.Helper()
	r.keep(fmt.Sprintf(format, args...))
	r.T.Errorf(format, args...)
}

func (r *retold) Fatalf(format string, args ...any) {
	r.Helper()
	r.keep(fmt.Sprintf(format, args...))
	r.T.Fatalf(format, args...)
}

func (r *retold) Fatal(args ...any) {
	r.Helper()
	r.keep(fmt.Sprintln(args...))
	r.T.Fatal(args...)
}

func newTown(t *testing.T, encrypted bool, extra string) *town {
	w := &town{retold: newRetold(t), Encrypted: encrypted}
	w.Ann = w.person("ann")
	account := client.Register(w, server, "moot")
	w.BotID = id.UserID(account.UserID)
	w.Bot = process.New(w, process.Config{
		Program: program, Server: server, Account: account, Operators: []string{"matrix:" + string(w.Ann.UserID)}, Extra: extra,
	})
	return w
}

// person adds somebody.
func (w *town) person(name string) *client.Client {
	w.Helper()
	return client.New(w, server, name)
}

// room makes a room of Ann with the bot and others in it.
func (w *town) room(name string, others ...*client.Client) id.RoomID {
	w.Helper()
	invite := []id.UserID{w.BotID}
	for _, o := range others {
		invite = append(invite, o.UserID)
	}
	where := w.Ann.Create(client.Room{Name: name, Encrypted: w.Encrypted, Invite: invite})
	for _, o := range others {
		o.Accept(where)
	}
	w.Ann.AwaitMembership(where, w.BotID, event.MembershipJoin)
	for _, o := range others {
		w.Ann.AwaitMembership(where, o.UserID, event.MembershipJoin)
		o.AwaitMembership(where, w.BotID, event.MembershipJoin)
	}
	return where
}

// private opens a private conversation of somebody with the bot. What they say there next comes within a moment of its join.
func (w *town) private(who *client.Client) id.RoomID {
	w.Helper()
	where := who.Create(client.Room{Encrypted: w.Encrypted, Direct: true, Invite: []id.UserID{w.BotID}})
	who.AwaitMembership(where, w.BotID, event.MembershipJoin)
	return where
}

// ping asks the bot whether it is there. What was said before in that room has been handled when it has answered.
func (w *town) ping(who *client.Client, where id.RoomID) {
	w.Helper()
	if got := who.Ask(where, "!moot ping"); got != "pong" {
		w.Errorf("the answer to a ping was %q", got)
	}
}

// members returns what the bot says of the members of a room, once it has read their list.
func (w *town) members(where id.RoomID) (said string) {
	w.Helper()
	w.until("a list of members that was read", func() (string, bool) {
		said = w.Ann.Ask(where, "!moot members")
		return said, !strings.Contains(said, "still reading")
	})
	return said
}

// answered fails where a message was not answered exactly so often.
func (w *town) answered(who *client.Client, where id.RoomID, asked id.EventID, times int) {
	w.Helper()
	if got := who.Answers(where, asked); len(got) != times {
		w.Errorf("%s was answered %d times, and not %d", asked, len(got), times)
	}
}

// sealed fails where anything was said in clear in an encrypted room.
func (w *town) sealed(who *client.Client, where id.RoomID) {
	w.Helper()
	if clear := who.Clear(where); w.Encrypted && len(clear) > 0 {
		w.Errorf("%d messages in clear in an encrypted room, the first by %s: %q", len(clear), clear[0].Sender, clear[0].Body())
	}
}
