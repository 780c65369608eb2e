// Package pictures shows votes as people see them in the programs that they use, in a real browser, and makes the pictures of README
// of that: go test -tags goolm ./pictures -update makes them anew.
//
// On Matrix that is Hydrogen, Element's lightweight client, at a real homeserver. Discord's client is not to be had; what moot has sent
// there is drawn by open components that look like it, and README says so. To make the pictures anew a font with emoji is needed
// (fonts-noto-color-emoji on Debian).
package pictures
