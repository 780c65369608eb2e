package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"moot/replica"
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

// refused returns replica.ErrRefused for what does not pass by itself, and other errors as they are.
func refused(err error) error {
	pg := (*pgconn.PgError)(nil)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pg) && strings.HasPrefix(pg.Code, "28"): // invalid_authorization_specification, invalid_password
		return replica.Refused(pg, "see to the user and the password in the address, and to pg_hba.conf of the server")
	case is(err, "3D000"): // invalid_catalog_name
		return replica.Refused(pg, "make the database, or name another one in the address")
	case is(err, "42501"): // insufficient_privilege
		return replica.Refused(pg, "with GRANT CREATE ON DATABASE … TO … the role can make the schema of moot; one that is there has to be its own")
	case is(err, "42P05", "26000"): // duplicate_prepared_statement, invalid_sql_statement_name
		return replica.Refused(pg, "PgBouncer has another connection for each transaction; set pool_mode = session")
	case strings.Contains(err.Error(), "server refused TLS connection"): // of pgconn, which has no value for it
		return replica.Refused(errors.New("it speaks no TLS"), "switch TLS on there (ssl = on), or write sslmode=prefer in the address")
	}
	if tls := replica.RefusedTLS(err); tls != nil {
		return tls
	}
	return err
}
