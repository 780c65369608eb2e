package console

import "errors"

// Errors of World. Those that a person caused come wrapped in a sentence for that person.
var (
	ErrNoRoom     = errors.New("no such room")
	ErrNoPerson   = errors.New("no such person")
	ErrNoMessage  = errors.New("no such message")
	ErrNotMember  = errors.New("not in the room")
	ErrBanned     = errors.New("banned from the room")
	ErrForbidden  = errors.New("not allowed")
	ErrBadName    = errors.New("not a name")
	ErrBadText    = errors.New("not a text")
	ErrNoChange   = errors.New("nothing to change")
	ErrRoomClosed = errors.New("the room goes on elsewhere")
	ErrNoCommand  = errors.New("no such command")
)

// Errors of Open.
var (
	// ErrCorrupt: a line of the log cannot be read. The file is left as it is.
	ErrCorrupt = errors.New("corrupt")
	// ErrNewer: a later version of moot wrote the log.
	ErrNewer = errors.New("written by a newer version")
	// ErrForeign: the file is no log of a console.
	ErrForeign = errors.New("no console log")
	// ErrMoved: the clock of the world was moved, and the real one is wanted.
	ErrMoved = errors.New("its clock was moved")
)

// ErrOtherWorld is the cause when an Adapter is given a cursor that another world made, or that lies beyond the end
// of this one.
var ErrOtherWorld = errors.New("the bot has read another console world")

// ErrClosed is the cause of what fails because the World or the Pipe is closed.
var ErrClosed = errors.New("closed")
