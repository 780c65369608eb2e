package powerloss

import (
	"errors"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// Sector is how many bytes a disk writes whole or not at all.
const Sector = 512

// disk is what the program's calls have made of the folder, and how much of that is durable, at an instant.
type disk struct {
	files map[int]*file
	names map[string]int // durable: files; folders are -1
	// naming are the changes of names that may or may not be on the disk, in order.
	naming []*Op
	synced map[*Op]bool // those of them that are durable, since their folder was synced
	// journal is how many of naming are durable where names are journalled: all up to the last that is synced.
	journal int
}

// file is one file. What a sync has covered is in base; the rest waits.
type file struct {
	base     []byte
	waiting  []*Op
	reserved int64 // up to where blocks were allocated before they were written: they read as zeros, never as old garbage
}

// Whole returns what the program itself sees at an instant, as though everything were synced.
func (t *Trace) Whole(at int) State {
	d := t.disk(at, nil)
	for _, o := range d.naming {
		rename(d.names, o)
	}
	contents := map[int][]byte{}
	for n, f := range d.files {
		f.sync(math.MaxInt)
		contents[n] = f.base
	}
	return state(d.names, contents)
}

// state is what is found under the names.
func state(names map[string]int, contents map[int][]byte) State {
	s := State{Files: map[string][]byte{}}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !reached(names, name) {
			continue
		}
		if n := names[name]; n < 0 {
			s.Dirs = append(s.Dirs, name)
		} else {
			s.Files[name] = contents[n]
		}
	}
	return s
}

// reached reports whether all folders above the name are there.
func reached(names map[string]int, name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if names[dir] != -1 {
			return false
		}
	}
	return true
}

// disk returns the disk as it is at an instant, when a part of what is not synced may have been written back. Syncs
// that skip names are taken for nothing.
func (t *Trace) disk(at int, skip func(*Op) bool) *disk {
	d := &disk{files: map[int]*file{}, names: map[string]int{}, synced: map[*Op]bool{}}
	for _, dir := range t.Before.Dirs {
		d.names[dir] = -1
	}
	for i, name := range slices.Sorted(maps.Keys(t.Before.Files)) {
		d.names[name] = i + 1
		d.files[i+1] = &file{base: slices.Clone(t.Before.Files[name])}
	}
	for i := range t.Ops {
		o := &t.Ops[i]
		if o.Begin > at {
			continue // others that began earlier may end later
		}
		switch {
		case o.names():
			d.naming = append(d.naming, o)
		case o.Kind == Sync && o.End <= at && !(skip != nil && skip(o)):
			d.file(o.File).sync(o.Begin)
		case o.Kind == SyncDir && o.End <= at && !(skip != nil && skip(o)):
			d.syncDir(o)
		case o.Kind == Reserve:
			f := d.file(o.File)
			f.reserved = max(f.reserved, o.Size)
		case o.Kind == Write || o.Kind == Resize:
			f := d.file(o.File)
			f.waiting = append(f.waiting, o)
		}
	}
	return d
}

func (d *disk) file(n int) *file {
	f := d.files[n]
	if f == nil {
		f = &file{}
		d.files[n] = f
	}
	return f
}

// sync makes durable what had ended before the instant.
func (f *file) sync(began int) {
	n := 0
	for n < len(f.waiting) && f.waiting[n].End < began {
		f.base = f.waiting[n].apply(f.base)
		n++
	}
	f.waiting = f.waiting[n:]
}

// apply returns the contents of a file after the op.
func (o *Op) apply(data []byte) []byte {
	end := o.Size
	if o.Kind == Write {
		end = max(int64(len(data)), o.Offset+int64(len(o.Data)))
	}
	if grown := end - int64(len(data)); grown > 0 {
		data = append(data, make([]byte, grown)...)
	}
	data = data[:end]
	if o.Kind == Write {
		copy(data[o.Offset:], o.Data)
	}
	return data
}

func (d *disk) syncDir(sync *Op) {
	for i, o := range d.naming {
		if o.End < sync.Begin {
			if o.dir() == sync.Name {
				d.synced[o] = true
			}
			// A journal is written in order, so that nothing stays behind what comes later.
			if d.synced[o] {
				d.journal = max(d.journal, i+1)
			}
		}
	}
}

// rename does to the names what the op does.
func rename(names map[string]int, o *Op) {
	switch o.Kind {
	case Create, Link:
		names[o.Name] = o.File
	case MakeDir:
		names[o.Name] = -1
	case Remove:
		delete(names, o.Name)
	case Rename:
		if names[o.Name] == o.File {
			delete(names, o.Name)
		}
		names[o.To] = o.File
	}
}

// State is what is in a folder, such as after a power failure.
type State struct {
	Files map[string][]byte
	Dirs  []string // sorted, and so outer ones first; also those with nothing in them
}

// Write puts the state into a folder that exists.
func (s State) Write(dir string) error {
	for _, name := range s.Dirs {
		if err := os.Mkdir(filepath.Join(dir, filepath.FromSlash(name)), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	for name, data := range s.Files {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
