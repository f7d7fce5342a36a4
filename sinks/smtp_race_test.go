//go:build race

package sinks_test

// The race detector makes go-smtp's writer, which works octet by octet, twenty
// times slower.
func init() { flatOctets = 5_000_000 }
