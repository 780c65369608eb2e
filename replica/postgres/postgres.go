package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"moot/internal/finding"
	"moot/replica"
	"moot/store"
)

// Log is a log in a database.
type Log struct {
	pool   *pgxpool.Pool
	name   string // of the schema
	schema string // the same as it stands in SQL
	notify string // the name of the channel
}

// Open prepares a log in the database that a URL names, in the named schema. Nothing is asked of the server yet.
func Open(ctx context.Context, url, schema string) (*Log, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the address of PostgreSQL cannot be read; write it like postgres://user:password@host/database")
	}
	cfg.MaxConns = 4 // one each for the changes, the lease, those who follow, and a base
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 2 * time.Second
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = applicationName
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, session, pgx.QueryExecModeSimpleProtocol)
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &Log{pool: pool, name: schema, schema: pgx.Identifier{schema}.Sanitize(), notify: schema + "_log"}, nil
}

const applicationName = "moot"

// session is what is set on each connection. Not at its start: PgBouncer refuses what it does not know there.
//
// What the server says is committed is on its disk, whatever it has as its default. A machine that was cut off in the middle of a request
// keeps its locks for as long as the server waits for the rest: see Lead.
const session = `SET synchronous_commit = on; SET lock_timeout = 1000;
SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3`

// Close lets go of the server.
func (l *Log) Close() error {
	l.pool.Close()
	return nil
}

// in puts the name of the schema into a statement.
func (l *Log) in(sql string) string { return fmt.Sprintf(sql, l.schema) }

const tables = `
CREATE SCHEMA IF NOT EXISTS %[1]s;
CREATE TABLE IF NOT EXISTS %[1]s.lead (
	one bool PRIMARY KEY DEFAULT true CHECK (one), term bigint NOT NULL, node text NOT NULL,
	until timestamptz NOT NULL, identity text NOT NULL, base bigint NOT NULL);
CREATE TABLE IF NOT EXISTS %[1]s.log (number bigint PRIMARY KEY, term bigint NOT NULL, body bytea NOT NULL);
CREATE TABLE IF NOT EXISTS %[1]s.base (number bigint, part int, data bytea NOT NULL, PRIMARY KEY (number, part));
ALTER TABLE %[1]s.log ALTER body SET STORAGE EXTERNAL;
ALTER TABLE %[1]s.base ALTER data SET STORAGE EXTERNAL;
INSERT INTO %[1]s.lead VALUES (true, 0, '', '-infinity', '', 0) ON CONFLICT DO NOTHING`

// prepare makes the tables where they are not there. One at a time does: CREATE … IF NOT EXISTS is not safe otherwise.
func (l *Log) prepare(ctx context.Context) error {
	return pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext($1))`, l.notify); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, l.in(tables), pgx.QueryExecModeSimpleProtocol)
		return err
	})
}

// Stand says how the log stands. A standby of PostgreSQL, which may lack something, is not asked.
func (l *Log) Stand(ctx context.Context) (s replica.Standing, err error) {
	var recovers bool
	err = l.pool.QueryRow(ctx, l.in(`SELECT term, node, until > clock_timestamp(), identity, base,
		coalesce((SELECT max(number) FROM %[1]s.log), base), pg_is_in_recovery() FROM %[1]s.lead`)).
		Scan(&s.Term, &s.Leader, &s.Held, &s.Identity, &s.Base, &s.Last, &recovers)
	if isMissing(err) {
		return replica.Standing{}, refused(l.prepare(ctx))
	}
	if err == nil && recovers {
		return replica.Standing{}, errors.New("it is a standby of PostgreSQL")
	}
	return s, refused(err)
}

// Lead takes the lease where nobody has it. Where somebody whose lease has run out has left a lock behind, as one does that was cut off
// before all of its request had arrived, the server gives up waiting for the rest.
func (l *Log) Lead(ctx context.Context, node string, ttl time.Duration) (replica.Term, error) {
	t, err := l.lead(ctx, node, ttl)
	if !isLocked(err) {
		return t, err
	}
	if _, err := l.pool.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
		WHERE relation = $1::regclass AND pid <> pg_backend_pid() AND application_name = $2 AND mode IN ('RowShareLock', 'RowExclusiveLock')
		AND `+l.in(`(SELECT until <= clock_timestamp() FROM %s.lead)`), l.schema+".lead", applicationName); err != nil {
		return 0, fmt.Errorf("end who keeps the lock of a lease that has run out: %w", err)
	}
	return l.lead(ctx, node, ttl)
}

