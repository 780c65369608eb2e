package main

// What the program finds on most machines, and not in an image with nothing else in it: the roots of certificates, which are used where
// the system has none, and the time zones.
import (
	_ "time/tzdata"

	_ "golang.org/x/crypto/x509roots/fallback"
)
