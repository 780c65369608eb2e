package protocol

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Network names one chat network: "console", "matrix", "discord".
type Network string

// Console is the network that lives in a terminal.
const Console Network = "console"

// RoomID names a room (a Matrix room, a Discord guild, a room of the console) or a private conversation.
type RoomID string

// UserID names an account on one network. It is never a nickname.
type UserID string

// EventID names one event within its room.
type EventID string

// PlaceID names a thread or a channel within a room. The zero value is the room itself.
type PlaceID string

// Separator joins identifiers in keys. No identifier contains it.
const Separator = "\x1f"

// MaxID is the longest identifier in bytes. Matrix allows 255 (Client-Server API, appendix "Common Identifier
// Format"); the rest is room for the name of the network and for ids that adapters derive.
const MaxID = 512

// MaxSealed is how many bytes an event may have that waits for its key. A Matrix event has at most 65,536 (Client-Server
// API, "Size limits").
const MaxSealed = 64 << 10

// Errors of Event.Check and CheckID.
var (
	ErrEmptyID     = errors.New("identifier is empty")
	ErrLongID      = errors.New("identifier is longer than 512 bytes")
	ErrBadID       = errors.New("identifier holds a control character or is not valid UTF-8")
	ErrNoNetwork   = errors.New("identifier does not begin with the name of its network")
	ErrForeignID   = errors.New("identifier belongs to another network")
	ErrInternal    = errors.New("only the bot itself makes timers and internal events")
	ErrNoBody      = errors.New("event has no body")
	ErrUnknownBody = errors.New("unknown kind of body")
	ErrMembership  = errors.New("unknown membership")
	ErrHolders     = errors.New("too many hold a role to be named")
	ErrSealed      = errors.New("sealed event is empty or too long")
	ErrMalformed   = errors.New("it breaks the rules of its network")
)

// Network returns the part of the identifier before its first colon.
func (r RoomID) Network() Network { n, _, _ := strings.Cut(string(r), ":"); return Network(n) }

// Local returns the identifier as its network writes it.
func (r RoomID) Local() string { return local(string(r)) }

// Network returns the part of the identifier before its first colon.
func (u UserID) Network() Network { n, _, _ := strings.Cut(string(u), ":"); return Network(n) }

// Local returns the identifier as its network writes it.
func (u UserID) Local() string { return local(string(u)) }

func local(id string) string {
	if _, rest, ok := strings.Cut(id, ":"); ok {
		return rest
	}
	return id
}

// CheckID reports whether id may be used as an identifier: not empty, at most MaxID bytes, valid UTF-8, and free of
// control characters, of which Separator is one.
func CheckID(id string) error {
	switch {
	case id == "":
		return ErrEmptyID
	case len(id) > MaxID:
		return ErrLongID
	case !utf8.ValidString(id):
		return ErrBadID
	}
	for i := 0; i < len(id); i++ {
		if id[i] < 0x20 || id[i] == 0x7f {
			return ErrBadID
		}
	}
	return nil
}

// checkScoped is CheckID for identifiers that begin with the name of their network.
func checkScoped(id string, network Network) error {
	if err := CheckID(id); err != nil {
		return err
	}
	name, rest, ok := strings.Cut(id, ":")
	if !ok || name == "" || rest == "" {
		return ErrNoNetwork
	}
	if network != "" && Network(name) != network {
		return ErrForeignID
	}
	return nil
}

// Key is the stable name of something that the bot sends or asks: 24 letters and digits, which fits a Matrix
// transaction id and a Discord nonce (at most 25 characters).
type Key string

// DeriveKey makes the key that belongs to the given parts, usually the room and id of the cause and a number. The
// same parts give the same key in every run.
func DeriveKey(parts ...string) Key {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	sum := h.Sum(nil)
	return Key(strings.ToLower(base32.StdEncoding.EncodeToString(sum[:15])))
}
