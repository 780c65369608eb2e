package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/protocol"
)

// equal fails unless two stores hold the same.
func equal(t tb, a, b *Store) {
	t.Helper()
	same(t, b, dump(t, a))
	if a.Change() != b.Change() {
		t.Fatalf("one holds change %d, the other %d", a.Change(), b.Change())
	}
	seen := func(s *Store) (all []SeenEvent) {
		err := s.View(func(tx *Tx) error {
			for i := range 3 {
				room := protocol.RoomID(fmt.Sprintf("c:room%d", i))
				for e := range tx.SeenIn(room, SeenPlace{}, SeenPlace{}, false) {
					all = append(all, e)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%v", err)
		}
		return all
	}
	if x, y := seen(a), seen(b); fmt.Sprint(x) != fmt.Sprint(y) {
		t.Fatalf("one has seen\n%v\nthe other\n%v", x, y)
	}
}

// pair is a store and a copy that follows it.
type pair struct {
	*rapid.T
	leader, copied *box
	steps          int
	next           func() (Change, error, bool) // of the leader; nil where nobody follows
	stop           func()
	bases          int
	moved          map[uint64]string // to the archive, by change
}

// commit makes a commit of the leader: of everything, with sweeps and moves to an archive.
func (p *pair) commit() {
	moved := ""
	defer func() { p.moved[p.leader.Change()] = moved }()
	p.leader.commit(func(c *Commit) {
		p.steps++
		fillStep(p.T, c, p.steps)
		if rapid.Bool().Draw(p.T, "sweep") {
			c.SweepSeen(c.Now().Add(-time.Duration(rapid.IntRange(3, 8).Draw(p.T, "horizon")) * time.Minute))
		}
		if rapid.Bool().Draw(p.T, "archive") {
			p.leader.in(c, "", func(tx *Tx) {
				for n, data := range tx.Log(0) {
					moved = string(data)
					c.Attach("archive", data)
					tx.DropFact(n, "vote", Key("vote", fmt.Sprintf("c:room%d", data[0]%3)))
					break
				}
			})
		}
	})
}

// turnBack sets the clock of the leader back, also behind its horizon, and opens it anew.
func (p *pair) turnBack() {
	p.leader.now = p.leader.now.Add(-time.Duration(rapid.IntRange(1, 15).Draw(p.T, "back")) * time.Minute)
	if err := p.leader.TurnBack(p.leader.now, func(*Commit) error { return nil }); err != nil {
		p.Fatalf("turn back: %v", err)
	}
	p.leader.now = p.leader.now.Add(time.Minute)
	p.reopen(p.leader)
}

func (p *pair) reopen(b *box) {
	if b == p.leader {
		p.leave()
	}
	b.reopen()
}

func (p *pair) compact(b *box) {
	if b == p.leader {
		p.leave()
	}
	err := b.Close()
	if err == nil {
		_, _, err = Compact(b.cfg)
	}
	if err != nil {
		p.Fatalf("compact: %v", err)
	}
	b.Store = openBoxWith(p.T, b.cfg).Store
}

// base begins the copy anew.
func (p *pair) base() {
	p.leave()
	path := p.copied.cfg.Path
	if p.copied.Store != nil {
		if err := p.copied.Close(); err != nil {
			p.Fatalf("%v", err)
		}
	}
	remove(path)
	n, err := p.leader.Base(context.Background(), path, nil)
	if err != nil || n != p.leader.Change() {
		p.Fatalf("a base at change %d of %d (%v)", n, p.leader.Change(), err)
	}
	p.copied.Store = openBoxWith(p.T, p.copied.cfg).Store
	p.bases++
}

func (p *pair) leave() {
	if p.next != nil {
		p.stop()
	}
	p.next = nil
}

// catchUp applies what the leader has done, from a new base where that is no longer kept.
func (p *pair) catchUp() {
	for p.copied.Change() < p.leader.Change() {
		if p.next == nil {
			p.next, p.stop = iter.Pull2(p.leader.Follow(context.Background(), p.copied.Change()))
		}
		ch, err, _ := p.next()
		switch {
		case errors.Is(err, ErrGone):
			p.base()
			continue
		case err != nil:
			p.Fatalf("follow: %v", err)
		}
		if got, err := ch.Attached("archive"); err != nil || string(got) != p.moved[ch.Number] {
			p.Fatalf("change %d has attached %q instead of %q (%v)", ch.Number, got, p.moved[ch.Number], err)
		}
		if none, err := ch.Attached("none"); err != nil || none != nil {
			p.Fatalf("change %d has attached %q (%v)", ch.Number, none, err)
		}
		if err := p.copied.Apply(Change{ch.Number, bytes.Clone(ch.Body)}); err != nil {
			p.Fatalf("%v", err)
		}
	}
}

// TestFollow: a copy that begins with a base and applies the changes is the same store, whatever is
// committed, however often either of them checkpoints, trims its log, is compacted or starts anew.
func TestFollow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		leading := Config{Path: filepath.Join(dir, "leader.db"), limits: tinyLimits}
		copied := Config{Path: filepath.Join(dir, "copy.db"), limits: tinyLimits}
		leading.Keep = rapid.SampledFrom([]int64{0, 1 << 30}).Draw(t, "keep")
		remove(leading.Path)
		remove(copied.Path)
		p := &pair{T: t, moved: map[uint64]string{}, leader: openBoxWith(t, leading), copied: &box{t: t, now: start, cfg: copied}}
		defer func() {
			p.leave()
			p.leader.Close()
			p.copied.Close()
		}()
		for range rapid.IntRange(0, 5).Draw(t, "before the base") {
			p.commit()
		}
		p.base()
		equal(t, p.leader.Store, p.copied.Store)
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			for range rapid.IntRange(1, 4).Draw(t, "commits") {
				p.commit()
			}
			if rapid.IntRange(0, 3).Draw(t, "turn back") == 0 {
				p.turnBack()
			}
			p.catchUp()
			equal(t, p.leader.Store, p.copied.Store)
			for _, b := range []*box{p.leader, p.copied} {
				switch rapid.IntRange(0, 5).Draw(t, "then") {
				case 0:
					p.reopen(b)
				case 1:
					if err := b.Checkpoint(context.Background()); err != nil {
						t.Fatalf("%v", err)
					}
				case 2:
					p.compact(b)
				}
			}
			equal(t, p.leader.Store, p.copied.Store)
		}
		if leading.Keep != 0 && p.bases > 1 {
			t.Fatalf("%d bases, though everything is kept", p.bases)
		}
	})
}

