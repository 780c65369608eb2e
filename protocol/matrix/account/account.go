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

	"moot/internal/pause"
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
	// Transport makes the exchanges of that one; nil means http.DefaultTransport.
	Transport http.RoundTripper
	Log       *slog.Logger // nil means none

	wait  func(context.Context, time.Duration) error // for tests; nil means to really wait
	look  bool                                       // whether nothing may be changed
	twice bool                                       // whether what is refused was refused before
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
	c.fill()
	known, err := load(c.Folder)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		a, err := open(ctx, c, known)
		if !c.twice && ctx.Err() == nil && mayPass(err) {
			c.twice = true
			if err := c.wait(ctx, time.Second); err != nil {
				return nil, err
			}
			try--
			continue
		}
		if err == nil || ctx.Err() != nil || !errors.Is(err, ErrUnreachable) {
			return a, err
		}
		var b busy
		if worthwhile := known != nil || try < tries && errors.As(err, &b); !c.Patient || !worthwhile {
			return nil, c.final(ctx, err)
		}
		next := pause.Backoff{First: time.Second, Most: time.Minute}.Part(try-1, 1)
		c.Log.Warn("the homeserver cannot be reached; the bot waits", "network", "matrix", "again", next, "err", err)
		if err := c.wait(ctx, next); err != nil {
			return nil, err
		}
	}
}

// mayPass reports whether the matter is a single answer that a token is unknown, or that there is nothing (401 and 404): servers that
// start or are moved, and what stands before them, now and then give one, and it is looked at twice before it counts.
func mayPass(err error) bool {
	var fault *Fault
	var answer mautrix.HTTPError
	if !errors.As(err, &fault) || !errors.As(fault.Err, &answer) || answer.Response == nil {
		return false
	}
	status := answer.Response.StatusCode
	return status == http.StatusUnauthorized || status == http.StatusNotFound
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
			"correct homeserver and user in [matrix], or run `moot matrix forget` to log in there anew", nil,
		}
	}
	return base, nil
}

// sameServer reports whether the configuration leaves it to the server in the user's own name where the homeserver is: that
// may move.
func (c Config) sameServer(known *login) bool {
	server := known.User.Homeserver()
	return c.Homeserver == server || c.Homeserver == "" && strings.HasSuffix(c.User, ":"+server)
}

// is reports whether the account is the one that is meant.
func (c Config) is(user id.UserID) bool {
	return c.User == "" || c.User == string(user) || !strings.Contains(c.User, ":") && strings.TrimPrefix(c.User, "@") == user.Localpart()
}

// own refuses the login of another account than the one that is meant.
func (c Config) own(known *login) error {
	if c.is(known.User) {
		return nil
	}
	return &Fault{
		fmt.Sprintf("the login in %s is that of %s, and the configuration names %s", LoginFile, known.User, c.User),
		"correct user in [matrix], give the other account another data folder, or run `moot matrix forget`", nil,
	}
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
		return a.refused(err)
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
	if err := a.c.own(known); err != nil {
		return err
	}
	a.Way = "the login in " + LoginFile
	a.use(known)
	if a.c.look && !known.Expires.IsZero() && known.Expires.Before(time.Now()) {
		return &Fault{"the access token in " + LoginFile + " has run out; only a running bot may renew it", "start the bot, and check again", nil}
	}
	who, err := a.whoami(ctx)
	if a.c.twice && a.c.Password != nil && !a.c.look && isSoft(err) {
		a.c.Device = known.Device // whose keys are still good
		return a.logIn(ctx)
	}
	if err != nil {
		return a.refused(err)
	}
	if who.User != known.User || who.Device != known.Device {
		return &Fault{fmt.Sprintf("the homeserver says that the login of %s is that of %s", known, who), "run `moot matrix forget`, and start the bot to log in anew", nil}
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
	// Without a trigger mautrix does not remember which token a request was made with, and tries one that the server refuses
	// again and again instead of saying so (client.go, prepareRequestAttempt). Only where there is something to renew: two
	// requests at once write to the same field of the trigger, which the race detector notices (util's exsync/event.go).
	a.Client.RequestRetryTrigger = exsync.NewEvent()
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

// Fault says of an error of the client what is the matter, in the words of a start; nil if it may pass by itself.
func (a *Account) Fault(err error) *Fault {
	var f *Fault
	errors.As(a.refused(diagnose(a.Client.HomeserverURL.String(), err)), &f)
	return f
}

// refused says of a refused login which one it is, and what to do.
func (a *Account) refused(err error) error {
	var f *Fault
	switch {
	case !errors.As(err, &f) || !isDead(f.Err):
		return err
	case a.c.AccessToken != nil:
		return &Fault{"the homeserver does not know the access token of the configuration", "make a new one: log in with a program for Matrix, take the token of that login, and do not log out there", f.Err}
	}
	return &Fault{
		fmt.Sprintf("the homeserver does not know the login in %s any more: somebody has logged %s on device %s out", LoginFile, a.Client.UserID, a.Client.DeviceID),
		"run `moot matrix forget`, and start the bot to log in anew", f.Err,
	}
}

// isSoft reports whether a server has only ended a token, and not what belongs to it: a new login takes up the device
// (Client-Server API, "Soft logout").
func isSoft(err error) bool {
	var answer mautrix.HTTPError
	if !errors.As(err, &answer) || answer.RespError == nil {
		return false
	}
	soft, _ := answer.RespError.ExtraData["soft_logout"].(bool)
	return soft && isDead(err)
}

// isDead reports whether a server has refused a token for good.
func isDead(err error) bool {
	return errors.Is(err, mautrix.MUnknownToken) || errors.Is(err, mautrix.MMissingToken) ||
		errors.Is(err, mautrix.ErrOAuthInvalidGrant) || errors.Is(err, mautrix.ErrOAuthInvalidClient)
}
