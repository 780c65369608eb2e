package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"maunium.net/go/mautrix"
)

// logIn makes a login and keeps it.
func (a *Account) logIn(ctx context.Context) error {
	hasPassword, err := takesPasswords(ctx, a.Client)
	switch {
	case err != nil:
		return err
	case a.c.Password != nil && hasPassword:
		return a.byPassword(ctx)
	}
	hasBrowser, err := takesBrowsers(ctx, a.Client)
	switch {
	case err != nil:
		return err
	case hasBrowser:
		if a.c.Password != nil {
			a.c.Log.Warn("the homeserver takes no passwords; the one of the configuration is not used", "network", "matrix")
		}
		return a.byBrowser(ctx)
	case hasPassword:
		return &Fault{"the bot is not logged in", "name in [matrix] where its password is: password = { file = \"matrix-password.txt\" }", nil}
	}
	return noWayIn
}

var noWayIn = &Fault{"the homeserver lets nobody log in by password, and offers no login by browser for programs like this", "make a login with another program, or have those who run the server make one, and name in [matrix] where its access_token is", nil}

// takesPasswords reports whether a homeserver lets people log in by password.
func takesPasswords(ctx context.Context, cli *mautrix.Client) (bool, error) {
	flows, err := cli.GetLoginFlows(ctx)
	if err != nil && !errors.Is(err, mautrix.MUnrecognized) && !errors.Is(err, mautrix.MNotFound) { // which a server with OAuth alone may say
		return false, diagnose(cli.HomeserverURL.String(), err)
	}
	return err == nil && flows.HasFlow(mautrix.AuthTypePassword), nil
}

// takesBrowsers reports whether a homeserver lets a program in by the browser of somebody else (RFC 8628). What it says to
// the question that it does not understand counts as no.
func takesBrowsers(ctx context.Context, cli *mautrix.Client) (bool, error) {
	meta, err := cli.OAuthGetServerMetadata(ctx)
	if err != nil {
		if err = diagnose(cli.HomeserverURL.String(), err); errors.Is(err, ErrUnreachable) {
			return false, err
		}
		return false, nil
	}
	return meta != nil && meta.DeviceAuthorizationEndpoint != "", nil
}

// byPassword makes a login with the password.
func (a *Account) byPassword(ctx context.Context) error {
	password, err := a.c.Password()
	if err != nil {
		return &Fault{"password in [matrix]: " + err.Error(), "put it where password says that it is", err}
	}
	resp, err := a.Client.Login(ctx, &mautrix.ReqLogin{
		Type:                     mautrix.AuthTypePassword,
		Identifier:               mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: a.c.User},
		Password:                 password,
		DeviceID:                 a.c.Device,
		InitialDeviceDisplayName: a.c.DeviceName,
	})
	switch {
	case errors.Is(err, mautrix.MForbidden), errors.Is(err, mautrix.MInvalidUsername):
		return &Fault{
			fmt.Sprintf("the homeserver does not let %s in: there is no such account, or its password is another", a.c.User),
			"correct user in [matrix], or the password where password says that it is", err,
		}
	case err != nil:
		return diagnose(a.Client.HomeserverURL.String(), err)
	case resp.AccessToken == "" || resp.DeviceID == "":
		return &Fault{fmt.Sprintf("the homeserver has let %s in and says neither its device nor its token", a.c.User), "ask those who run the homeserver", nil}
	case !a.c.is(resp.UserID):
		a.Client.AccessToken = resp.AccessToken
		_, _ = a.Client.Logout(ctx) // where that fails, a device more stands in the list of the account
		a.Client.AccessToken = ""
		return &Fault{fmt.Sprintf("the homeserver has let %s in as %s", a.c.User, resp.UserID), fmt.Sprintf("write user = %q in [matrix] if that is the bot", resp.UserID), nil}
	}
	l := &login{Homeserver: a.Client.HomeserverURL.String(), User: resp.UserID, Device: resp.DeviceID, AccessToken: resp.AccessToken}
	if err := l.save(a.c.Folder); err != nil {
		return err
	}
	a.Way = "a new login by password, kept in " + LoginFile
	a.c.Log.Info("the bot has logged in; the login is kept and the password not needed any more", "network", "matrix", "user", l.User, "device", l.Device)
	a.use(l)
	return nil
}

// isOneOf reports whether an error of OAuth is one of these.
func isOneOf(err error, codes ...mautrix.RespError) bool {
	return slices.ContainsFunc(codes, func(code mautrix.RespError) bool { return errors.Is(err, code) })
}
