package replica

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"moot/internal/finding"
	"moot/store"
)

// Errors of a log.
var (
	// ErrFenced says that another node leads, or has led since.
	ErrFenced = errors.New("another node leads")
	// ErrGap says that a change is not the one after the last of the log.
	ErrGap = errors.New("the log does not end before this change")
	// ErrHeld says that another node has the lease at the moment.
	ErrHeld = errors.New("another node has the lease")
	// ErrNoBase says that nobody has put a base yet.
	ErrNoBase = errors.New("the log has no base yet")
	// ErrOther says that the log is of another bot, or of another life of it: one side was restored from a backup.
	ErrOther = errors.New("the log and the data folder are not of one another")
	// ErrParted says that the log has lost changes that it had acknowledged and that the data folder has, as where its server was
	// replaced by a copy that lacked them.
	ErrParted = errors.New("the log has lost changes that this data folder has")
	// ErrRefused says that the server answers, and refuses what this machine asks of it until somebody changes something: the password,
	// the rights of a role, a certificate. What stands behind it says what. Who starts gives up then; who has led or stood by
	// waits, as a password may be about to be changed on both sides.
	ErrRefused = errors.New("the server of the log refuses this machine")
	// ErrUnfit says that the server would lose what it has acknowledged. What it wraps says what to change.
	ErrUnfit = errors.New("the server cannot hold the log")
)

// Term is a time of leading. Terms only grow; zero is none.
type Term uint64

// Standing is how a log stands.
type Standing struct {
	// Identity is of the store that the log is of; empty before there is a base.
	Identity string
	// Leader is the name of the node that leads, or that led last; empty where none ever did. Held says whether its
	// lease runs.
	Leader string
	Held   bool
	Term   Term
	// Base is the number of the last change that the base has, and Last that of the log.
	Base, Last uint64
}

// Behind returns how many changes the log has after one.
func (s Standing) Behind(change uint64) uint64 { return s.Last - min(s.Last, change) }

// Log is where the changes of one bot are. Its methods may be called concurrently. Times are those of the server:
// the clocks of nodes are not compared.
//
// An error that is none of those above leaves open what has happened.
type Log interface {
	// Stand says how the log stands.
	Stand(ctx context.Context) (Standing, error)
	// Lead takes the lease for ttl where nobody has it, with a term above all before it: ErrHeld.
	Lead(ctx context.Context, node string, ttl time.Duration) (Term, error)
	// Renew has the lease run for ttl from now on: ErrFenced. One that has run out and that nobody has taken is renewed.
	Renew(ctx context.Context, t Term, ttl time.Duration) error
	// Release gives the lease back. It is nil where another node leads.
	Release(ctx context.Context, t Term) error
	// Append puts a change behind the last one: ErrFenced, ErrGap. It is durable when nil is returned. A change that
	// is the last of the log already, with the same bytes, is nil too.
	Append(ctx context.Context, t Term, ch store.Change) error
	// Follow goes through the changes after a number, in order, those that are appended meanwhile too, until ctx ends. What it
	// gives is as durable as Append makes it, and valid until the next one. It ends with an error: store.ErrGone where they were trimmed, or there is no
	// base; store.ErrAhead where they were never appended.
	Follow(ctx context.Context, after uint64) iter.Seq2[store.Change, error]
	// PutBase puts a base that has the changes up to a number, in place of the one before it: ErrFenced. The first
	// one says whose log it is, and has the log begin behind it.
	PutBase(ctx context.Context, t Term, identity string, number uint64, r io.Reader) error
	// Base reads the base: ErrNoBase. Where another one is put meanwhile the reader fails.
	Base(ctx context.Context) (number uint64, r io.ReadCloser, err error)
	// Trim lets go of the changes up to a number, of which the base has to have all: ErrFenced.
	Trim(ctx context.Context, t Term, upTo uint64) error
	// Check looks at the settings of the server. Those with which it loses what it has acknowledged are ErrUnfit; those that
	// risk something are findings.
	Check(ctx context.Context) ([]finding.Finding, error)
	// Close lets go of the server.
	Close() error
}