func (l *Log) lead(ctx context.Context, node string, ttl time.Duration) (t replica.Term, err error) {
	err = l.pool.QueryRow(ctx, l.in(`UPDATE %s.lead SET term = term + 1, node = $1, until = clock_timestamp() + $2
		WHERE until <= clock_timestamp() RETURNING term`), node, ttl).Scan(&t)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, replica.ErrHeld
	}
	return t, refused(err)
}

// Renew has the lease run on.
func (l *Log) Renew(ctx context.Context, t replica.Term, ttl time.Duration) error {
	tag, err := l.pool.Exec(ctx, l.in(`UPDATE %s.lead SET until = clock_timestamp() + $2 WHERE term = $1`), t, ttl)
	if err == nil && tag.RowsAffected() == 0 {
		return replica.ErrFenced
	}
	return refused(err)
}

// Release gives the lease back.
func (l *Log) Release(ctx context.Context, t replica.Term) error {
	_, err := l.pool.Exec(ctx, l.in(`UPDATE %s.lead SET until = '-infinity' WHERE term = $1`), t)
	return err
}

// Append puts a change behind the last one.
func (l *Log) Append(ctx context.Context, t replica.Term, ch store.Change) error {
	tag, err := l.pool.Exec(ctx, l.in(`WITH mine AS (SELECT base FROM %[1]s.lead WHERE term = $1 FOR SHARE),
		put AS (INSERT INTO %[1]s.log SELECT $2, $1, $3 FROM mine
			WHERE $2 = 1 + coalesce((SELECT max(number) FROM %[1]s.log), base) RETURNING number)
		SELECT pg_notify($4, '') FROM put`), t, ch.Number, ch.Body, l.notify)
	if err != nil && !isUnique(err) || err == nil && tag.RowsAffected() == 1 {
		return refused(err)
	}
	return l.whyNot(ctx, t, ch)
}

// whyNot says why a change was not appended: it may have been before.
func (l *Log) whyNot(ctx context.Context, t replica.Term, ch store.Change) error {
	var term replica.Term
	var last uint64
	var body []byte
	err := l.pool.QueryRow(ctx, l.in(`SELECT lead.term, coalesce(log.number, base), coalesce(body, '') FROM %[1]s.lead
		LEFT JOIN %[1]s.log ON log.number = (SELECT max(number) FROM %[1]s.log)`)).Scan(&term, &last, &body)
	switch {
	case err != nil:
		return err
	case term != t:
		return replica.ErrFenced
	case last == ch.Number && bytes.Equal(body, ch.Body):
		return nil
	}
	return fmt.Errorf("%w: %d, and it ends at %d", replica.ErrGap, ch.Number, last)
}

// lookEvery is after what time a standby looks into the log that was told nothing.
const lookEvery = time.Second

// Follow goes through the changes after a number.
func (l *Log) Follow(ctx context.Context, after uint64) iter.Seq2[store.Change, error] {
	return func(yield func(store.Change, error) bool) {
		conn, err := l.pool.Acquire(ctx)
		if err != nil {
			yield(store.Change{}, err)
			return
		}
		defer func() { // which listens: nobody else is to have it
			conn.Hijack().Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is written
		}()
		if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{l.notify}.Sanitize()); err != nil {
			yield(store.Change{}, err)
			return
		}
		for {
			next, err := l.read(ctx, conn.Conn(), after, yield)
			if err == errStopped { //nolint:errorlint // it is that value
				return
			}
			if err == nil && next == after {
				wait, cancel := context.WithTimeout(ctx, lookEvery)
				_, err = conn.Conn().WaitForNotification(wait)
				if wait.Err() != nil {
					err = ctx.Err()
				}
				cancel()
			}
			if err != nil {
				yield(store.Change{}, err)
				return
			}
			after = next
		}
	}
}

