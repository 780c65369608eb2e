// Package picture draws what came of a vote, for rooms that want to see it. It knows nothing of votes: it draws a title, bars
// with their numbers, and sentences.
//
// # Promises
//
//   - The same result gives the same picture, byte for byte. Nothing is read but what the program holds: the fonts are the Go fonts.
//   - A picture has at most [Width] × [MaxHeight] pixels, and no words of people make it larger: what is too long is cut with an
//     ellipsis.
//   - Nothing in it depends on colour: each bar has its number, and what was chosen is set in bold and has a mark.
//   - It is opaque, so that it can be read on a dark background as on a light one.
//   - Words are drawn right or not at all. The Go fonts have the letters of Latin, Greek and Cyrillic; of words with any other letter,
//     as of Chinese or Arabic, what stands instead of them is drawn, as "option 2". Emoji and other signs that the fonts lack are left
//     out. All words stand in the message that the picture belongs to.
package picture
