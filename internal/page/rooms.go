package page

import (
	"net/http"
	"strings"

	"moot/internal/inspect"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes"
)

// listed is how many rows a page has at most.
const listed = 200

// roomRow is a room in the list.
type roomRow struct {
	rooms.Info
	ID    protocol.RoomID
	Title string
	Votes int // that are open
}

func rowOf(info rooms.Info) roomRow {
	return roomRow{Info: info, ID: info.ID, Title: protocol.OneLine(info.Title())}
}

func (p *Page) rooms(r *http.Request) (view, error) {
	data := struct {
		Search string
		Rooms  []roomRow
		More   bool
	}{Search: strings.TrimSpace(r.FormValue("search"))}
	err := p.Inspector.Store.View(func(tx *store.Tx) error {
		for info := range rooms.All(tx) {
			row := rowOf(info)
			if info.Private || !contains(row.Title, data.Search) && !contains(string(row.ID), data.Search) {
				continue
			}
			if data.More = len(data.Rooms) == listed; data.More {
				break
			}
			for range votes.OpenIn(tx, info.ID) {
				row.Votes++
			}
			data.Rooms = append(data.Rooms, row)
		}
		return nil
	})
	return view{Title: "Rooms", Template: "rooms.html", Data: data}, err
}

// contains reports whether a text holds another, whatever the case.
func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

func (p *Page) room(r *http.Request) (view, error) {
	var data struct {
		roomRow
		Past []voteRow
		More bool
	}
	err := p.Inspector.Store.View(func(tx *store.Tx) error {
		info, err := openRoom(tx, r.FormValue("id"))
		if err != nil {
			return err
		}
		data.roomRow = rowOf(info)
		for v := range votes.All(tx, info.ID) {
			if data.More = len(data.Past) == listed; data.More {
				break
			}
			data.Past = append(data.Past, p.voteRow(tx, info, v))
		}
		return nil
	})
	return view{Title: data.Title, Template: "room.html", Data: data}, err
}

// openRoom returns a room that is no private conversation.
func openRoom(tx *store.Tx, id string) (rooms.Info, error) {
	info, ok := rooms.Get(tx, protocol.RoomID(id))
	if !ok || info.Private {
		return info, question("There is no such room, or it is a private conversation.")
	}
	return info, nil
}

// question is the error of a question that has no answer; its text is for people.
type question string

func (q question) Error() string        { return string(q) }
func (q question) Is(target error) bool { return target == inspect.ErrNotFound }
