//go:build !goolm

package crypto

import (
	"context"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Able is whether this program can encrypt.
const Able = false

// Store would be the keys. There are none.
type Store struct{}

// Open returns ErrUnable.
func Open(context.Context, Config) (*Store, error) { return nil, ErrUnable }

// Examine does nothing.
func Examine(context.Context, string) error { return nil }

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
func (*Machine) Decrypt(context.Context, *event.Event) (*event.Event, error) { return nil, ErrUnable }

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
