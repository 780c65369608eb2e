package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"go.mau.fi/util/exsync"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"
)

// Config says which account, and how to get at it.
type Config struct {
	// User is the account: "@moot:example.org", or its first part. Zero means whoever the access token belongs to.
	User string
	// Homeserver is the address of the server or its name; zero means the name in User.
	Homeserver string
	// AccessToken and Password read a secret each time it is needed. Nil means that there is none.
	AccessToken, Password func() (string, error)
	// Folder is the data folder. Only one process may use it at a time.
	Folder string
	// Device is the device that keys of the data folder belong to; a new login takes it up again. Zero means a new one.
	Device id.DeviceID
	// DeviceName is what people see of the device.
	DeviceName string
	// Show shows the operator where to log the bot in by browser. Nil means that there is nobody to show it to.
	Show func(Grant)
	// Patient is whether to wait: for a server that could be reached before until it can be reached again, and for one
	// that is there and busy a few times.
	Patient bool
	HTTP    *http.Client // nil means one that gives each request two minutes, but for a sync
	Log     *slog.Logger // nil means none

	wait func(context.Context, time.Duration) error // for tests; nil means to really wait
	look bool                                       // whether nothing may be changed
}

// Account is an account on a homeserver that the bot is logged in to.
type Account struct {
	// Client has address, user, device and token set, and renews the token where that is to be done. It retries nothing.
	Client *mautrix.Client
	// Way is how the bot came to its login, for people.
	Way string
	c   Config
}

