//go:build goolm

package pictures

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"moot/e2e/chromium"
	"moot/e2e/homeserver"
)

var update = flag.Bool("update", false, "make the pictures of README anew")

// page is what is shown around: the style of Hydrogen, and the place of what a script draws.
const page = `<!doctype html><html lang="en"><meta charset="utf-8">%s<body class="hydrogen" style="margin:0"><div id="app" style="%s"></div>
<script src="script.js"></script>`

// show starts a browser with a page that runs a script of js, calls its show, and returns the browser once show is done.
func show(t *testing.T, script, head, style string, width, height int64, with any) context.Context {
	t.Helper()
	ctx := chromium.Start(t)
	_, e2e, err := homeserver.Root()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(e2e, "js", "install"), filepath.Join(e2e, "pictures", "js")).Output()
	if err != nil {
		t.Fatalf("what draws cannot be installed: %v", err)
	}
	modules := filepath.Join(strings.TrimSpace(string(out)), "node_modules")
	dir := t.TempDir()
	bundle := exec.Command(filepath.Join(modules, ".bin", "esbuild"), filepath.Join(e2e, "pictures", "js", script), "--bundle", "--format=iife",
		"--external:fs", "--external:path", "--external:crypto", "--log-level=error", "--outfile="+filepath.Join(dir, "script.js"))
	bundle.Env = append(os.Environ(), "NODE_PATH="+modules)
	if out, err := bundle.CombinedOutput(); err != nil {
		t.Fatalf("bundle %s: %v\n%s", script, err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), fmt.Appendf(nil, page, head, style), 0o600); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(dir)))
	mux.Handle("/assets/", http.StripPrefix("/assets", http.FileServer(http.Dir(filepath.Join(modules, "hydrogen-view-sdk/asset-build/assets")))))
	mux.Handle("/olm/", http.StripPrefix("/olm", http.FileServer(http.Dir(filepath.Join(modules, "@matrix-org/olm")))))
	mux.HandleFunc("/sw.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(modules, "hydrogen-view-sdk/lib-build/sw.js"))
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)

	given, err := json.Marshal(with)
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height)); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "UTC"}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+"/")); err != nil {
		t.Fatal(err)
	}
	call := fmt.Sprintf(`show(%s).then(() => "", e => String(e.stack || e))`, given)
	failed, err := chromedp.Run(ctx, chromedp.Evaluate[string](call, chromedp.EvalAwaitPromise))
	if err != nil || failed != "" {
		t.Fatalf("%s: %v %s", script, err, failed)
	}
	return ctx
}

// shows reports whether a person reads a text in the page, also within components. Spaces do not count: where there are any between two
// components is a matter of their style.
func shows(said, part string) bool {
	return strings.Contains(strings.ReplaceAll(said, " ", ""), strings.ReplaceAll(part, " ", ""))
}

// text is all that a person reads in the page.
func text(t *testing.T, ctx context.Context) string {
	t.Helper()
	said, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(function all(n) {
		if (n.nodeType === Node.TEXT_NODE) return n.data;
		if (["STYLE", "SCRIPT"].includes(n.nodeName)) return "";
		return [...(n.shadowRoot ? n.shadowRoot.childNodes : []), ...n.childNodes].map(all).join(" ");
	})(document.body).replace(/\s+/g, " ")`))
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// keep makes a picture of README anew, where that is wanted.
func keep(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	if !*update {
		return
	}
	data, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("../../docs", name), data, 0o644); err != nil {
		t.Fatal(err)
	}
}
