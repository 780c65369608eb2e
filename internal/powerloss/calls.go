package powerloss

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

var errUnknown = errors.New("the model does not know this call")

// inside returns the relative name of an absolute path, and whether it lies in the folder.
func (p *parser) inside(abs string) (string, bool) {
	if abs = path.Clean(abs); abs == p.root {
		return ".", true
	}
	return strings.CutPrefix(abs, strings.TrimSuffix(p.root, "/")+"/")
}

// at returns the name that two arguments stand for: a descriptor of a folder and a path.
func (p *parser) at(c *call, i int) (string, bool, error) {
	_, dir, err := c.fd(i)
	if err != nil {
		return "", false, err
	}
	name, err := c.text(i + 1)
	if err != nil {
		return "", false, err
	}
	if !path.IsAbs(name) {
		name = path.Join(dir, name)
	}
	name, ok := p.inside(name)
	return name, ok, nil
}

// known returns the descriptor that an argument stands for; nil if it is of nothing in the folder.
func (p *parser) known(c *call, i int) (*descriptor, error) {
	fd, at, err := c.fd(i)
	if err != nil {
		return nil, err
	}
	if _, ok := p.inside(at); !ok {
		return nil, nil
	}
	d := p.open[fd]
	if d == nil {
		return nil, errors.New("nobody has opened this descriptor")
	}
	return d, nil
}

func (p *parser) add(o Op) { p.ops = append(p.ops, o) }

// call takes in what a call has done.
func (p *parser) call(c *call) error {
	switch c.name {
	case "openat":
		return p.opened(c)
	case "close":
		fd, _, err := c.fd(0)
		delete(p.open, fd)
		return err
	case "lseek", "read", "write", "pwrite64", "ftruncate", "fallocate", "fsync", "fdatasync":
		return p.used(c)
	case "mkdirat", "unlinkat":
		name, ok, err := p.at(c, 0)
		if err != nil || !ok {
			return err
		}
		kind, file := MakeDir, -1
		if c.name == "unlinkat" {
			kind, file = Remove, 0
		}
		p.name(kind, name, "", file)
		return nil
	case "linkat", "renameat", "renameat2":
		from, in, err := p.at(c, 0)
		if err != nil {
			return err
		}
		to, ok, err := p.at(c, 2)
		if err != nil || !in && !ok {
			return err
		}
		file := p.names[from]
		if in != ok || file <= 0 || c.name == "renameat2" && c.args[4] != "0" {
			return fmt.Errorf("%w in this way", errUnknown)
		}
		if c.name == "linkat" {
			p.name(Link, to, "", file)
		} else {
			p.name(Rename, from, to, file)
		}
		return nil
	case "sync":
		return errUnknown
	case "writev", "pwritev", "pwritev2", "syncfs", "sync_file_range", "copy_file_range", "sendfile", "splice":
		for i := range c.args {
			if _, at, err := c.fd(i); err == nil {
				if _, ok := p.inside(at); ok {
					return errUnknown
				}
			}
		}
		return nil
	case "io_uring_setup", "msync":
		return errUnknown
	}
	for i := range c.args { // the older forms of calls, with paths alone
		if name, err := c.text(i); err == nil {
			if _, ok := p.inside(name); ok || !path.IsAbs(name) {
				return errUnknown
			}
		}
	}
	return nil
}

// name changes a name. Where file is 0 there is none under it any more.
func (p *parser) name(kind Kind, name, to string, file int) {
	p.add(Op{Kind: kind, Name: name, To: to, File: max(file, 0)})
	switch kind {
	case Remove:
		delete(p.names, name)
	case Rename:
		delete(p.names, name)
		p.names[to] = file
	default:
		p.names[name] = file
	}
}

func (p *parser) opened(c *call) error {
	name, ok, err := p.at(c, 0)
	if err != nil || !ok {
		return err
	}
	if at, in := p.inside(c.path); !in || at != name {
		return fmt.Errorf("%w: %s leads to %s", errUnknown, name, c.path)
	}
	flags := strings.Split(c.args[2], "|")
	has := func(flag string) bool { return slices.Contains(flags, flag) }
	if has("O_TMPFILE") || has("O_PATH") || has("O_DIRECT") {
		return errUnknown
	}
	d := &descriptor{append: has("O_APPEND")}
	p.open[int(c.result)] = d
	file, there := p.names[name]
	switch {
	case file < 0:
		d.dir = name
		return nil
	case !there && !has("O_CREAT"):
		return fmt.Errorf("%s was not there", name)
	case !there:
		p.files++
		file = p.files
		p.name(Create, name, "", file)
	case has("O_TRUNC") && p.sizes[file] > 0:
		p.resize(file, 0)
	}
	d.file = file
	return nil
}

func (p *parser) resize(file int, size int64) {
	p.sizes[file] = size
	p.add(Op{Kind: Resize, File: file, Size: size})
}

// used takes in a call on a descriptor.
func (p *parser) used(c *call) error {
	if fd, _, err := c.fd(0); err == nil && fd == 1 && c.name == "write" {
		text, err := c.text(1)
		p.add(Op{Kind: Mark, Text: text[:min(len(text), int(c.result))]})
		return err
	}
	d, err := p.known(c, 0)
	if err != nil || d == nil {
		return err
	}
	switch c.name {
	case "fsync", "fdatasync":
		if d.file == 0 {
			p.add(Op{Kind: SyncDir, Name: d.dir})
		} else {
			p.add(Op{Kind: Sync, File: d.file, DataOnly: c.name == "fdatasync"})
		}
	case "lseek":
		d.at = c.result
	case "read":
		d.at += c.result
	case "write", "pwrite64":
		text, err := c.text(1)
		if err != nil {
			return err
		}
		at := d.at
		switch {
		case c.name == "pwrite64":
			if at, err = c.number(3); err != nil {
				return err
			}
		case d.append:
			at = p.sizes[d.file]
		}
		end := at + c.result
		if c.name == "write" {
			d.at = end
		}
		p.sizes[d.file] = max(p.sizes[d.file], end)
		p.add(Op{Kind: Write, File: d.file, Offset: at, Data: []byte(text)[:c.result]})
	case "ftruncate":
		size, err := c.number(1)
		if err != nil {
			return err
		}
		p.resize(d.file, size)
	case "fallocate":
		from, err := c.number(2)
		if err != nil {
			return err
		}
		size, err := c.number(3)
		if err != nil {
			return err
		}
		switch c.args[1] {
		case "0":
			if from+size > p.sizes[d.file] {
				p.resize(d.file, from+size)
			}
		case "FALLOC_FL_KEEP_SIZE":
		default:
			return errUnknown
		}
		p.add(Op{Kind: Reserve, File: d.file, Size: from + size})
	}
	return nil
}
