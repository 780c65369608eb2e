// Draws messages, as a Discord has them, by components that look like Discord's own program.
import "@skyra/discord-components-core";
import { parse } from "discord-markdown-parser";

function element(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) e.setAttribute(name, "");
    else if (value !== undefined && value !== false) e.setAttribute(name, value);
  }
  e.append(...children.flat());
  return e;
}

// How long ago or ahead a moment is, as Discord says it.
function relative(seconds, now) {
  const by = seconds - now, format = new Intl.RelativeTimeFormat("en");
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]])
    if (Math.abs(by) >= length) return format.format(Math.round(by / length), unit);
  return format.format(Math.round(by), "second");
}

const date = moment => moment.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" });

// A picture for somebody who has none.
const face = name => "data:image/svg+xml," + encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40">
<rect width="40" height="40" fill="#3ba55d"/><text x="20" y="28" font-family="sans-serif" font-size="22" fill="#fff" text-anchor="middle">${name[0]}</text></svg>`);

function draw(nodes, to) {
  const all = list => draw(list, to);
  return [nodes].flat().map(n => {
    switch (n.type) {
      case "text": return n.content;
      case "strong": return element("strong", {}, all(n.content));
      case "em": return element("discord-italic", {}, all(n.content));
      case "underline": return element("discord-underlined", {}, all(n.content));
      case "strikethrough": return element("s", {}, all(n.content));
      case "inlineCode": return element("discord-code", {}, n.content);
      case "codeBlock": return element("discord-code", { multiline: true, language: n.lang }, n.content);
      case "blockQuote": return element("discord-quote", {}, all(n.content));
      case "br": case "newline": return element("br", {});
      case "user": return element("discord-mention", { type: "user" }, to.names[n.id] ?? n.id);
      case "timestamp": {
        return element("discord-time", {}, n.format === "R" ? relative(n.timestamp, to.now) : date(new Date(n.timestamp * 1000)));
      }
      case "url": case "link": case "autolink": return element("a", { href: n.target }, all(n.content));
      default: throw new Error("nobody knows how to draw " + JSON.stringify(n));
    }
  });
}

const looks = { 1: "primary", 2: "secondary", 3: "success", 4: "destructive" };

function component(c) {
  switch (c.type) {
    case 1: return element("discord-action-row", {}, c.components.map(component));
    case 2: return element("discord-button", { type: looks[c.style], disabled: c.disabled }, (c.emoji ? c.emoji.name + " " : "") + (c.label ?? ""));
    case 3: return element("discord-string-select-menu", { placeholder: c.placeholder, disabled: c.disabled });
    default: throw new Error("nobody knows how to draw a component of type " + c.type);
  }
}

// show draws messages: {messages, names, now}. It is dark, as Discord is.
window.show = async to => {
  const list = element("discord-messages", { "no-background": false });
  for (const m of to.messages) {
    const inside = [element("span", {}, draw(parse(m.content, "extended"), to))];
    if (m.components?.length) inside.push(element("discord-attachments", { slot: "components" }, m.components.map(component)));
    list.append(element("discord-message", {
      author: m.author.global_name ?? m.author.username, bot: !!m.author.bot, edited: !!m.edited_timestamp,
      avatar: face(m.author.username), timestamp: date(new Date(m.timestamp)),
    }, ...inside));
  }
  document.getElementById("app").append(list);
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return document.body.innerText;
};
