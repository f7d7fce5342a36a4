package pop3

import "testing"

func TestWindow(t *testing.T) {
	w := newWindow(true, 0, 0, 0)
	if w.size() != 64 {
		t.Errorf("begins with %d", w.size())
	}
	for range 5 {
		w.silent()
	}
	if w.size() != 256 {
		t.Errorf("grows to %d", w.size())
	}
	total := int64(0)
	many := func(n int, octets int64) {
		for range n {
			total += octets
			w.read(total)
		}
	}
	if many(100, 5000); w.size() != 256 {
		t.Errorf("%d of small messages", w.size())
	}
	if many(100, 1<<20); w.size() < 14 || w.size() > 18 {
		t.Errorf("%d of a MiB each", w.size())
	}
	if many(100, 1<<30); w.size() != 2 {
		t.Errorf("%d of a GiB each", w.size())
	}
	if again := newWindow(true, 0, w.mean, total); again.size() != 2 {
		t.Errorf("%d after messages of a GiB each", again.size())
	}
	if many(100, 100); w.size() != 256 {
		t.Errorf("%d of small messages again", w.size())
	}
	if many(3, 0); w.size() != 256 {
		t.Errorf("%d of empty messages", w.size())
	}
	if w := newWindow(false, 0, 0, 0); w.size() != 1 {
		t.Errorf("%d in lock-step", w.size())
	}
	w = newWindow(true, 7, 1<<30, 0)
	if w.silent(); w.size() != 7 {
		t.Errorf("%d where 7 was asked for", w.size())
	}
}
