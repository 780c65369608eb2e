package votes

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"

	"moot/events"
	"moot/protocol"
	"moot/store"
	"moot/votes/tally"
)

// Secret votes. What stands here is no projection: it is not in the log and cannot be made from it. The key of a vote is
// random, and all that leads from a person to their ballot; it is deleted when the vote closes. Ballots wait until a timer
// puts them into the log in the order of their hashes, so that neither the cause of a fact nor its place tells whose it is.
var (
	secretKeys    = store.ScopedBucket("votes-keys")
	secretWaiting = store.ScopedBucket("votes-waiting")
)

const keySize = 32

func (f *Feature) makeKey(tx *store.Tx, room protocol.RoomID, id uint64) {
	key := make([]byte, keySize)
	f.Random(key)
	tx.Put(secretKeys, voteKey(room, id), key)
}

// secretVoter returns what stands for a person in the secret vote; zero where the key is gone.
func secretVoter(tx *store.Tx, room protocol.RoomID, id uint64, n events.Number) string {
	key := tx.Get(secretKeys, voteKey(room, id))
	if len(key) != keySize {
		return ""
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(n.String()))
	return hashed(h.Sum(nil))
}

// castSecret puts a ballot among those that wait for the log.
func (f *Feature) castSecret(tx *store.Tx, room protocol.RoomID, v Vote, n events.Number, b tally.Ballot) (bool, error) {
	who := secretVoter(tx, room, v.ID, n)
	key := voterKey(room, v.ID, who)
	before := ballotOf(tx, room, v.ID, who)
	if waiting := tx.Get(secretWaiting, key); waiting != nil {
		before = decodeBallot(waiting)
	}
	if slices.Equal(before, b) || len(before) == 0 && len(b) == 0 {
		return false, nil
	}
	tx.Put(secretWaiting, key, encodeBallot(b))
	if name := timerSecret + v.Number(); tx.Timer(name).IsZero() {
		tx.SetTimer(name, tx.Now().Add(f.SecretEvery), nil)
	}
	return true, nil
}

// flush puts the ballots that wait into the log.
func (f *Feature) flush(tx *store.Tx, room protocol.RoomID, v Vote) error {
	if !v.Secret || !v.Open() {
		return nil
	}
	changed := false
	prefix := voterKey(room, v.ID, "")
	for k, data := range tx.Prefix(secretWaiting, prefix) {
		who, b := k[len(prefix):], decodeBallot(data)
		tx.Delete(secretWaiting, k)
		if slices.Equal(ballotOf(tx, room, v.ID, who), b) {
			continue
		}
		what := whatBallot
		if len(b) == 0 {
			what = whatWithdrawn
		}
		if err := f.publish(tx, v, what, nil, cast{Choices: b, Voter: who}); err != nil {
			return err
		}
		changed = true
	}
	tx.StopTimer(timerSecret + v.Number())
	if !changed || v.Status != Running {
		return nil
	}
	return f.counted(tx, room, v.ID)
}

// burn deletes the key of a vote that has closed, and what has not gone into the log.
func burn(tx *store.Tx, room protocol.RoomID, id uint64) {
	tx.Delete(secretKeys, voteKey(room, id))
	for k := range tx.Prefix(secretWaiting, voterKey(room, id, "")) {
		tx.Delete(secretWaiting, k)
	}
}
