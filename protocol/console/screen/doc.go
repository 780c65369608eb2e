// Package screen shows a console world on the whole of a terminal: the rooms and private conversations at the left, what
// was said in one of them, the open votes as cards that change in place, and an editor.
//
//	console.Terminal ─▶ entries, places, answers ─▶ model ─▶ View
//	what the bot knows (Config.Votes, Config.Inside) ─┘  ▲
//	                                                keys ┘
//
// It is a package of its own because it alone needs a library that draws, and because a world, its adapter and its plain
// lines have no use for one. It decides nothing: what is typed goes to [console.Terminal.Do], which plain lines use too.
//
// # Promises
//
//   - The terminal is left as it was, whatever ends the screen: a key, the context, a panic. Ctrl-Z leaves it for as
//     long as the process is stopped.
//   - Widths are those of the terminal, by characters as people see them: the cursor moves over 👨‍👩‍👧 in one step, and
//     backspace removes it as one. (That is why the editor is not a library's: those move by code points.)
//   - What is pasted is one message, however many lines it has.
//   - A frame costs as much as what it shows, however long the timeline is.
//   - While nothing happens, nothing is done: the process sleeps.
//   - Nothing depends on colour alone. Without colours (NO_COLOR) all is there in words and signs.
package screen
