// Package preflight judges what servers and maildrops show before a migration:
// what is ready, what is not and why, and what helps.
//
// [Job] opens one session on each maildrop of a job, by the engine's own
// connector and governor, and makes an [Account] of each; [Server] looks at one
// server in all the ways that it may be reached, without an account. Neither
// fetches or marks a message. The package does not print.
package preflight
