package watch

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestFiles: the alerts, the dashboard and the page of the manual name metrics that there are, and the page
// names all.
func TestFiles(t *testing.T) {
	b := newBench(t)
	b.full()
	there := map[string]bool{}
	gather := func() {
		families, err := b.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			there[f.GetName()] = true
		}
	}
	gather()
	b.sources.Standby = func() Standby { return Standby{} }
	gather()
	const rules, dashboard, page = "../../deploy/prometheus-rules.yml", "../../deploy/grafana.json", "../../docs/watching.md"
	named := map[string]string{}
	for _, file := range []string{rules, dashboard, page} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		named[file] = string(text)
		for _, name := range regexp.MustCompile(`\b(moot|process)_[a-z_]+[a-z]`).FindAllString(string(text), -1) {
			if !there[strings.TrimSuffix(name, "_bucket")] {
				t.Errorf("%s names %s, which is not there", file, name)
			}
		}
	}
	for name := range there {
		if !strings.HasPrefix(name, "process_") && !strings.Contains(named[page], "`"+name) {
			t.Errorf("%s does not name %s", page, name)
		}
	}
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(named[rules], -1) {
		if !strings.Contains(named[page], "`"+alert[1]+"`") {
			t.Errorf("%s does not name the alert %s", page, alert[1])
		}
	}
	if !json.Valid([]byte(named[dashboard])) {
		t.Error("the dashboard is not JSON")
	}
	if tool, err := exec.LookPath("promtool"); err == nil {
		if out, err := exec.Command(tool, "check", "rules", rules).CombinedOutput(); err != nil {
			t.Errorf("promtool says %s, %v", out, err)
		}
	}
}
