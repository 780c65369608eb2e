package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"moot/internal/effort"
	"moot/internal/finding"
	"moot/protocol"
)

// damagedTalk is what a bot hears that runs on a damaged folder: enough to read and write everywhere.
const damagedTalk = `{"id":1,"event":{"Room":"console:lobby","ID":"$d1","Sender":"console:ann","Body":{"Message":{"Text":"!moot ping"}}}}
{"id":2,"event":{"Room":"console:attic","ID":"$d2","Sender":"console:ann","Body":{"MemberChange":{"User":"console:moot","Self":true,"Membership":"joined"}}}}
{"id":3,"event":{"Room":"console:dm-ann","ID":"$d3","Sender":"console:ann","Private":true,"Body":{"Message":{"Text":"mydata"}}}}
`

// TestDamagedFiles: files that were cut short, or in which bits are another than were written, are refused in words, and
// not changed then; or what is wrong does not matter to what the bot does. It never ends in disorder. What bbolt keeps no
// checksum of can be damaged unnoticed: how often is shown and not promised.
func TestDamagedFiles(t *testing.T) {
	effort.Proof(t)
	t.Parallel()
	bin := failpointBot(t)
	w := &crashWorld{name: "aged", data: agedFolder(t, protocol.Console)}
	k := w.begin(t, bin, 0)
	for k.life(); !k.done; k.life() {
	}
	whole := k.dir
	live := livePages(t, filepath.Join(whole, "moot.db"))
	flips := effort.InProof(60, 1000)
	tell(os.Stdout, "\n%-34s %6s %9s %14s %12s %10s", "damage", "tried", "refused", "found by check", "no matter", "disorder")
	for _, c := range []struct {
		file, how string
		damage    func(data []byte, i int) []byte
		tries     int
		refused   bool // always
	}{
		{"moot.db", "cut short", cutShort, 24, true},
		{"facts.archive", "cut short", cutShort, 12, true},
		{"moot.db", "emptied of a page", withoutPage(live), min(flips, len(live)), false},
		{"moot.db", "one bit in a head", flipHead(live), flips, false},
		{"moot.db", "one bit in a page", flipPage(live), flips, false},
		{"facts.archive", "one bit", flipAny, flips, false},
	} {
		data, err := os.ReadFile(filepath.Join(whole, c.file))
		if err != nil {
			t.Fatal(err)
		}
		tries, refused, found, nothing, disorder := 0, 0, 0, 0, 0
		for i := range c.tries {
			bad := c.damage(bytes.Clone(data), i)
			if bytes.Equal(bad, data) {
				continue
			}
			tries++
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, c.file)
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			checked, checkText := sayOf(t, exec.Command(bin, "check", "--full", "--data", dir))
			cmd := exec.Command(bin, "run", "--pipe", "--data", dir)
			cmd.Stdin = strings.NewReader(damagedTalk)
			ran, runText := sayOf(t, cmd)
			what := fmt.Sprintf("%s, %s, number %d", c.file, c.how, i)
			for _, text := range []string{checkText, runText} {
				if strings.Contains(text, "goroutine ") {
					disorder++
					t.Errorf("%s: it ended in disorder:\n%.3000s", what, text)
				}
			}
			switch {
			case ran != exitOK:
				refused++
				if checked == exitOK && !strings.Contains(checkText, string(finding.Fail)) {
					t.Errorf("%s: the bot does not run, and check finds nothing:\n%s\n%s", what, runText, checkText)
				}
				now, err := os.ReadFile(path)
				if err != nil || strings.Contains(runText, "was not changed") && !bytes.Equal(now, bad) {
					t.Errorf("%s: the file was changed (%v):\n%s", what, err, runText)
				}
			case checked != exitOK:
				found++
			default:
				nothing++
			}
		}
		if tries == 0 || c.refused && refused != tries || refused+found == 0 && c.how != "one bit in a page" {
			t.Errorf("%s, %s: %d of %d were refused", c.file, c.how, refused, tries)
		}
		tell(os.Stdout, "%-34s %6d %9d %14d %12d %10d", c.file+", "+c.how, tries, refused, found, nothing, disorder)
	}
}

// sayOf runs a command and returns its exit code and all that it says.
func sayOf(t *testing.T, cmd *exec.Cmd) (int, string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	code := cmd.ProcessState.ExitCode()
	if code < 0 {
		out = append(out, fmt.Sprintf("\npanic or signal: %v", cmd.ProcessState)...)
	}
	return code, string(out)
}

// damagePage is the size of a page of the file.
const damagePage = 4096

// seeded returns what is random about the ith damage of a kind.
func seeded(kind string, i int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(i), uint64(len(kind))))
}

// cutShort cuts off a little, or a lot: at the edges of pages and in them.
func cutShort(data []byte, i int) []byte {
	used := len(bytes.TrimRight(data, "\x00")) // what bbolt has added in advance may be missing
	cut := used * i / 12
	if i >= 12 {
		cut = used / damagePage * damagePage * (i - 11) / 13 / damagePage * damagePage
	}
	return data[:max(min(cut, used-1), 1)]
}

// livePages returns the pages of a file of bbolt that are in use. What stands in the others matters to nobody.
func livePages(t *testing.T, path string) (live []int) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		for i := 0; ; i++ {
			p, err := tx.Page(i)
			if err != nil || p == nil {
				return err
			}
			if p.Type != "free" {
				live = append(live, i)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return live
}

func withoutPage(live []int) func([]byte, int) []byte {
	return func(data []byte, i int) []byte {
		at := live[i*len(live)/min(40, len(live))%len(live)] * damagePage
		clear(data[at : at+damagePage])
		return data
	}
}

// flipHead flips a bit where the structure of a page stands.
func flipHead(live []int) func([]byte, int) []byte {
	return func(data []byte, i int) []byte {
		r := seeded("head", i)
		data[live[r.IntN(len(live))]*damagePage+r.IntN(48)] ^= 1 << r.IntN(8)
		return data
	}
}

func flipPage(live []int) func([]byte, int) []byte {
	return func(data []byte, i int) []byte {
		r := seeded("page", i)
		data[live[r.IntN(len(live))]*damagePage+r.IntN(damagePage)] ^= 1 << r.IntN(8)
		return data
	}
}

func flipAny(data []byte, i int) []byte {
	r := seeded("anywhere", i)
	data[r.IntN(len(data))] ^= 1 << r.IntN(8)
	return data
}
