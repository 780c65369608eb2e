// Package postgres keeps a log of changes (see package replica) in a database of PostgreSQL, 12 or newer, in a schema
// of its own:
//
//	lead   one row: term, node, until when its lease runs, identity, and the number of the base
//	log    number (primary key) │ term │ body
//	base   number, part (primary key) │ data, at most a MiB
//
// A change is inserted by one statement that holds the row of lead, has its term compared, and wants the number
// behind the last one: whoever takes the lease waits for it, or it finds the newer term. The primary key is a second
// guard. Standbys wait for a notification, and look by themselves each second.
package postgres
