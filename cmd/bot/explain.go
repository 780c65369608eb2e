package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"moot/backup"
	"moot/events"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/internal/control"
	"moot/internal/inspect"
	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/matrix"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/replica"
	"moot/store"
)

// placed is an error together with what somebody has to know to do something about it.
type placed struct {
	err    error
	file   string // of the store
	folder string
	holder int  // the process that holds the file; 0 where it is not known
	ran    bool // whether it is the error of a bot that ran, and not of one that did not start
}

func (p *placed) Error() string { return p.err.Error() }
func (p *placed) Unwrap() error { return p.err }

// explain makes of an error a sentence for whoever started the program: what is the matter, and what to do.
func explain(err error) string {
	var problems config.Problems
	if errors.As(err, &problems) {
		return problems.Error()
	}
	var ends bot.NetworkEnds
	if errors.As(err, &ends) {
		at := &placed{file: "the file", folder: "the data folder"}
		errors.As(err, &at)
		var lines []string
		for _, end := range ends {
			line := explain(&placed{err: end.Err, file: at.file, folder: at.folder, ran: at.ran})
			if !slices.Contains(lines, line) { // such as that the folder is a copy, which each network says
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "\n")
	}
	var fault *account.Fault
	if errors.As(err, &fault) {
		return sentence(fault.Error())
	}
	at := &placed{file: "the file", folder: "the data folder"}
	errors.As(err, &at)
	var copying *backup.Fault
	switch {
	case errors.Is(err, context.Canceled):
		return "Interrupted."
	case errors.As(err, &copying): // of the files of a backup, and not of those of the bot
		return sentence(copying.Error())
	case errors.Is(err, inspect.ErrNotFound), errors.Is(err, inspect.ErrAmbiguous):
		return err.Error()
	case errors.Is(err, control.ErrNoData):
		return fmt.Sprintf("There is nothing in %s yet: no bot has run there. Start one with `moot run`, or name another folder with --data.", at.folder)
	case errors.Is(err, control.ErrUnreachable):
		return fmt.Sprintf("Another process holds %s and does not answer. If it is a bot that is just starting or stopping, try again in a moment.", at.file)
	case errors.Is(err, control.ErrCutShort):
		return "The bot stopped in the middle of its answer. Ask again."
	case errors.Is(err, store.ErrLocked):
		who := "another process"
		if at.holder != 0 {
			who = fmt.Sprintf("a bot that is already running (process %d)", at.holder)
		}
		return fmt.Sprintf("The data folder %s is in use by %s. Stop it first, or name another folder with --data.", at.folder, who)
	case errors.Is(err, replica.ErrVersion): // which is of the log, and not of the file
		return fmt.Sprintf("This machine cannot follow the others: %v. %s was not changed. docs/standby.md has the order of an upgrade.", replica.ErrVersion, at.file)
	case errors.Is(err, replica.ErrParted):
		return fmt.Sprintf("%s has changes that the log of the machines does not have: %v. Either the server of the log has lost what it had acknowledged, or the folder was used without the log. To go on with what the log has, move %s away: this machine then takes a copy. To go on with this folder, stop all machines, move the folders of the others away, and give the log another name in [replica].", at.file, err, at.folder)
	case errors.Is(err, replica.ErrOther):
		return fmt.Sprintf("%s belongs to another bot than the log of the machines, or was restored from a backup: %v. To go on with what the log has, move %s away: this machine then takes a copy. To go on with this folder, stop all machines, move the folders of the others away, and give the log another name in [replica].", at.file, err, at.folder)
	case errors.Is(err, store.ErrForeign):
		return fmt.Sprintf("%s is not a database of moot, and was not changed. Move it away, or name another folder with --data.", at.file)
	case errors.Is(err, store.ErrNewer):
		return fmt.Sprintf("%s was written by a newer version of moot, and was not changed. Run that version, restore the backup from before the upgrade with `moot restore`, or name another folder with --data.", at.file)
	case errors.Is(err, store.ErrOlder):
		return fmt.Sprintf("%s was written by a build from before the first release, and was not changed. This version cannot read it: move it away, or name another folder with --data.", at.file)
	case errors.Is(err, bot.ErrStoreAhead):
		return fmt.Sprintf("The bot does not start with %s: %v. The clock was ahead before, and is right now. Wait until it has caught up, or run `moot clock reset`, which says what a reset gives up.", at.folder, err)
	case errors.Is(err, bot.ErrClock):
		return fmt.Sprintf("The bot was stopped while it waited for the clock to be right: %v. Set the clock of this machine, for example with NTP. Nothing is lost.", err)
	case store.IsFull(err):
		return fmt.Sprintf("The disk of %s is full: %v. Free some space and start the bot. Nothing is lost: what was not written will be delivered again.", at.folder, err)
	case errors.Is(err, store.ErrWrite), errors.Is(err, store.ErrBroken):
		return fmt.Sprintf("The bot stopped because it could not write to %s: %v. Nothing is lost: what was not written will be delivered again at the next start.", at.file, err)
	case errors.Is(err, store.ErrDamaged) && at.ran:
		return fmt.Sprintf("%s is damaged, and the bot stopped when it noticed: %v. Restore the data folder from the last backup.", at.file, err)
	case errors.Is(err, store.ErrDamaged):
		return fmt.Sprintf("%s is damaged, and was not changed: %v. Restore the data folder from the last backup.", at.file, err)
	case errors.Is(err, crypto.ErrDamaged):
		return fmt.Sprintf("The keys for Matrix in %s are damaged, and the bot stopped when it noticed: %s. Restore the data folder from the last backup, or run `moot matrix forget` to give the bot a new device.", at.file, protocol.OneLine(err.Error()))
	case errors.Is(err, crypto.ErrFull):
		return fmt.Sprintf("The disk of %s is full: %s. Free some space and start the bot. Nothing is lost: what was not written will be delivered again.", at.folder, protocol.OneLine(err.Error()))
	case errors.Is(err, matrix.ErrBroken):
		return fmt.Sprintf("The bot stopped because it could not write its keys for Matrix to %s: %s. Nothing is lost: what was not written will be delivered again at the next start.", at.file, protocol.OneLine(err.Error()))
	case errors.Is(err, events.ErrArchive):
		return fmt.Sprintf("The archive of facts in %s does not belong to its database: %v. Restore the whole data folder from one backup.", at.folder, err)
	case errors.Is(err, console.ErrMoved):
		return fmt.Sprintf("In the data folder %s the console's clock was moved, with /wait or --clock, so a real network cannot use it. Name another folder as data, or move %s away to keep it for the console.", at.folder, at.folder)
	case errors.Is(err, console.ErrOtherWorld), errors.Is(err, console.ErrNewer), errors.Is(err, console.ErrForeign), errors.Is(err, console.ErrCorrupt):
		return fmt.Sprintf("The console of %s cannot be opened: %v.", at.folder, err)
	}
	return sentence(err.Error())
}

// sentence makes a sentence of the words of an error.
func sentence(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	// What begins with a path or an identifier stays as it is.
	if word, _, _ := strings.Cut(s, " "); !strings.ContainsAny(word, "/.:_") {
		s = string(unicode.ToUpper(r)) + s[size:]
	}
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}
