package main

import "testing"

func TestShareFiles(t *testing.T) {
	for _, test := range []struct {
		limit                      uint64
		sinks, sessions, temporary int
	}{
		{10, 1, 1, 1}, {40, 2, 1, 1}, {80, 2, 4, 6}, {256, 1, 33, 28}, {1024, 2, 96, 124}, {1 << 62, 3, 87357, 256},
	} {
		if sessions, temporary := shareFiles(test.limit, test.sinks); sessions != test.sessions || temporary != test.temporary {
			t.Errorf("limit %d, %d sinks: %d sessions, %d temporary files; want %d and %d",
				test.limit, test.sinks, sessions, temporary, test.sessions, test.temporary)
		}
	}
}
