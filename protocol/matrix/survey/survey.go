package survey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/internal/finding"
	"moot/internal/generation"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
)

// maxRooms is how many rooms are looked at by a program that cannot encrypt.
const maxRooms = 50

// Account looks at an account as it is configured. Left is what the data folder remembers of what it has left there; zero where
// that is not known.
func Account(ctx context.Context, c account.Config, left string) []finding.Finding {
	acc, err := account.Look(ctx, c)
	var fault *account.Fault
	switch {
	case errors.Is(err, account.ErrNoLogin):
		do := "start it: it logs in with the password of the configuration, once"
		if c.Password == nil {
			do = "start it: it shows a link to log it in by, where the server offers that; otherwise name its password in [matrix]"
		}
		return append([]finding.Finding{finding.New(finding.OK, "matrix", "the homeserver answers, and the bot is not logged in yet", do)}, ability()...)
	case err != nil && ctx.Err() != nil:
		return []finding.Finding{finding.New(finding.Fail, "matrix", hangs, "see whether it runs, and correct homeserver in [matrix] if that is not it")}
	case errors.As(err, &fault):
		return []finding.Finding{finding.New(finding.Fail, "matrix", fault.What, fault.Do)}
	case err != nil:
		return []finding.Finding{finding.New(finding.Fail, "matrix", said(err), "try again in a moment")}
	}
	cli := acc.Client
	found := []finding.Finding{finding.New(finding.OK, "matrix", fmt.Sprintf("logged in at %s as %s, by %s", cli.HomeserverURL, cli.UserID, acc.Way), "")}
	if u := cli.HomeserverURL; u.Scheme == "http" && !isLoopback(u) {
		found = append(found, finding.New(finding.Warn, "matrix", "the connection is not encrypted: whoever is on the way can read the access token", "use an address with https:// as homeserver in [matrix]"))
	}
	for _, q := range []question{{"device", device}, {"identity", identity}, {"joined", joined}, {"limits", limits}, {"account", newest(left)}} {
		more, err := q.put(ctx, cli)
		switch {
		case err == nil:
		case errors.Is(err, context.DeadlineExceeded):
			more = []finding.Finding{finding.New(finding.Fail, q.what, hangs, "try again in a moment")}
		default:
			if fault := acc.Fault(err); fault != nil {
				return append(found, finding.New(finding.Fail, "matrix", fault.What, fault.Do))
			}
			more = []finding.Finding{finding.New(finding.Fail, q.what, "the homeserver does not answer: "+said(err), "try again in a moment")}
		}
		found = append(found, more...)
	}
	return append(found, ability()...)
}

const hangs = "the homeserver takes the question and does not answer it"

// question is one thing that is looked at. What hangs or fails leaves the others to be asked.
type question struct {
	what string
	look func(context.Context, *mautrix.Client) ([]finding.Finding, error)
}

func (q question) put(ctx context.Context, cli *mautrix.Client) (found []finding.Finding, err error) {
	ctx, cancel := finding.Part(ctx)
	defer cancel()
	err = protocol.Guard(func() (err error) { // in case the library takes an answer for what it is not
		found, err = q.look(ctx, cli)
		return err
	})
	if err != nil && ctx.Err() != nil {
		err = context.DeadlineExceeded // also where an answer has begun, of which the library says that it is none
	}
	return found, err
}

func said(err error) string { return protocol.Shorten(protocol.OneLine(err.Error()), 200) }

// isLoopback reports whether the way to the server does not leave the machine.
func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// ability says whether this program can encrypt.
func ability() []finding.Finding {
	if crypto.Able {
		return nil
	}
	return []finding.Finding{finding.New(finding.Warn, "encryption", "this program was built without it: the bot reads nothing in encrypted rooms and says nothing there", rebuild)}
}

const rebuild = "build it with -tags goolm, as in: go run -tags goolm ./cmd/bot"

// device looks at the device of the bot.
func device(ctx context.Context, cli *mautrix.Client) ([]finding.Finding, error) {
	info, err := cli.GetDeviceInfo(ctx, cli.DeviceID)
	switch {
	case errors.Is(err, mautrix.MNotFound):
		return []finding.Finding{finding.New(finding.Fail, "device", fmt.Sprintf("the homeserver does not know device %s", cli.DeviceID), "run `moot matrix forget` and start the bot again, or take the access_token of a new login")}, nil
	case err != nil:
		return nil, err
	}
	text := string(cli.DeviceID)
	if info.DisplayName != "" {
		text += ", called " + protocol.Quoted(info.DisplayName, 0)
	}
	return []finding.Finding{finding.New(finding.OK, "device", text, "")}, nil
}