// Open logs in. It does not return before the server has acknowledged the login, the context ends, or there is a *Fault.
func Open(ctx context.Context, c Config) (*Account, error) {
	if c.HTTP == nil {
		c.HTTP = &http.Client{Transport: bounded{http.DefaultTransport}}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.wait == nil {
		c.wait = wait
	}
	known, err := load(c.Folder)
	if err != nil {
		return nil, err
	}
	for try, pause := 1, time.Second; ; try, pause = try+1, min(2*pause, time.Minute) {
		a, err := open(ctx, c, known)
		if err == nil || ctx.Err() != nil || !errors.Is(err, ErrUnreachable) {
			return a, err
		}
		var b busy
		if worthwhile := known != nil || try < tries && errors.As(err, &b); !c.Patient || !worthwhile {
			return nil, &Fault{err.Error(), "see whether it runs, and correct homeserver in [matrix] if that is not it", err}
		}
		c.Log.Warn("the homeserver cannot be reached; the bot waits", "network", "matrix", "again", pause, "err", err)
		if err := c.wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// tries is how often a first login is tried on a server that is there and says that it is busy or broken: with the pauses
// between them a quarter of a minute, in which Synapse allows the next login (rc_login) and a restart is over.
const tries = 5

// ErrNoLogin is what Look returns where the bot has not logged in yet.
var ErrNoLogin = errors.New("the bot is not logged in yet")

// Look is Open for somebody who only wants to look, also while the bot runs: it makes no login, renews no token, keeps
// nothing and does not wait. Where there is no login the error is ErrNoLogin, and the server was found.
func Look(ctx context.Context, c Config) (*Account, error) {
	c.Patient, c.look = false, true
	return Open(ctx, c)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// open tries once.
func open(ctx context.Context, c Config, known *login) (*Account, error) {
	base, err := c.address(ctx, known)
	if err != nil {
		return nil, err
	}
	cli, err := newClient(c.HTTP, base)
	if err != nil {
		return nil, err
	}
	// Without a trigger mautrix does not remember which token a request was made with, and tries one that the server
	// refuses again and again instead of saying so (client.go, prepareRequestAttempt).
	cli.RequestRetryTrigger = exsync.NewEvent()
	a := &Account{Client: cli, c: c}
	switch {
	case c.AccessToken != nil:
		err = a.byToken(ctx, known)
	case known != nil && known.AccessToken != "":
		err = a.byLogin(ctx, known)
	case c.look:
		err = ErrNoLogin
	default:
		err = a.logIn(ctx)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// address finds the server. What is kept of a login is never sent to another one.
func (c Config) address(ctx context.Context, known *login) (string, error) {
	_, server, _ := strings.Cut(c.User, ":")
	base, err := discover(ctx, c.HTTP, cmp.Or(c.Homeserver, server))
	switch {
	case known == nil:
		return base, err
	case errors.Is(err, ErrUnreachable) && isHomeserver(ctx, c.HTTP, known.Homeserver) == nil:
		// The one that tells the address is down, and the server itself is not.
		return known.Homeserver, nil
	case err != nil:
		return "", err
	case known.AccessToken != "" && c.AccessToken == nil && base != known.Homeserver && !c.sameServer(known):
		return "", &Fault{
			fmt.Sprintf("the login in %s is one on %s, and the configuration leads to %s", LoginFile, known.Homeserver, base),
			"correct homeserver and user in [matrix], or run `bot matrix forget` to log in there anew", nil,
		}
	}
	return base, nil
}

// sameServer tells whether the configuration leaves it to the server in the user's own name where the homeserver is: that
// may move.
func (c Config) sameServer(known *login) bool {
	server := known.User.Homeserver()
	return c.Homeserver == server || c.Homeserver == "" && strings.HasSuffix(c.User, ":"+server)
}

// is tells whether the account is the one that is meant.
func (c Config) is(user id.UserID) bool {
	return c.User == "" || c.User == string(user) || !strings.Contains(c.User, ":") && strings.TrimPrefix(c.User, "@") == user.Localpart()
}

// byToken uses the token of the configuration.
func (a *Account) byToken(ctx context.Context, known *login) error {
	token, err := a.c.AccessToken()
	if err != nil {
		return &Fault{"access_token in [matrix]: " + err.Error(), "put it where access_token says that it is", err}
	}
	a.Client.AccessToken = token
	who, err := a.whoami(ctx)
	if err != nil {
		return replaced(err, "the homeserver does not know the access token of the configuration", "make a new one: log in with a program for Matrix, take the token of that login, and do not log out there")
	}
	if !a.c.is(who.User) {
		return &Fault{fmt.Sprintf("the access token belongs to %s and not to %s", who.User, a.c.User), "correct user or access_token in [matrix]", nil}
	}
	a.Way = "an access token"
	a.Client.UserID, a.Client.DeviceID = who.User, who.Device
	if !a.c.look && (known == nil || *known != *who) {
		return who.save(a.c.Folder)
	}
	return nil
}

// byLogin uses what was kept.
func (a *Account) byLogin(ctx context.Context, known *login) error {
	if !a.c.is(known.User) {
		return &Fault{
			fmt.Sprintf("the login in %s is that of %s, and the configuration names %s", LoginFile, known.User, a.c.User),
			"correct user in [matrix], give the other account another data folder, or run `bot matrix forget`", nil,
		}
	}
	a.Way = "the login in " + LoginFile
	a.use(known)
	if a.c.look && !known.Expires.IsZero() && known.Expires.Before(time.Now()) {
		return &Fault{"the access token in " + LoginFile + " has run out; only a running bot may renew it", "start the bot, and check again", nil}
	}
	who, err := a.whoami(ctx)
	if err != nil {
		return replaced(err, fmt.Sprintf("the homeserver does not know the login in %s any more: somebody has logged %s out", LoginFile, known), "run `bot matrix forget`, and start the bot to log in anew")
	}
	if who.User != known.User || who.Device != known.Device {
		return &Fault{fmt.Sprintf("the homeserver says that the login of %s is that of %s", known, who), "run `bot matrix forget`, and start the bot to log in anew", nil}
	}
	return nil
}

// use sets the client to a login, and keeps what becomes of its tokens.
func (a *Account) use(l *login) {
	a.Client.UserID, a.Client.DeviceID, a.Client.AccessToken = l.User, l.Device, l.AccessToken
	if l.RefreshToken == "" || a.c.look {
		return // a second process that renews the token would take it away from the first
	}
	kept := *l
	a.Client.SaveNewToken = func(_ context.Context, refresh, access string, expires time.Time) error {
		kept.RefreshToken, kept.AccessToken, kept.Expires = refresh, access, expires
		return kept.save(a.c.Folder) // mautrix calls it under a lock
	}
	a.Client.OAuthSetTokens(l.ClientID, l.RefreshToken, l.AccessToken, l.Expires)
}

// whoami asks the server whose login this is.
func (a *Account) whoami(ctx context.Context) (*login, error) {
	base := a.Client.HomeserverURL.String()
	who, err := a.Client.Whoami(ctx)
	switch {
	case err != nil:
		return nil, diagnose(base, err)
	case who.UserID == "" || who.DeviceID == "":
		// Tokens of application services and of the server's own administration have no device, and so no keys.
		return nil, &Fault{fmt.Sprintf("the access token of %s belongs to no device", cmp.Or(string(who.UserID), "the bot")), "take one from an ordinary login", nil}
	}
	return &login{Version: loginVersion, Homeserver: base, User: who.UserID, Device: who.DeviceID}, nil
}

// Fault says of an error of the client what is the matter; nil if it may pass by itself.
func (a *Account) Fault(err error) *Fault {
	err = replaced(diagnose(a.Client.HomeserverURL.String(), err),
		fmt.Sprintf("the homeserver does not know the login of the bot any more: somebody has logged %s out on device %s", a.Client.UserID, a.Client.DeviceID),
		"start the bot again, which says what to do")
	var f *Fault
	errors.As(err, &f)
	return f
}

// replaced says a refused login in other words.
func replaced(err error, what, do string) error {
	var f *Fault
	if errors.As(err, &f) && isDead(f.Err) {
		return &Fault{what, do, f.Err}
	}
	return err
}

// isDead tells whether a server has refused a token for good.
func isDead(err error) bool {
	return errors.Is(err, mautrix.MUnknownToken) || errors.Is(err, mautrix.MMissingToken) ||
		errors.Is(err, mautrix.ErrOAuthInvalidGrant) || errors.Is(err, mautrix.ErrOAuthInvalidClient)
}
