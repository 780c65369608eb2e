package store

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"moot/protocol"
)

// model is what a layer is held against: a plain map over another one, where nil is a deletion.
type model struct {
	below *model
	own   map[string]*string // bucket␟key
}

func (m *model) over() *model { return &model{m, map[string]*string{}} }

func (m *model) merge() { maps.Copy(m.below.own, m.own) }

func (m *model) get(b Bucket, key string) *string {
	for ; m != nil; m = m.below {
		if v, ok := m.own[Key(b.name, key)]; ok {
			return v
		}
	}
	return nil
}

// keys returns all keys of the bucket in order.
func (m *model) keys(b Bucket) []string {
	set := map[string]bool{}
	for l := m; l != nil; l = l.below {
		for k := range l.own {
			if key, ok := strings.CutPrefix(k, b.name+Sep); ok && m.get(b, key) != nil {
				set[key] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// next returns the key that a walk comes to after at; started says whether there is such a key.
func (m *model) next(b Bucket, from, to, at string, started, backward bool) (string, bool) {
	keys := m.keys(b)
	if backward {
		slices.Reverse(keys)
	}
	for _, k := range keys {
		if k < from || to != "" && k >= to || started && (!backward && k <= at || backward && k >= at) {
			continue
		}
		return k, true
	}
	return "", false
}

var (
	plainA, plainB = SharedBucket("a"), SharedBucket("b")
	scopedC        = ScopedBucket("c")
	someScopes     = []protocol.Scope{"s", "sa", "s\x00", "\xff", "t"}
)

// race drives a store and its model through the same steps.
type race struct {
	*rapid.T
	file   *model
	commit *Commit
	top    *model // of the commit
	ops    int
}

func (r *race) bucket() Bucket {
	return rapid.SampledFrom([]Bucket{plainA, plainB, scopedC}).Draw(r.T, "bucket")
}

func (r *race) key(b Bucket, scope protocol.Scope) string {
	if !b.scoped {
		return byteKey(1, 3).Draw(r.T, "key")
	}
	if rest := byteKey(0, 2).Draw(r.T, "rest"); rest != "" {
		return Key(scope, rest)
	}
	return string(scope)
}

func (r *race) value() string {
	size := rapid.SampledFrom([]int{0, 1, 20, 700, 3000}).Draw(r.T, "size")
	r.ops++
	return strings.Repeat(fmt.Sprintf("%d.", r.ops), size)[:size]
}

// write makes one write to both. near is a key in whose neighbourhood it may be.
func (r *race) write(tx *Tx, m *model, b Bucket, near string) {
	tx = tx.In(rapid.SampledFrom(someScopes).Draw(r.T, "scope"))
	key := r.key(b, tx.scope)
	if near != "" {
		key = rapid.SampledFrom([]string{near, near + "\x00", near[:len(near)-1], key, key}).Draw(r.T, "near")
		if key == "" || b.scoped && !tx.covers(key) {
			return
		}
	}
	if rapid.Bool().Draw(r.T, "delete") {
		tx.Delete(b, key)
		m.own[Key(b.name, key)] = nil
		return
	}
	v := r.value()
	buf := []byte(v)
	tx.Put(b, key, buf)
	clear(buf) // the store has its own copy
	m.own[Key(b.name, key)] = &v
}

func (r *race) compare(where string, b Bucket, key string, got []byte, want *string) {
	r.Helper()
	switch {
	case (got == nil) != (want == nil):
		r.Fatalf("%s: %q in %s is %.20q, the model has %v", where, key, b.name, got, want != nil)
	case want != nil && string(got) != *want:
		r.Fatalf("%s: %q in %s is %.20q, the model has %.20q", where, key, b.name, got, *want)
	}
}

// walk goes through a part of a bucket in both, and calls each between two steps.
func (r *race) walk(tx *Tx, m *model, each func(b Bucket, key string)) {
	b := r.bucket()
	from, to := byteKey(0, 2).Draw(r.T, "from"), byteKey(0, 2).Draw(r.T, "to")
	kind := rapid.SampledFrom([]string{"range", "backward", "prefix"}).Draw(r.T, "kind")
	seq := tx.Range(b, from, to)
	switch kind {
	case "backward":
		seq = tx.Backward(b, from, to)
	case "prefix":
		seq, to = tx.Prefix(b, from), After(from)
	}
	at, started := "", false
	for range 2 { // a sequence may be used more than once
		at, started = "", false
		for k, v := range seq {
			want, ok := m.next(b, from, to, at, started, kind == "backward")
			if !ok || k != want {
				r.Fatalf(
					"%s of %s from %q to %q, after %q: got %q, the model has %q (%v)", kind, b.name, from, to,
					at, k, want, ok,
				)
			}
			r.compare(kind, b, k, v, m.get(b, k))
			at, started = k, true
			if each != nil {
				each(b, k)
			}
		}
		if want, ok := m.next(b, from, to, at, started, kind == "backward"); ok {
			r.Fatalf("%s of %s from %q to %q ended after %q; the model goes on with %q",
				kind, b.name, from, to, at, want)
		}
		if each != nil {
			break
		}
	}
}

func (r *race) run(depth int) {
	m := r.top.over()
	end := rapid.SampledFrom([]string{"ok", "ok", "ok", "error", "panic", "key", "scope"}).Draw(r.T, "end")
	boom := errors.New("boom")
	scope := rapid.SampledFrom(someScopes).Draw(r.T, "scope")
	err := r.commit.Run(scope, protocol.Ref{}, func(tx *Tx) error {
		for range rapid.IntRange(0, 8).Draw(r.T, "steps") {
			r.step(tx, m, depth)
		}
		switch end {
		case "error":
			return boom
		case "panic":
			panic(boom)
		case "key":
			tx.Put(plainA, "", nil)
		case "scope":
			tx.Put(scopedC, string(scope)+"x", nil)
		}
		return nil
	})
	var p *PanicError
	if errors.As(err, &p) && p.Value != boom {
		reraise(err)
	}
	ok := map[string]bool{
		"ok": err == nil, "error": err == boom, "panic": errors.As(err, &p) && p.Value == boom,
		"key": errors.Is(err, ErrKey), "scope": errors.Is(err, ErrScope),
	}
	if !ok[end] {
		r.Fatalf("a run that ends with %q returned %v", end, err)
	}
	if end == "ok" {
		m.merge()
	}
}

func (r *race) step(tx *Tx, m *model, depth int) {
	switch rapid.SampledFrom(
		[]string{"write", "write", "write", "get", "walk", "write while walking", "run"},
	).Draw(r.T, "step") {
	case "write":
		r.write(tx, m, r.bucket(), "")
	case "get":
		b := r.bucket()
		key := r.key(b, tx.scope)
		r.compare("get", b, key, tx.Get(b, key), m.get(b, key))
		if tx.Has(b, key) != (m.get(b, key) != nil) {
			r.Fatalf("Has(%q) is wrong", key)
		}
	case "walk":
		r.walk(tx, m, nil)
	case "write while walking":
		left := rapid.IntRange(1, 10).Draw(r.T, "writes")
		r.walk(tx, m, func(b Bucket, key string) {
			if left--; left >= 0 {
				r.write(tx, m, b, key)
			}
		})
	case "run":
		if depth == 0 {
			r.run(1)
		}
	}
}

func (r *race) makeCommit(s *Store) {
	r.top = r.file.over()
	end := rapid.SampledFrom([]string{"ok", "ok", "ok", "error", "panic"}).Draw(r.T, "commit ends")
	boom := errors.New("commit boom")
	err := func() (err error) {
		defer func() {
			if p := recover(); p == boom {
				err = boom
			} else if p != nil {
				panic(p)
			}
		}()
		return s.Commit(start, func(c *Commit) error {
			r.commit = c
			for range rapid.IntRange(0, 4).Draw(r.T, "runs") {
				r.run(0)
				r.walk(c.Read(), r.top, nil)
			}
			// The commit goes on while somebody reads it.
			left := rapid.IntRange(0, 5).Draw(r.T, "runs while walking")
			r.walk(c.Read(), r.top, func(Bucket, string) {
				if left--; left >= 0 {
					r.run(1)
				}
			})
			if end == "error" {
				return boom
			}
			if end == "panic" {
				panic(boom)
			}
			return nil
		})
	}()
	if (err == nil) != (end == "ok") {
		r.Fatalf("a commit that ends with %q returned %v", end, err)
	}
	if err == nil {
		r.top.merge()
	}
}

// whole compares everything in the file with the model.
func (r *race) whole(s *Store) {
	checkInvariants(r, s)
	err := s.View(func(tx *Tx) error {
		for _, b := range []Bucket{plainA, plainB, scopedC} {
			var forward, backward []string
			for k, v := range tx.Range(b, "", "") {
				r.compare("view", b, k, v, r.file.get(b, k))
				forward = append(forward, k)
			}
			for k := range tx.Backward(b, "", "") {
				backward = append(backward, k)
			}
			slices.Reverse(backward)
			if want := r.file.keys(b); !slices.Equal(forward, want) || !slices.Equal(backward, want) {
				r.Fatalf("%s has %q, backward %q, the model has %q", b.name, forward, backward, want)
			}
		}
		r.walk(tx, r.file, nil)
		return nil
	})
	if err != nil {
		r.Fatalf("view: %v", err)
	}
}

// TestModel races runs, commits and reopening against plain maps.
func TestModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "model.db")
		remove(path)
		cfg := Config{Path: path}
		if rapid.Bool().Draw(t, "tiny") {
			cfg.limits = tinyLimits
		}
		b := openBoxWith(t, cfg)
		defer func() { b.Close() }()
		r := &race{T: t, file: &model{own: map[string]*string{}}}
		// Enough to begin with for walks to cross pages.
		b.run("s", func(tx *Tx) {
			for i := range rapid.SampledFrom([]int{0, 60}).Draw(t, "filling") {
				k, v := string([]byte{"\x00\x1f\x20a\xfe\xff"[i%6], byte(i)}), strings.Repeat("v", 600)
				tx.Put(plainA, k, []byte(v))
				r.file.own[Key(plainA.name, k)] = &v
			}
		})
		for range rapid.IntRange(1, 6).Draw(t, "commits") {
			r.makeCommit(b.Store)
			r.whole(b.Store)
			if rapid.IntRange(0, 2).Draw(t, "reopen") == 0 {
				b.reopen()
				r.whole(b.Store)
			}
		}
	})
}
