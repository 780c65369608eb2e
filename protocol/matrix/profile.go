package matrix

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"maunium.net/go/mautrix"

	"moot/protocol"
)

const (
	// avatarName is the name of the cursor that keeps which picture was uploaded: the account, the hash of the file, and where it
	// stands, with spaces between.
	avatarName = "matrix-avatar"
	// maxAvatar is how many bytes a picture may have.
	maxAvatar = 10 << 20
)

// learnProfile reads what the bot is called, and by which picture it is shown.
func (r *run) learnProfile() (avatar string, err error) {
	var profile struct {
		Name   word `json:"displayname"`
		Avatar word `json:"avatar_url"`
	}
	err = r.request(r.ctx, http.MethodGet, mautrix.ClientURLPath{"v3", "profile", r.self}, nil, nil, &profile)
	err = r.without("what the bot is called", err)
	if status, _ := answer(err); err != nil && (status == 0 || status >= 500 || status == http.StatusTooManyRequests) {
		return "", err
	}
	r.name = protocol.OneLine(string(profile.Name))
	return string(profile.Avatar), nil
}

// present gives the account the name and the picture of the configuration, where it has others.
func (r *run) present(name, avatar string) {
	c := r.adapter.config
	if c.Name != "" && c.Name != name {
		r.begin(func(ctx context.Context) {
			if err := r.setProfile(ctx, "displayname", c.Name); err != nil && ctx.Err() == nil {
				r.log.Warn("the account could not be given its name", "err", err)
			}
		})
	}
	if c.Avatar != "" {
		r.begin(func(ctx context.Context) {
			if err := r.show(ctx, c.Avatar, avatar); err != nil && ctx.Err() == nil {
				r.log.Warn("the account could not be given its picture", "file", c.Avatar, "err", err)
			}
		})
	}
}

func (r *run) setProfile(ctx context.Context, field, value string) error {
	path := mautrix.ClientURLPath{"v3", "profile", r.self, field}
	return r.request(ctx, http.MethodPut, path, nil, map[string]string{field: value}, nil)
}

// show gives the account the picture in a file. It is uploaded once, and again when it is another; stands is where the picture
// of the account is.
func (r *run) show(ctx context.Context, file, stands string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxAvatar+1))
	if err != nil {
		return err
	}
	kind := http.DetectContentType(data)
	if len(data) > maxAvatar || !strings.HasPrefix(kind, "image/") {
		return fmt.Errorf("it is no picture of at most %d MiB", maxAvatar>>20)
	}
	sum := sha256.Sum256(data)
	known := string(r.self) + " " + hex.EncodeToString(sum[:]) + " "
	saved, err := r.to.Cursor(avatarName)
	if err != nil {
		return err
	}
	address, uploaded := strings.CutPrefix(saved, known)
	if !uploaded {
		resp, err := r.client.UploadBytes(ctx, data, kind)
		if err != nil {
			return err
		}
		address = resp.ContentURI.String()
		if err := r.to.Admit(ctx, nil, protocol.Cursor{Name: avatarName, Value: known + address}); err != nil {
			return err
		}
	}
	if address == stands {
		return nil
	}
	return r.setProfile(ctx, "avatar_url", address)
}