// TestFollowLive: changes come as they are made; whoever is late, early or gone is told.
func TestFollowLive(t *testing.T) {
	b := newTinyBox(t)
	ctx, stop := context.WithCancel(t.Context())
	got, ended := make(chan uint64), make(chan error, 1)
	go func() {
		for ch, err := range b.Follow(ctx, 0) {
			if err != nil {
				ended <- err
				return
			}
			if at := ch.Time(); at.Before(start) {
				t.Errorf("change %d is of %v", ch.Number, at)
			}
			got <- ch.Number
		}
	}()
	for n := range uint64(50) {
		b.run("s", func(tx *Tx) { tx.Put(plainA, fmt.Sprint(n), make([]byte, 300)) })
		if next := <-got; next != n+1 {
			t.Fatalf("change %d comes after %d", next, n)
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	first := func(after uint64) error {
		for _, err := range b.Follow(t.Context(), after) {
			return err
		}
		return nil
	}
	if err := first(51); !errors.Is(err, ErrAhead) {
		t.Errorf("ahead: %v", err)
	}
	b.run("s", func(tx *Tx) { tx.Put(plainA, "k", make([]byte, 20<<10)) })
	if err := b.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.run("s", func(tx *Tx) { tx.Put(plainA, "k", make([]byte, 20<<10)) })
	if err := b.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first(0); !errors.Is(err, ErrGone) {
		t.Errorf("gone: %v", err)
	}
}

// TestApplyRefuses: a change that is not the next one, or not whole, changes nothing.
func TestApplyRefuses(t *testing.T) {
	l := newBoxWith(t, Config{Path: filepath.Join(t.TempDir(), "moot.db"), limits: tinyLimits, Keep: 1 << 30})
	c := newTinyBox(t)
	for i := range 3 {
		l.commit(func(c *Commit) { fillStep(t, c, i) })
	}
	var all []Change
	for ch, err := range l.Follow(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, Change{ch.Number, bytes.Clone(ch.Body)}); ch.Number == 3 {
			break
		}
	}
	before := dump(t, c.Store)
	for _, ch := range []Change{
		all[1], {Number: 1, Body: all[1].Body}, {Number: 1}, {Number: 1, Body: []byte("short")},
	} {
		if err := c.Apply(ch); !errors.Is(err, ErrOrder) && !errors.Is(err, ErrDamaged) {
			t.Errorf("change %d: %v", ch.Number, err)
		}
	}
	for at := range all[0].Body {
		bad := bytes.Clone(all[0].Body)
		bad[at] ^= 0x04
		if err := c.Apply(Change{1, bad}); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
	same(t, c.Store, before)
	if err := c.Apply(all[0]); err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(all[0]); !errors.Is(err, ErrOrder) {
		t.Errorf("twice: %v", err)
	}
}

// FuzzChange: whatever bytes are given as a change, they are refused or read; and what is read is
// written the same again.
func FuzzChange(f *testing.F) {
	b := content{at: start, horizon: 5, rows: rows{}, attached: []attachment{{"a", []byte("b")}}}
	b.rows.put("bucket", "k", []byte("v"))
	b.rows.put("bucket", "gone", nil)
	f.Add(b.encode(nil, 1))
	f.Fuzz(func(t *testing.T, raw []byte) {
		body := append([]byte{}, raw...)
		if len(body) > 4 { // past the checksum
			body = body[:len(body)-4]
			sum := checksum(1, body)
			body = append(body, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
		}
		d, err := Change{1, body}.decode()
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
				t.Fatal(err)
			}
			return
		}
		again, err := Change{1, d.encode(nil, 1)}.decode()
		if err != nil || len(again.rows) != len(d.rows) || !again.at.Equal(d.at) ||
			len(again.attached) != len(d.attached) {
			t.Fatalf("%+v became %+v (%v)", d, again, err)
		}
	})
}