// identity looks at what others see of the device.
func identity(ctx context.Context, cli *mautrix.Client) ([]finding.Finding, error) {
	is, err := crypto.Look(ctx, cli)
	const shunned = "programs warn of the bot, and some give it no keys"
	switch {
	case err != nil:
		return nil, err
	case is.Verified:
		return []finding.Finding{finding.New(finding.OK, "identity", "the account vouches for the device (cross-signed)", "")}, nil
	case !is.Keys && crypto.Able:
		return []finding.Finding{finding.New(finding.Warn, "identity", "the device has no keys yet", "start the bot, which makes them")}, nil
	case !is.Keys:
		return []finding.Finding{finding.New(finding.OK, "identity", "the device has no keys, as this program cannot encrypt", "")}, nil
	case is.Exists:
		return []finding.Finding{finding.New(finding.Warn, "identity", "the account does not vouch for the device: "+shunned, "name recovery_key in [matrix] and start the bot again, or let `moot matrix reset-identity` make another identity")}, nil
	}
	return []finding.Finding{finding.New(finding.Warn, "identity", "the account has no identity: "+shunned, "start the bot again, and see what it logs about it")}, nil
}

// joined looks at the rooms of the account.
func joined(ctx context.Context, cli *mautrix.Client) ([]finding.Finding, error) {
	list, err := cli.JoinedRooms(ctx)
	if err != nil {
		return nil, err
	}
	places := "one room or conversation"
	if n := len(list.JoinedRooms); n != 1 {
		places = fmt.Sprintf("%d rooms and conversations", n)
	}
	found := []finding.Finding{finding.New(finding.OK, "joined", fmt.Sprintf("the account is in %s, says the homeserver", places), "")}
	if crypto.Able {
		return found, nil
	}
	looked := list.JoinedRooms[:min(len(list.JoinedRooms), maxRooms)]
	sealed, err := sealedOf(ctx, cli, looked)
	if err != nil {
		return nil, err
	}
	if sealed > 0 {
		found = append(found, finding.New(finding.Fail, "joined", fmt.Sprintf("%d of the first %d are encrypted, and this program cannot read there", sealed, len(looked)), rebuild))
	}
	return found, nil
}

// Slowed is what it means for people that a homeserver limits how fast the bot may send, and Exempt what to do.
const (
	Slowed = "in a busy room its answers come late"
	Exempt = "ask who runs the homeserver to exempt it; “Rate limits” in docs/matrix.md has the command for Synapse and the line for Dendrite"
)

// limits asks Synapse whether it exempts the bot from its rate limits. It tells its administrators alone, and other homeservers have no
// such question: what is refused says nothing about the limits, nor about the login.
func limits(ctx context.Context, cli *mautrix.Client) ([]finding.Finding, error) {
	var own struct {
		PerSecond *float64 `json:"messages_per_second"`
	}
	path := mautrix.SynapseAdminURLPath{"v1", "users", cli.UserID, "override_ratelimit"}
	_, err := cli.MakeFullRequest(ctx, mautrix.FullRequest{Method: http.MethodGet, URL: cli.BuildURL(path), ResponseJSON: &own, MaxAttempts: 1})
	text, do, status := "", "", finding.OK
	switch {
	case err != nil:
		text = "the homeserver does not tell the bot whether it limits how fast it may send; a bot that runs counts how often it is put off"
	case own.PerSecond == nil:
		status, text, do = finding.Warn, "the homeserver limits how fast the bot may send, as it does with people: "+Slowed, Exempt
	case *own.PerSecond == 0:
		text = "the homeserver exempts the bot from its rate limits"
	default:
		text = fmt.Sprintf("the homeserver has a limit of its own for the bot: %g messages a second", *own.PerSecond)
	}
	return []finding.Finding{finding.New(status, "rate limits", text, do)}, nil
}

// newest looks whether another data folder has used the account since this one did.
func newest(left string) func(context.Context, *mautrix.Client) ([]finding.Finding, error) {
	return func(ctx context.Context, cli *mautrix.Client) ([]finding.Finding, error) {
		if left == "" {
			return nil, nil
		}
		var there json.RawMessage
		if err := cli.GetAccountData(ctx, matrix.GenerationData, &there); err != nil && !errors.Is(err, mautrix.MNotFound) {
			return nil, err
		}
		if _, err := generation.Next(left, matrix.Generation(there)); err != nil {
			return []finding.Finding{finding.New(finding.Fail, "account", generation.What, generation.Do)}, nil
		}
		return nil, nil
	}
}

// sealedOf counts the rooms that are encrypted.
func sealedOf(ctx context.Context, cli *mautrix.Client, rooms []id.RoomID) (sealed int, err error) {
	for _, room := range rooms {
		var content event.EncryptionEventContent
		switch err := cli.StateEvent(ctx, room, event.StateEncryption, "", &content); {
		case err == nil:
			sealed++
		case !errors.Is(err, mautrix.MNotFound) && !errors.Is(err, mautrix.MForbidden):
			return 0, err
		}
	}
	return sealed, nil
}
