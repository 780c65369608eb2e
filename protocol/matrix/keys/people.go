//go:build goolm

package keys

import (
	"context"
	"fmt"
	"slices"

	"maunium.net/go/mautrix/id"
)

// device is the row of a device.
type device struct {
	Identity id.IdentityKey `json:"identity"`
	Signing  id.SigningKey  `json:"signing"`
	Trust    int            `json:"trust,omitempty"` // an id.TrustState, which does not read the JSON that it writes
	Deleted  bool           `json:"deleted,omitempty"`
	Name     string         `json:"name,omitempty"`
}

func (row *device) of(user id.UserID, name id.DeviceID) *id.Device {
	return &id.Device{UserID: user, DeviceID: name, IdentityKey: row.Identity, SigningKey: row.Signing, Trust: id.TrustState(row.Trust), Deleted: row.Deleted, Name: row.Name}
}

// devices calls f for all devices of somebody, also those that were deleted.
func (s *Store) devices(ctx context.Context, user id.UserID, f func(id.DeviceID, *device) error) error {
	return s.each(ctx, func(rest []string, value []byte) error {
		row, err := decode[device](s.Rows, value)
		if err != nil {
			return err
		}
		return f(id.DeviceID(rest[0]), row)
	}, "device", string(user))
}

// GetDevices implements crypto.Store. It returns nil where nothing is known of somebody.
func (s *Store) GetDevices(ctx context.Context, user id.UserID) (map[id.DeviceID]*id.Device, error) {
	tracked, err := s.has(ctx, "tracked", string(user))
	if !tracked || err != nil {
		return nil, err
	}
	all := map[id.DeviceID]*id.Device{}
	err = s.devices(ctx, user, func(name id.DeviceID, row *device) error {
		if !row.Deleted {
			all[name] = row.of(user, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// GetDevice implements crypto.Store.
func (s *Store) GetDevice(ctx context.Context, user id.UserID, name id.DeviceID) (*id.Device, error) {
	row, err := load[device](ctx, s.Rows, "device", string(user), string(name))
	if row == nil || err != nil {
		return nil, err
	}
	return row.of(user, name), nil
}

// FindDeviceByKey implements crypto.Store.
func (s *Store) FindDeviceByKey(ctx context.Context, user id.UserID, key id.IdentityKey) (found *id.Device, err error) {
	err = s.devices(ctx, user, func(name id.DeviceID, row *device) error {
		if row.Identity == key && (found == nil || name < found.DeviceID) {
			found = row.of(user, name)
		}
		return nil
	})
	return found, err
}

// PutDevice implements crypto.Store. A device keeps the signing key by which it was first known, as with the library's own store.
func (s *Store) PutDevice(ctx context.Context, user id.UserID, d *id.Device) error {
	return s.Do(ctx, func(ctx context.Context) error {
		row := device{d.IdentityKey, d.SigningKey, int(d.Trust), d.Deleted, d.Name}
		known, err := load[device](ctx, s.Rows, "device", string(user), string(d.DeviceID))
		if err != nil {
			return err
		}
		if known != nil {
			row.Signing = known.Signing
		}
		return s.setJSON(ctx, row, "device", string(user), string(d.DeviceID))
	})
}

// PutDevices implements crypto.Store.
func (s *Store) PutDevices(ctx context.Context, user id.UserID, devices map[id.DeviceID]*id.Device) error {
	return s.Do(ctx, func(ctx context.Context) error {
		if err := s.set(ctx, is, "tracked", string(user)); err != nil {
			return err
		}
		if err := s.set(ctx, nil, "outdated", string(user)); err != nil {
			return err
		}
		if err := s.devices(ctx, user, func(name id.DeviceID, row *device) error {
			if _, stays := devices[name]; stays || row.Deleted {
				return nil
			}
			row.Deleted = true
			return s.setJSON(ctx, row, "device", string(user), string(name))
		}); err != nil {
			return err
		}
		for name, d := range devices {
			as := *d
			as.DeviceID = name
			if err := s.PutDevice(ctx, user, &as); err != nil {
				return err
			}
		}
		return nil
	})
}

// FilterTrackedUsers implements crypto.Store.
func (s *Store) FilterTrackedUsers(ctx context.Context, users []id.UserID) (tracked []id.UserID, err error) {
	for _, user := range users {
		is, err := s.has(ctx, "tracked", string(user))
		if err != nil {
			return nil, err
		}
		if is && !slices.Contains(tracked, user) {
			tracked = append(tracked, user)
		}
	}
	return tracked, nil
}

// MarkTrackedUsersOutdated implements crypto.Store.
func (s *Store) MarkTrackedUsersOutdated(ctx context.Context, users []id.UserID) error {
	return s.Do(ctx, func(ctx context.Context) error {
		tracked, err := s.FilterTrackedUsers(ctx, users)
		if err != nil {
			return err
		}
		for _, user := range tracked {
			if err := s.set(ctx, is, "outdated", string(user)); err != nil {
				return err
			}
		}
		return nil
	})
}

// GetOutdatedTrackedUsers implements crypto.Store.
func (s *Store) GetOutdatedTrackedUsers(ctx context.Context) (users []id.UserID, err error) {
	err = s.each(ctx, func(rest []string, _ []byte) error {
		users = append(users, id.UserID(rest[0]))
		return nil
	}, "outdated")
	return users, err
}

// IsOutdated reports whether the devices of somebody have changed since they were kept.
func (s *Store) IsOutdated(ctx context.Context, user id.UserID) (bool, error) {
	return s.has(ctx, "outdated", string(user))
}

// identity is the row of a key for cross-signing.
type identity struct {
	Key   id.Ed25519 `json:"key"`
	First id.Ed25519 `json:"first"`
}

// PutCrossSigningKey implements crypto.Store.
func (s *Store) PutCrossSigningKey(ctx context.Context, user id.UserID, usage id.CrossSigningUsage, key id.Ed25519) error {
	return s.Do(ctx, func(ctx context.Context) error {
		row, err := load[identity](ctx, s.Rows, "identity", string(user), string(usage))
		if err != nil {
			return err
		}
		if row == nil {
			row = &identity{First: key}
		}
		row.Key = key
		return s.setJSON(ctx, row, "identity", string(user), string(usage))
	})
}

// GetCrossSigningKeys implements crypto.Store.
func (s *Store) GetCrossSigningKeys(ctx context.Context, user id.UserID) (map[id.CrossSigningUsage]id.CrossSigningKey, error) {
	all := map[id.CrossSigningUsage]id.CrossSigningKey{}
	err := s.each(ctx, func(rest []string, value []byte) error {
		row, err := decode[identity](s.Rows, value)
		if err != nil {
			return err
		}
		all[id.CrossSigningUsage(rest[0])] = id.CrossSigningKey{Key: row.Key, First: row.First}
		return nil
	}, "identity", string(user))
	if err != nil {
		return nil, err
	}
	return all, nil
}

// ResetMasterKeyTOFU implements crypto.Store.
func (s *Store) ResetMasterKeyTOFU(ctx context.Context, user id.UserID, key id.Ed25519) error {
	return s.Do(ctx, func(ctx context.Context) error {
		row, err := load[identity](ctx, s.Rows, "identity", string(user), string(id.XSUsageMaster))
		if err != nil {
			return err
		}
		if row == nil || row.Key != key {
			return fmt.Errorf("%s has no such master key", user)
		}
		row.First = key
		return s.setJSON(ctx, row, "identity", string(user), string(id.XSUsageMaster))
	})
}

// PutSignature implements crypto.Store.
func (s *Store) PutSignature(ctx context.Context, user id.UserID, key id.Ed25519, signer id.UserID, with id.Ed25519, signature string) error {
	return s.set(ctx, []byte(signature), "signature", string(user), string(key), string(signer), string(with))
}

// GetSignaturesForKeyBy implements crypto.Store.
func (s *Store) GetSignaturesForKeyBy(ctx context.Context, user id.UserID, key id.Ed25519, signer id.UserID) (map[id.Ed25519]string, error) {
	all := map[id.Ed25519]string{}
	err := s.each(ctx, func(rest []string, value []byte) error {
		all[id.Ed25519(rest[0])] = string(value)
		return nil
	}, "signature", string(user), string(key), string(signer))
	if err != nil {
		return nil, err
	}
	return all, nil
}

// IsKeySignedBy implements crypto.Store.
func (s *Store) IsKeySignedBy(ctx context.Context, user id.UserID, key id.Ed25519, signer id.UserID, with id.Ed25519) (bool, error) {
	return s.has(ctx, "signature", string(user), string(key), string(signer), string(with))
}

// DropSignaturesByKey implements crypto.Store.
func (s *Store) DropSignaturesByKey(ctx context.Context, signer id.UserID, with id.Ed25519) (n int64, err error) {
	err = s.Do(ctx, func(ctx context.Context) error {
		return s.each(ctx, func(rest []string, _ []byte) error {
			if rest[2] != string(signer) || rest[3] != string(with) {
				return nil
			}
			n++
			return s.set(ctx, nil, append([]string{"signature"}, rest...)...)
		}, "signature")
	})
	return n, err
}