var errStopped = errors.New("the caller has stopped")

// readBytes is about how much of the log is asked for at once.
const readBytes = 4 << 20

// read hands on what is there now, and returns the number of the last.
func (l *Log) read(ctx context.Context, conn *pgx.Conn, after uint64, yield func(store.Change, error) bool) (uint64, error) {
	var base, last uint64
	var first *uint64
	err := conn.QueryRow(ctx, l.in(`SELECT base, coalesce((SELECT max(number) FROM %[1]s.log), base),
		(SELECT min(number) FROM %[1]s.log) FROM %[1]s.lead`)).Scan(&base, &last, &first)
	switch {
	case err != nil:
		return after, err
	case after > last:
		return after, fmt.Errorf("%w: it ends at change %d, and %d was asked for", store.ErrAhead, last, after)
	case after < last && (first == nil || *first > after+1):
		return after, store.ErrGone
	case after == last:
		return after, nil
	}
	rows, err := conn.Query(ctx, l.in(`SELECT number, body FROM (SELECT number, body, sum(length(body)) OVER (ORDER BY number) AS so_far
		FROM (SELECT number, body FROM %s.log WHERE number > $1 ORDER BY number LIMIT 256) AS next) AS counted
		WHERE so_far <= $2 OR number = $1 + 1 ORDER BY number`), after, readBytes)
	if err != nil {
		return after, err
	}
	defer rows.Close()
	for rows.Next() {
		var ch store.Change
		if err := rows.Scan(&ch.Number, &ch.Body); err != nil {
			return after, err
		}
		if ch.Number != after+1 {
			return after, store.ErrGone // it was trimmed meanwhile
		}
		if after = ch.Number; !yield(ch, nil) {
			return after, errStopped
		}
	}
	return after, rows.Err()
}

// partBytes is how much of a base is in one row.
const partBytes = 1 << 20

// PutBase puts a base in place of the one before it. Its parts become visible together.
func (l *Log) PutBase(ctx context.Context, t replica.Term, identity string, number uint64, r io.Reader) error {
	return pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		var was string
		err := tx.QueryRow(ctx, l.in(`SELECT identity FROM %s.lead WHERE term = $1`), t).Scan(&was)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return replica.ErrFenced
		case err != nil:
			return err
		case was != "" && was != identity:
			return replica.ErrOther
		}
		if _, err := tx.Exec(ctx, l.in(`DELETE FROM %s.base`)); err != nil {
			return err
		}
		part := make([]byte, partBytes)
		for n := 0; ; n++ {
			size, err := io.ReadFull(r, part)
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return err
			}
			if size > 0 {
				if _, err := tx.Exec(ctx, l.in(`INSERT INTO %s.base VALUES ($1, $2, $3)`), number, n, part[:size]); err != nil {
					return err
				}
			}
			if size < len(part) {
				break
			}
		}
		tag, err := tx.Exec(ctx, l.in(`UPDATE %s.lead SET identity = $2, base = $3 WHERE term = $1`), t, identity, number)
		if err == nil && tag.RowsAffected() == 0 {
			return replica.ErrFenced
		}
		return err
	})
}

// Base reads the base.
func (l *Log) Base(ctx context.Context) (uint64, io.ReadCloser, error) {
	s, err := l.Stand(ctx)
	switch {
	case err != nil:
		return 0, nil, err
	case s.Identity == "":
		return 0, nil, replica.ErrNoBase
	}
	return s.Base, &baseReader{ctx: ctx, log: l, number: s.Base}, nil
}

// baseReader reads a base, part by part.
type baseReader struct {
	ctx    context.Context
	log    *Log
	number uint64
	next   int
	rest   []byte
	ended  bool
}

