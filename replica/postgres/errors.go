package postgres

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

func is(err error, codes ...string) bool {
	pg := (*pgconn.PgError)(nil)
	if !errors.As(err, &pg) {
		return false
	}
	for _, c := range codes {
		if pg.Code == c {
			return true
		}
	}
	return false
}

// isMissing reports whether the tables are not there: undefined_table, invalid_schema_name.
func isMissing(err error) bool { return is(err, "42P01", "3F000") }

// isUnique reports whether another one has the number already: unique_violation.
func isUnique(err error) bool { return is(err, "23505") }

// isLocked reports whether somebody else keeps a lock: lock_not_available.
func isLocked(err error) bool { return is(err, "55P03") }
