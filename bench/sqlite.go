package main

import (
	"database/sql"
	"errors"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// sqliteEngine is SQLite with a table whose key is room and event, and an index by room and time.
type sqliteEngine struct {
	db     *sql.DB
	insert *sql.Stmt
}

func (s *sqliteEngine) open(dir string) (err error) {
	path := filepath.Join(dir, "seen.sqlite")
	s.db, err = sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=journal_mode(WAL)"+
		"&_pragma=synchronous(FULL)&_pragma=cache_size(-65536)")
	if err != nil {
		return err
	}
	s.db.SetMaxOpenConns(1)
	for _, q := range []string{
		"CREATE TABLE IF NOT EXISTS seen (room TEXT NOT NULL, event TEXT NOT NULL, at INTEGER NOT NULL, " +
			"PRIMARY KEY (room, event)) WITHOUT ROWID",
		"CREATE INDEX IF NOT EXISTS by_time ON seen (room, at)",
	} {
		if _, err := s.db.Exec(q); err != nil {
			return err
		}
	}
	s.insert, err = s.db.Prepare("INSERT INTO seen (room, event, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
	return err
}

func (s *sqliteEngine) admit(events []event, at time.Time) (fresh int, err error) {
	tx, err := s.db.Begin()
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() //nolint:errcheck // after the commit it does nothing
	insert := tx.Stmt(s.insert)
	for _, e := range events {
		r, err := insert.Exec(e.room, e.id, at.UnixNano())
		if err != nil {
			return 0, err
		}
		n, err := r.RowsAffected()
		if err != nil {
			return 0, err
		}
		fresh += int(n)
	}
	return fresh, tx.Commit()
}

func (s *sqliteEngine) finish() error {
	_, err := s.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

func (s *sqliteEngine) close() error { return errors.Join(s.insert.Close(), s.db.Close()) }

func (s *sqliteEngine) count() (events, indexed int, err error) {
	err = errors.Join(
		s.db.QueryRow("SELECT count(*) FROM seen NOT INDEXED").Scan(&events),
		s.db.QueryRow("SELECT count(at) FROM seen INDEXED BY by_time").Scan(&indexed),
	)
	return events, indexed, err
}
