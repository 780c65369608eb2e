package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/textproto"
)

// File is one that goes with a request.
type File struct {
	Name string // without folders or quotes
	Type string // media type
	Data []byte
}

// encode returns the body of a request and what it is: JSON, or where files go with it a form with the JSON as its first part.
// https://discord.com/developers/docs/reference#uploading-files
func (r Request) encode() (body []byte, kind string, err error) {
	if r.Body == nil {
		return nil, "", nil
	}
	if body, err = json.Marshal(r.Body); err != nil || len(r.Files) == 0 {
		return body, "application/json", err
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part := func(about, kind string, data []byte) {
		p, perr := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {"form-data; " + about}, "Content-Type": {kind}})
		if perr == nil {
			_, perr = p.Write(data)
		}
		if err == nil {
			err = perr
		}
	}
	part(`name="payload_json"`, "application/json", body)
	for i, f := range r.Files {
		part(fmt.Sprintf("name=%q; filename=%q", fmt.Sprintf("files[%d]", i), f.Name), f.Type, f.Data)
	}
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	return b.Bytes(), w.FormDataContentType(), err
}
