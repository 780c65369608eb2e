package discordtest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
)

// File is one under a message.
type File struct {
	Name, Alt, Type string
	Data            []byte
}

// unpack takes the form of a request with files apart: the JSON in it, and the files by their places. A request without files is
// returned as it is.
// https://discord.com/developers/docs/reference#uploading-files
func unpack(r *http.Request, raw []byte) (*http.Request, []byte, map[int]File, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return r, raw, nil, nil
	}
	files := map[int]File{}
	var body []byte
	for parts := multipart.NewReader(bytes.NewReader(raw), params["boundary"]); ; {
		p, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, nil, err
		}
		data, err := io.ReadAll(p)
		if err != nil {
			return nil, nil, nil, err
		}
		place, isFile := strings.CutPrefix(p.FormName(), "files[")
		n, nerr := strconv.Atoi(strings.TrimSuffix(place, "]"))
		switch {
		case p.FormName() == "payload_json":
			body = data
		case isFile && nerr == nil && p.FileName() != "":
			files[n] = File{Name: p.FileName(), Type: p.Header.Get("Content-Type"), Data: data}
		default:
			return nil, nil, nil, errors.New("a part is called " + p.FormName())
		}
	}
	clear := r.Clone(r.Context())
	clear.Header.Set("Content-Type", "application/json")
	return clear, body, files, nil
}

// attach puts the files of a request to what names them, which has to name each.
func (c *call) attach(files map[int]File) {
	about := c.body
	if data, ok := c.body["data"].(map[string]any); ok {
		about = data
	}
	named, _ := about["attachments"].([]any)
	if len(named) != len(files) {
		c.s.fail("%d attachments are named, and %d files come", len(named), len(files))
		return
	}
	for _, one := range named {
		o, _ := one.(map[string]any)
		f, ok := files[number(o["id"])]
		if name, _ := o["filename"].(string); !ok || name != f.Name {
			c.s.fail("an attachment is called %v, and its file %q", o["filename"], f.Name)
		}
		f.Alt, _ = o["description"].(string)
		o["file"] = f
	}
}

// filesIn returns the files that a body names.
func filesIn(body obj) (files []File) {
	named, _ := body["attachments"].([]any)
	for _, one := range named {
		o, _ := one.(map[string]any)
		if f, ok := o["file"].(File); ok {
			files = append(files, f)
		}
	}
	return files
}

// attachments are the files of a message as it shows them.
func (m *message) attachments() []obj {
	all := []obj{}
	for i, f := range m.files {
		address := "https://cdn.discordapp.com/attachments/" + m.channel.ID + "/" + m.id + "/" + f.Name
		o := obj{"id": m.id[:len(m.id)-1] + strconv.Itoa(i), "filename": f.Name, "size": len(f.Data), "content_type": f.Type,
			"url": address, "proxy_url": address}
		if f.Alt != "" {
			o["description"] = f.Alt
		}
		all = append(all, o)
	}
	return all
}
