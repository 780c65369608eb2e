//go:build goolm

package keys

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"
	mcrypto "maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
	_ "modernc.org/sqlite" // the driver "sqlite"
	"pgregory.net/rapid"

	"moot/store"
)

var secret = []byte("0123456789abcdef")

// library is the store of the library, in memory.
func library(t interface{ Fatal(args ...any) }) (*mcrypto.SQLCryptoStore, *sql.DB) {
	raw, err := sql.Open("sqlite", ":memory:?_pragma=foreign_keys(0)")
	if err != nil {
		t.Fatal(err)
	}
	raw.SetMaxOpenConns(1)
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		t.Fatal(err)
	}
	s := mcrypto.NewSQLCryptoStore(db, nil, "", "DEVICE", secret)
	if err := s.DB.Upgrade(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s, raw
}

// pair is this package beside the store of the library: whatever is asked of both has one answer.
type pair struct {
	t     *rapid.T
	ctx   context.Context
	path  string
	st    *store.Store
	ours  *Store
	their *mcrypto.SQLCryptoStore
	out   map[id.RoomID]*mcrypto.OutboundGroupSession
	olm   map[id.SessionID]*mcrypto.OlmSession
	in    []*mcrypto.InboundGroupSession
	clock time.Time
}

func (p *pair) open() {
	st, err := store.Open(store.Config{Path: p.path})
	if err != nil {
		p.t.Fatal(err)
	}
	p.st, p.ours = st, New(Open(st), secret)
}

// same compares what both say, and whether they fail.
func same[T any](p *pair, what string, f func(mcrypto.Store) (T, error)) T {
	p.t.Helper()
	ours, err := f(p.ours)
	their, theirErr := f(p.their)
	a, _ := json.Marshal(ours)
	b, _ := json.Marshal(their)
	if string(a) != string(b) || (err == nil) != (theirErr == nil) || errors.Is(err, mcrypto.ErrGroupSessionWithheld) != errors.Is(theirErr, mcrypto.ErrGroupSessionWithheld) {
		p.t.Fatalf("%s: got %s, %v; the library has %s, %v", what, a, err, b, theirErr)
	}
	return ours
}

func done(p *pair, what string, f func(mcrypto.Store) error) {
	p.t.Helper()
	same(p, what, func(s mcrypto.Store) (bool, error) { return true, f(s) })
}

// next is a moment behind all before it.
func (p *pair) next() time.Time {
	p.clock = p.clock.Add(time.Second)
	return p.clock
}

func inboundOf(s *mcrypto.InboundGroupSession) string {
	if s == nil {
		return "none"
	}
	pickle, err := s.Internal.Pickle(secret)
	if err != nil {
		return err.Error()
	}
	// Pickles differ in their padding of no meaning; what they open does not.
	again := olm.NewBlankInboundGroupSession()
	if err := again.Unpickle(pickle, secret); err != nil {
		return err.Error()
	}
	key, err := again.Export(again.FirstKnownIndex())
	shared := "?"
	if s.SharedHistory != nil {
		shared = fmt.Sprint(*s.SharedHistory)
	}
	return fmt.Sprint(s.ID(), s.RoomID, s.SenderKey, s.SigningKey, s.ForwardingChains, s.RatchetSafety, s.ReceivedAt.UnixNano(), s.MaxAge, s.MaxMessages,
		s.IsScheduled, s.KeyBackupVersion, s.KeySource, s.SourceUser, shared, string(key), err)
}

func olmOf(s *mcrypto.OlmSession) string {
	if s == nil {
		return "none"
	}
	return fmt.Sprint(s.ID(), s.CreationTime.UnixNano(), s.LastEncryptedTime.UnixNano(), s.LastDecryptedTime.UnixNano(), s.Internal.Describe())
}

