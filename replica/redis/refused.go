package redis

import (
	"errors"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"moot/replica"
)

// refused returns replica.ErrRefused for what does not pass by itself, and other errors as they are.
func (l *Log) refused(err error) error {
	said := (goredis.Error)(nil)
	if err == nil {
		return nil
	}
	if errors.As(err, &said) {
		text := strings.TrimSuffix(said.Error(), ".")
		switch word, _, _ := strings.Cut(text, " "); {
		case l.bySentinel && errors.Is(err, goredis.Nil):
			return replica.Refused(fmt.Errorf("the Sentinels know no primary of the name %q", l.primary), "write the name that stands in their configuration behind \"sentinel monitor\"")
		case word == "WRONGPASS", word == "NOAUTH", strings.Contains(text, "without any password configured"), strings.Contains(text, "no password is set"):
			return replica.Refused(errors.New(text), "see to the user and the password in the address, and to ?sentinel_password= where there are Sentinels")
		case word == "NOPERM", strings.Contains(text, "ACL failure in script"), strings.Contains(text, "user executing the script"):
			return replica.Refused(errors.New(text), "give the user the right to it: ACL SETUSER …")
		case strings.Contains(text, "DB index is out of range"):
			return replica.Refused(errors.New(text), "write the number of a database that it has")
		}
	}
	if tls := replica.RefusedTLS(err); tls != nil {
		return tls
	}
	return err
}
