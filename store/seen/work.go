package seen

import (
	"slices"

	"go.etcd.io/bbolt"
)

// Build moves a slice of the frozen table into a run. It reports done when the run is complete, or
// nothing is frozen: once the transaction is committed, every change up to the freeze is in the
// file.
func (ix *Index) Build(tx *bbolt.Tx, gently bool) (done bool, err error) {
	st := ix.State()
	if st.frozen == nil {
		return true, nil
	}
	o := ix.begin(tx)
	if o.built {
		return true, nil
	}
	if ix.building == nil {
		ix.building = newBuild(ix.hasher, ix.limits, st.frozen, st.horizon)
	}
	b := ix.building
	if done, err = b.slice(tx, ix.limits.slice(gently)); err != nil || !done {
		return false, err
	}
	o.built, o.ended, ix.building = true, append(o.ended, b.builder), nil
	if len(b.run.Chunks) == 0 {
		return true, nil
	}
	o.runs = append([]*run{&b.run}, o.runs...)
	return true, writeManifest(tx, &manifest{o.runs})
}

// Tend does a slice of what keeps the file in shape: it drops what nothing needs any more, or
// merges runs. It returns false where nothing is to be done.
func (ix *Index) Tend(tx *bbolt.Tx, now uint64, gently bool) (did bool, err error) {
	o := ix.begin(tx)
	if n := len(o.garbage); n > 0 {
		id := o.garbage[n-1]
		o.garbage = o.garbage[: n-1 : n-1]
		return true, dropChunk(tx, id)
	}
	if expired := ix.expired(o.runs); len(expired) > 0 {
		gone := func(r *run) bool { return slices.Contains(expired, r) }
		if ix.merging != nil && slices.ContainsFunc(ix.merging.sources, gone) {
			ix.giveUp(o)
		}
		return true, ix.replace(tx, o, expired, nil)
	}
	if ix.merging == nil {
		sources := ix.pick(o.runs, ix.partition(now))
		if sources == nil {
			return false, nil
		}
		ix.merging = newMerge(ix.hasher, ix.limits, sources)
	}
	m := ix.merging
	done, err := m.slice(tx, ix.State().horizon, ix.limits.slice(gently))
	if err != nil || !done {
		return true, err
	}
	o.ended, ix.merging = append(o.ended, m.builder), nil
	var made *run
	if len(m.run.Chunks) > 0 {
		made = &m.run
	}
	return true, ix.replace(tx, o, m.sources, made)
}

// Idle reports whether there is nothing to build, to drop or to merge.
func (ix *Index) Idle(now uint64) bool {
	st := ix.State()
	return st.frozen == nil && len(ix.garbage) == 0 && ix.merging == nil && len(ix.expired(st.runs)) == 0 &&
		ix.pick(st.runs, ix.partition(now)) == nil
}

// Behind reports whether so many runs wait to be merged that this should come before the next
// Build.
func (ix *Index) Behind() bool {
	st := ix.State()
	n := 0
	for n < len(st.runs) && st.runs[n].Level == 0 {
		n++
	}
	return n > 2*ix.limits.Fan
}

// giveUp gives up the merge that is under way. What it wrote is garbage.
func (ix *Index) giveUp(o *outcome) {
	b := ix.merging.builder
	o.garbage = append(o.garbage, ids(b.run.Chunks)...)
	o.ended, ix.merging = append(o.ended, b), nil
}

// replace puts one run, nil for none, in the place of others, which are neighbours if there is one.
func (ix *Index) replace(tx *bbolt.Tx, o *outcome, old []*run, made *run) error {
	var runs []*run
	for _, r := range o.runs {
		switch {
		case !slices.Contains(old, r):
			runs = append(runs, r)
		case r == old[0] && made != nil:
			runs = append(runs, made)
		}
	}
	for _, r := range old {
		o.garbage = append(o.garbage, ids(r.Chunks)...)
	}
	o.runs = runs
	return writeManifest(tx, &manifest{runs})
}

// expired returns the runs of which nothing is remembered any more.
func (ix *Index) expired(runs []*run) (list []*run) {
	horizon := ix.State().horizon
	for _, r := range runs {
		if r.Newest < horizon {
			list = append(list, r)
		}
	}
	return list
}

// pick returns the runs that are to be merged next: neighbours of one partition, the newest first;
// nil if there are none. A partition that has passed becomes one run in the end.
func (ix *Index) pick(runs []*run, now int64) []*run {
	for start := 0; start < len(runs); {
		end := start + 1
		for end < len(runs) && runs[end].Partition == runs[start].Partition {
			end++
		}
		if picked := pickOf(runs[start:end], runs[start].Partition < now, ix.limits.Fan); picked != nil {
			return picked
		}
		start = end
	}
	return nil
}

// pickOf is pick for the runs of one partition.
func pickOf(runs []*run, closed bool, fan int) []*run {
	level := func(start int) (end int) { // of the neighbours of one level
		for end = start + 1; end < len(runs) && runs[end].Level == runs[start].Level; end++ {
		}
		return end
	}
	if closed && len(runs) > 1 {
		end := level(0)
		if end == 1 {
			end = level(1)
		}
		return runs[:end]
	}
	for start := 0; start < len(runs); {
		end := level(start)
		if end-start >= fan {
			return runs[start:end]
		}
		start = end
	}
	return nil
}
