package homeserver

import (
	"strings"
	"testing"
)

func TestServerRegisters(t *testing.T) {
	s := StartT(t)
	a, err := s.Register(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	if a.UserID != "@ann:"+Name || a.Token == "" || a.DeviceID == "" {
		t.Errorf("registered as %+v", a)
	}
	if _, err := s.Register(t.Context(), "ann"); err == nil || !strings.Contains(err.Error(), "M_USER_IN_USE") {
		t.Errorf("registered twice: %v", err)
	}
}
