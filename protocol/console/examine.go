package console

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// aheadSlack is how far a world may be ahead of the real clock that goes by it.
const aheadSlack = time.Minute

// Look is what is seen of a world from outside. The zero value is that of none.
type Look struct {
	There bool // whether there is one
	Moved bool // whether its clock was moved, or is ahead of the real one

	name string
	last uint64
}

// Examine looks at the world in a folder and changes nothing. The errors are those of Open.
func Examine(dir string) (Look, error) {
	path := filepath.Join(dir, FileName)
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Look{}, nil
	case err != nil:
		return Look{}, fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close()
	s := newState()
	h, good, err := readJournal(f, s.apply)
	if err != nil {
		return Look{There: true}, fmt.Errorf("%s: %w", path, err)
	}
	return Look{good > 0, s.aheadOf(h, time.Now()), h.World, s.last()}, nil
}

// Fits returns ErrOtherWorld unless a cursor of the bot is one of this world; a zero one fits all.
func (l Look) Fits(cursor string) error {
	_, err := l.position(cursor)
	return err
}

// position returns where in the world a cursor is: "k3fxq…:57" is the name of the world and a position in its log.
func (l Look) position(cursor string) (uint64, error) {
	if cursor == "" {
		return 0, nil
	}
	name, digits, _ := strings.Cut(cursor, ":")
	pos, err := strconv.ParseUint(digits, 10, 64)
	switch {
	case err == nil && name == l.name && pos <= l.last:
		return pos, nil
	case !l.There:
		return 0, fmt.Errorf("%w: it stopped at %s, and there is none; put the old %s back, or give the bot an empty data folder", ErrOtherWorld, cursor, FileName)
	}
	return 0, fmt.Errorf("%w: it stopped at %s, and this world is %s and ends at %d; put the old %s back, or give the bot an empty data folder",
		ErrOtherWorld, cursor, l.name, l.last, FileName)
}

// latest returns the time of the newest record of a world.
func (s *state) latest(h header) time.Time {
	at := h.At
	for _, r := range s.log {
		if r.At.After(at) {
			at = r.At
		}
	}
	return at
}

// aheadOf reports whether the clock of the world was moved, or is ahead of the real one.
func (s *state) aheadOf(h header, now time.Time) bool {
	return s.moved > 0 || s.latest(h).After(now.Add(aheadSlack))
}
