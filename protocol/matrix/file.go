package matrix

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/attachment"
	"maunium.net/go/mautrix/event"

	"moot/protocol"
)

// sayFile posts a file with a text beside it, as one event: clients show the text as its caption, and older ones as its name. In an
// encrypted room the file is sealed before the server sees it (Client-Server API, "Sending encrypted attachments"). What was uploaded
// and not posted before a crash stays with the server, where nobody knows its address or key; the event stands once.
func (r *run) sayFile(ctx context.Context, room protocol.RoomID, key protocol.Key, place protocol.PlaceID, text protocol.Text, file *protocol.File, replyTo protocol.EventID) (protocol.Ref, error) {
	if err := file.Check(); err != nil {
		return protocol.Ref{}, final("%w", err)
	}
	if ref, ok := r.echoed(string(key)); ok {
		return ref, nil
	}
	defer r.typing(room)()
	encrypted, err := r.isEncrypted(ctx, room)
	if err != nil {
		return protocol.Ref{}, err
	}
	content := fileContent(shortened(text, maxPart/2), file)
	sealed, kind, name := file.Data, file.Type, file.Name
	var keys *attachment.EncryptedFile
	if encrypted {
		keys = attachment.NewEncryptedFile()
		sealed, kind, name = bytes.Clone(file.Data), "application/octet-stream", ""
		keys.EncryptInPlace(sealed)
	}
	address, err := r.upload(ctx, room, sealed, kind, name)
	if err != nil {
		return protocol.Ref{}, err
	}
	if keys == nil {
		content["url"] = address
		if now, err := r.isEncrypted(ctx, room); err != nil || now {
			return protocol.Ref{}, errors.Join(errors.New("the room was encrypted while a file for it was uploaded"), err)
		}
	} else {
		content["file"] = map[string]any{
			"url": address, "v": keys.Version, "key": keys.Key, "iv": keys.InitVector, "hashes": keys.Hashes,
		}
	}
	relate(content, place, replyTo)
	return r.put(ctx, room, event.EventMessage, string(key), content)
}

// fileContent is the content of a file, without where it lies.
func fileContent(t protocol.Text, file *protocol.File) map[string]any {
	info := map[string]any{"mimetype": file.Type, "size": len(file.Data)}
	c := textContent(t)
	c["msgtype"], c["filename"], c["info"] = "m.file", file.Name, info
	if file.IsPicture() {
		c["msgtype"], info["w"], info["h"] = "m.image", file.Width, file.Height
	}
	if t.Plain() == "" {
		c["body"] = file.Name
	}
	return c
}

// upload gives the server a file and returns its address.
func (r *run) upload(ctx context.Context, room protocol.RoomID, data []byte, kind, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	query := map[string]string{}
	if name != "" {
		query["filename"] = name
	}
	var resp struct {
		Address word `json:"content_uri"`
	}
	_, err := r.client.MakeFullRequest(ctx, mautrix.FullRequest{
		Method: http.MethodPost, URL: r.client.BuildURLWithQuery(mautrix.MediaURLPath{"v3", "upload"}, query),
		Headers: http.Header{"Content-Type": {kind}}, RequestBytes: data,
		ResponseJSON: &resp, MaxAttempts: 1, Handler: readShallow, ResponseSizeLimit: maxResponse, SensitiveContent: true,
	})
	switch status, _ := answer(err); {
	case status == http.StatusRequestEntityTooLarge: // also of a proxy, which says it in no words of Matrix
		return "", final("the server takes no file of %d bytes: %w", len(data), err)
	case err != nil:
		return "", r.failure(ctx, "upload a file", room, err)
	}
	if u, err := url.Parse(string(resp.Address)); err != nil || u.Scheme != "mxc" || u.Host == "" {
		return "", errors.New("upload a file: the server does not say where it lies")
	}
	return string(resp.Address), nil
}
