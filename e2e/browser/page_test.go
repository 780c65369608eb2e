package browser

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"moot/e2e/chromium"
	"moot/e2e/process"
)

var update = flag.Bool("update", false, "make the pictures of the documentation anew")

// script makes rooms, votes and a conversation for the pages to show.
var script = []string{
	`!moot vote poll "Which day suits you for the garden?" Monday Tuesday Saturday`, `!moot vote cast 1 Saturday`, `/as ben`, `!moot vote cast 1 Saturday`,
	`/as dan`, `!moot vote cast 1 Monday`, `/as eve`, `!moot vote cast 1 Saturday`, `/as finn`, `!moot vote cast 1 Tuesday`,
	`!moot vote poll "Shall the tools stay in the shed?" yes no "only the large ones"`, `!moot vote cast 2 yes`, `/as ben`, `/dm`, `help`, `/in lobby`, `!moot ping`,
}

// bot is a bot with a page.
type bot struct {
	*testing.T
	dir string
	in  io.Writer // what is typed in its console
}

func (b *bot) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(b.dir, "bot"), args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "MOOT_CONFIG=", "XDG_RUNTIME_DIR="+b.dir)
	return cmd
}

// newBot starts a bot and returns it with a link to its page.
func newBot(t *testing.T) (*bot, string) {
	b := &bot{T: t, dir: t.TempDir()}
	if err := process.Build(b.dir, "goolm"); err != nil {
		t.Fatal(err)
	}
	config := "data = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\npage = true\n"
	if err := os.WriteFile(filepath.Join(b.dir, "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := b.command("run", "--data", "data", "--clock", "2026-11-21T08:00:00Z")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.in = in
	done := make(chan struct{})
	shown := make(chan string, 1000)
	go func() {
		defer close(done)
		for s := bufio.NewScanner(out); s.Scan(); {
			select {
			case shown <- s.Text():
			default: // nobody reads any more
			}
		}
	}()
	t.Cleanup(func() {
		in.Close()
		<-done
		if err := cmd.Wait(); err != nil {
			t.Errorf("the bot ended with %v", err)
		}
	})
	if _, err := fmt.Fprintf(in, "%s\n# typed\n", strings.Join(script, "\n")); err != nil {
		t.Fatal(err)
	}
	for line := range shown {
		if line == "# typed" {
			break
		}
	}
	link, err := b.command("web", "--data", "data").Output()
	if err != nil {
		t.Fatal(err)
	}
	return b, strings.TrimSpace(string(link))
}

// seen is what the browser does beside what the test wants.
type seen struct {
	mu     sync.Mutex
	all    int      // requests; guarded by mu
	away   []string // requests that lead elsewhere; guarded by mu
	errors []string // guarded by mu
}

// newBrowser starts a browser, and looks at what it asks for and complains of.
func newBrowser(t *testing.T, base string) (context.Context, *seen) {
	ctx := chromium.Start(t)
	s := &seen{}
	err := chromedp.Listen(ctx, func(ev any) {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			if s.all++; !strings.HasPrefix(ev.Request.URL, base+"/") {
				s.away = append(s.away, ev.Request.URL)
			}
		case *log.EventEntryAdded: // such as what the policy forbids
			s.errors = append(s.errors, ev.Entry.Text+" "+ev.Entry.URL)
		case *runtime.EventExceptionThrown:
			s.errors = append(s.errors, ev.ExceptionDetails.Text)
		}
	})
	if err == nil {
		_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	}
	if err == nil {
		_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return ctx, s
}

// axe returns the text of axe-core.
func axe(t *testing.T) string {
	out, err := exec.Command("../js/install", "js").Output()
	if err != nil {
		t.Fatalf("axe-core cannot be installed: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages are all that are looked at.
var pages = []string{
	"/", "/rooms", "/room?id=console:lobby", "/votes", "/vote?room=console:lobby&id=1", "/outbox", "/dead", "/events?room=lobby", "/networks", "/backups", "/log", "/nowhere",
}

// TestPage: every page is without barriers, on a phone and on a desk, in light and dark; nothing is asked for elsewhere; and all of it
// can be used by keyboard alone.
func TestPage(t *testing.T) {
	b, link := newBot(t)
	base, _, _ := strings.Cut(link, "/login")
	barriers := axe(t)
	ctx, seen := newBrowser(t, base)
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	visible := func(sel chromedp.CSS) chromedp.Action[chromedp.Void] { return chromedp.WaitVisible(sel) }
	do(chromedp.Navigate(link), visible("button"))
	check := func(what string) {
		t.Helper()
		lookForBarriers(t, ctx, barriers, what)
	}
	check("the way in")
	do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("\r"), visible(".cards"))

	for _, screen := range []struct {
		scheme string
		width  int64
	}{{"light", 1200}, {"dark", 320}} {
		do(chromedp.EmulateViewport(screen.width, 900))
		features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: screen.scheme}}
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			do(chromedp.Navigate(base+page), visible("h1"))
			check(fmt.Sprintf("%s, %d wide, %s", page, screen.width, screen.scheme))
			takePicture(t, ctx, pictures[fmt.Sprint(page, screen.width, screen.scheme)])
		}
	}

	t.Run("by keyboard", func(t *testing.T) {
		var reached []string
		const name = `(e => e.tagName + " " + (e.textContent || e.id).trim().slice(0, 40))`
		do(chromedp.Navigate(base+"/events?room=lobby"), visible("h1"))
		all := evaluate[[]string](t, ctx, `[...document.querySelectorAll("a[href], button, input, select, summary")].filter(e => e.type !== "hidden").map(`+name+`)`)
		for range 3 * len(all) {
			do(chromedp.KeyEvent(kb.Tab))
			at := evaluate[string](t, ctx, name+`(document.activeElement)`)
			outline := evaluate[string](t, ctx, `document.activeElement === document.body ? "" : getComputedStyle(document.activeElement).outlineStyle`)
			if strings.HasPrefix(at, "BODY") {
				break
			}
			if outline == "none" {
				t.Errorf("%s has the focus, and nothing shows it", at)
			}
			reached = append(reached, at)
		}
		for _, e := range all {
			if !slices.Contains(reached, e) {
				t.Errorf("%s cannot be reached", e)
			}
		}
	})

	t.Run("live", func(t *testing.T) {
		do(chromedp.Navigate(base + "/log"))
		until := func(what string) {
			t.Helper()
			for began := time.Now(); !evaluate[bool](t, ctx, what); time.Sleep(20 * time.Millisecond) {
				if time.Since(began) > 20*time.Second {
					t.Fatalf("it never comes that %s", what)
				}
			}
		}
		until(`document.getElementById("state").textContent.startsWith("Live")`)
		if _, err := fmt.Fprintln(b.in, "/as ann\n/in lobby\n/kick moot"); err != nil {
			t.Fatal(err)
		}
		until(`/what=(kicked|left|put-out|removed)/.test(document.getElementById("log").textContent)`)
	})

	seen.mu.Lock()
	defer seen.mu.Unlock()
	if len(seen.away) > 0 || seen.all < len(pages) {
		t.Errorf("of %d requests these lead elsewhere: %q", seen.all, seen.away)
	}
	for _, e := range seen.errors {
		if !strings.Contains(e, "404") || !strings.Contains(e, "/nowhere") {
			t.Errorf("the browser complains: %s", e)
		}
	}
}

// lookForBarriers looks at the page that is open.
func lookForBarriers(t *testing.T, ctx context.Context, barriers, what string) {
	t.Helper()
	evaluate[int](t, ctx, barriers+"; 0")
	found := evaluate[[]barrier](t, ctx, `axe.run().then(r => r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html)})))`, chromedp.EvalAwaitPromise)
	for _, f := range found {
		t.Errorf("%s: %s: %s: %q", what, f.ID, f.Help, f.Nodes)
	}
	if evaluate[bool](t, ctx, `document.documentElement.scrollWidth > window.innerWidth`) {
		t.Errorf("%s is wider than the screen", what)
	}
}

// takePicture makes a picture of the documentation anew, where that is wanted.
func takePicture(t *testing.T, ctx context.Context, picture string) {
	t.Helper()
	if picture == "" || !*update {
		return
	}
	data, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("../../docs", picture), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// barrier is what axe-core has found.
type barrier struct {
	ID    string   `json:"id"`
	Help  string   `json:"help"`
	Nodes []string `json:"nodes"`
}

// evaluate returns the value of an expression in the page.
func evaluate[T any](t *testing.T, ctx context.Context, expression string, options ...chromedp.EvaluateOption) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		t.Fatalf("%.80s: %v", expression, err)
	}
	return v
}

// pictures are those of the documentation.
var pictures = map[string]string{
	"/vote?room=console:lobby&id=11200light": "page-vote.png", "/320dark": "page-phone.png", "/1200light": "page-overview.png",
}
