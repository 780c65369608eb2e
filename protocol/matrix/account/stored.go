package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"maunium.net/go/mautrix/id"

	"moot/internal/files"
)

// LoginFile is the file in the data folder that holds the login of the bot.
const LoginFile = "matrix-login.json"

// maxLogin is the longest login file in bytes.
const maxLogin = 64 << 10

// login is what is kept of a login. It never prints its secrets.
type login struct {
	Version    int         `json:"version"`
	Homeserver string      `json:"homeserver"` // the address
	User       id.UserID   `json:"user"`
	Device     id.DeviceID `json:"device"`
	// AccessToken is zero where it stands in the configuration: then only that it has worked is kept.
	AccessToken string `json:"access_token,omitempty"`
	// The rest is for OAuth.
	ClientID     string    `json:"client_id,omitempty"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	Expires      time.Time `json:"expires,omitzero"` // of the access token
}

// String says whose login it is.
func (l login) String() string { return fmt.Sprintf("%s on device %s", l.User, l.Device) }

// GoString is String, for %#v.
func (l login) GoString() string { return l.String() }

const loginVersion = 1

// load reads the login of a data folder; nil if there is none.
func load(folder string) (*login, error) {
	path := filepath.Join(folder, LoginFile)
	const do = "put the file back from a backup of the data folder, or run `moot matrix forget` to log in anew"
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, &Fault{fmt.Sprintf("the login of the bot cannot be read: %v", err), "give the bot access to that file", err}
	}
	l, err := parse(data)
	if err != nil {
		return nil, &Fault{fmt.Sprintf("%s does not hold a login: %v", path, err), do, nil}
	}
	return l, nil
}

// Examine looks at the login in the data folder, without asking the server, and changes nothing. It returns whose login Open
// is going to use; zero values where that is not known, because the token stands in the configuration or there is no login
// yet. The error is a *Fault: with it Open fails.
func Examine(c Config) (id.UserID, id.DeviceID, error) {
	known, err := load(c.Folder)
	switch {
	case err != nil:
		return "", "", err
	case c.AccessToken != nil || known == nil || known.AccessToken == "":
		return "", "", nil
	}
	return known.User, known.Device, c.own(known)
}

// parse reads a login. Its errors quote nothing: anything in the file may be a secret.
func parse(data []byte) (*login, error) {
	var l login
	switch err := json.Unmarshal(data, &l); {
	case len(data) > maxLogin:
		return nil, errors.New("it is too long")
	case err != nil:
		return nil, errors.New("it is not JSON of the right form")
	case l.Version != loginVersion:
		return nil, fmt.Errorf("it is of version %d, and this program knows version %d", l.Version, loginVersion)
	case l.Homeserver == "" || l.User == "" || l.Device == "":
		return nil, errors.New("homeserver, user or device is missing")
	}
	return &l, nil
}

// save writes the login, as a whole or not at all, and returns when it is on the disk.
func (l *login) save(folder string) error {
	l.Version = loginVersion
	data, err := json.MarshalIndent(l, "", "\t")
	if err != nil {
		return err
	}
	if err := files.Write(filepath.Join(folder, LoginFile), append(data, '\n')); err != nil {
		return &Fault{fmt.Sprintf("the login of the bot cannot be kept: %v", err), "free some space on the disk, and give the bot access to its data folder", err}
	}
	return nil
}

// Forget takes the login away, so that the next Open makes a new one. One that is not there stays so. The server is told,
// so that its device goes; where that fails, it stays in the list of devices of the account and does no harm.
func Forget(ctx context.Context, folder string, hc *http.Client) error {
	if l, err := load(folder); err == nil && l != nil && l.AccessToken != "" {
		if cli, err := newClient(hc, l.Homeserver); err == nil {
			cli.AccessToken = l.AccessToken
			_, _ = cli.Logout(ctx)
		}
	}
	if err := os.Remove(filepath.Join(folder, LoginFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the login: %w", err)
	}
	return files.SyncFolder(folder)
}
