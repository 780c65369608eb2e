package crypto

import (
	"errors"
	"log/slog"

	"maunium.net/go/mautrix/id"

	"moot/protocol"
	"moot/protocol/matrix"
)

const (
	// File is the database of keys in the data folder.
	File = "matrix-keys.db"
	// RecoveryFile is where the recovery key of an identity is kept that the bot has made.
	RecoveryFile = "matrix-recovery-key.txt"
)

// Errors of this package.
var (
	ErrUnable = errors.New("this program was built without encryption: build it with `-tags goolm`")
	ErrBroken = matrix.ErrBroken
	ErrNoKey  = matrix.ErrNoKey
	// ErrFull is where there is no space on the disk. Nothing was begun, unless the error is ErrBroken too.
	ErrFull = matrix.ErrFull
	// ErrDamaged is where the file holds something that it cannot.
	ErrDamaged = errors.New("the database of keys is damaged")
)

// Config says where the keys are.
type Config struct {
	// Folder is the data folder. Only one process may use it at a time.
	Folder string
	// Pair is the pair id that the other database carries; zero where it has none.
	Pair string
	// SetPair gives the other database another pair id, durably.
	SetPair func(id string) error
	// Secret encrypts the keys in the file. It must stay the same.
	Secret []byte
	Log    *slog.Logger // nil means none
}

// Rooms is what is known of rooms elsewhere.
type Rooms interface {
	// Shared returns the rooms in which the bot is together with somebody. It may be called concurrently.
	Shared(user protocol.UserID) ([]protocol.RoomID, error)
}

// ConnectConfig says how a machine is made ready.
type ConnectConfig struct {
	Rooms Rooms
	// RecoveryKey and Password read a secret when it is needed. Nil means that there is none. The password confirms the
	// making of an identity where the server asks for that.
	RecoveryKey, Password func() (string, error)
}

// Owner is whose keys a file holds; the zero value where nobody's are in it yet.
type Owner struct {
	User   id.UserID
	Device id.DeviceID
}
