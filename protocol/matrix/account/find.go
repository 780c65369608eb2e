package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"

	"moot/internal/pause"
)

// Home is a homeserver, and the way in which it lets somebody log in who has no login yet: by password or, where it takes none,
// by browser.
type Home struct {
	Address           string
	Password, Browser bool
}

// Find finds the homeserver of a configuration and asks it how to log in. It makes no login and keeps nothing. Its errors are
// a *Fault, or that of the context.
func Find(ctx context.Context, c Config) (Home, error) {
	c.fill()
	base, err := c.address(ctx, nil)
	if err != nil {
		return Home{}, c.final(ctx, err)
	}
	cli, err := newClient(c.HTTP, base)
	if err != nil {
		return Home{}, err
	}
	home := Home{Address: base}
	if home.Password, err = takesPasswords(ctx, cli); err == nil && !home.Password {
		home.Browser, err = takesBrowsers(ctx, cli)
	}
	if err != nil {
		return Home{}, c.final(ctx, err)
	}
	if !home.Password && !home.Browser {
		return home, noWayIn
	}
	return home, nil
}

// fill gives zero fields what they stand for.
func (c *Config) fill() {
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{Transport: &bounded{next: c.Transport, log: c.Log}}
	}
	if c.wait == nil {
		c.wait = pause.Sleep
	}
}

// final makes a *Fault of an error that may pass, for somebody who does not wait.
func (c Config) final(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !errors.Is(err, ErrUnreachable) {
		return err
	}
	return &Fault{err.Error(), "see whether it runs, and correct homeserver in [matrix] if that is not it", err}
}

// Knows reports whether the homeserver knows an account. Where it does not say, as of accounts of other servers that it cannot
// reach, that is an error.
func (a *Account) Knows(ctx context.Context, user string) (bool, error) {
	_, err := a.Client.GetProfile(ctx, id.UserID(user))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, mautrix.MNotFound):
		return false, nil
	}
	return false, fmt.Errorf("ask for %s: %w", user, diagnose(a.Client.HomeserverURL.String(), err))
}
