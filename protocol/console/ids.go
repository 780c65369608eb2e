package console

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"moot/internal/say"
	"moot/protocol"
)

// Bot is the account of the bot.
const Bot protocol.UserID = "console:moot"

// Replay is how many events of a room are delivered again when the bot comes back to it.
const Replay = 50

const directPrefix = "dm-"

func roomID(local string) protocol.RoomID {
	return protocol.RoomID(protocol.Console) + ":" + protocol.RoomID(local)
}
func userID(local string) protocol.UserID {
	return protocol.UserID(protocol.Console) + ":" + protocol.UserID(local)
}

// directID is the private conversation of a person with the bot.
func directID(user protocol.UserID) protocol.RoomID { return roomID(directPrefix + user.Local()) }

// eventID names the event that the record at a position is.
func eventID(pos uint64) protocol.EventID {
	return protocol.EventID("e" + strconv.FormatUint(pos, 10))
}

// position is the inverse of eventID.
func position(id protocol.EventID) (pos uint64, ok bool) {
	digits, ok := strings.CutPrefix(string(id), "e")
	if !ok {
		return 0, false
	}
	pos, err := strconv.ParseUint(digits, 10, 64)
	return pos, err == nil && eventID(pos) == id
}

const maxName = 32

// localName makes the part of an identifier out of what a person typed as the name of something new: a person or a room.
func (s *state) localName(what, typed string) (string, error) {
	name := strings.ToLower(protocol.OneLine(typed))
	switch {
	case name == "":
		return "", s.refuse(ErrBadName, "nameless-"+what)
	case utf8.RuneCountInString(name) > maxName:
		return "", s.refuse(ErrBadName, "name-long-"+what, say.Number("Most", maxName))
	case strings.HasPrefix(name, directPrefix):
		return "", s.refuse(ErrBadName, "name-private", code("Prefix", directPrefix))
	}
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r) {
			return "", s.refuse(ErrBadName, "name-word-"+what)
		}
	}
	return name, nil
}
