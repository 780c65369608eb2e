// Package services is the feature that makes jobs of what collectors bring: somebody gives a command that a service has
// declared, writes what a pattern fits, a schedule comes round, a webhook is posted, a collector has found something, or an operator
// says so. A job goes through the tasks of its service one after another, and what they answer is said where the job came from. It
// knows no program and no process: a task is an ask of the network that is the service, and package protocol/service answers it.
//
//	event, timer, order ─▶ job (row, ask of the 1st task) ─▶ answer ─▶ … ask of the next task ─▶ answer ─▶ what is said
//	└─ one commit ────────────────────────────────────────┘ └─ one commit ───────────────────┘
//
// # Promises
//
//   - A job begins in the commit that handles what it came from: each message, tick and order makes one job or none.
//   - Each job is answered once: with what its tasks say, that it failed, or that nobody can know.
//   - A task runs at least once for a job that goes well, always under the same key (retry = "safe"), or at most once (retry =
//     "never"); where one of the latter may have begun and nothing came back, the job is ambiguous and waits for somebody.
//   - Jobs of one conversation of a service are done in order, those of several beside each other. The second task of a job may
//     come behind the first of the next one.
//   - A conversation has at most Queue jobs that wait; more are refused, and the person is told.
//   - Where the collector takes back, it is the last task of the jobs of what it has brought: what is to be said is said when it has
//     acknowledged.
//   - What a webhook brought and cannot be taken, since too many wait, is a dead letter.
//   - What failed for good is a dead letter with its input and its error, without what the list of secrets names. The job is
//     kept as failed until it is retried or dropped.
//   - A tick of a schedule is one job. What was missed while the bot was away or the service paused makes one job, or none.
//
// # Data
//
// All of it is written under the scope of a conversation of a service, service.NAME:CONVERSATION, where the conversation is the
// room, and the place in it, from which the job came; "schedule", "webhook", "run" and the names of
// collectors stand for no room.
//
//	bucket         key                  value
//	service-jobs   scope ␟ job          Job (JSON)
//	service-asks   scope ␟ ask          job
//	service-load   scope                how many of its jobs wait
//	service-stuck  scope                how many of its jobs have failed, or are ambiguous
//
//	cursor                 value
//	service.NAME/paused    "yes" where the service is paused; its adapter sets it
//
//	timer                  scope                     data
//	services.tick          service.NAME:schedule     the schedule that it was set for
//	services.clear         any with jobs             ∅: jobs that are done are forgotten
package services
