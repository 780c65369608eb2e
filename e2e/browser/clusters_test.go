package browser

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"moot/e2e/process"
)

// newClusters starts a bot of three clusters under moot, with a Redis and a Discord around it, and returns a link to the page.
func newClusters(t *testing.T) string {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("there is no redis-server here")
	}
	dir := t.TempDir()
	if err := process.Build(dir, "goolm"); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	redis := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--daemonize", "no", "--logfile", filepath.Join(dir, "redis.log"))
	if err := redis.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = redis.Process.Kill()
		_ = redis.Wait() // it was killed
	})
	discord := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/gateway/bot" {
			fmt.Fprint(w, `{"url":"wss://gateway.discord.gg","shards":10,"session_start_limit":{"total":1000,"remaining":990,"reset_after":14400000,"max_concurrency":16}}`)
		}
	}))
	t.Cleanup(discord.Close)
	bot, err := filepath.Abs("../../cluster/testdata/bots/bot.py")
	if err != nil {
		t.Fatal(err)
	}
	python, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Skip("there is no python3 here")
	}
	text, err := os.ReadFile(bot)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "bot.py"), text, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.yaml"), fmt.Appendf(nil, `token: secret
override_dir: %s
interp: %s
module: bot.py
names: [Pika, Eevee, Mew]
redis: %s
redis_channel: mybot
per_cluster: 4
ping_interval: 1
cluster_start_next_delay: 0
proxy: %s
experimental_features: [reshard]
moot: {grace: 2, listen: "127.0.0.1:0"}
`, dir, strings.TrimSpace(string(python)), address, discord.URL), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(dir, "bot"), append([]string{"cluster"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "DISCORD="+discord.URL, "MOOT_CONFIG=")
		return cmd
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			break
		}
		if time.Since(began) > 3*time.Minute {
			t.Fatal(err)
		}
	}
	cmd := command()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ends with %v", err)
		}
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("its log:\n%s", text)
		}
	})
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		link, err := command("web").CombinedOutput()
		if err == nil {
			return strings.TrimSpace(string(link))
		}
		if time.Since(began) > 3*time.Minute {
			t.Fatalf("%v: %s", err, link)
		}
	}
}

// TestClusters: the page of the clusters is without barriers, on a phone and on a desk, asks for nothing elsewhere, and a rolling restart can
// be ordered by keyboard alone.
func TestClusters(t *testing.T) {
	link := newClusters(t)
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
	until := func(page, what string) {
		t.Helper()
		for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			do(chromedp.Navigate(base+page), visible("h1"))
			if evaluate[bool](t, ctx, what) {
				return
			}
			if time.Since(began) > 3*time.Minute {
				t.Fatalf("on %s it never comes that %s", page, what)
			}
		}
	}
	do(chromedp.Navigate(link), visible("button"))
	lookForBarriers(t, ctx, barriers, "the way in")
	do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("\r"), visible(".cards"))
	until("/", `document.body.innerText.includes("3 of 3") && document.body.innerText.includes("4 of 4")`)

	pages := []string{"/", "/cluster?id=0", "/actions", "/nowhere"}
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
			lookForBarriers(t, ctx, barriers, fmt.Sprintf("%s, %d wide, %s", page, screen.width, screen.scheme))
			if page == "/" && screen.width == 1200 {
				takePicture(t, ctx, "page-clusters.png")
			}
		}
	}

	// By keyboard: to "Restart all…", open it, to the button, and press it.
	do(chromedp.Navigate(base+"/"), visible("h1"))
	tabTo := func(text string) {
		t.Helper()
		for range 60 {
			do(chromedp.KeyEvent(kb.Tab))
			if strings.HasPrefix(evaluate[string](t, ctx, `document.activeElement.textContent.trim()`), text) && evaluate[string](t, ctx, `document.activeElement.tagName`) != "BODY" {
				return
			}
		}
		t.Fatalf("%q cannot be reached", text)
	}
	tabTo("Restart all")
	do(chromedp.KeyEvent("\r"))
	lookForBarriers(t, ctx, barriers, "the question before a restart")
	tabTo("Restart one after another")
	do(chromedp.KeyEvent("\r"), visible(".said"))
	lookForBarriers(t, ctx, barriers, "a rolling restart")
	until("/actions", `document.body.innerText.includes("rolling_restart_success")`)

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