// TestLikeTheLibrary: whatever is done, this store says what the library's own says, also within a transaction, after one that failed, after
// the database was closed and opened, and after a crash behind a commit. And what the library's holds can be carried over.
func TestLikeTheLibrary(t *testing.T) {
	rooms := []id.RoomID{"!a:x", "!b:x"}
	users := []id.UserID{"@ann:x", "@ben:x", "@cleo:y"}
	devices := []id.DeviceID{"ONE", "TWO", "THREE"}
	folder, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		p := &pair{t: t, ctx: context.Background(), path: filepath.Join(folder, fmt.Sprint(n), "moot.db"),
			out: map[id.RoomID]*mcrypto.OutboundGroupSession{}, olm: map[id.SessionID]*mcrypto.OlmSession{}, clock: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
		var raw *sql.DB
		p.their, raw = library(t)
		defer raw.Close()
		if err := os.MkdirAll(filepath.Dir(p.path), 0o700); err != nil {
			t.Fatal(err)
		}
		p.open()
		defer func() { p.st.Along(nil); _ = p.st.Close() }()
		room := func() id.RoomID { return rapid.SampledFrom(rooms).Draw(t, "room") }
		user := func() id.UserID { return rapid.SampledFrom(users).Draw(t, "user") }
		name := func() id.DeviceID { return rapid.SampledFrom(devices).Draw(t, "device") }
		key := func() id.Ed25519 { return id.Ed25519(rapid.SampledFrom([]string{"k1", "k2", "k3"}).Draw(t, "key")) }
		usage := func() id.CrossSigningUsage {
			return rapid.SampledFrom([]id.CrossSigningUsage{id.XSUsageMaster, id.XSUsageSelfSigning}).Draw(t, "usage")
		}
		session := func() id.SessionID {
			if len(p.in) == 0 {
				return "none"
			}
			return rapid.SampledFrom(p.in).Draw(t, "session").ID()
		}
		device := func() *id.Device {
			return &id.Device{UserID: user(), DeviceID: name(), IdentityKey: id.IdentityKey(key()), SigningKey: id.SigningKey(key()), Trust: rapid.SampledFrom([]id.TrustState{id.TrustStateUnset, id.TrustStateVerified}).Draw(t, "trust"), Name: "a name"}
		}
		actions := map[string]func(*rapid.T){
			"account": func(*rapid.T) {
				acct := mcrypto.NewOlmAccount()
				acct.Shared = rapid.Bool().Draw(t, "shared")
				done(p, "put an account", func(s mcrypto.Store) error { return s.PutAccount(p.ctx, acct) })
			},
			"inbound": func(*rapid.T) {
				outside, err := olm.NewOutboundGroupSession()
				if err != nil {
					t.Fatal(err)
				}
				in, err := mcrypto.NewInboundGroupSession(id.SenderKey(key()), key(), room(), outside.Key(), time.Hour, 100, rapid.SampledFrom([]*bool{nil, new(bool)}).Draw(t, "history"), rapid.Bool().Draw(t, "scheduled"))
				if err != nil {
					t.Fatal(err)
				}
				in.ReceivedAt = p.next()
				if rapid.Bool().Draw(t, "outdated") {
					in.ReceivedAt = time.Time{}
				}
				in.SourceUser, in.KeyBackupVersion = user(), "v1"
				in.ForwardingChains = rapid.SampledFrom([][]string{nil, {"x"}, {"x", "y"}}).Draw(t, "chains")
				p.in = append(p.in, in)
				done(p, "put a session", func(s mcrypto.Store) error { return s.PutGroupSession(p.ctx, in) })
			},
			"withhold": func(*rapid.T) {
				content := event.RoomKeyWithheldEventContent{RoomID: room(), SessionID: id.SessionID(rapid.SampledFrom([]string{"w1", "w2", string(session())}).Draw(t, "withheld")), SenderKey: "s", Code: event.RoomKeyWithheldUnverified, Reason: "no"}
				done(p, "withhold", func(s mcrypto.Store) error { return s.PutWithheldGroupSession(p.ctx, content) })
			},
			"redact": func(*rapid.T) {
				at := session()
				done(p, "redact", func(s mcrypto.Store) error { return s.RedactGroupSession(p.ctx, rooms[0], at, "r") })
			},
			"redact some": func(*rapid.T) {
				in, from := rapid.SampledFrom(append(rooms, "")).Draw(t, "in"), id.SenderKey(rapid.SampledFrom([]string{"", "k1"}).Draw(t, "from"))
				same(p, "redact some", func(s mcrypto.Store) ([]id.SessionID, error) {
					gone, err := s.RedactGroupSessions(p.ctx, in, from, "r")
					slices.Sort(gone)
					return slices.Clip(append([]id.SessionID{}, gone...)), err
				})
			},
			"redact outdated": func(*rapid.T) {
				same(p, "redact outdated", func(s mcrypto.Store) ([]id.SessionID, error) {
					gone, err := s.RedactOutdatedGroupSessions(p.ctx)
					slices.Sort(gone)
					return append([]id.SessionID{}, gone...), err
				})
			},
			"outbound": func(*rapid.T) {
				at := room()
				made, err := mcrypto.NewOutboundGroupSession(at, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				made.CreationTime, made.LastEncryptedTime, made.Shared = p.next(), p.clock, rapid.Bool().Draw(t, "shared")
				p.out[at] = made
				done(p, "add an outbound session", func(s mcrypto.Store) error { return s.AddOutboundGroupSession(p.ctx, made) })
			},
			"seal": func(*rapid.T) {
				at := room()
				if s := p.out[at]; s != nil {
					s.MessageCount++
					s.LastEncryptedTime = p.next()
					done(p, "update an outbound session", func(st mcrypto.Store) error { return st.UpdateOutboundGroupSession(p.ctx, s) })
				}
			},
			"remove outbound": func(*rapid.T) {
				at := room()
				done(p, "remove an outbound session", func(s mcrypto.Store) error { return s.RemoveOutboundGroupSession(p.ctx, at) })
			},
			"give": func(*rapid.T) {
				u, k, at := user(), id.IdentityKey(key()), session()
				done(p, "give", func(s mcrypto.Store) error { return s.MarkOutboundGroupSessionShared(p.ctx, u, k, at) })
			},
			"olm": func(*rapid.T) {
				ann, ben := mcrypto.NewOlmAccount(), mcrypto.NewOlmAccount()
				ben.Internal.GenOneTimeKeys(1)
				one, err := ben.Internal.OneTimeKeys()
				if err != nil {
					t.Fatal(err)
				}
				for _, k := range one {
					made, err := ann.Internal.NewOutboundSession(ben.IdentityKey(), k)
					if err != nil {
						t.Fatal(err)
					}
					s := &mcrypto.OlmSession{Internal: made}
					s.CreationTime, s.LastEncryptedTime, s.LastDecryptedTime = p.next(), p.clock, p.clock
					p.olm[s.ID()] = s
					of := id.SenderKey(key())
					done(p, "add an olm session", func(st mcrypto.Store) error { return st.AddSession(p.ctx, of, s) })
				}
			},
			"olm works": func(*rapid.T) {
				of := id.SenderKey(key())
				list, err := p.their.GetSessions(p.ctx, of)
				if err != nil || len(list) == 0 {
					return
				}
				s := rapid.SampledFrom([]*mcrypto.OlmSession(list)).Draw(t, "olm session")
				if _, _, err := s.Encrypt([]byte("x")); err != nil {
					t.Fatal(err)
				}
				s.LastEncryptedTime, s.LastDecryptedTime = p.next(), p.next()
				done(p, "update an olm session", func(st mcrypto.Store) error {
					if own, is := st.(*Store); is { // which has a session of its own by now
						own.mu.Lock()
						own.cacheLocked(of)[s.ID()] = s
						own.mu.Unlock()
					}
					return st.UpdateSession(p.ctx, of, s)
				})
			},
			"olm ends": func(*rapid.T) {
				of := id.SenderKey(key())
				list, err := p.their.GetSessions(p.ctx, of)
				if err != nil || len(list) == 0 {
					return
				}
				s := rapid.SampledFrom([]*mcrypto.OlmSession(list)).Draw(t, "olm session")
				done(p, "delete an olm session", func(st mcrypto.Store) error { return st.DeleteSession(p.ctx, of, s) })
			},
			"hash": func(*rapid.T) {
				hash, at := [32]byte{byte(rapid.IntRange(0, 3).Draw(t, "hash")), 31}, p.next()
				done(p, "put a hash", func(s mcrypto.Store) error { return s.PutOlmHash(p.ctx, hash, at) })
			},
			"old hashes": func(*rapid.T) {
				before := p.clock.Add(-time.Duration(rapid.IntRange(-1, 5).Draw(t, "before")) * time.Second)
				done(p, "drop hashes", func(s mcrypto.Store) error { return s.DeleteOldOlmHashes(p.ctx, before) })
			},
			"index": func(*rapid.T) {
				ev, index, at := id.EventID(rapid.SampledFrom([]string{"", "$a", "$b"}).Draw(t, "event")), uint(rapid.IntRange(0, 2).Draw(t, "index")), int64(rapid.IntRange(0, 1).Draw(t, "at"))
				same(p, "an index", func(s mcrypto.Store) (bool, error) { return s.ValidateMessageIndex(p.ctx, "s", ev, index, at) })
			},
			"device": func(*rapid.T) {
				d := device()
				done(p, "put a device", func(s mcrypto.Store) error { return s.PutDevice(p.ctx, d.UserID, d) })
			},
			"devices": func(*rapid.T) {
				u, all := user(), map[id.DeviceID]*id.Device{}
				for range rapid.IntRange(0, 3).Draw(t, "devices") {
					d := device()
					d.UserID = u
					all[d.DeviceID] = d
				}
				done(p, "put devices", func(s mcrypto.Store) error { return s.PutDevices(p.ctx, u, all) })
			},
			"outdate": func(*rapid.T) {
				some := []id.UserID{user(), user()}
				done(p, "outdate", func(s mcrypto.Store) error { return s.MarkTrackedUsersOutdated(p.ctx, slices.Clone(some)) })
			},
			"identity": func(*rapid.T) {
				u, as, k := user(), usage(), key()
				done(p, "put an identity", func(s mcrypto.Store) error { return s.PutCrossSigningKey(p.ctx, u, as, k) })
			},
			"reset": func(*rapid.T) {
				u, k := user(), key()
				done(p, "reset an identity", func(s mcrypto.Store) error { return s.ResetMasterKeyTOFU(p.ctx, u, k) })
			},
			"sign": func(*rapid.T) {
				u, k, by, with := user(), key(), user(), key()
				done(p, "sign", func(s mcrypto.Store) error { return s.PutSignature(p.ctx, u, k, by, with, "sig"+string(with)) })
			},
			"unsign": func(*rapid.T) {
				by, with := user(), key()
				same(p, "unsign", func(s mcrypto.Store) (int64, error) { return s.DropSignaturesByKey(p.ctx, by, with) })
			},
			"secret": func(*rapid.T) {
				as, value := id.Secret(rapid.SampledFrom([]string{"s1", "s2"}).Draw(t, "secret")), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "value")
				done(p, "put a secret", func(s mcrypto.Store) error { return s.PutSecret(p.ctx, as, value) })
			},
			"no secret": func(*rapid.T) {
				as := id.Secret(rapid.SampledFrom([]string{"s1", "s2"}).Draw(t, "secret"))
				done(p, "delete a secret", func(s mcrypto.Store) error { return s.DeleteSecret(p.ctx, as) })
			},
			"fail": func(*rapid.T) {
				gone, u := errors.New("gone"), user()
				if err := p.ours.Do(p.ctx, func(ctx context.Context) error {
					return errors.Join(p.ours.PutDevices(ctx, u, nil), p.ours.PutCrossSigningKey(ctx, u, id.XSUsageMaster, "never"), p.ours.RemoveOutboundGroupSession(ctx, rooms[0]), gone)
				}); !errors.Is(err, gone) {
					t.Fatal(err)
				}
			},
			"commit": func(*rapid.T) {
				if err := p.ours.Rows.Flush(); err != nil {
					t.Fatal(err)
				}
			},
			"reopen": func(*rapid.T) {
				if rapid.Bool().Draw(t, "by a crash") {
					if err := p.ours.Rows.Flush(); err != nil {
						t.Fatal(err)
					}
					p.st.Along(nil)
				} else if err := p.ours.Close(); err != nil {
					t.Fatal(err)
				}
				if err := p.st.Close(); err != nil {
					t.Fatal(err)
				}
				p.open()
			},
			"": func(*rapid.T) { compare(p, rooms, users, devices) },
		}
		t.Repeat(actions)
		// The library's own, carried over, is the same once more.
		if _, err := raw.Exec(`CREATE TABLE IF NOT EXISTS moot_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)`); err != nil {
			t.Fatal(err)
		}
		if err := p.ours.Close(); err != nil {
			t.Fatal(err)
		}
		p.ours = New(Open(p.st), secret)
		if _, left, err := p.ours.Carry(p.ctx, raw); left > 0 || err != nil {
			t.Fatalf("carried over: %d are left, %v", left, err)
		}
		for _, at := range rooms { // what is used for one run only stays behind
			if err := p.their.RemoveOutboundGroupSession(p.ctx, at); err != nil {
				t.Fatal(err)
			}
		}
		compare(p, rooms, users, devices)
	})
}

