// Package endtoend holds the tests that run the program as a user does, as a
// process of its own, against real servers. Where a server is not installed
// they skip; see package realservers.
package endtoend
