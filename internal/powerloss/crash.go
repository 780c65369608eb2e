package powerloss

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// Rules say what a file system promises about names and lengths.
type Rules int

const (
	// Journaled: names change on the disk in the order in which the program changed them, whatever their folders, up to
	// some point; the lengths of a file do likewise. So do ext4, XFS and Btrfs.
	Journaled Rules = iota
	// Loose: a change of a name may be there and an earlier one not, unless its own folder was synced; only a rename is
	// whole. A sector that was never written may hold what some other file once held there. POSIX promises no more.
	Loose
)

func (r Rules) String() string { return [...]string{"journaled", "loose"}[r] }

// Failure is one loss of power.
type Failure struct {
	At    int // the instant
	Rules Rules
	Seed  uint64         // of what is on the disk by then
	Skip  func(*Op) bool // syncs that are taken for nothing; nil means none
}

func (f Failure) String() string { return fmt.Sprintf("at %d, %s", f.At, f.Rules) }

// Choose makes up a failure. Half of them come where they hurt: as something is said or synced; or, where syncs are
// skipped, behind one of them and before the next that would do instead.
func (t *Trace) Choose(seed uint64, skip func(*Op) bool) Failure {
	r := rand.New(rand.NewPCG(seed, 1))
	f := Failure{At: r.IntN(t.Length() + 1), Rules: Rules(r.IntN(2)), Seed: seed, Skip: skip}
	var hurts [][2]int
	for i := range t.Ops {
		switch o := &t.Ops[i]; {
		case skip != nil && o.Syncs() && skip(o):
			hurts = append(hurts, [2]int{o.Begin, t.instead(i, skip)})
		case skip == nil && (o.Kind == Mark || o.Syncs()):
			hurts = append(hurts, [2]int{o.Begin, o.End})
		}
	}
	if len(hurts) > 0 && r.IntN(2) == 0 {
		h := hurts[r.IntN(len(hurts))]
		f.At = h[0] + r.IntN(h[1]-h[0]+1)
	}
	return f
}

// instead returns when the next sync ends that is not skipped and makes the same durable as the sync Ops[i].
func (t *Trace) instead(i int, skip func(*Op) bool) int {
	sync := &t.Ops[i]
	for j := i + 1; j < len(t.Ops); j++ {
		o := &t.Ops[j]
		if o.Kind == sync.Kind && o.File == sync.File && o.Name == sync.Name && !skip(o) {
			return o.End
		}
	}
	return t.Length()
}

// After returns what the failure leaves on the disk. All that a sync covers is there. Of the rest each file, and the
// names, have a fate of their own.
func (t *Trace) After(f Failure) State {
	c := &chooser{r: rand.New(rand.NewPCG(f.Seed, 2)), rules: f.Rules, trace: t}
	d := t.disk(f.At, f.Skip)
	names := c.names(d)
	contents := map[int][]byte{}
	for _, n := range slices.Sorted(maps.Keys(d.files)) {
		contents[n] = c.contents(d.files[n])
	}
	return state(names, contents)
}

type chooser struct {
	r     *rand.Rand
	rules Rules
	trace *Trace
}

// fate returns which of n things that wait have reached the disk.
func (c *chooser) fate(n int) []bool {
	kept := make([]bool, n)
	set := func(keep func(int) bool) {
		for i := range kept {
			kept[i] = keep(i)
		}
	}
	if n == 0 {
		return kept
	}
	one, rate := c.r.IntN(n), c.r.Float64()
	switch c.r.IntN(7) {
	case 0: // nothing
	case 1:
		set(func(int) bool { return true })
	case 2: // all but one
		set(func(i int) bool { return i != one })
	case 3:
		set(func(i int) bool { return i == one })
	case 4: // in order
		set(func(i int) bool { return i < one })
	case 5: // the last ones alone
		set(func(i int) bool { return i >= one })
	case 6:
		set(func(int) bool { return c.r.Float64() < rate })
	}
	return kept
}