// compare asks both stores everything.
func compare(p *pair, rooms []id.RoomID, users []id.UserID, devices []id.DeviceID) {
	p.t.Helper()
	ctx := p.ctx
	same(p, "the account", func(s mcrypto.Store) (string, error) {
		acct, err := s.GetAccount(ctx)
		if acct == nil || err != nil {
			return "none", err
		}
		return fmt.Sprint(acct.IdentityKey(), acct.SigningKey(), acct.Shared, acct.KeyBackupVersion), nil
	})
	ids := []id.SessionID{"w1", "w2", "none"}
	for _, in := range p.in {
		ids = append(ids, in.ID())
	}
	list := func(what string, f func(mcrypto.Store) dbutil.RowIter[*mcrypto.InboundGroupSession]) {
		same(p, what, func(s mcrypto.Store) ([]string, error) {
			all, err := f(s).AsList()
			out := []string{}
			for _, in := range all {
				out = append(out, inboundOf(in))
			}
			slices.Sort(out)
			return out, err
		})
	}
	list("all sessions", func(s mcrypto.Store) dbutil.RowIter[*mcrypto.InboundGroupSession] { return s.GetAllGroupSessions(ctx) })
	list("sessions without a backup", func(s mcrypto.Store) dbutil.RowIter[*mcrypto.InboundGroupSession] {
		return s.GetGroupSessionsWithoutKeyBackupVersion(ctx, "v2")
	})
	for _, room := range rooms {
		list("sessions of a room", func(s mcrypto.Store) dbutil.RowIter[*mcrypto.InboundGroupSession] {
			return s.GetGroupSessionsForRoom(ctx, room)
		})
		for _, session := range ids {
			same(p, "a session", func(s mcrypto.Store) (string, error) {
				in, err := s.GetGroupSession(ctx, room, session)
				return inboundOf(in), err
			})
			same(p, "why a session is withheld", func(s mcrypto.Store) (*event.RoomKeyWithheldEventContent, error) {
				content, err := s.GetWithheldGroupSession(ctx, room, session)
				if content != nil && strings.HasPrefix(content.Reason, "Session redacted") {
					content.Reason = "redacted"
				}
				return content, err
			})
		}
		same(p, "the outbound session", func(s mcrypto.Store) (string, error) {
			out, err := s.GetOutboundGroupSession(ctx, room)
			if out == nil || err != nil {
				return "none", err
			}
			return fmt.Sprint(out.ID(), out.Shared, out.MaxMessages, out.MessageCount, out.MaxAge, out.CreationTime.UnixNano(), out.LastEncryptedTime.UnixNano(), out.Internal.MessageIndex()), nil
		})
	}
	for _, key := range []string{"k1", "k2", "k3"} {
		same(p, "olm sessions", func(s mcrypto.Store) ([]string, error) {
			all, err := s.GetSessions(ctx, id.SenderKey(key))
			out := []string{}
			for _, session := range all {
				out = append(out, olmOf(session))
			}
			return out, err
		})
		same(p, "the latest olm session", func(s mcrypto.Store) (string, error) {
			session, err := s.GetLatestSession(ctx, id.SenderKey(key))
			return olmOf(session), err
		})
		same(p, "the newest olm session", func(s mcrypto.Store) (int64, error) {
			at, err := s.GetNewestSessionCreationTS(ctx, id.SenderKey(key))
			return at.UnixNano(), err
		})
	}
	for n := range 4 {
		same(p, "a hash", func(s mcrypto.Store) (int64, error) {
			at, err := s.GetOlmHash(ctx, [32]byte{byte(n), 31})
			return at.UnixMilli(), err
		})
	}
	same(p, "who is tracked", func(s mcrypto.Store) ([]id.UserID, error) {
		all, err := s.FilterTrackedUsers(ctx, slices.Clone(users))
		slices.Sort(all)
		return append([]id.UserID{}, all...), err
	})
	same(p, "who is outdated", func(s mcrypto.Store) ([]id.UserID, error) {
		all, err := s.GetOutdatedTrackedUsers(ctx)
		slices.Sort(all)
		return append([]id.UserID{}, all...), err
	})
	for _, user := range users {
		same(p, "devices", func(s mcrypto.Store) (map[id.DeviceID]*id.Device, error) { return s.GetDevices(ctx, user) })
		for _, name := range devices {
			same(p, "a device", func(s mcrypto.Store) (*id.Device, error) { return s.GetDevice(ctx, user, name) })
		}
		same(p, "identities", func(s mcrypto.Store) (map[id.CrossSigningUsage]id.CrossSigningKey, error) {
			return s.GetCrossSigningKeys(ctx, user)
		})
		for _, key := range []id.Ed25519{"k1", "k2", "k3"} {
			same(p, "whether there is a device of a key", func(s mcrypto.Store) (bool, error) { // which of several is not said
				d, err := s.FindDeviceByKey(ctx, user, id.IdentityKey(key))
				return d != nil, err
			})
			for _, by := range users {
				signed := same(p, "signatures", func(s mcrypto.Store) (map[id.Ed25519]string, error) {
					return s.GetSignaturesForKeyBy(ctx, user, key, by)
				})
				for _, with := range slices.Sorted(maps.Keys(signed)) {
					same(p, "a signature", func(s mcrypto.Store) (bool, error) { return s.IsKeySignedBy(ctx, user, key, by, with) })
				}
			}
			for _, session := range ids {
				same(p, "whom a key was given", func(s mcrypto.Store) (bool, error) {
					return s.IsOutboundGroupSessionShared(ctx, user, id.IdentityKey(key), session)
				})
			}
		}
	}
	for _, name := range []id.Secret{"s1", "s2"} {
		same(p, "a secret", func(s mcrypto.Store) (string, error) { return s.GetSecret(ctx, name) })
	}
}
