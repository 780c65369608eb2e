//go:build goolm

package pictures

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
	"moot/e2e/homeserver"
	"moot/e2e/process"
)

const rules = `[votes]
member = "0s"
active_days = 0
poll_shortest = "1m"
`

// TestElement: a vote in a room of a real homeserver, with ballots by reaction and by command, is shown to a member by Element's light
// program, with the numbers that the bot has written into its message since.
func TestElement(t *testing.T) {
	server := homeserver.StartT(t)
	dir := t.TempDir()
	if err := process.Build(dir, "goolm"); err != nil {
		t.Fatal(err)
	}
	people := map[string]*client.Client{}
	for _, name := range []string{"Ann", "Ben", "Dan", "Eve"} {
		people[name] = client.New(t, server, strings.ToLower(name))
		if err := people[name].SetDisplayName(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	ann := people["Ann"]
	account := client.Register(t, server, "moot")
	bot := process.New(t, process.Config{
		Program: filepath.Join(dir, "bot"), Server: server, Account: account, Extra: rules, Matrix: `name = "moot"`,
	})
	bot.Start()
	invited := []id.UserID{id.UserID(account.UserID)}
	for name, who := range people {
		if name != "Ann" {
			invited = append(invited, who.UserID)
		}
	}
	where := ann.Create(client.Room{Name: "The garden", Invite: invited})
	for name, who := range people {
		if name != "Ann" {
			who.Accept(where)
			ann.AwaitMembership(where, who.UserID, event.MembershipJoin)
		}
	}
	ann.AwaitMembership(where, id.UserID(account.UserID), event.MembershipJoin)
	for { // until it has read who is there
		if said := ann.Ask(where, "!moot members"); !strings.Contains(said, "still reading") && strings.Contains(said, "5 members") {
			break
		}
	}
	ann.Message(where, id.UserID(account.UserID), "Hello, I am moot")
	people["Dan"].Say(where, "Who has the key to the shed on Saturdays?")
	people["Eve"].Say(where, "Let us decide that together.")
	ann.Say(where, "!moot vote motion the shed is open on Saturdays from nine to twelve")
	message := ann.Message(where, id.UserID(account.UserID), "the shed is open on Saturdays")
	people["Ben"].React(where, message.ID, "👍\ufe0f")
	people["Eve"].React(where, message.ID, "👍\ufe0f")
	people["Dan"].Say(where, "!moot vote cast no")

	ctx := show(t, "element.mjs", `<link rel="stylesheet" href="assets/theme-element-light.css"><style>#app > * { flex: 1; min-width: 0 }</style>`,
		"display: flex; height: 100vh", 900, 860,
		map[string]string{"homeserver": server.URL, "user": ann.Account.UserID, "password": ann.Account.Password, "room": string(where)})
	for deadline := time.Now().Add(client.Patience); ; time.Sleep(100 * time.Millisecond) {
		said := text(t, ctx)
		if shows(said, "3 of 4 voted") && shows(said, "the shed is open on Saturdays from nine to twelve") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("Element shows:\n%s", said)
		}
	}
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`new Promise(shown => {
		document.querySelector(".Timeline_scroller").scrollTop = 1e6;
		requestAnimationFrame(() => requestAnimationFrame(() => shown(true)));
	})`, chromedp.EvalAwaitPromise)); err != nil {
		t.Fatal(err)
	}
	keep(t, ctx, "vote-element.png")
}
