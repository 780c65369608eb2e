//go:build goolm

package crypto

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"moot/protocol/matrix/account"
	"moot/protocol/matrix/keys"
	"moot/store"
)

// Able is whether this program can encrypt.
const Able = true

// Store is the keys in the bot's database.
type Store struct {
	c     Config
	keys  *keys.Store
	owner Owner
}

// Open opens the keys, and carries over those of a file that an older version has left. An error that does not pass by itself
// is an *account.Fault, with which nothing was changed.
func Open(ctx context.Context, c Config) (_ *Store, err error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{c: c}
	if err := s.space(); err != nil {
		return nil, unusable(c.Store.Path(), err)
	}
	var kept keys.Kept
	if err := c.Store.View(func(tx *store.Tx) (err error) {
		kept, err = keys.Look(tx)
		return err
	}); err != nil {
		return nil, unusable(c.Store.Path(), err)
	}
	s.keys = keys.New(keys.Open(c.Store), c.Secret)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.keys.Close())
		}
	}()
	if err := s.carry(ctx, kept); err != nil {
		return nil, err
	}
	if s.owner, err = s.keys.Owner(ctx); err == nil {
		err = s.keys.Begin(ctx, time.Now().Add(-keepKeys))
	}
	if err == nil {
		err = s.keys.Rows.Flush()
	}
	if err != nil {
		return nil, orUnusable(c.Store.Path(), err)
	}
	return s, nil
}

// keepKeys is how long keys to messages are kept. A session may be used for a year at most (mautrix, sessions.go).
const keepKeys = 400 * 24 * time.Hour

// check returns ErrBroken if the keys could not be read or written, and err otherwise.
func (s *Store) check(err error) error {
	switch broken := s.keys.Err(); {
	case broken == nil:
		return classified(err)
	case isDamage(broken):
		return marked{marked{broken, ErrDamaged}, ErrBroken}
	default:
		return fmt.Errorf("%w: %w", ErrBroken, broken)
	}
}

// flush makes durable what was noted.
func (s *Store) flush() error { return s.check(s.keys.Rows.Flush()) }

// durable is a transport by which nothing leaves before what was noted is durable: whatever a request rests on, a ratchet that was
// advanced or a key that the server will not keep any longer, is not lost then.
type durable struct {
	s    *Store
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (d *durable) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := d.s.flush(); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	return d.next.RoundTrip(req)
}

// CloseIdleConnections is what http.Client looks for.
func (d *durable) CloseIdleConnections() {
	if c, ok := d.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// through has all requests of a client go by a durable transport.
func (s *Store) through(c *http.Client) {
	next := c.Transport
	if d, is := next.(*durable); is {
		next = d.next
	} else if next == nil {
		next = http.DefaultTransport
	}
	c.Transport = &durable{s, next}
}

// Owner returns whose keys these are.
func (s *Store) Owner() Owner { return s.owner }

// own makes the keys those of a user and a device, once.
func (s *Store) own(ctx context.Context, who Owner) error {
	if err := refuse(s.owner, who); err != nil || s.owner == who {
		return err
	}
	if err := s.keys.SetOwner(ctx, who); err != nil {
		return s.check(err)
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.owner = who
	return nil
}

// Close makes durable what was noted. No Machine of it may be in use any more.
func (s *Store) Close() error { return s.keys.Close() }

// refuse returns why the keys of an owner cannot be used by a login; nil if they can, and where one of the two is not known.
func refuse(o, login Owner) error {
	if o == login || o == (Owner{}) || login == (Owner{}) {
		return nil
	}
	return &account.Fault{
		What: fmt.Sprintf("the keys in the data folder are those of %s on device %s, and the bot is logged in as %s on device %s", o.User, o.Device, login.User, login.Device),
		Do:   "log in as before, or run `moot matrix forget` to begin anew on the other device",
	}
}
