package backup

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"moot/events"
	"moot/internal/files"
	"moot/store"
	"moot/store/disk"
)

// The files of changes that follow a backup are in its folder "changes". Each is written once, under its name
// when it is whole, and begins where the one before it ends. Numbers are big-endian.
//
//	name      FIRST-LAST.mc, the numbers of the changes in 20 digits; with recipients .age behind it
//	file      head | zstd frame of the bodies: length (uvarint) | body | … | CRC-32C of all before it (4 bytes)
//	head      "moot.chg" | version (4 bytes) | instance, life: length (1 byte) and text | first, last (8 bytes)
//
// zstd has a checksum of its own, but bits in its frame that mean nothing.
const (
	changesFolder  = "changes"
	changesSuffix  = ".mc"
	changesMagic   = "moot.chg"
	changesVersion = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// span is what a file of changes has.
type span struct{ first, last uint64 }

func (s span) name() string { return fmt.Sprintf("%020d-%020d%s", s.first, s.last, changesSuffix) }

// parseChangeName reads the name of a file of changes, from the folder of the backup.
func parseChangeName(name string) (s span, ok bool) {
	if path.Dir(name) != changesFolder {
		return s, false
	}
	base, isChanges := strings.CutSuffix(strings.TrimSuffix(path.Base(name), sealedSuffix), changesSuffix)
	first, last, _ := strings.Cut(base, "-")
	var errs [2]error
	s.first, errs[0] = strconv.ParseUint(first, 10, 64)
	s.last, errs[1] = strconv.ParseUint(last, 10, 64)
	return s, isChanges && errs == [2]error{} && s.first <= s.last
}

// spans returns the files of changes of a backup, in order, by their names from its folder.
func (b Backup) spans() (all []span, names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(b.Folder, changesFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	for _, e := range entries { // by their names, which is by their numbers
		if s, ok := parseChangeName(path.Join(changesFolder, e.Name())); ok {
			all, names = append(all, s), append(names, path.Join(changesFolder, e.Name()))
		}
	}
	return all, names, err
}

// followed returns the last change that is in the files behind a backup.
func (b Backup) followed() (uint64, error) {
	all, _, err := b.spans()
	last := b.Change
	for _, s := range all {
		if s.first != last+1 {
			break // whoever restores says what is missing
		}
		last = s.last
	}
	return last, err
}

// changesHead is the head of a file.
func (b Backup) changesHead(s span) []byte {
	head := binary.BigEndian.AppendUint32([]byte(changesMagic), changesVersion)
	for _, text := range []string{b.Instance, b.Life} {
		head = append(append(head, byte(len(text))), text...)
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(head, s.first), s.last)
}

// collector gathers changes for one file.
type collector struct {
	span
	bodies []byte // as they are in the file, before they are compressed
}

func (c *collector) add(ch store.Change) {
	if c.first == 0 {
		c.first = ch.Number
	}
	c.last = ch.Number
	c.bodies = append(binary.AppendUvarint(c.bodies, uint64(len(ch.Body))), ch.Body...)
}

// seal writes the file, which is on the disk when it returns, and begins another.
func (c *collector) seal(b Backup, enc *zstd.Encoder, seals []age.Recipient) error {
	if c.first == 0 {
		return nil
	}
	data := enc.EncodeAll(c.bodies, b.changesHead(c.span))
	data = binary.BigEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
	name := filepath.Join(b.Folder, changesFolder, c.name())
	if seals != nil {
		name += sealedSuffix
		var out bytes.Buffer
		w, err := age.Encrypt(&out, seals...)
		if err == nil {
			_, err = w.Write(data)
			err = errors.Join(err, w.Close())
		}
		if err != nil {
			return err
		}
		data = out.Bytes()
	}
	if err := disk.MakeFolder(filepath.Dir(name)); err != nil {
		return err
	}
	if err := files.Write(name, data); err != nil {
		return err
	}
	c.span, c.bodies = span{}, c.bodies[:0]
	return nil
}

// readChanges calls each with the changes of a file, in order.
func (b Backup) readChanges(s span, name string, keys []age.Identity, each func(store.Change) error) error {
	damaged := func(what string) error {
		return fmt.Errorf("%w: %s %s", ErrDamaged, filepath.Join(b.Folder, filepath.FromSlash(name)), what)
	}
	data, err := os.ReadFile(filepath.Join(b.Folder, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	if strings.HasSuffix(name, sealedSuffix) {
		r, err := age.Decrypt(bytes.NewReader(data), keys...)
		if none := (*age.NoIdentityMatchError)(nil); errors.As(err, &none) {
			return fmt.Errorf("%w, and not for this identity: %s: %w", ErrSealed, name, err)
		} else if err != nil {
			return damaged("cannot be decrypted: " + err.Error())
		}
		if data, err = io.ReadAll(r); err != nil {
			return damaged("cannot be decrypted: " + err.Error())
		}
	}
	end := len(data) - 4
	if end < 0 || binary.BigEndian.Uint32(data[end:]) != crc32.Checksum(data[:end], castagnoli) {
		return damaged("has another checksum")
	}
	frame, ok := bytes.CutPrefix(data[:end], b.changesHead(s))
	if !ok {
		return damaged("does not begin as a file of these changes of this bot")
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer dec.Close()
	bodies, err := dec.DecodeAll(frame, nil)
	if err != nil {
		return damaged("cannot be decompressed: " + err.Error())
	}
	for number := s.first; number <= s.last; number++ {
		n, size := binary.Uvarint(bodies)
		if size <= 0 || n > uint64(len(bodies)-size) {
			return damaged(fmt.Sprintf("ends within change %d", number))
		}
		if err := each(store.Change{Number: number, Body: bodies[size : size+int(n)]}); err != nil {
			return err
		}
		bodies = bodies[size+int(n):]
	}
	if len(bodies) > 0 {
		return damaged("has more than it names")
	}
	return nil
}

// eachChange calls each with all changes that followed a backup, in order. A gap is ErrDamaged, once each has
// had those before it. It ends when each returns errEnough.
func (b Backup) eachChange(keys []age.Identity, each func(store.Change) error) error {
	all, names, err := b.spans()
	next := b.Change + 1
	for i, s := range all {
		if s.first != next {
			return b.missing(next, s.first-1)
		}
		next = s.last + 1
		if err := b.readChanges(s, names[i], keys, each); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return err
}

func (b Backup) missing(first, last uint64) error {
	return fmt.Errorf("%w: in %s the changes from %d to %d are missing", ErrDamaged, b.Folder, first, last)
}

var errEnough = errors.New("enough")

// checkChanges reads all changes that followed a backup; of encrypted ones only the names where there are no keys.
func (b Backup) checkChanges(keys []age.Identity) error {
	if b.Sealed && keys == nil {
		all, _, err := b.spans()
		for next, i := b.Change+1, 0; i < len(all); next, i = all[i].last+1, i+1 {
			if all[i].first != next {
				return b.missing(next, all[i].first-1)
			}
		}
		return err
	}
	return b.eachChange(keys, func(ch store.Change) error {
		if ch.Time().IsZero() {
			return fmt.Errorf("%w: change %d cannot be read", ErrDamaged, ch.Number)
		}
		return nil
	})
}

// apply applies the changes that followed a backup, and returns how many.
func (b Backup) apply(ctx context.Context, st *store.Store, archive string, c RestoreConfig) (n int, err error) {
	var file *os.File // nil until something is to be written to it
	err = b.eachChange(c.Keys, func(ch store.Change) error {
		if !c.Until.IsZero() && ch.Time().After(c.Until) {
			return errEnough
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		s, ok, err := events.ShelvedIn(ch)
		if err == nil && ok && file == nil {
			file, err = os.OpenFile(archive, os.O_RDWR|os.O_CREATE, 0o600)
		}
		if err == nil && ok {
			_, err = file.WriteAt(s.Data, s.At)
		}
		if err == nil {
			err = st.Apply(store.Change{Number: ch.Number, Body: slices.Clone(ch.Body)})
		}
		n++
		return err
	})
	if file != nil {
		err = errors.Join(err, file.Sync(), file.Close())
	}
	return n, err
}
