// Package browser tests the page of operators in a real browser: Debian's Chromium, driven by chromedp, with axe-core to look for
// barriers. Its pictures are those of the documentation; go test ./browser -update makes them anew.
package browser