func (r *baseReader) Read(b []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.ended {
			return 0, io.EOF
		}
		err := r.log.pool.QueryRow(r.ctx, r.log.in(`SELECT data FROM %s.base WHERE number = $1 AND part = $2`), r.number, r.next).Scan(&r.rest)
		switch {
		case errors.Is(err, pgx.ErrNoRows) && r.next == 0:
			return 0, errors.New("another base was put meanwhile")
		case errors.Is(err, pgx.ErrNoRows):
			return 0, io.EOF // or it is another one: what was read is checked
		case err != nil:
			return 0, err
		}
		r.next, r.ended = r.next+1, len(r.rest) < partBytes
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *baseReader) Close() error { return nil }

// Trim lets go of the changes up to a number.
func (l *Log) Trim(ctx context.Context, t replica.Term, upTo uint64) error {
	return pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		var base uint64
		err := tx.QueryRow(ctx, l.in(`SELECT base FROM %s.lead WHERE term = $1`), t).Scan(&base)
		if errors.Is(err, pgx.ErrNoRows) {
			return replica.ErrFenced
		}
		if err == nil {
			_, err = tx.Exec(ctx, l.in(`DELETE FROM %s.log WHERE number <= $1`), min(upTo, base))
		}
		return err
	})
}

// Check looks at the settings of the server.
func (l *Log) Check(ctx context.Context) ([]finding.Finding, error) {
	var version int
	var fsync, fullPages, synchronous, recovers string
	err := l.pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('fsync'),
		current_setting('full_page_writes'), current_setting('synchronous_commit'), pg_is_in_recovery()::text`).
		Scan(&version, &fsync, &fullPages, &synchronous, &recovers)
	switch {
	case err != nil:
		return nil, refused(err)
	case version < 120000:
		return nil, fmt.Errorf("%w: PostgreSQL %d is too old; use 12 or newer", replica.ErrUnfit, version/10000)
	case fsync != "on":
		return nil, fmt.Errorf("%w: fsync is off, so that a power cut loses what was acknowledged; set fsync = on", replica.ErrUnfit)
	case fullPages != "on":
		return nil, fmt.Errorf("%w: full_page_writes is off, so that a power cut may damage it; set full_page_writes = on", replica.ErrUnfit)
	case recovers == "true":
		return nil, fmt.Errorf("%w: it is a standby of PostgreSQL; name the primary", replica.ErrUnfit)
	case synchronous != "on": // moot has set it
		return nil, errShared
	}
	if err := l.sessions(ctx); err != nil {
		return nil, err
	}
	if err := l.mayWrite(ctx); err != nil {
		return nil, err
	}
	what := fmt.Sprintf("PostgreSQL %d", version/10000)
	return []finding.Finding{finding.New(finding.OK, "replica", what, "")}, nil
}

var errShared = fmt.Errorf("%w: PgBouncer, or what else stands before it, has moot share the connections of others, on which nothing that it sets holds; set pool_mode = session", replica.ErrUnfit)

// sessions fails where two connections are the same one at the server.
func (l *Log) sessions(ctx context.Context) error {
	var pids [2]int
	for i := range pids {
		conn, err := l.pool.Acquire(ctx)
		if err != nil {
			return refused(err)
		}
		defer conn.Release() // not before the other one is there
		if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pids[i]); err != nil {
			return refused(err)
		}
	}
	if pids[0] == pids[1] {
		return errShared
	}
	return nil
}

// mayWrite fails where the tables are there, and the role may not change them.
func (l *Log) mayWrite(ctx context.Context) error {
	var role string
	var may bool
	err := l.pool.QueryRow(ctx, `SELECT current_user, coalesce(bool_and(has_table_privilege(c.oid, p)), true)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p
		WHERE n.nspname = $1 AND c.relname IN ('lead', 'log', 'base')`, l.name).Scan(&role, &may)
	if err == nil && !may {
		return replica.Refused(fmt.Errorf("the role %s may not write to the tables in the schema %s", role, l.name), "name the role that owns them in the address")
	}
	return refused(err)
}
