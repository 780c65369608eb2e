// A count of ranked ballots by others (@node-core/caritat), driven over stdin and stdout: a JSON object a line each way,
//
//	{"id": 1, "do": "count", "with": [{"options": 3, "ballots": [[1, 2, 0]]}]}
//	{"id": 1, "result": [{"duels": [2, 1, 0], "ahead": [0], "first": [1, 0, 0]}]}   or   {"id": 1, "error": "…"}
//
// A ballot has the rank of each option, and 0 for one that it does not rank. Of each election it says how many others each option
// beats when each two are compared, who beats the most, and how many ballots have each option first.
//
//	node witness.mjs FOLDER     where FOLDER/node_modules has the library
import { createInterface } from "node:readline";
import path from "node:path";
import { pathToFileURL } from "node:url";

const load = async (name) =>
  (await import(pathToFileURL(path.join(process.argv[2], "node_modules/@node-core/caritat/dist", name)).href)).default;
const Vote = await load("vote.js");

function count({ options, ballots }) {
  const candidates = Array.from({ length: options }, (_, i) => String(i));
  const votes = ballots.map((ranks, i) => ({
    voter: { id: String(i) },
    // Caritat takes scores, of which the higher one is preferred, and 0 for what is not named.
    preferences: new Map(ranks.flatMap((rank, o) => (rank ? [[String(o), options + 1 - rank]] : []))),
  }));
  const of = (method) => new Vote({ candidates, votes, targetMethod: method, subject: "who" }).count();
  const duels = of("Condorcet");
  const first = of("SingleRound");
  const numbers = (result) => candidates.map((c) => result.get(c));
  return { duels: numbers(duels.result), ahead: [...duels.findWinners()].map(Number), first: numbers(first.result) };
}

const acts = { count: (elections) => elections.map(count) };
for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: act, with: given } = JSON.parse(line);
  let answer;
  try {
    answer = { id, result: acts[act](given) };
  } catch (err) {
    answer = { id, error: String(err?.stack ?? err) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
