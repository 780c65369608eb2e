package powerloss

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// spoken turns what is easy to read into what strace writes with -xx: texts in quotes and in angle brackets are escaped.
func spoken(text string) string {
	return regexp.MustCompile(`"[^"]*"|<[/:a-z][^>]*>`).ReplaceAllStringFunc(text, func(s string) string {
		if strings.HasPrefix(s, "<unfinished") {
			return s
		}
		var b strings.Builder
		for _, c := range []byte(s[1 : len(s)-1]) {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
		return s[:1] + b.String() + s[len(s)-1:]
	})
}

func parsed(t *testing.T, text string, before map[string][]byte) (*Trace, error) {
	t.Helper()
	return Parse(strings.NewReader(spoken(strings.TrimLeft(text, "\n"))), "/data", State{Files: before})
}

// A power failure may leave a folder with nothing in it, and the next life opens that.
func TestParseAnEmptyFolder(t *testing.T) {
	const text = `1 openat(AT_FDCWD</data>, "log", O_RDONLY|O_DIRECTORY) = 3</data/log>
1 openat(AT_FDCWD</data>, "log/1", O_RDWR|O_CREAT, 0600) = 4</data/log/1>
`
	before := State{Dirs: []string{"log"}}
	trace, err := Parse(strings.NewReader(spoken(text)), "/data", before)
	if err != nil {
		t.Fatal(err)
	}
	if s := trace.Whole(0); !reflect.DeepEqual(s.Dirs, before.Dirs) || len(s.Files) > 0 {
		t.Errorf("in the beginning there is %q", s)
	}
	if s := trace.Whole(trace.Length()); len(s.Files) != 1 || s.Files["log/1"] != nil {
		t.Errorf("in the end there is %q", s)
	}
}

func TestParse(t *testing.T) {
	trace, err := parsed(t, `
1 openat(AT_FDCWD</>, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3</etc/passwd>
1 read(3</etc/passwd>, "root", 4096) = 4
1 openat(AT_FDCWD</data>, "new", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 4</data/new>
1 openat(AT_FDCWD</data>, "gone", O_RDONLY) = -1 ENOENT (No such file or directory)
1 write(4</data/new>, "hello", 5)   = 5
1 lseek(4</data/new>, 1, SEEK_SET)  = 1
1 write(4</data/new>, "EL", 2)      = 2
1 pwrite64(4</data/new>, "!", 1, 9) = 1
1 fsync(4</data/new> <unfinished ...>
2 write(1<pipe:[7]>, "done", 4)   = 4
2 openat(AT_FDCWD</>, "/data/old", O_WRONLY|O_APPEND) = 5</data/old>
2 write(5</data/old>, "more", 4)    = 4
1 <... fsync resumed>)              = 0
1 renameat(AT_FDCWD</data>, "new", AT_FDCWD</data>, "old") = 0
2 write(5</data/old>(deleted), "x", 1) = 1
1 openat(AT_FDCWD</data>, ".", O_RDONLY|O_CLOEXEC) = 3</data>
1 fsync(3</data>)                   = 0
1 close(3</data>)                   = 0
1 fallocate(4</data/old>, FALLOC_FL_KEEP_SIZE, 0, 4096) = 0
1 ftruncate(4</data/old>, 3)        = 0
1 mkdirat(AT_FDCWD</data>, "sub", 0700) = 0
1 linkat(AT_FDCWD</data>, "old", AT_FDCWD</data>, "sub/too", 0) = 0
1 unlinkat(AT_FDCWD</data>, "old", 0) = 0
1 write(2</dev/null>, "nobody reads it", 15) = 15
1 exit_group(0)                     = ?
1 +++ exited with 0 +++
`, map[string][]byte{"old": []byte("was here")})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for i := range trace.Ops {
		said = append(said, trace.Ops[i].String())
	}
	want := []string{
		"create new, file 2", "write file 2, 5 bytes at 0", "write file 2, 2 bytes at 1", "write file 2, 1 bytes at 9", `say "done"`,
		"write file 1, 4 bytes at 8", "sync file 2", "rename new to old", "write file 1, 1 bytes at 12", "sync folder .",
		"reserve file 2 to 4096", "resize file 2 to 3", "mkdir sub", "link sub/too, file 2", "remove old",
	}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("it says\n%s\nand not\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
	sync := trace.Ops[6]
	if said := trace.Said(sync.Begin + 1); len(said) != 0 {
		t.Errorf("said too early: %q", said)
	}
	if said := trace.Said(sync.End - 1); !reflect.DeepEqual(said, []string{"done"}) {
		t.Errorf("said while the sync runs: %q", said)
	}
	if s := trace.Whole(trace.Length()); !reflect.DeepEqual(s, State{Files: map[string][]byte{"sub/too": []byte("hEL")}, Dirs: []string{"sub"}}) {
		t.Errorf("in the end there is %q", s)
	}
	if n := len(trace.Covers(6)); n != 3 {
		t.Errorf("the sync covers %d writes", n)
	}
	if name := trace.NameOf(2, trace.Length()); name != "sub/too" {
		t.Errorf("the file is called %s", name)
	}
}

// A number of a descriptor is another file's before the close of the first has returned.
func TestParseDescriptorTakenAtOnce(t *testing.T) {
	trace, err := parsed(t, `
1 openat(AT_FDCWD</data>, "a", O_RDWR) = 3</data/a>
1 close(3</data/a> <unfinished ...>
2 openat(AT_FDCWD</data>, "b", O_RDWR) = 3</data/b>
1 <... close resumed>) = 0
2 fsync(3</data/b>) = 0
`, map[string][]byte{"a": nil, "b": nil})
	if err != nil || len(trace.Ops) != 1 || trace.Ops[0].File != 2 {
		t.Errorf("%v, %v", trace, err)
	}
}

// What the model does not know is refused where it touches the folder.
func TestParseRefuses(t *testing.T) {
	for _, line := range []string{
		`1 copy_file_range(3</data/a>, NULL, 4</data/b>, NULL, 10, 0) = 10`,
		`1 writev(3</data/a>, [{iov_base="x", iov_len=1}], 1) = 1`,
		`1 write(3</data/a>, "x", 1) = 1`,
		`1 fallocate(3</data/a>, FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE, 0, 4096) = 0`,
		`1 openat(AT_FDCWD</data>, "a", O_RDWR|O_DIRECT) = 3</data/a>`,
		`1 openat(AT_FDCWD</data>, "a", O_RDWR) = 3</data/b>`,
		`1 renameat(AT_FDCWD</data>, "a", AT_FDCWD</>, "elsewhere") = 0`,
		`1 renameat2(AT_FDCWD</data>, "a", AT_FDCWD</data>, "b", RENAME_EXCHANGE) = 0`,
		`1 rename("/data/a", "/data/b") = 0`,
		`1 symlinkat("/x", AT_FDCWD</data>, "a") = 0`,
		`1 sync() = 0`,
		`1 io_uring_setup(8, {}) = 3`,
		`1 write(1<pipe:[1]>, "cut"..., 4000) = 4000`,
		`1 <... write resumed>) = 4`,
		`nonsense`,
		`1 nonsense`,
	} {
		if _, err := parsed(t, line+"\n", map[string][]byte{"a": nil, "b": nil}); !errors.Is(err, ErrTrace) && line != "nonsense" {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, line := range []string{
		`1 copy_file_range(3</a>, NULL, 4</b>, NULL, 10, 0) = 10`,
		`1 renameat(AT_FDCWD</>, "a", AT_FDCWD</>, "elsewhere") = 0`,
		`1 writev(3<socket:[1]>, [{iov_base="x", iov_len=1}], 1) = 1`,
		`1 write(7<socket:[9]>, "x", 1) = 1`,
	} {
		if trace, err := parsed(t, line+"\n", nil); err != nil || len(trace.Ops) != 0 {
			t.Errorf("%s: %v, %v", line, trace, err)
		}
	}
}

// made returns a trace of ops, one after the other.
func made(ops ...Op) *Trace {
	for i := range ops {
		ops[i].Begin, ops[i].End = 2*i+2, 2*i+3
	}
	return &Trace{Ops: ops}
}

func fill(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

// outcomes returns what a number of failures leave of a file at the end, and how often.
func outcomes(t *Trace, rules Rules, name string) map[string]int {
	found := map[string]int{}
	for seed := range uint64(3000) {
		data, ok := t.After(Failure{At: t.Length(), Rules: rules, Seed: seed}).Files[name]
		if !ok {
			found["none"]++
			continue
		}
		var b strings.Builder // the first byte of each sector
		for i := 0; i < len(data); i += Sector {
			fmt.Fprintf(&b, "%c", max(data[i], '0'))
		}
		found[b.String()]++
	}
	return found
}

func wantOutcomes(t *testing.T, what string, got map[string]int, want ...string) {
	t.Helper()
	for _, w := range want {
		if got[w] == 0 {
			t.Errorf("%s: never %q, but %v", what, w, got)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %v, and not only %q", what, got, want)
	}
}

func TestSectors(t *testing.T) {
	begin := []Op{{Kind: Create, Name: "f", File: 1}, {Kind: SyncDir, Name: "."}, {Kind: Write, File: 1, Data: fill('a', 2*Sector)}}
	sync := Op{Kind: Sync, File: 1}
	for _, rules := range []Rules{Journaled, Loose} {
		then := func(ops ...Op) map[string]int { return outcomes(made(append(begin[:3:3], ops...)...), rules, "f") }
		wantOutcomes(t, "synced", then(sync), "aa")
		wantOutcomes(t, "synced, then a sector", then(sync, Op{Kind: Write, File: 1, Data: fill('b', Sector)}), "aa", "ba")
		wantOutcomes(t, "one write torn", then(sync, Op{Kind: Write, File: 1, Data: fill('b', 2*Sector)}), "aa", "bb", "ab", "ba")
		wantOutcomes(t, "two writes", then(sync, Op{Kind: Write, File: 1, Data: fill('b', Sector)}, Op{Kind: Write, File: 1, Offset: Sector, Data: fill('c', Sector)}), "aa", "ba", "ac", "bc")
		wantOutcomes(t, "one over the other", then(sync, Op{Kind: Write, File: 1, Data: fill('b', Sector)}, Op{Kind: Write, File: 1, Data: fill('c', Sector)}), "aa", "ba", "ca")
		wantOutcomes(t, "the sync of another file", then(sync, Op{Kind: Write, File: 1, Data: fill('b', Sector)}, Op{Kind: Sync, File: 2}), "aa", "ba")
		wantOutcomes(t, "longer", then(sync, Op{Kind: Resize, File: 1, Size: 3 * Sector}), "aa", "aa0")
		cut := []string{"aa", "a"}
		if rules == Loose {
			cut = append(cut, "a0")
		}
		wantOutcomes(t, "cut", then(sync, Op{Kind: Resize, File: 1, Size: Sector}), cut...)
		wantOutcomes(t, "cut and synced", then(sync, Op{Kind: Resize, File: 1, Size: Sector}, sync), "a")
	}
	grown := []Op{sync, {Kind: Reserve, File: 1, Size: 4 * Sector}, {Kind: Write, File: 1, Offset: 2 * Sector, Data: fill('b', Sector)}}
	wantOutcomes(t, "appended", outcomes(made(append(begin, grown...)...), Journaled, "f"), "aa", "aa0", "aab")
	wantOutcomes(t, "appended to what is reserved", outcomes(made(append(begin, grown...)...), Loose, "f"), "aa", "aa0", "aab")
	// Another file lends its old contents.
	grown[1] = Op{Kind: Write, File: 2, Data: fill('z', Sector)}
	wantOutcomes(t, "appended elsewhere", outcomes(made(append(begin, grown...)...), Loose, "f"), "aa", "aa0", "aab", "aaz", "aaa")
}

func TestCutAndWrittenAnew(t *testing.T) {
	ops := []Op{
		{Kind: Create, Name: "f", File: 1}, {Kind: SyncDir, Name: "."}, {Kind: Write, File: 1, Data: fill('a', 2*Sector)}, {Kind: Sync, File: 1},
		{Kind: Resize, File: 1, Size: 0}, {Kind: Write, File: 1, Offset: Sector, Data: fill('b', Sector)},
	}
	for seed := range uint64(3000) {
		data := made(ops...).After(Failure{At: 1000, Rules: Journaled, Seed: seed}).Files["f"]
		// Two sectors long it may be before the cut or after the write; old bytes may not be under the new length.
		if len(data) == 2*Sector && data[0] == 0 && data[Sector] == 'a' {
			t.Fatalf("seed %d: a part of what was cut off", seed)
		}
	}
	if got := outcomes(made(ops...), Loose, "f"); got["0a"] == 0 || got["ab"] == 0 {
		t.Errorf("what was cut off never comes back: %v", got)
	}
}

func TestNames(t *testing.T) {
	create := func(name string, file int) Op { return Op{Kind: Create, Name: name, File: file} }
	both := func(t *Trace, rules Rules) map[string]int {
		found := map[string]int{}
		for seed := range uint64(2000) {
			s := t.After(Failure{At: t.Length(), Rules: rules, Seed: seed})
			var names []string
			for _, name := range []string{"a", "b", "sub/c"} {
				if data, ok := s.Files[name]; ok {
					names = append(names, name+string(data[:min(1, len(data))]))
				}
			}
			found[strings.Join(names, " ")]++
		}
		return found
	}
	two := made(create("a", 1), create("b", 2))
	wantOutcomes(t, "two, journaled", both(two, Journaled), "", "a", "a b")
	wantOutcomes(t, "two, loose", both(two, Loose), "", "a", "b", "a b")
	synced := made(create("a", 1), Op{Kind: SyncDir, Name: "."}, create("b", 2))
	for _, rules := range []Rules{Journaled, Loose} {
		wantOutcomes(t, "one synced", both(synced, rules), "a", "a b")
		wantOutcomes(t, "the file synced and not its name", both(made(create("a", 1), Op{Kind: Sync, File: 1}), rules), "", "a")
	}
	replaced := made(
		create("a", 1), Op{Kind: Write, File: 1, Data: []byte("1")}, Op{Kind: Sync, File: 1}, Op{Kind: SyncDir, Name: "."},
		create("b", 2), Op{Kind: Write, File: 2, Data: []byte("2")}, Op{Kind: Sync, File: 2}, Op{Kind: Rename, Name: "b", To: "a", File: 2},
	)
	wantOutcomes(t, "renamed, journaled", both(replaced, Journaled), "a1", "a1 b2", "a2")
	wantOutcomes(t, "renamed, loose", both(replaced, Loose), "a1", "a1 b2", "a2")
	inside := made(Op{Kind: MakeDir, Name: "sub"}, create("sub/c", 1), Op{Kind: SyncDir, Name: "sub"})
	wantOutcomes(t, "in a folder that nobody has synced, loose", both(inside, Loose), "", "sub/c")
	wantOutcomes(t, "in a folder that nobody has synced, journaled", both(inside, Journaled), "sub/c")
}

// While a call runs it may have done its work or not; a sync that has not returned promises nothing.
func TestDuringACall(t *testing.T) {
	trace := made(Op{Kind: Create, Name: "f", File: 1}, Op{Kind: SyncDir, Name: "."}, Op{Kind: Write, File: 1, Data: fill('a', Sector)}, Op{Kind: Sync, File: 1})
	count := func(at int) map[string]int {
		found := map[string]int{}
		for seed := range uint64(500) {
			found[string(trace.After(Failure{At: at, Seed: seed}).Files["f"])]++
		}
		return found
	}
	write, sync := trace.Ops[2], trace.Ops[3]
	for at, n := range map[int]int{write.Begin - 1: 1, sync.End: 1} {
		if got := count(at); len(got) != n {
			t.Errorf("at %d there are %d outcomes", at, len(got))
		}
	}
	for _, at := range []int{write.Begin, write.End, sync.Begin} {
		if got := count(at); len(got) < 2 {
			t.Errorf("at %d there is one outcome", at)
		}
	}
	skip := func(o *Op) bool { return o.Kind == Sync }
	lost := false
	for seed := range uint64(100) {
		lost = lost || len(trace.After(Failure{At: sync.End, Seed: seed, Skip: skip}).Files["f"]) == 0
	}
	if !lost {
		t.Error("nothing is lost without a sync")
	}
}
