package account

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"
	"maunium.net/go/mautrix/oauth"
)

// Grant is where the operator lets the bot in: by following Link, or by going to Page and typing Code there.
type Grant struct {
	Link, Page, Code string
	Until            time.Time
}

// How often a server is asked whether somebody has followed the link, unless it says otherwise, and how much less often
// after each time that it says slow_down (RFC 8628, sections 3.2 and 3.5).
const (
	pollEvery = 5 * time.Second
	pollSlack = 5 * time.Second
	// grantLasts is for how long a link holds where the server does not say.
	grantLasts = 10 * time.Minute
)

// byBrowser makes a login by the device authorization grant.
func (a *Account) byBrowser(ctx context.Context) error {
	if a.c.Show == nil {
		return &Fault{"the homeserver lets the bot in by browser only, and there is nobody here to follow a link", "start `moot run` once in a terminal", nil}
	}
	base := a.Client.HomeserverURL.String()
	registered, err := a.Client.OAuthRegisterClient(ctx, &oauth.ClientMetadata{
		ClientName:      "moot",
		ClientURI:       base, // a page that tells more about the client is asked for: for a bot that is whose it is
		ApplicationType: oauth.ApplicationTypeNative,
		GrantTypes:      []oauth.GrantType{oauth.GrantTypeDeviceCode, oauth.GrantTypeRefreshToken},

		TokenEndpointAuthMethod: oauth.AuthMethodNone,
	})
	switch {
	case err != nil:
		return diagnose(base, err)
	case registered.ClientID == "":
		return &Fault{"the homeserver does not let programs like this register", "make a login with another program, and name in [matrix] where its access_token is", nil}
	}
	device := a.c.Device
	if device == "" {
		// "At least 10 characters" (spec, "Allocation of device IDs"); Text has 26.
		device = id.DeviceID(rand.Text())
	}
	asked := time.Now()
	code, err := a.Client.OAuthGenerateDeviceCode(ctx, oauth.GenerateDeviceCodeParams{
		Scopes: oauth.ScopeList{oauth.ScopeClientAPI, oauth.ScopeDevice(device)},
	})
	if err != nil {
		return diagnose(base, err)
	}
	lasts := code.ExpiresIn.Duration
	if lasts <= 0 {
		lasts = grantLasts
	}
	grant := Grant{Link: code.VerificationURIComplete, Page: code.VerificationURI, Code: code.UserCode, Until: asked.Add(lasts)}
	if grant.Page == "" || grant.Code == "" || code.DeviceCode == "" {
		return &Fault{"the homeserver gives no link to log the bot in", "make a login with another program, and name in [matrix] where its access_token is", nil}
	}
	a.c.Show(grant)
	token, err := a.granted(ctx, code, lasts)
	if err != nil {
		return err
	}
	return a.keep(ctx, registered.ClientID, token)
}

// granted waits until somebody has followed the link.
func (a *Account) granted(ctx context.Context, code *oauth.DeviceCodeResponse, lasts time.Duration) (*oauth.TokenResponse, error) {
	every := max(code.Interval.Duration, time.Second)
	if code.Interval.Duration <= 0 {
		every = pollEvery
	}
	for waited := time.Duration(0); waited < lasts; waited += every {
		if err := a.c.wait(ctx, every); err != nil {
			return nil, err
		}
		token, err := a.Client.OAuthPollDeviceCode(ctx, oauth.PollDeviceCodeParams{DeviceCode: code.DeviceCode})
		switch {
		case err == nil:
			return token, nil
		case isOneOf(err, mautrix.ErrOAuthSlowDown):
			every += pollSlack
		case isOneOf(err, mautrix.ErrOAuthAccessDenied):
			return nil, &Fault{"somebody has followed the link and refused", "start the bot again for a new link", err}
		case isOneOf(err, mautrix.ErrOAuthExpiredToken):
			return nil, expired
		case isOneOf(err, mautrix.ErrOAuthAuthorizationPending):
		default:
			if err := diagnose(a.Client.HomeserverURL.String(), err); !isPassing(err) {
				return nil, err
			}
		}
	}
	return nil, expired
}

var expired = &Fault{"nobody has followed the link in time", "start the bot again for a new one", nil}

// keep finds out whose login it is, which OAuth does not tell, and keeps it.
func (a *Account) keep(ctx context.Context, client string, token *oauth.TokenResponse) error {
	a.Client.AccessToken = token.AccessToken
	l, err := a.whoami(ctx)
	if err != nil {
		return err
	}
	if !a.c.is(l.User) {
		return &Fault{fmt.Sprintf("somebody has followed the link as %s, and the configuration names %s", l.User, a.c.User), "start the bot again, and follow the link as the account of the bot", nil}
	}
	l.ClientID, l.AccessToken, l.RefreshToken = client, token.AccessToken, token.RefreshToken
	if token.ExpiresIn.Duration > 0 {
		l.Expires = time.Now().Add(token.ExpiresIn.Duration)
	}
	if err := l.save(a.c.Folder); err != nil {
		return err
	}
	a.Way = "a new login by browser, kept in " + LoginFile
	a.c.Log.Info("the bot has been let in; the login is kept", "network", "matrix", "user", l.User, "device", l.Device)
	a.use(l)
	return nil
}
