package crypto

import (
	"errors"
	"log/slog"

	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/keys"
	"moot/store"
)

const (
	// File is the file in the data folder in which versions before 0.2 keep the keys.
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
	// ErrDamaged is where the keys are what they cannot be.
	ErrDamaged = errors.New("the keys are damaged")
)

// Config says where the keys are.
type Config struct {
	// Folder is the data folder. Only one process may use it at a time.
	Folder string
	// Store is the bot's database, in which the keys are.
	Store *store.Store
	// Secret encrypts the keys in it. It must stay the same.
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

// Owner is whose keys they are; the zero value where they are nobody's yet.
type Owner = keys.Owner