// names chooses which names there are.
func (c *chooser) names(d *disk) map[string]int {
	names := maps.Clone(d.names)
	sure := func(i int) bool { return i < d.journal }
	kept := c.fate(len(d.naming))
	if c.rules == Journaled {
		upto := d.journal + c.r.IntN(len(d.naming)-d.journal+1)
		kept = c.fate(0)
		for i := range d.naming {
			kept = append(kept, i < upto)
		}
	} else {
		sure = func(i int) bool { return d.synced[d.naming[i]] }
	}
	for i, o := range d.naming {
		if sure(i) || kept[i] {
			rename(names, o)
		}
	}
	return names
}

// version is what a sector holds once an op has reached it.
type version struct {
	op   int // among those that wait
	data [Sector]byte
}

// contents chooses what a file holds. Each sector that something waits for has one of the contents that it had one after
// the other since it was last durable, whole writes together or each sector for itself.
func (c *chooser) contents(f *file) []byte {
	live := slices.Clone(f.base)
	versions := map[int64][]version{}
	sizes := []int64{int64(len(live))}
	wiped := map[int64][]int{} // sectors that cuts have emptied, by which ops
	for i, o := range f.waiting {
		from, to := o.Offset, o.Offset+int64(len(o.Data))
		if o.Kind == Resize {
			from, to = o.Size, int64(len(live)) // nothing where it grows
		}
		live = o.apply(live)
		for s := from / Sector; s*Sector < to; s++ {
			v := version{op: i}
			if s*Sector < int64(len(live)) {
				copy(v.data[:], live[s*Sector:])
			}
			versions[s] = append(versions[s], v)
			if o.Kind == Resize {
				wiped[s] = append(wiped[s], i)
			}
		}
		sizes = append(sizes, int64(len(live)))
	}
	kept := c.fate(len(f.waiting))
	torn := len(kept) > 0 && c.r.IntN(3) == 0 // each sector for itself
	last := 0                                 // how many ops the length knows of
	switch c.r.IntN(3) {
	case 0:
		last = len(f.waiting)
	case 1:
		last = c.r.IntN(len(sizes))
	default:
		for i, k := range kept {
			if k {
				last = i + 1
			}
		}
	}
	stale := c.rules == Loose && c.r.IntN(3) == 0
	out := make([]byte, sizes[last])
	copy(out, f.base)
	for _, s := range slices.Sorted(maps.Keys(versions)) {
		if s*Sector >= int64(len(out)) {
			continue
		}
		v := c.version(versions[s], kept, torn)
		if c.rules == Journaled {
			v = between(versions[s], v, wiped[s], last)
		}
		switch here := out[s*Sector : min(int64(len(out)), (s+1)*Sector)]; {
		case v >= 0:
			copy(here, versions[s][v].data[:])
		case stale && s*Sector >= max(int64(len(f.base)), f.reserved) && c.r.IntN(2) == 0:
			copy(here, c.garbage())
		}
	}
	return out
}

// version chooses one of the contents of a sector; -1 is the durable one.
func (c *chooser) version(versions []version, kept []bool, torn bool) int {
	if torn {
		return c.r.IntN(len(versions)+1) - 1
	}
	for v := len(versions) - 1; v >= 0; v-- {
		if kept[versions[v].op] {
			return v
		}
	}
	return -1
}

// between returns the version that is nearest to v and goes with a length that knows of so many ops: no older than the
// last cut of those, and older than the next, as blocks are freed and given with the length.
func between(versions []version, v int, cuts []int, last int) int {
	for _, cut := range cuts {
		for cut < last && (v < 0 || versions[v].op < cut) {
			v++
		}
		for cut >= last && v >= 0 && versions[v].op >= cut {
			v--
		}
	}
	return v
}

// garbage is what some block of the disk held before it was given to another file: what a program as this one writes.
func (c *chooser) garbage() []byte {
	for range 20 {
		if o := &c.trace.Ops[c.r.IntN(len(c.trace.Ops))]; len(o.Data) >= Sector {
			s := c.r.IntN(len(o.Data) / Sector)
			return o.Data[s*Sector : (s+1)*Sector]
		}
	}
	return nil
}
