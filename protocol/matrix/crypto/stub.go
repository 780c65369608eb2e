//go:build !goolm

package crypto

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/internal/files"
	"moot/protocol"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/keys"
)

// Able is whether this program can encrypt.
const Able = false

// Store would be the keys. There are none.
type Store struct{}

// Open returns ErrUnable.
func Open(context.Context, Config) (*Store, error) { return nil, ErrUnable }

// Examine refuses keys that the bot has used: those that are sent to it would be thrown away.
func Examine(_ context.Context, folder string, kept *keys.Kept, _ Owner) (will string, err error) {
	if kept == nil || kept.Pair == "" && !kept.Any {
		return "", nil
	}
	return "", &account.Fault{What: "this program was built without encryption, and the bot has keys in " + folder, Do: "build it with `-tags goolm`, as in `go run -tags goolm ./cmd/bot`"}
}

// Copy copies the keys, which no program of this build uses. Where there are none it does nothing.
func Copy(_ context.Context, folder, to string) error {
	data, err := os.ReadFile(filepath.Join(folder, File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return files.Write(to, data)
}

// Owner returns the zero Owner.
func (*Store) Owner() Owner { return Owner{} }

// Close does nothing.
func (*Store) Close() error { return nil }

// Connect returns ErrUnable.
func (*Store) Connect(context.Context, *mautrix.Client, ConnectConfig) (*Machine, error) {
	return nil, ErrUnable
}

// Machine would encrypt. There is none.
type Machine struct{}

// Receive returns ErrUnable.
func (*Machine) Receive(context.Context, *mautrix.RespSync, string) (int, error) {
	return 0, ErrUnable
}

// Decrypt returns ErrUnable.
func (*Machine) Decrypt(context.Context, *event.Event) (*event.Event, protocol.Trust, error) {
	return nil, "", ErrUnable
}

// News returns nil.
func (*Machine) News() <-chan struct{} { return nil }

// Encrypt returns ErrUnable.
func (*Machine) Encrypt(context.Context, id.RoomID, []id.UserID, event.Type, any) (*event.EncryptedEventContent, error) {
	return nil, ErrUnable
}

// Member returns ErrUnable.
func (*Machine) Member(context.Context, *event.Event) error { return ErrUnable }

// Close does nothing.
func (*Machine) Close() error { return nil }

// ResetIdentity returns ErrUnable.
func (*Machine) ResetIdentity(context.Context) error { return ErrUnable }
