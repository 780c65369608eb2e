// Package backup makes copies of a data folder from which a bot can go on, checks them, and restores them.
//
// # Promises
//
//   - A backup is one state: that of the database after some commit, and everything that belongs to it. It is made
//     while the bot works, which waits for nothing.
//   - A backup is whole or not there. It is written aside, synced, and renamed; a crash leaves nothing that looks
//     like one.
//   - Each byte of a backup is covered by a SHA-256, those of the manifest too. A byte that has changed is named by
//     its file, and nothing is restored from such a backup.
//   - With recipients, nothing of a backup but its manifest is on the disk of the backup in clear.
//   - A restore changes nothing that is there: it makes a new folder, in one step at its end.
//   - A backup that is followed loses a second at most; it is restored as of its last change, or of any time.
//   - A bot that was restored does not send what it sent after the backup was made: see bot.Restored.
//
// # The folder
//
// A folder of backups belongs to one bot, and has a folder for each backup, named by when it was made:
//
//	moot-backups/
//	  2026-11-29T021500.123Z/
//	    manifest.json             what it is of, and the length and SHA-256 of each file
//	    moot.db, moot.wal/        the database
//	    facts.archive             as far as the database has committed it
//	    matrix-keys.db            of a folder that version 0.1 has left: not older than the database, see below
//	    matrix-login.json, matrix-recovery-key.txt, console.jsonl
//	    changes/                  what followed, where the backup is followed: see changes.go
//
// A file that a bot does not have is left out. With recipients the names of all but the manifest end with .age.
//
// The order matters. The database is copied first, and a file of keys second: keys that are newer than the sync token
// in the database are what a crash leaves too, and do no harm; older ones would lose messages. The archive only
// grows, so that the part of it that the copied database knows is the same whenever it is copied.
package backup
