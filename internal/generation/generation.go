// Package generation finds out that a data folder was copied and run twice: each Run of an adapter leaves the next number on the
// account that it uses, where every other Run can read it.
//
// # Promises
//
//   - A folder that has run before goes on only where the account says what the folder wrote there last. Where another folder has
//     written since, this one is the older, and must say nothing: the other one has said it.
//   - A folder that has never run with the account, or was restored from a backup, becomes the newest.
//   - A crash between the two writes leaves no doubt: the folder also remembers what it replaces on the account.
//   - An account that was put back from a backup of its server keeps nobody from going on: its number is lower then.
package generation

import (
	"crypto/rand"
	"encoding/json"
	"errors"
)

// What is the matter with a folder that is older, and what to do.
const (
	What = "another copy of this data folder, or another bot, has run with this account since, and this one would say again what that one has said"
	Do   = "run only the other one; if it is gone for good, make a backup of this folder with moot backup, and another folder of that with moot restore, which looks before it says anything twice"
)

// ErrOlder says that another data folder has used the account since.
var ErrOlder = errors.New(What + "; " + Do)

// Generation is what stands on the account. The zero value stands for nothing.
type Generation struct {
	Number int64  `json:"generation"`
	Run    string `json:"run"` // a random name
}

// Claim is a Generation that a Run of this folder leaves, and the name of the one that it replaces.
type Claim struct {
	Generation
	Replaces string `json:"replaces,omitempty"`
}

// most is the largest number that is believed: networks carry numbers as floats.
const most = 1 << 53

// Next returns what the next Run leaves on the account. Saved is what the folder remembers, zero where it has never run with the
// account, and found is what stands there. The error is ErrOlder.
func Next(saved string, found Generation) (Claim, error) {
	if found.Run == "" || found.Number < 0 || found.Number >= most-1 {
		found = Generation{} // nobody here has written that
	}
	last := Parse(saved)
	if err := last.Check(found); err != nil && found.Run != last.Replaces {
		return Claim{}, err
	}
	return Claim{Generation{max(found.Number, last.Number) + 1, rand.Text()[:12]}, found.Run}, nil
}

// Encode returns what the folder is to remember, before anything is written to the account.
func (c Claim) Encode() string {
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // a number and two texts can be encoded
	}
	return string(data)
}

// Parse reads what Encode has written; zero for anything else.
func Parse(saved string) (c Claim) {
	if json.Unmarshal([]byte(saved), &c) != nil {
		return Claim{}
	}
	return c
}

// Check returns ErrOlder where what stands on the account is later than the claim.
func (c Claim) Check(found Generation) error {
	if c.Run != "" && found.Run != "" && found.Run != c.Run && found.Number >= c.Number {
		return ErrOlder
	}
	return nil
}
